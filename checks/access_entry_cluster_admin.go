package checks

import (
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var accessEntryClusterAdmin = &check.Check{
	ID:         "access-entry-cluster-admin",
	Title:      "Access entry grants cluster admin",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaAccessEntries, model.AreaPolicyAssociations},
	Techniques: []string{"T1098.006"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		c, admins := p.Cluster, clusterWideAdmins(p)
		for _, e := range c.AccessEntries {
			for _, a := range p.Access.PolicyAssociationsOf(e.PrincipalARN) {
				if !isClusterWideAdmin(a) {
					continue
				}
				r := p.Report(e, "%s is cluster admin through %s on the whole cluster", e.PrincipalARN, a.PolicyName()).
					Because(e, "associatedAccessPolicies", "%s with access scope cluster", a.PolicyARN).
					Fix("# grant what is needed, in the namespaces where it is needed, before taking this away").
					Key(a.PolicyARN)
				if otherAdmins(admins, e) {
					r.Plan(disassociate(p, e, a))
				} else {
					r.Fix("# nobody else is admin through an access entry").Fix(plan.Command(disassociate(p, e, a)))
				}
			}
		}
	},
}
