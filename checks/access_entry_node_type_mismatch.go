package checks

import (
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

var accessEntryNodeTypeMismatch = &check.Check{
	ID:       "access-entry-node-type-mismatch",
	Title:    "Access entry lets in nodes that the cluster does not have",
	Severity: finding.Medium,
	NeedsComplete: []model.Area{
		model.AreaAccessEntries, model.AreaCluster, model.AreaNodegroups, model.AreaFargateProfiles, model.AreaInstances, model.AreaNodeClasses, model.AreaIAMRoles,
	},
	Techniques: []string{"T1098.006"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		used := p.Access.NodeRoles()
		unresolved := p.Access.UnresolvedProfiles()
		fargate := map[string]bool{}
		for _, f := range p.Cluster.FargateProfiles {
			fargate[f.ExecutionRoleARN] = true
		}
		for _, e := range p.Cluster.AccessEntries {
			if !e.IsNode() {
				continue
			}
			_, node := used[e.PrincipalARN]
			switch {
			case node && e.Type != model.EntryFargate || fargate[e.PrincipalARN] && e.Type == model.EntryFargate:
				continue
			case e.Type == model.EntryHybrid || e.Type == model.EntryHyperpod:
				p.NotAssessed("machines outside of EC2 that use the %s entry of %s cannot be read", e.Type, e.PrincipalARN)
				continue
			case len(unresolved) > 0 && e.Type != model.EntryFargate:
				p.NotAssessed("whether instance profile %s, which nodes have, holds %s was not read", unresolved[0], e.PrincipalARN)
				continue
			}
			r := p.Report(e, "%s may join as a node (%s), but nothing of that kind has the role: no node group, Fargate profile, Auto Mode, Karpenter class or running instance", e.PrincipalARN, e.Type).
				Because(e, "type", "%s", e.Type).
				Evidence("cluster "+p.Cluster.Name, "node roles in use: %d, Fargate roles: %d", len(used), len(fargate)).
				Fix("# if no self-managed nodes with that role are about to start")
			deleteEntry(r, p, e)
		}
	},
}
