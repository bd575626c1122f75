package checks

import (
	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

var rbacRunsAsAWSIdentity = &check.Check{
	ID:       "rbac-runs-as-aws-identity",
	Title:    "Somebody can run or enter pods that hold AWS roles",
	Severity: finding.Medium,
	Needs: []model.Area{
		model.AreaClusterRoles, model.AreaRoles, model.AreaClusterRoleBindings, model.AreaRoleBindings, model.AreaServiceAccounts, model.AreaPodIdentityAssociations,
		model.AreaAccessEntries, model.AreaPolicyAssociations,
	},
	Techniques: []string{"T1610", "T1609"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		reportRolesInReach(p, []string{"run-pods", "enter-pods", "reach-kubelets"}, func(o model.Object, who string, h access.HeldPower, reach []access.AWSServiceAccount) *check.Report {
			return p.Report(o, "%s can %s, and so act in AWS as %s", who, h.Power.Title, rolesText(reach)).
				Fix("# bind in namespaces without AWS roles, or move workloads that hold roles to a namespace of their own")
		})
	},
}
