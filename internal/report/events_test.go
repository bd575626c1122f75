package report

import (
	"strings"
	"testing"
	"time"

	"drawbridge/internal/finding"
)

// TestOfEvents: what was found in logs is shown with its time, and sessions of the cluster's own account in short.
func TestOfEvents(t *testing.T) {
	const jane = "arn:aws:sts::111122223333:assumed-role/admin/jane"
	at := time.Date(2026, 11, 1, 10, 0, 1, 0, time.FixedZone("", 3600))
	r := &finding.Result{
		Kind: finding.KindDetect, Events: &finding.Events{Read: 1, Matched: 1},
		Clusters: []finding.Cluster{{Name: "prod", ARN: "arn:aws:eks:eu-central-1:111122223333:cluster/prod", Account: "111122223333", Region: "eu-central-1", Partition: "aws"}},
		Findings: []finding.Finding{
			{
				ID: "x", Title: "Entry made", Severity: finding.High, Status: finding.Fail, Cluster: "arn:aws:eks:eu-central-1:111122223333:cluster/prod", Time: &at,
				Subject: finding.Subject{Kind: "AccessEntry", Name: "arn:aws:iam::111122223333:role/new"}, Message: jane + " made it",
			},
			{ID: "y", Title: "Nobody knows where", Severity: finding.Low, Status: finding.Fail, Subject: finding.Subject{Kind: "ServiceAccount", Name: "a"}},
		},
	}
	table := render(t, "table", r, Options{})
	if !strings.Contains(table, "AccessEntry role/new ") || !strings.Contains(table, "2026-11-01 09:00:01 UTC") || !strings.Contains(table, "  assumed-role/admin/jane made it") {
		t.Errorf("table:\n%s", table)
	}
	if wide := render(t, "wide", r, Options{}); !strings.Contains(wide, jane) {
		t.Errorf("wide does not tell the session's ARN:\n%s", wide)
	}
	page := render(t, "html", r, Options{})
	for text, want := range map[string]bool{
		"prod · <time>2026-11-01 09:00:01 UTC</time>": true, "</b> no cluster": true, "on no cluster": false, "Authentication mode": false,
	} {
		if strings.Contains(page, text) != want {
			t.Errorf("the page has %q: %t", text, !want)
		}
	}
}
