package checks

import (
	"strings"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

var awsAuthDuplicate = &check.Check{
	ID:       "aws-auth-duplicate",
	Title:    "Two rows of aws-auth for one principal",
	Severity: finding.Medium,
	Needs:    []model.Area{model.AreaCluster, model.AreaAWSAuth},
	Since:    "0.1",
	Run: func(p *check.Pass) {
		for _, m := range awsAuthRows(p) {
			state := m.Effective.State
			if m.Effective.By == nil || state != authenticator.Shadowed && state != authenticator.Undetermined {
				continue
			}
			other := p.Access.ParsedAWSAuth().Row(*m.Effective.By)
			if other == nil {
				continue
			}
			which := "the other one counts"
			if state == authenticator.Undetermined {
				which = "which one counts is random"
			}
			r := p.Report(m, "the row of %s (groups %s) has a twin (groups %s), and %s", m.Written.ARN, orNobody(strings.Join(m.Read.Groups, ", ")),
				orNobody(strings.Join(other.Read.Groups, ", ")), which).
				Because(p.Cluster.AWSAuth, "data."+m.Kind.Block(), "line %d: username %s; %s", m.Line, orNobody(m.Read.Username), m.Effective.Why).
				Because(p.Cluster.AWSAuth, "data."+other.Kind.Block(), "line %d: %s, username %s", other.Line, other.Read.ARN, orNobody(other.Read.Username)).
				Key(m.Key())
			if state == authenticator.Shadowed {
				r.Fix("# this one does nothing; if it is the one that says what is meant, change the other first").Plan(removeRow(p, m))
			} else {
				r.Fix("# leave one row, the one that says what is meant").Fix("kubectl edit configmap -n kube-system aws-auth")
			}
		}
	},
}
