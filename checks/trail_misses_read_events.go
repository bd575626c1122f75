package checks

import (
	"slices"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var trailMissesReadEvents = &check.Check{
	ID:            "trail-misses-read-events",
	Title:         "No trail keeps the read events that Pod Identity leaves",
	Severity:      finding.Medium,
	NeedsComplete: []model.Area{model.AreaTrails},
	Techniques:    []string{"T1562.008"},
	Since:         "0.1",
	Run: func(p *check.Pass) {
		unread, silent := "", ""
		for _, t := range p.Account.Trails {
			switch {
			case !t.MultiRegion || t.Logging != nil && !*t.Logging:
			case t.SelectorsUnknown:
				unread = t.Name
			case keepsReadEvents(t) && t.Logging == nil:
				silent = t.Name
			case keepsReadEvents(t):
				return
			}
		}
		switch {
		case silent != "":
			p.NotAssessed("whether trail %s, which would keep them, is switched on was not read: cloudtrail:GetTrailStatus", silent)
			return
		case unread != "":
			p.NotAssessed("what trail %s records was not read: cloudtrail:GetEventSelectors", unread)
			return
		}
		r := p.Report(p.Cluster, "no multi-region trail of account %s keeps read-only management events: which pod took which role leaves no evidence", p.Cluster.Account)
		if len(p.Account.Trails) == 0 {
			r.Evidence("cloudtrail:DescribeTrails", "the account has no trail")
		}
		for i, t := range p.Account.Trails {
			if i < 10 {
				r.Because(t, "", "%s", whyNot(t))
			}
		}
		r.Fix("# AssumeRoleForPodIdentity and the AssumeRole behind it are read-only management events").
			Fix(plan.Shell("aws", "cloudtrail", "put-event-selectors", "--region", p.Cluster.Region, "--trail-name", "TRAIL",
				"--event-selectors", `[{"ReadWriteType":"All","IncludeManagementEvents":true}]`))
	},
}

// keepsReadEvents says whether a trail records read-only management events of STS and EKS Auth.
func keepsReadEvents(t *model.Trail) bool {
	if len(t.Selectors)+len(t.Advanced) == 0 {
		return true // a trail without selectors records all management events
	}
	for _, s := range t.Selectors {
		if s.ManagementEvents && s.ReadWriteType != "WriteOnly" {
			return true
		}
	}
	return slices.ContainsFunc(t.Advanced, advancedKeepsReadEvents)
}

func advancedKeepsReadEvents(a model.AdvancedSelector) bool {
	management := false
	for _, f := range a.Fields {
		if len(f.StartsWith)+len(f.NotStartsWith)+len(f.EndsWith)+len(f.NotEndsWith) > 0 {
			return false // narrowed by a part of a name
		}
		switch f.Field {
		case "eventCategory":
			management = slices.Contains(f.Equals, "Management")
		case "readOnly":
			if slices.Contains(f.Equals, "false") || slices.Contains(f.NotEquals, "true") {
				return false
			}
		case "eventSource":
			for _, source := range []string{"sts.amazonaws.com", "eks-auth.amazonaws.com"} {
				if slices.Contains(f.NotEquals, source) || len(f.Equals) > 0 && !slices.Contains(f.Equals, source) {
					return false
				}
			}
		default:
			return false // narrowed by something else: it does not keep them all
		}
	}
	return management
}

func whyNot(t *model.Trail) string {
	switch {
	case t.Logging != nil && !*t.Logging:
		return "is switched off"
	case !t.MultiRegion:
		return "records one region, " + orNobody(t.HomeRegion)
	}
	return "leaves out read-only management events"
}
