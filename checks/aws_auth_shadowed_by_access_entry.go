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
			if e == nil || !m.CanMap() || e.IsNode() && nodeEntryType(m.Row) != "" && !slices.ContainsFunc(m.Read.Groups, notOfNodes) {
				continue // EKS itself writes nodes into both stores
			}
			back := "username " + orNobody(m.Read.Username) + " with groups " + orNobody(strings.Join(m.Read.Groups, ", "))
			severity, why := finding.Medium, ""
			if slices.Contains(m.Read.Groups, rbac.GroupMasters) {
				severity, why = finding.High, " (high: cluster admin)"
			}
			r := p.Report(m, "%s has an access entry and this row: delete the entry, and it comes back as %s%s", e.PrincipalARN, back, why).
				Severity(severity).
				Because(e, "principalArn", "counts now: username %s, groups %s", orNobody(e.Username), orNobody(strings.Join(e.Groups, ", "))).
				Because(p.Cluster.AWSAuth, "data."+m.Kind.Block(), "line %d: %s", m.Line, back).
				Fix("# take the row out; the entry already decides").
				Key(m.Key())
			if rows, known := rowsOf(p, e.PrincipalARN); known {
				r.Plan(rows...)
			} else {
				r.Fix("kubectl edit configmap -n kube-system aws-auth")
			}
		}
	},
}

// notOfNodes says whether a group is none that EKS gives nodes in aws-auth (EKS User Guide, "Amazon EKS node IAM role" and
// "Get started with AWS Fargate", 2026-11).
func notOfNodes(group string) bool {
	return !slices.Contains([]string{"system:bootstrappers", "system:nodes", "system:node-proxier", "eks:kube-proxy-windows"}, group)
}
