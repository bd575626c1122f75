package checks

import (
	"slices"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"

	rbacv1 "k8s.io/api/rbac/v1"
)

var rbacAnonymousPrivileged = &check.Check{
	ID:         "rbac-anonymous-privileged",
	Title:      "RBAC gives something to everybody",
	Severity:   finding.Critical,
	Needs:      []model.Area{model.AreaClusterRoles, model.AreaRoles, model.AreaClusterRoleBindings, model.AreaRoleBindings},
	Techniques: []string{"T1078.001", "T1190"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, b := range p.Access.Bindings() {
			anonymous := subjectNamed(b, "system:anonymous", rbac.GroupUnauthenticated)
			anybody := subjectNamed(b, rbac.GroupAuthenticated, rbac.GroupServiceAccounts)
			if anonymous == "" && anybody == "" {
				continue
			}
			byDefault := b.Namespace == "" && slices.Contains(kubernetesDefaults, b.RoleRef.Name)
			held, known := p.Access.BindingPowers(b)
			strong := slices.IndexFunc(held, access.HeldPower.Strong)
			role := p.Access.RoleOf(b)
			var r *check.Report
			switch {
			case !known:
				if !(p.Access.Complete(model.AreaClusterRoles) && p.Access.Complete(model.AreaRoles)) {
					p.NotAssessed("the role of %s was not read", b.Subject())
				}
			case anonymous != "" && strong >= 0:
				r = p.Report(b, "whoever reaches the API server, without signing in, can %s %s", held[strong].Power.Title, held[strong].Where()).
					Because(b, "subjects", "%s", anonymous).Chain(held[strong].Chain)
			case anonymous != "" && len(role.Rules) > 0 && !byDefault:
				r = p.Report(b, "whoever reaches the API server, without signing in, has what %s grants (high: nothing of it is strong by itself)", role.Name).
					Severity(finding.High).
					Because(b, "subjects", "%s", anonymous).Because(role, "rules", "%d rules", len(role.Rules))
			case anybody != "" && strong >= 0:
				r = p.Report(b, "every member of %s can %s %s (high: they have signed in)", anybody, held[strong].Power.Title, held[strong].Where()).
					Severity(finding.High).
					Because(b, "subjects", "%s", anybody).Chain(held[strong].Chain)
			}
			switch {
			case r == nil:
			case byDefault:
				r.Fix("# Kubernetes binds this role itself: take out of it what was put into it").Fix(narrowRole(role))
			case anonymous != "":
				r.Plan(withoutSubjects(p, b, isEverybody)...)
			default:
				r.Plan(withoutSubjects(p, b, isAnybody)...)
			}
		}
	},
}

func isAnybody(s rbacv1.Subject) bool {
	return s.Kind == rbacv1.GroupKind && (s.Name == rbac.GroupAuthenticated || s.Name == rbac.GroupServiceAccounts)
}

func isEverybody(s rbacv1.Subject) bool {
	return isAnybody(s) || s.Kind == rbacv1.GroupKind && s.Name == rbac.GroupUnauthenticated || s.Kind == rbacv1.UserKind && s.Name == "system:anonymous"
}

// withoutSubjects are the changes that take subjects out of a binding, the last one first, or delete it where it has no others.
func withoutSubjects(p *check.Pass, b *model.Binding, which func(rbacv1.Subject) bool) []plan.Change {
	var changes []plan.Change
	for i, s := range slices.Backward(b.Subjects) {
		if which(s) {
			changes = append(changes, plan.RemoveSubject{Cluster: p.Cluster.ID(), Namespace: b.Namespace, Name: b.Name, Index: i, Subject: s})
		}
	}
	if len(changes) == len(b.Subjects) {
		return []plan.Change{plan.DeleteBinding{Cluster: p.Cluster.ID(), Namespace: b.Namespace, Name: b.Name}}
	}
	return changes
}

// kubernetesDefaults are the ClusterRoles that Kubernetes itself binds to everybody (Kubernetes documentation, "Using RBAC
// Authorization", default roles, 2026-11). What they hold is weak, unless somebody put more into them.
var kubernetesDefaults = []string{"system:discovery", "system:basic-user", "system:public-info-viewer", "system:service-account-issuer-discovery"}

// subjectNamed returns the first of the names that the binding's groups have, or its users if it is system:anonymous, or "".
func subjectNamed(b *model.Binding, names ...string) string {
	for _, n := range names {
		kind := rbacv1.GroupKind
		if n == "system:anonymous" {
			kind = rbacv1.UserKind
		}
		if slices.ContainsFunc(b.Subjects, func(s rbacv1.Subject) bool { return s.Kind == kind && s.Name == n }) {
			return n
		}
	}
	return ""
}
