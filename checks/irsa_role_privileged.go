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
			if role := access.IRSARole(sa); role != "" {
				roles.add(role, roleHolder{object: sa, field: "metadata.annotations[" + access.RoleAnnotation + "]", text: "service account " + sa.Namespace + "/" + sa.Name})
			}
		}
		roles.report("which %s is annotated with,")
	},
}
