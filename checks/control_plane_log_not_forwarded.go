package checks

import (
	"slices"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// keptAtLeast is how many days of control-plane logs an investigation can count on: the time that CloudTrail's own event
// history covers (CloudTrail User Guide, "Working with CloudTrail event history", 2026-11).
const keptAtLeast = 90

var controlPlaneLogNotForwarded = &check.Check{
	ID:            "control-plane-log-not-forwarded",
	Title:         "Control-plane logs are not sent on, or not kept",
	Severity:      finding.Low,
	NeedsComplete: []model.Area{model.AreaCluster, model.AreaLogGroup},
	Techniques:    []string{"T1562.008"},
	Since:         "0.1",
	Run: func(p *check.Pass) {
		c, g := p.Cluster, p.Cluster.LogGroup
		if c.Description == nil || !slices.Contains(c.Description.EnabledLogs, "audit") {
			return // control-plane-logging-incomplete speaks of that
		}
		name := "/aws/eks/" + c.Name + "/cluster"
		if g == nil {
			p.Report(c, "the audit log is on but its log group %s is not there", name).
				Evidence("logs:DescribeLogGroups", "no group of that name").
				Fix("# EKS makes the group when it may write; check the cluster's service-linked role and quotas").
				Fix(plan.Shell("aws", "logs", "describe-log-groups", "--region", c.Region, "--log-group-name-prefix", name)).
				Key("absent")
			return
		}
		if g.RetentionDays > 0 && g.RetentionDays < keptAtLeast {
			p.Report(c, "control-plane logs are kept for %d days only, less than %d", g.RetentionDays, keptAtLeast).
				Evidence("log group "+g.Name+" retentionInDays", "%d", g.RetentionDays).
				Plan(plan.SetLogRetention{Cluster: c.ID(), LogGroup: g.Name, Days: keptAtLeast}).
				Key("retention")
		}
		switch {
		case g.SubscriptionsUnknown:
			p.NotAssessed("subscription filters of %s were not read: logs:DescribeSubscriptionFilters", g.Name)
		case len(g.Subscriptions) == 0:
			p.Report(c, "control-plane logs go nowhere: their log group has no subscription filter that sends them to where they are watched").
				Evidence("log group "+g.Name, "no subscription filter").
				Fix(plan.Shell("aws", "logs", "put-subscription-filter", "--region", c.Region, "--log-group-name", g.Name,
					"--filter-name", "security", "--filter-pattern", "", "--destination-arn", "DESTINATION-ARN")).
				Key("subscription")
		}
	},
}
