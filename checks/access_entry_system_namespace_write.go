package checks

import (
	"slices"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var accessEntrySystemNamespaceWrite = &check.Check{
	ID:         "access-entry-system-namespace-write",
	Title:      "Access entry runs pods where privileged service accounts stand",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaAccessEntries, model.AreaPolicyAssociations, model.AreaClusterRoleBindings, model.AreaClusterRoles},
	Techniques: []string{"T1610", "T1078.001"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, e := range p.Cluster.AccessEntries {
			for _, a := range p.Access.PolicyAssociationsOf(e.PrincipalARN) {
				if isClusterWideAdmin(a) {
					continue // access-entry-cluster-admin speaks of that
				}
				powers, known := p.Access.PowersOfAssociation(a)
				if namespace, _ := privilegedUnder(p, a.Scope); !known && namespace != "" && !awsOwn(p, e, a) {
					p.NotAssessed("whether %s lets %s run pods in %s: AWS does not publish its rules", a.PolicyName(), e.PrincipalARN, namespace)
				}
				i := slices.IndexFunc(powers, func(h access.HeldPower) bool { return h.Power.ID == "run-pods" })
				if i < 0 {
					continue
				}
				namespace, why := privilegedUnder(p, a.Scope)
				if namespace == "" {
					continue
				}
				r := p.Report(e, "%s can run pods as the service accounts of %s through %s on %s", e.PrincipalARN, namespace, a.PolicyName(), a.Scope).
					Chain(powers[i].Chain).
					Chain([]finding.Evidence{why}).
					Fix("# name the namespaces that the principal works in; associating a policy again replaces its scope").
					Key(a.PolicyARN)
				narrowScope(r, p, a, func(pattern model.AccessScope) bool {
					namespace, _ := privilegedUnder(p, pattern)
					return namespace != ""
				})
			}
		}
	},
}

// narrowScope proposes to leave those of a scope's namespaces out that reach too far, where the scope names others besides.
func narrowScope(r *check.Report, p *check.Pass, a *model.PolicyAssociation, tooFar func(model.AccessScope) bool) {
	keep := slices.DeleteFunc(slices.Clone(a.Scope.Namespaces), func(n string) bool {
		return tooFar(model.AccessScope{Type: model.ScopeNamespace, Namespaces: []string{n}})
	})
	narrow := plan.AssociateAccessPolicy{Cluster: p.Cluster.ID(), PrincipalARN: a.PrincipalARN, PolicyARN: a.PolicyARN, Scope: model.AccessScope{Type: model.ScopeNamespace, Namespaces: keep}}
	if a.Scope.Type == model.ScopeNamespace && len(keep) > 0 {
		r.Plan(narrow)
		return
	}
	narrow.Scope.Namespaces = []string{"NAMESPACE"}
	r.Fix(plan.Command(narrow))
}

// privilegedUnder finds a namespace that a scope reaches and whose service accounts are privileged; kube-system first,
// where the controllers and agents of Kubernetes and EKS stand.
func privilegedUnder(p *check.Pass, scope model.AccessScope) (string, finding.Evidence) {
	if scope.Covers("kube-system") {
		return "kube-system", finding.Evidence{Text: "controllers and agents of Kubernetes and EKS run there", Source: "Namespace kube-system"}
	}
	privileged := p.Access.PrivilegedNamespaces()
	names := []string{}
	for n := range privileged {
		if scope.Covers(n) {
			names = append(names, n)
		}
	}
	if len(names) == 0 {
		return "", finding.Evidence{}
	}
	n := slices.Min(names)
	return n, privileged[n]
}
