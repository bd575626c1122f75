package rbac

import (
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/component-helpers/auth/rbac/validation"
)

// Covers reports whether owner's rules allow everything that servant's do, as the API server's escalation
// check decides it, and returns the atoms that are missing.
func Covers(owner, servant []rbacv1.PolicyRule) (bool, []rbacv1.PolicyRule) {
	return validation.Covers(owner, servant)
}

// Atoms breaks rules into ones with a single verb, group, resource and name, or a single verb and URL.
func Atoms(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	var atoms []rbacv1.PolicyRule
	for _, r := range rules {
		atoms = append(atoms, validation.BreakdownRule(r)...)
	}
	return atoms
}
