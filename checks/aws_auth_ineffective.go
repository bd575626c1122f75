package checks

import (
	"drawbridge/internal/authenticator"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
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
				Fix("# keep a copy, then remove what misleads the next reader").
				Fix("kubectl get configmap -n kube-system aws-auth -o yaml > aws-auth.yaml").
				Fix("kubectl delete configmap -n kube-system aws-auth")
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
				Fix("kubectl edit configmap -n kube-system aws-auth").
				Key(m.Key())
		}
	},
}
