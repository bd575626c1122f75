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
				if a.PolicyName() == "AmazonEKSClusterAdminPolicy" && a.Scope.Type == model.ScopeCluster {
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
				p.Report(e, "%s can run pods as the service accounts of %s through %s on %s", e.PrincipalARN, namespace, a.PolicyName(), a.Scope).
					Chain(powers[i].Chain).
					Chain([]finding.Evidence{why}).
					Fix("# name the namespaces that the principal works in; associating a policy again replaces its scope").
					Fix(plan.Shell("aws", "eks", "associate-access-policy", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region,
						"--principal-arn", e.PrincipalARN, "--policy-arn", a.PolicyARN, "--access-scope", "type=namespace,namespaces=NAMESPACE")).
					Key(a.PolicyARN)
			}
		}
	},
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
