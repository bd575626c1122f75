package checks

import (
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/authenticator"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var awsAuthGhostPrincipal = &check.Check{
	ID:            "aws-auth-ghost-principal",
	Title:         "Row of aws-auth for a principal that is gone",
	Severity:      finding.Medium,
	Needs:         []model.Area{model.AreaCluster, model.AreaAWSAuth},
	NeedsComplete: []model.Area{model.AreaIAMRoles, model.AreaIAMUsers},
	Techniques:    []string{"T1098.006", "T1136.003"},
	Since:         "0.1",
	Run: func(p *check.Pass) {
		elsewhere := 0
		for _, m := range awsAuthRows(p) {
			if !m.CanMap() {
				continue
			}
			switch mappedPrincipal(p, m) {
			case access.Unread:
				elsewhere++
			case access.Absent:
				r := p.Report(m, "%s does not exist: whoever creates a %s of that name becomes %s with groups %s", m.Read.ARN, m.Kind,
					orNobody(m.Read.Username), orNobody(strings.Join(m.Read.Groups, ", "))).
					Because(p.Cluster.AWSAuth, "data."+m.Kind.Block(), "line %d: %s", m.Line, m.Read.ARN).
					Evidence("iam:GetAccountAuthorizationDetails", "no %s of that name in the account", m.Kind).
					Key(m.Key())
				if rows, known := rowsOf(p, m.Read.ARN); known {
					r.Plan(rows...)
				} else {
					r.Fix("kubectl edit configmap -n kube-system aws-auth")
				}
			}
		}
		if elsewhere > 0 {
			p.NotAssessed("principals of %s belong to accounts that were not read", check.Count(elsewhere, "row"))
		}
	},
}

// mappedPrincipal says whether the principal of a row is there. Rows name roles without their path, and case counts for
// neither.
func mappedPrincipal(p *check.Pass, m *access.Mapping) access.Presence {
	arn, err := iam.ParseARN(strings.ToLower(m.Read.ARN))
	if err != nil {
		return access.Present // such a row matches nobody, which is another check's finding
	}
	all := p.Access.Access()
	if m.Kind == authenticator.KindRole && arn.IsRole() {
		_, presence := all.RoleByName(arn.Account, arn.RoleName())
		return presence
	}
	_, presence := all.User(m.Read.ARN)
	if presence == access.Absent {
		if account := p.Snapshot.Account(arn.Account); account != nil && slices.ContainsFunc(account.Users, func(u *model.IAMUser) bool { return strings.EqualFold(u.ARN, m.Read.ARN) }) {
			return access.Present
		}
	}
	if !arn.IsUser() {
		return access.Present // the root user, federated users: always there
	}
	return presence
}

// removeRow takes a row out of aws-auth.
func removeRow(p *check.Pass, m *access.Mapping) plan.Change {
	return plan.RemoveAWSAuthRow{Cluster: p.Cluster.ID(), Kind: m.Kind, Index: m.Index, ARN: m.Written.ARN, Username: m.Written.Username, Groups: m.Written.Groups}
}
