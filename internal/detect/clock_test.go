package detect_test

import (
	"slices"
	"testing"
	"time"

	"drawbridge/internal/detect"
	"drawbridge/internal/finding"
)

// TestFuture: an event of the far future moves no time on, neither in a run over files nor in a continuous one, where those that
// wait for a second look do not wait for ever because of it. One of a clock that is a little ahead moves it to the present.
func TestFuture(t *testing.T) {
	start := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	a, b := part("t.a", "get"), part("t.b", "list")
	p := program(t, a+b+correlate("absence", "", "t.a", "t.b"))
	const year = 365 * 24 * 3600
	for _, tt := range []struct {
		name     string
		lateness time.Duration
		now      int // seconds after start
		events   []happened
		want     []string
		to       int
	}{
		{"files, far ahead", 0, 3600, []happened{{0, "get", "u", "x"}, {20 * year, "watch", "u", "x"}, {5, "watch", "u", "x"}}, nil, 5},
		{"files, a little ahead", 0, 8, []happened{{0, "get", "u", "x"}, {60, "watch", "u", "x"}}, nil, 8},
		{"files, in time", 0, 3600, []happened{{0, "get", "u", "x"}, {60, "watch", "u", "x"}}, []string{"00 T"}, 60},
		{"continuous, far ahead", time.Second, 3600, []happened{{20 * year, "watch", "u", "x"}, {0, "get", "u", "x"}, {5, "list", "u", "x"}, {60, "watch", "u", "x"}}, nil, 60},
		{"continuous, nothing follows", time.Second, 3600, []happened{{20 * year, "watch", "u", "x"}, {0, "get", "u", "x"}, {60, "watch", "u", "x"}}, []string{"00 T"}, 60},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			now := start.Add(time.Duration(tt.now) * time.Second)
			g := detect.New(p, &detect.Context{}, detect.Options{Lateness: tt.lateness, Now: func() time.Time { return now }},
				func(f finding.Finding) { got = append(got, f.Time.Format("05")+" "+f.Message) })
			feed(t, g, tt.events)
			if tt.lateness == 0 {
				g.Flush()
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
			if _, to := g.Span(); !to.Equal(start.Add(time.Duration(tt.to) * time.Second)) {
				t.Errorf("the newest event is of %s", to)
			}
		})
	}
}
