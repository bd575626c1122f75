package checks

import (
	"drawbridge/internal/authenticator"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var awsAuthIneffective = &check.Check{
	ID:       "aws-auth-ineffective",
	Title:    "Row of aws-auth that can never match",
	Severity: finding.Low,
	Needs:    []model.Area{model.AreaCluster, model.AreaAWSAuth},
	Since:    "0.1",
	Run: func(p *check.Pass) {
		parsed := p.Access.ParsedAWSAuth()
		if parsed == nil {
			return
		}
		if n := len(parsed.Rows) + len(parsed.Accounts); !p.Access.ReadsAWSAuth() && n > 0 {
			p.Report(p.Cluster.AWSAuth, "aws-auth still holds %s, and in mode API nobody reads them", check.Count(n, "row")).
				Because(p.Cluster, "accessConfig.authenticationMode", "API").
				Because(p.Cluster.AWSAuth, "data", "%d rows, %d accounts", len(parsed.Rows), len(parsed.Accounts)).
				Fix("# remove what misleads the next reader").
				Plan(plan.PutAWSAuth{Cluster: p.Cluster.ID(), Before: awsAuthBlocks(p.Cluster.AWSAuth)})
			return
		}
		for _, m := range awsAuthRows(p) {
			if m.Effective.State != authenticator.NeverMatches {
				continue
			}
			p.Report(m, "the row of %s matches nobody: %s", m.Written.ARN, m.Effective.Why).
				Because(p.Cluster.AWSAuth, "data."+m.Kind.Block(), "line %d: %s", m.Line, m.Effective.Why).
				Fix("# if access was meant, an access entry takes the ARN with its path").
				Fix(entryForRow(p, m.Row)).
				Plan(removeRow(p, m)).
				Key(m.Key())
		}
	},
}

// awsAuthBlocks are the parts of aws-auth that the authenticator reads.
func awsAuthBlocks(a *model.AWSAuth) map[string]string {
	blocks := map[string]string{}
	for _, key := range []string{"mapRoles", "mapUsers", "mapAccounts"} {
		if text, there := a.Data[key]; there {
			blocks[key] = text
		}
	}
	return blocks
}
