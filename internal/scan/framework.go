package scan

import (
	"slices"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
)

// Assess fills in the state of each control of a framework from a result and the checks that ran for it. A control passes
// only if all of its checks ran, were assessed everywhere and found nothing; a suppressed finding does not count.
func Assess(f finding.FrameworkReport, r *finding.Result, ran []*check.Check) finding.FrameworkReport {
	f.Tool, f.Time, f.Clusters = r.Tool, r.Time, []string{}
	for _, c := range r.Clusters {
		if c.ARN != "" {
			f.Clusters = append(f.Clusters, c.ARN)
		} else {
			f.Clusters = append(f.Clusters, c.Name)
		}
	}
	byCheck := map[string][]finding.Finding{}
	for _, x := range r.Findings {
		byCheck[x.ID] = append(byCheck[x.ID], x)
	}
	for i := range f.Controls {
		c := &f.Controls[i]
		c.Status, c.Findings = finding.ControlPass, []finding.Finding{}
		for _, id := range c.Checks {
			if !slices.ContainsFunc(ran, func(ch *check.Check) bool { return ch.ID == id }) {
				c.Status = finding.ControlNotAssessed
			}
			c.Findings = append(c.Findings, byCheck[id]...)
		}
		for _, x := range c.Findings {
			if x.Status == finding.Fail {
				c.Status = finding.ControlFail
				break
			}
			c.Status = finding.ControlNotAssessed
		}
		if len(c.Checks) == 0 {
			c.Status = finding.ControlNotCovered
		}
	}
	return f
}
