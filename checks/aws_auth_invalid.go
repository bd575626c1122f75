package checks

import (
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/authenticator"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

var awsAuthInvalid = &check.Check{
	ID:       "aws-auth-invalid",
	Title:    "aws-auth is read otherwise than it is written",
	Severity: finding.Medium,
	Needs:    []model.Area{model.AreaCluster, model.AreaAWSAuth},
	Since:    "0.1",
	Run: func(p *check.Pass) {
		parsed := p.Access.ParsedAWSAuth()
		if parsed == nil || !p.Access.ReadsAWSAuth() {
			return
		}
		if parsed.Unread != "" {
			p.NotAssessed("aws-auth was not evaluated: %s", parsed.Unread)
		}
		said := map[authenticator.RowRef]bool{}
		for _, m := range p.Access.Mappings() {
			dropped := m.Effective.State == authenticator.Dropped
			if !dropped && !m.ReadsOtherwise() && m.Effective.State != authenticator.EmptyUsername {
				continue
			}
			said[*m.Ref()] = true
			reportInvalidRow(p, m, dropped, parsed.Problems)
		}
		for _, problem := range parsed.Problems {
			if problem.Index >= 0 && said[authenticator.RowRef{Kind: kindOf(problem.Block), Index: problem.Index}] {
				continue
			}
			p.Report(p.Cluster.AWSAuth, "%s of aws-auth: %s", orNobody(problem.Block), problem.Text).
				Because(p.Cluster.AWSAuth, "data."+problem.Block, "line %d: %s", problem.Line, problem.Text).
				Fix("kubectl edit configmap -n kube-system aws-auth").
				Key(problem.Block + " " + problem.Text)
		}
	},
}

func reportInvalidRow(p *check.Pass, m *access.Mapping, dropped bool, problems []authenticator.Problem) {
	what := "the authenticator skips the row of " + m.Written.ARN
	switch {
	case !dropped && m.Read.Username == "":
		what = "the authenticator reads the row of " + m.Written.ARN + " with an empty username and still grants its groups, " + groupList(m.Read.Groups)
	case !dropped:
		what = "the authenticator reads the row of " + m.Written.ARN + " as username " + m.Read.Username + " with groups " + groupList(m.Read.Groups) + ", which is not what is written"
	}
	r := p.Report(m, "%s", what).Key(m.Key()).
		Because(p.Cluster.AWSAuth, "data."+m.Kind.Block(), "line %d, written: username %s, groups %s", m.Line, orNobody(m.Written.Username), groupList(m.Written.Groups))
	for _, problem := range problems {
		if problem.Index == m.Index && kindOf(problem.Block) == m.Kind {
			r.Because(p.Cluster.AWSAuth, "data."+problem.Block, "line %d: %s", problem.Line, problem.Text)
		}
	}
	r.Fix("# quote usernames and groups; write groups as a list; keys exactly rolearn or userarn, username, groups").
		Fix("kubectl edit configmap -n kube-system aws-auth")
}

func kindOf(block string) authenticator.Kind {
	for _, k := range []authenticator.Kind{authenticator.KindRole, authenticator.KindUser} {
		if k.Block() == block {
			return k
		}
	}
	return ""
}

// groupList names groups so that an empty one is seen.
func groupList(groups []string) string {
	if len(groups) == 0 {
		return "(none)"
	}
	quoted := make([]string, len(groups))
	for i, g := range groups {
		quoted[i] = g
		if g == "" {
			quoted[i] = "(an empty name)"
		}
	}
	return strings.Join(quoted, ", ")
}
