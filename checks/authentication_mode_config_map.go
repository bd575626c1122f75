package checks

import (
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var authenticationModeConfigMap = &check.Check{
	ID:         "authentication-mode-config-map",
	Title:      "Access is kept in the aws-auth ConfigMap only",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaCluster},
	Techniques: []string{"T1098.006"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		c := p.Cluster
		if c.Description != nil && c.AuthenticationMode() == "" {
			p.NotAssessed("eks:DescribeCluster was read without accessConfig.authenticationMode: an aws CLI from before 2024 leaves it out")
		}
		if c.AuthenticationMode() != model.ModeConfigMap {
			return
		}
		p.Report(c, "authentication mode is CONFIG_MAP: whoever may write one ConfigMap decides who is cluster admin, and the creator is a hidden one").
			Because(c, "accessConfig.authenticationMode", "CONFIG_MAP").
			Fix("# 1. open the API beside the ConfigMap; there is no way back; nobody loses access by it, and EKS adds a visible entry for the creator").
			Fix(plan.Command(plan.SetAuthenticationMode{Cluster: c.ID(), Mode: model.ModeAPIConfigMap})).
			Fix("# 2. make an access entry for each row of aws-auth, watch the audit log for callers who still come through aws-auth, then empty it").
			Fix("# 3. close the ConfigMap for good").
			Fix("# " + plan.Command(plan.SetAuthenticationMode{Cluster: c.ID(), Mode: model.ModeAPI}))
	},
}
