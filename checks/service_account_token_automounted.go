package checks

import (
	"slices"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

var serviceAccountTokenAutomounted = &check.Check{
	ID:            "service-account-token-automounted",
	Title:         "Pods get a Kubernetes token that they have no use for",
	Severity:      finding.Low,
	Needs:         []model.Area{model.AreaPods, model.AreaWorkloads, model.AreaServiceAccounts},
	NeedsComplete: []model.Area{model.AreaRoleBindings, model.AreaClusterRoleBindings},
	Techniques:    []string{"T1528"},
	Since:         "0.1",
	Run: func(p *check.Pass) {
		units := map[*model.ServiceAccount][]*access.Unit{}
		why := map[*model.ServiceAccount]string{}
		for _, u := range p.Access.Units() {
			if slices.ContainsFunc(u.Spec.Containers, func(c model.Container) bool { return access.IsAgentImage(c.Image) }) {
				continue // AWS's own, which reads the cluster's signing keys with it
			}
			on, known, field := p.Access.Automounts(u.Namespace, u.Spec)
			sa, _ := p.Access.ServiceAccount(u.Namespace, u.ServiceAccount())
			if on && known && sa != nil {
				units[sa] = append(units[sa], u)
				why[sa] = field
			}
		}
		for _, sa := range p.Cluster.ServiceAccounts {
			if len(units[sa]) == 0 || usesKubernetes(p, sa) {
				continue
			}
			r := p.Report(sa, "its token is mounted into %s although RBAC gives it nothing that is its own", check.Count(len(units[sa]), "workload")).
				Because(sa, "automountServiceAccountToken", "in force: %s", why[sa]).
				Evidence("rbac.authorization.k8s.io", "no RoleBinding or ClusterRoleBinding names the service account or its namespace's group").
				Because(units[sa][0].Object, "spec.automountServiceAccountToken", "mounts the token (the first of %d)", len(units[sa]))
			if units[sa][0].Spec.Automount != nil {
				r.Fix("# the pod template sets automountServiceAccountToken: true, which goes before the service account: take it out")
			}
			r.Fix("# pods get no Kubernetes token from then on; running ones keep theirs until they restart").
				Fix(check.Shell("kubectl", "patch", "serviceaccount", "-n", sa.Namespace, sa.Name, "-p", `{"automountServiceAccountToken":false}`)).
				Fix("# this does not stop Pod Identity or IRSA: their tokens are injected all the same")
		}
	},
}

// usesKubernetes says whether a binding gives the service account something that not every authenticated user has.
func usesKubernetes(p *check.Pass, sa *model.ServiceAccount) bool {
	holder := rbac.Holder{User: rbac.ServiceAccountUsername(sa.Namespace, sa.Name), Groups: []string{rbac.GroupServiceAccounts + ":" + sa.Namespace}}
	grants, missing := p.Access.RBAC().Grants(holder)
	return len(grants)+len(missing) > 0
}
