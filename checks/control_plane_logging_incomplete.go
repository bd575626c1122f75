package checks

import (
	"slices"
	"strings"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var controlPlaneLoggingIncomplete = &check.Check{
	ID:         "control-plane-logging-incomplete",
	Title:      "Audit or authenticator logs are off",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaCluster},
	Techniques: []string{"T1562.008"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		c, d := p.Cluster, p.Cluster.Description
		if d == nil {
			return
		}
		var off []string
		for _, kind := range []string{"audit", "authenticator"} {
			if !slices.Contains(d.EnabledLogs, kind) {
				off = append(off, kind)
			}
		}
		if len(off) == 0 {
			return
		}
		p.Report(c, "control-plane log %s is off: nobody can tell later who did what in the cluster, or as whom they came in", strings.Join(off, " and ")).
			Because(c, "logging.clusterLogging", "on: %s", orNobody(strings.Join(d.EnabledLogs, ", "))).
			Plan(plan.UpdateClusterLogging{Cluster: c.ID(), Enable: off})
	},
}
