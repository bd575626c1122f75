package checks

import (
	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

var irsaRolePrivileged = &check.Check{
	ID:         "irsa-role-privileged",
	Title:      "Service account is given a privileged IAM role through IRSA",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaServiceAccounts, model.AreaIAMRoles, model.AreaIAMPolicies},
	Techniques: []string{"T1078.004", "T1098.001"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		roles := &roleHolders{pass: p}
		for _, sa := range p.Cluster.ServiceAccounts {
			if role := access.IRSARole(sa); role != "" && !irsaTrustKeepsOut(p, role, sa) {
				roles.add(role, roleHolder{
					text: "service account " + sa.Namespace + "/" + sa.Name,
					why:  finding.Evidence{Text: access.RoleAnnotation + ": " + role, Source: sa.Subject().String() + " metadata.annotations"},
				})
			}
		}
		roles.report("which %s is annotated with,")
	},
}

// irsaTrustKeepsOut says whether the role's trust policy is known not to let the service account in.
func irsaTrustKeepsOut(p *check.Pass, arn string, sa *model.ServiceAccount) bool {
	role, _ := p.Access.Access().Role(arn)
	trust, issuer := p.Access.Access().Trust(role), p.Access.Issuer()
	return trust != nil && issuer != "" && trust.WebIdentity(access.WebToken{Issuer: issuer, Subject: access.Subject(sa.Namespace, sa.Name)}).Not()
}
