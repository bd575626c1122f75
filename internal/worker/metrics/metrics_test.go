package metrics_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/detect"
	"drawbridge/internal/finding"
	"drawbridge/internal/stream"
	"drawbridge/internal/worker"
	"drawbridge/internal/worker/metrics"
)

var start = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func status(read int64) worker.Status {
	return worker.Status{
		Summary: worker.Summary{
			Events: finding.Events{Read: read, Matched: 2, Unparsed: 5, Duplicates: 3}, Stats: detect.Stats{Early: 1, Evicted: 2, Forgotten: 3},
			Clusters: []string{"prod"}, To: start.Add(-time.Minute),
		},
		Partition: -1, UnparsedIn: map[string]int64{"s3": 4, "webhook": 1}, Held: detect.Held{Windows: 7, Pending: 8},
		Places: map[string]worker.Place{
			"kinesis://a/\"}\n\\\xff\x1b evil": {Position: "49590338271490256608559692538361571095921575989136588898", Backlog: &stream.Backlog{Messages: -1, Behind: 2 * time.Second}},
			"events.p0":                        {Position: "12 more", Backlog: &stream.Backlog{Messages: 40, Behind: -1}},
			strings.Repeat("x", 600):           {Position: "1"},
			strings.Repeat("x", 601):           {Position: "2"}, // looks the same
		},
		Saved: start.Add(-time.Second), SavedSize: 99,
	}
}

func lines(text, part string) (out []string) {
	for _, l := range strings.Split(text, "\n") {
		if strings.Contains(l, part) && !strings.HasPrefix(l, "#") {
			out = append(out, l)
		}
	}
	return out
}

func TestText(t *testing.T) {
	now := start
	c := metrics.New(func() time.Time { return now })
	c.Run(status(10))
	c.Run(status(11))
	c.Findings([]finding.Finding{{Severity: finding.High}, {Severity: finding.High}, {Severity: finding.Low}}, 4)
	c.Dead()
	c.Refused()
	now = start.Add(3 * time.Second)
	got := string(c.Text())
	for part, want := range map[string][]string{
		"events_read": {"drawbridge_events_read_total 11"},
		"matched":     {"drawbridge_events_matched_total 2"},
		"duplicate":   {"drawbridge_events_duplicate_total 3"},
		"unparsed":    {`drawbridge_records_unparsed_total{transport="s3"} 4`, `drawbridge_records_unparsed_total{transport="webhook"} 1`},
		"evicted":     {"drawbridge_windows_evicted_total 2"},
		"forgotten":   {"drawbridge_facts_forgotten_total 3"},
		"early":       {"drawbridge_second_looks_early_total 1"},
		"windows_open": {
			"drawbridge_windows_open 7",
		},
		"pending":  {"drawbridge_events_pending 8"},
		"clusters": {"drawbridge_clusters 1"},
		"findings_total": {
			`drawbridge_findings_total{severity="critical"} 0`, `drawbridge_findings_total{severity="high"} 2`, `drawbridge_findings_total{severity="medium"} 0`,
			`drawbridge_findings_total{severity="low"} 1`, `drawbridge_findings_total{severity="informational"} 0`,
		},
		"accepted":     {"drawbridge_findings_accepted_total 4"},
		"dead":         {"drawbridge_dead_letters_total 1"},
		"refused":      {"drawbridge_posts_refused_total 1"},
		"last_event":   {"drawbridge_last_event_age_seconds 3"},
		"lag":          {"drawbridge_lag_seconds 63"},
		"checkpoint":   {"drawbridge_checkpoint_age_seconds 4", "drawbridge_checkpoint_bytes 99"},
		"position":     {`drawbridge_input_position{input="events.p0"} 12`, `drawbridge_input_position{input="` + strings.Repeat("x", 512) + `"} 1`},
		"backlog":      {`drawbridge_input_backlog_messages{input="events.p0"} 40`},
		"behind":       {`drawbridge_input_behind_seconds{input="kinesis://a/\"}\n\\` + "\ufffd\ufffd" + ` evil"} 2`},
		"no such part": nil,
	} {
		if diff := cmp.Diff(want, lines(got, part)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", part, diff)
		}
	}
	seen := map[string]bool{}
	for _, l := range strings.Split(strings.TrimSuffix(got, "\n"), "\n") {
		if !strings.HasPrefix(l, "drawbridge_") && !strings.HasPrefix(l, "# HELP drawbridge_") && !strings.HasPrefix(l, "# TYPE drawbridge_") {
			t.Errorf("a line that is none of ours: %q", l)
		}
		series := l[:strings.LastIndexByte(l, ' ')]
		if seen[series] && !strings.HasPrefix(l, "#") {
			t.Errorf("twice: %s", series)
		}
		seen[series] = true
	}
}

// TestPartitions: each is shown for as long as this worker has it.
func TestPartitions(t *testing.T) {
	c := metrics.New(func() time.Time { return start })
	for n := range 3 {
		s := status(int64(n))
		s.Partition, s.UnparsedIn = n, nil
		c.Run(s)
	}
	s := status(9)
	s.Partition, s.Ended = 1, true
	c.Run(s)
	want := []string{`drawbridge_events_read_total{partition="0"} 0`, `drawbridge_events_read_total{partition="2"} 2`}
	if diff := cmp.Diff(want, lines(string(c.Text()), "events_read")); diff != "" {
		t.Errorf("partitions (-want +got):\n%s", diff)
	}
	if got := lines(string(c.Text()), "partition=\"0\",input=\"events.p0\""); len(got) != 2 {
		t.Errorf("places of partition 0: %q", got)
	}
}

func TestLine(t *testing.T) {
	now := start
	c := metrics.New(func() time.Time { return now })
	c.Run(status(1000)) // of a checkpoint
	for _, step := range []struct {
		read int64
		news bool
		want string
	}{
		{1000, false, "1000 events read, 5 could not be read, 3 came more than once; findings: none; newest event 1m10s old"},
		{1500, true, "1500 events read (50 a second), 5 could not be read, 3 came more than once; findings: 1 critical; 1 passed over; newest event 1m20s old"},
	} {
		now = now.Add(10 * time.Second)
		c.Run(status(step.read))
		if step.news {
			c.Findings([]finding.Finding{{Severity: finding.Critical}}, 0)
			c.Dead()
		}
		if line, news := c.Line(); line != step.want || news != step.news {
			t.Errorf("%q, %v, want %q, %v", line, news, step.want, step.news)
		}
	}
}

func TestHandler(t *testing.T) {
	h := metrics.New(func() time.Time { return start }).Handler()
	for path, want := range map[string]int{"/metrics": 200, "/healthz": 200, "/": 404, "/debug/pprof/": 404} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if got := w.Header().Get("Content-Type"); got != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("content type %q", got)
	}
}
