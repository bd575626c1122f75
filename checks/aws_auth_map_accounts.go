package checks

import (
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

var awsAuthMapAccounts = &check.Check{
	ID:         "aws-auth-map-accounts",
	Title:      "aws-auth lets in a whole AWS account",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaCluster, model.AreaAWSAuth},
	Techniques: []string{"T1199", "T1098.006"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		parsed := p.Access.ParsedAWSAuth()
		if parsed == nil || !p.Access.ReadsAWSAuth() {
			return
		}
		awsAuthRows(p)
		for _, a := range parsed.Accounts {
			if !a.Valid {
				continue
			}
			whose := "which is not among the trusted ones"
			if p.Trusts(a.ID) {
				whose = "a trusted one"
			}
			p.Report(p.Cluster.AWSAuth, "every principal of account %s, %s, authenticates, with its own ARN as username", a.ID, whose).
				Because(p.Cluster.AWSAuth, "data.mapAccounts", "line %d: %s", a.Line, a.ID).
				Fix("# find who is meant in the audit log (user.extra.canonicalArn), map those, then take the account out").
				Fix("kubectl edit configmap -n kube-system aws-auth").
				Key(a.ID)
		}
	},
}
