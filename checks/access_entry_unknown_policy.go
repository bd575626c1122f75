package checks

import (
	"drawbridge/internal/awsdata"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var accessEntryUnknownPolicy = &check.Check{
	ID:         "access-entry-unknown-policy",
	Title:      "Access policy that nobody described yet",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaAccessEntries, model.AreaPolicyAssociations, model.AreaAccessPolicies},
	Techniques: []string{"T1098.006"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		c := p.Cluster
		used := map[string]bool{}
		for _, e := range c.AccessEntries {
			for _, a := range p.Access.PolicyAssociationsOf(e.PrincipalARN) {
				if _, known := awsdata.LookupAccessPolicy(a.PolicyARN); known {
					continue
				}
				used[a.PolicyARN] = true
				p.Report(e, "%s has access policy %s, whose rules are not known to drawbridge: assume that it grants much", e.PrincipalARN, a.PolicyARN).
					Because(e, "associatedAccessPolicies", "%s on %s", a.PolicyARN, a.Scope).
					Evidence("drawbridge", "access policies as AWS published them on %s", awsdata.AccessPoliciesDate()).
					Fix("# look it up in the EKS User Guide, \"Review access policy permissions\"; if nobody needs it:").
					Fix(plan.Command(disassociate(p, e, a))).
					Key(a.PolicyARN)
			}
		}
		for _, policy := range c.AccessPolicies {
			if _, known := awsdata.LookupAccessPolicy(policy.ARN); known || used[policy.ARN] {
				continue
			}
			p.Report(policy, "EKS offers access policy %s, which drawbridge does not know (informational: no entry has it)", policy.ARN).
				Severity(finding.Informational).
				Evidence("eks:ListAccessPolicies", "%s", policy.ARN).
				Fix("# update drawbridge; until then associate it with nobody")
		}
	},
}
