package checks

import (
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"

	rbacv1 "k8s.io/api/rbac/v1"
)

var rbacDefaultServiceAccountPrivileged = &check.Check{
	ID:         "rbac-default-service-account-privileged",
	Title:      "RBAC makes a default service account strong",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaClusterRoles, model.AreaRoles, model.AreaClusterRoleBindings, model.AreaRoleBindings},
	Techniques: []string{"T1078.001"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, b := range p.Access.Bindings() {
			i := slices.IndexFunc(b.Subjects, func(s rbacv1.Subject) bool { return defaultServiceAccount(s, b.Namespace) })
			if i < 0 {
				continue
			}
			held, known := p.Access.BindingPowers(b)
			if !known && !(p.Access.Complete(model.AreaClusterRoles) && p.Access.Complete(model.AreaRoles)) {
				p.NotAssessed("the role of %s was not read", b.Subject())
			}
			j := slices.IndexFunc(held, access.HeldPower.Strong)
			if j < 0 {
				continue
			}
			r := p.Report(b, "%s can %s %s: so can every pod there that names no service account", access.SubjectText(b.Subjects[i]), held[j].Power.Title, held[j].Where()).
				Because(b, "subjects", "%s", access.SubjectText(b.Subjects[i])).
				Chain(held[j].Chain)
			fix := withoutSubjects(p, b, func(s rbacv1.Subject) bool { return defaultServiceAccount(s, b.Namespace) })
			if nobodyRunsAs(p, b) {
				r.Fix("# nothing runs as such a service account: take it out of the binding").Plan(fix...)
				continue
			}
			r.Fix("# give the workload that needs it a service account of its own, bind that, then take this one out")
			for _, c := range fix {
				r.Fix(plan.Command(c))
			}
		}
	},
}

// nobodyRunsAs says whether it is certain that nothing runs as the default service accounts that a binding names one by one.
func nobodyRunsAs(p *check.Pass, b *model.Binding) bool {
	for _, s := range b.Subjects {
		if !defaultServiceAccount(s, b.Namespace) {
			continue
		}
		user, _ := rbac.Names(s, b.Namespace)
		namespace, name, ok := strings.Cut(strings.TrimPrefix(user, "system:serviceaccount:"), ":")
		if !ok || !isUnused(p, namespace, name) {
			return false
		}
	}
	return true
}

// defaultServiceAccount says whether a subject is a namespace's default service account, or all service accounts of a
// namespace, of which the default one is part.
func defaultServiceAccount(s rbacv1.Subject, namespace string) bool {
	user, group := rbac.Names(s, namespace)
	return strings.HasPrefix(user, "system:serviceaccount:") && strings.HasSuffix(user, ":default") || strings.HasPrefix(group, rbac.GroupServiceAccounts+":")
}
