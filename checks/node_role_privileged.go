package checks

import (
	"maps"
	"slices"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

var nodeRolePrivileged = &check.Check{
	ID:         "node-role-privileged",
	Title:      "Nodes have a privileged IAM role",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaCluster, model.AreaNodegroups, model.AreaNodeClasses, model.AreaInstances, model.AreaIAMRoles, model.AreaIAMPolicies},
	Techniques: []string{"T1078.004", "T1552.005"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		roles := &roleHolders{pass: p}
		given := p.Access.NodeRoles()
		for _, arn := range slices.Sorted(maps.Keys(given)) {
			roles.add(arn, roleHolder{text: given[arn].Source, why: given[arn]})
		}
		roles.report("which nodes have (%s),")
	},
}
