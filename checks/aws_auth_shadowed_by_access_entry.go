package checks

import (
	"slices"
	"strings"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

var awsAuthShadowedByAccessEntry = &check.Check{
	ID:         "aws-auth-shadowed-by-access-entry",
	Title:      "Row of aws-auth waits behind an access entry",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaCluster, model.AreaAWSAuth, model.AreaAccessEntries},
	Techniques: []string{"T1098.006"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		if p.Cluster.AuthenticationMode() != model.ModeAPIConfigMap {
			return
		}
		for _, m := range awsAuthRows(p) {
			e := p.Access.EntryOf(m)
			if e == nil || !m.CanMap() || e.IsNode() && strings.HasPrefix(m.Read.Username, "system:node:") {
				continue // EKS itself writes nodes into both stores
			}
			back := "username " + orNobody(m.Read.Username) + " with groups " + orNobody(strings.Join(m.Read.Groups, ", "))
			r := p.Report(m, "%s has an access entry and this row: delete the entry, and it comes back as %s", e.PrincipalARN, back).
				Because(e, "principalArn", "counts now: username %s, groups %s", orNobody(e.Username), orNobody(strings.Join(e.Groups, ", "))).
				Because(p.Cluster.AWSAuth, "data."+m.Kind.Block(), "line %d: %s", m.Line, back).
				Fix("# take the row out; the entry already decides").
				Fix("kubectl edit configmap -n kube-system aws-auth").
				Key(m.Key())
			if slices.Contains(m.Read.Groups, rbac.GroupMasters) {
				r.Severity(finding.High)
			}
		}
	},
}
