package checks

import (
	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var podIdentityUnsupportedNode = &check.Check{
	ID:         "pod-identity-unsupported-node",
	Title:      "Pods count on Pod Identity where it does not work",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaPodIdentityAssociations, model.AreaWorkloads, model.AreaPods, model.AreaNodes, model.AreaFargateProfiles},
	Techniques: []string{"T1552.005"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		if len(p.Cluster.PodIdentityAssociations) == 0 {
			return
		}
		type spot struct{ namespace, account, why string }
		found := map[spot][]*access.Unit{}
		for _, u := range p.Access.Units() {
			account := u.ServiceAccount()
			if p.Access.Association(u.Namespace, account) == nil {
				continue
			}
			if why := unsupportedUnit(p.Access, u); why != "" {
				found[spot{u.Namespace, account, why}] = append(found[spot{u.Namespace, account, why}], u)
			}
		}
		for _, a := range p.Cluster.PodIdentityAssociations {
			for _, why := range []string{"Fargate", "Windows"} {
				units := found[spot{a.Namespace, a.ServiceAccount, why}]
				if len(units) == 0 {
					continue
				}
				var names []string
				for _, u := range units {
					names = append(names, u.Object.Subject().Name)
				}
				r := p.Report(a, "%s runs on %s, where Pod Identity does not work: it gets nothing from the association with %s", check.Some(names, 3), why, a.RoleARN).
					Because(a, "roleArn", "%s", a.RoleARN)
				for _, u := range units[:min(len(units), 20)] {
					r.Because(u.Object, "spec", "runs on %s as service account %s", why, a.ServiceAccount)
				}
				r.Fix("# on " + why + " give the role through IRSA: no association, this annotation, and a trust policy for the cluster's OIDC provider").
					Fix(plan.Command(dissociation(p, a))).
					Fix(plan.Command(plan.AnnotateServiceAccount{
						Cluster: p.Cluster.ID(), Namespace: a.Namespace, Name: a.ServiceAccount, Key: access.RoleAnnotation, Value: a.RoleARN,
					})).
					Key(why)
			}
		}
	},
}

// unsupportedUnit says why a unit's pods cannot use Pod Identity: where they run, or, before they do, where they will.
func unsupportedUnit(c *access.Cluster, u *access.Unit) string {
	for _, pod := range u.Pods {
		if why := c.Unsupported(pod.Namespace, pod.Labels, &pod.PodSpec); why != "" {
			return why
		}
	}
	if len(u.Pods) > 0 {
		return ""
	}
	return c.Unsupported(u.Namespace, u.Labels, u.Spec)
}
