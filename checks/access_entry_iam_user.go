package checks

import (
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var accessEntryIAMUser = &check.Check{
	ID:         "access-entry-iam-user",
	Title:      "Access entry for an IAM user",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaAccessEntries},
	Techniques: []string{"T1078.004"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, e := range p.Cluster.AccessEntries {
			arn, err := iam.ParseARN(e.PrincipalARN)
			if err != nil || !arn.IsUser() {
				continue
			}
			p.Report(e, "%s is an IAM user, whose credentials do not expire, not a role", e.PrincipalARN).
				Because(e, "principalArn", "an IAM user").
				Fix("# make an entry for a role that the person or program assumes, then delete this one").
				Fix(plan.Command(plan.DeleteAccessEntry{Cluster: p.Cluster.ID(), PrincipalARN: e.PrincipalARN}))
		}
	},
}
