package checks

import (
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
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
			if strings.Contains(e.Username, "{{") && namedByPrefix(p, e.Username) || strings.Contains(strings.Join(e.Groups, " "), "{{") {
				continue // which usernames and groups it becomes is the caller's choice
			}
			grants, missing := p.Access.RBAC().Grants(access.EntryHolder(e))
			if len(grants)+len(missing) > 0 {
				continue
			}
			r := p.Report(e, "%s may come in but do nothing: no access policy, and nothing is bound to its groups or username", e.PrincipalARN).
				Because(e, "associatedAccessPolicies", "none").
				Because(e, "kubernetesGroups", "%s, bound to nothing", orNobody(strings.Join(e.Groups, ", "))).
				Fix("# give it what it was meant to have, or delete it").
				Fix(check.Shell("aws", "eks", "associate-access-policy", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region, "--principal-arn", e.PrincipalARN,
					"--policy-arn", "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", "--access-scope", "type=namespace,namespaces=NAMESPACE"))
			if p.Access.ReadsAWSAuth() && p.Cluster.AWSAuth != nil {
				r.Because(p.Cluster.AWSAuth, "", "an entry goes before a row of aws-auth: an empty one locks its principal out")
			}
		}
	},
}

// namedByPrefix says whether RBAC binds a user whose name begins as a username template does.
func namedByPrefix(p *check.Pass, template string) bool {
	prefix, _, _ := strings.Cut(template, "{{")
	for _, list := range [][]*model.Binding{p.Cluster.ClusterRoleBindings, p.Cluster.RoleBindings} {
		for _, b := range list {
			for _, s := range b.Subjects {
				if s.Kind == "User" && prefix != "" && strings.HasPrefix(s.Name, prefix) {
					return true
				}
			}
		}
	}
	return false
}
