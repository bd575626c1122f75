package checks

import (
	"slices"
	"strings"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"
)

var accessEntryWithoutPermissions = &check.Check{
	ID:            "access-entry-without-permissions",
	Title:         "Access entry that grants nothing",
	Severity:      finding.Low,
	NeedsComplete: []model.Area{model.AreaAccessEntries, model.AreaPolicyAssociations, model.AreaRoleBindings, model.AreaClusterRoleBindings},
	Since:         "0.1",
	Run: func(p *check.Pass) {
		for _, e := range p.Cluster.AccessEntries {
			if e.Type != model.EntryStandard && e.Type != "" || len(p.Access.PolicyAssociationsOf(e.PrincipalARN)) > 0 || p.Access.ServiceOwned(e.PrincipalARN) != "" {
				continue
			}
			bound := slices.ContainsFunc(p.Access.EntryHolders(e), func(h rbac.Holder) bool {
				grants, missing := p.Access.RBAC().Grants(h)
				return len(grants)+len(missing) > 0
			})
			if bound || strings.Contains(strings.Join(e.Groups, " "), "{{SessionName") {
				continue // which groups such a template becomes is the caller's choice
			}
			r := p.Report(e, "%s may come in but do nothing that not everybody may: no access policy, and nothing is bound to its groups or username", e.PrincipalARN).
				Because(e, "associatedAccessPolicies", "none").
				Because(e, "kubernetesGroups", "%s, bound to nothing", orNobody(strings.Join(e.Groups, ", "))).
				Fix("# give it what it was meant to have").
				Fix("# " + plan.Command(plan.AssociateAccessPolicy{
					Cluster: p.Cluster.ID(), PrincipalARN: e.PrincipalARN, PolicyARN: accessPolicyARN(p, "AmazonEKSViewPolicy"),
					Scope: model.AccessScope{Type: model.ScopeNamespace, Namespaces: []string{"NAMESPACE"}},
				}))
			if rows, known := rowsOf(p, e.PrincipalARN); known && len(rows) == 0 {
				r.Fix("# or delete it").Plan(plan.DeleteAccessEntry{Cluster: p.Cluster.ID(), PrincipalARN: e.PrincipalARN})
			}
			if p.Access.ReadsAWSAuth() && p.Cluster.AWSAuth != nil {
				r.Because(p.Cluster.AWSAuth, "", "an entry goes before a row of aws-auth: an empty one locks its principal out")
			}
		}
	},
}
