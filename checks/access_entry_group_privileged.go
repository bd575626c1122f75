package checks

import (
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

var accessEntryGroupPrivileged = &check.Check{
	ID:         "access-entry-group-privileged",
	Title:      "Access entry takes strong RBAC through its groups or username",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaAccessEntries, model.AreaClusterRoleBindings, model.AreaRoleBindings, model.AreaClusterRoles, model.AreaRoles},
	Techniques: []string{"T1098.006"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, e := range p.Cluster.AccessEntries {
			if e.IsNode() || p.Access.ServiceOwned(e.PrincipalARN) != "" {
				continue
			}
			held, missing := p.Access.PowersOf(access.EntryHolder(e))
			if len(missing) > 0 && !(p.Access.Complete(model.AreaClusterRoles) && p.Access.Complete(model.AreaRoles)) {
				p.NotAssessed("roles that bindings of %s refer to were not read", e.PrincipalARN)
			}
			for _, h := range held {
				if !h.Strong() {
					continue
				}
				r := p.Report(e, "%s can %s %s, through RBAC for its %s", e.PrincipalARN, h.Power.Title, h.Where(), heldAs(e)).
					Because(e, "kubernetesGroups", "%s", orNobody(strings.Join(e.Groups, ", "))).
					Because(e, "username", "%s", orNobody(e.Username)).
					Chain(h.Chain).
					Fix("# take the group off the entry; updating replaces the whole list").
					Fix(check.Shell("aws", "eks", "update-access-entry", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region,
						"--principal-arn", e.PrincipalARN, "--kubernetes-groups", "GROUPS-TO-KEEP")).
					Key(h.Power.ID + "@" + h.Namespace)
				if h.Namespace != "" {
					r.Severity(finding.Medium)
				}
				break // the strongest tells; the rest has the same remedy
			}
		}
	},
}

func heldAs(e *model.AccessEntry) string {
	if len(e.Groups) == 0 {
		return "username"
	}
	return "groups or username"
}
