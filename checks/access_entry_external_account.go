package checks

import (
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var accessEntryExternalAccount = &check.Check{
	ID:         "access-entry-external-account",
	Title:      "Access entry lets in a principal of another account",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaAccessEntries},
	Techniques: []string{"T1199", "T1098.006"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		if p.Cluster.Account == "" {
			p.NotAssessed("the account of cluster %s is not known, so nobody is foreign to it", p.Cluster.Name)
			return
		}
		for _, e := range p.Cluster.AccessEntries {
			arn, err := iam.ParseARN(e.PrincipalARN)
			if err != nil || arn.Account == "" || p.Trusts(arn.Account) {
				continue
			}
			r := p.Report(e, "%s belongs to account %s, which is not among the trusted ones: that account decides who takes it", e.PrincipalARN, arn.Account).
				Because(e, "principalArn", "account %s; the cluster's is %s", arn.Account, p.Cluster.Account).
				Fix("# if the account is yours, name it: drawbridge scan --trusted-account " + plan.Shell(arn.Account))
			deleteEntry(r, p, e)
		}
	},
}
