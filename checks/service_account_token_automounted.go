package checks

import (
	"slices"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
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
		agents := p.Access.Agents() // AWS's own shape since 0.2.1 mounts it; pod-identity-agent-unexpected looks at them
		for _, u := range p.Access.Units() {
			if access.IsSystemNamespace(u.Namespace) && slices.Contains(agents, u) {
				continue
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
			changes, stuck := automountOff(p, sa, units[sa])
			r.Fix("# pods get no Kubernetes token from then on; running ones keep theirs until they restart")
			switch {
			case len(stuck) > 0:
				r.Fix("# the pod's own field goes before the service account's: take automountServiceAccountToken out where these are made: " + plan.Shell(stuck[:min(len(stuck), 10)]...))
				for _, c := range changes {
					r.Fix(plan.Command(c))
				}
			default:
				r.Plan(changes...)
			}
			r.Fix("# this does not stop Pod Identity or IRSA: their tokens are injected all the same")
		}
	},
}

// automountOff are the changes by which a service account's token is mounted no more: templates of workloads that set it
// themselves no longer do, and the service account says no. stuck names pods, and workloads, that set it themselves and cannot be
// changed.
func automountOff(p *check.Pass, sa *model.ServiceAccount, units []*access.Unit) (changes []plan.Change, stuck []string) {
	for _, u := range units {
		if u.Spec.Automount == nil {
			continue
		}
		o := u.Object.Subject()
		if w, ok := u.Object.(*model.Workload); !ok || w.Kind == "Job" || w.Owner != "" {
			stuck = append(stuck, o.Namespace+"/"+o.Name)
			continue
		}
		changes = append(changes, plan.SetAutomount{Cluster: p.Cluster.ID(), Kind: o.Kind, Namespace: o.Namespace, Name: o.Name})
	}
	if sa.Automount == nil || *sa.Automount {
		changes = append(changes, plan.SetAutomount{Cluster: p.Cluster.ID(), Kind: "ServiceAccount", Namespace: sa.Namespace, Name: sa.Name, Value: new(bool)})
	}
	return changes, stuck
}

// usesKubernetes says whether a binding gives the service account something that not every authenticated user has.
func usesKubernetes(p *check.Pass, sa *model.ServiceAccount) bool {
	holder := rbac.Holder{User: rbac.ServiceAccountUsername(sa.Namespace, sa.Name), Groups: []string{rbac.GroupServiceAccounts + ":" + sa.Namespace}}
	grants, missing := p.Access.RBAC().Grants(holder)
	return len(grants)+len(missing) > 0
}
