package metrics

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"drawbridge/internal/finding"
	"drawbridge/internal/worker"
)

// contentType is that of the text format (Prometheus documentation, "Exposition formats", 2026-11).
const contentType = "text/plain; version=0.0.4; charset=utf-8"

// Handler answers /metrics with the counts and /healthz with "ok" for as long as the process runs.
func (c *Counts) Handler() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(c.Text()) // who went away wants no answer
	})
	m.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
	})
	return m
}

// family is a metric of each run.
type family struct {
	name, kind, help string
	value            func(worker.Status) float64
}

// ofRuns are the metrics that each run has one of.
var ofRuns = []family{
	{"events_read_total", "counter", "Events that were read.", func(s worker.Status) float64 { return float64(s.Events.Read) }},
	{"events_matched_total", "counter", "Events that led to a finding.", func(s worker.Status) float64 { return float64(s.Events.Matched) }},
	{"events_duplicate_total", "counter", "Events that came more than once, or in two stages.", func(s worker.Status) float64 { return float64(s.Events.Duplicates) }},
	{"windows_evicted_total", "counter", "Windows given up for want of room: what they would have shown is missed.", func(s worker.Status) float64 { return float64(s.Stats.Evicted) }},
	{"facts_forgotten_total", "counter", "Facts given up for want of room: what they would have shown is missed.", func(s worker.Status) float64 { return float64(s.Stats.Forgotten) }},
	{"second_looks_early_total", "counter", "Second looks that did not wait for late events, for want of room.", func(s worker.Status) float64 { return float64(s.Stats.Early) }},
	{"windows_open", "gauge", "Windows that are open.", func(s worker.Status) float64 { return float64(s.Held.Windows) }},
	{"events_pending", "gauge", "Events that wait for their second look.", func(s worker.Status) float64 { return float64(s.Held.Pending) }},
	{"clusters", "gauge", "Clusters that events were about.", func(s worker.Status) float64 { return float64(len(s.Clusters)) }},
}

// Text is the counts in Prometheus' text format.
func (c *Counts) Text() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	var t text
	runs, now := c.partitions(), c.now()
	for _, f := range ofRuns {
		t.family(f.name, f.kind, f.help)
		for _, s := range runs {
			t.sample(f.name, f.value(s), partition(s)...)
		}
	}
	t.family("records_unparsed_total", "counter", "Records that could not be read, by how they came.")
	for _, s := range runs {
		for _, transport := range slices.Sorted(maps.Keys(s.UnparsedIn)) {
			t.sample("records_unparsed_total", float64(s.UnparsedIn[transport]), append(partition(s), "transport", transport)...)
		}
	}
	t.family("findings_total", "counter", "Findings since this process started, by severity.")
	for _, s := range finding.Severities {
		t.sample("findings_total", float64(c.findings[s]), "severity", string(s))
	}
	t.family("findings_accepted_total", "counter", "Findings since this process started that a baseline or a suppression accepts.")
	t.sample("findings_accepted_total", float64(c.accepted))
	t.family("dead_letters_total", "counter", "What kept failing and was passed over since this process started.")
	t.sample("dead_letters_total", float64(c.dead))
	t.family("posts_refused_total", "counter", "Connections and posts that the webhook refused since this process started.")
	t.sample("posts_refused_total", float64(c.refused))
	t.ages(c, runs, now)
	t.places(runs)
	return t.Bytes()
}

// ages are how long ago things were.
func (t *text) ages(c *Counts, runs []worker.Status, now time.Time) {
	if !c.arrived.IsZero() {
		t.family("last_event_age_seconds", "gauge", "How long ago the last event came, whatever its own time.")
		t.sample("last_event_age_seconds", now.Sub(c.arrived).Seconds())
	}
	t.family("lag_seconds", "gauge", "How old the newest event is by its own time.")
	for _, s := range runs {
		if !s.To.IsZero() {
			t.sample("lag_seconds", now.Sub(s.To).Seconds(), partition(s)...)
		}
	}
	t.family("checkpoint_age_seconds", "gauge", "How long ago a checkpoint was saved. There is none while nothing new was read.")
	for _, s := range runs {
		if !s.Saved.IsZero() {
			t.sample("checkpoint_age_seconds", now.Sub(s.Saved).Seconds(), partition(s)...)
		}
	}
	t.family("checkpoint_bytes", "gauge", "The size of the last checkpoint.")
	for _, s := range runs {
		if !s.Saved.IsZero() {
			t.sample("checkpoint_bytes", float64(s.SavedSize), partition(s)...)
		}
	}
}

// ofPlaces are the metrics of inputs; not every transport tells each of them.
var ofPlaces = []struct {
	name, help string
	value      func(worker.Place) (float64, bool)
}{
	{"input_position", "Where an input stands, if that is a number: a byte of a file, a time in milliseconds, a message.", func(p worker.Place) (float64, bool) {
		first, _, _ := strings.Cut(p.Position, " ")
		n, err := strconv.ParseInt(first, 10, 64) // a sequence number of Kinesis is longer
		return float64(n), err == nil
	}},
	{"input_backlog_messages", "Messages that the transport still has of an input.", func(p worker.Place) (float64, bool) {
		if p.Backlog == nil || p.Backlog.Messages < 0 {
			return 0, false
		}
		return float64(p.Backlog.Messages), true
	}},
	{"input_behind_seconds", "How much newer the newest of an input is than what is read.", func(p worker.Place) (float64, bool) {
		if p.Backlog == nil || p.Backlog.Behind < 0 {
			return 0, false
		}
		return p.Backlog.Behind.Seconds(), true
	}},
}

func (t *text) places(runs []worker.Status) {
	for _, f := range ofPlaces {
		t.family(f.name, "gauge", f.help)
		for _, s := range runs {
			shown := map[string]bool{} // two names may look the same, and the same series twice spoils all
			for _, input := range slices.Sorted(maps.Keys(s.Places)) {
				name := escape(input)
				if v, ok := f.value(s.Places[input]); ok && !shown[name] {
					shown[name] = true
					t.sample(f.name, v, append(partition(s), "input", name)...)
				}
			}
		}
	}
}

func partition(s worker.Status) []string {
	if s.Partition < 0 {
		return nil
	}
	return []string{"partition", strconv.Itoa(s.Partition)}
}

// text is the format.
type text struct{ bytes.Buffer }

func (t *text) family(name, kind, help string) {
	fmt.Fprintf(t, "# HELP drawbridge_%s %s\n# TYPE drawbridge_%s %s\n", name, help, name, kind)
}

// sample writes a value with labels: names and escaped values in turn.
func (t *text) sample(name string, value float64, labels ...string) {
	t.WriteString("drawbridge_" + name)
	for i := 0; i < len(labels); i += 2 {
		t.WriteByte("{,"[min(i, 1)])
		t.WriteString(labels[i] + `="` + labels[i+1] + `"`) //nolint:gosec // 2026-11: G602: they come in pairs
	}
	if len(labels) > 0 {
		t.WriteByte('}')
	}
	t.WriteByte(' ')
	t.Write(strconv.AppendFloat(nil, value, 'f', -1, 64))
	t.WriteByte('\n')
}

// maxLabel is how long a label's value may be, in bytes: names are whoever's.
const maxLabel = 512

// escaped are the characters that a label's value may not hold as they are.
var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// escape makes a label's value of a name.
func escape(s string) string {
	if len(s) > maxLabel {
		s = s[:maxLabel]
	}
	return escaped.Replace(strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f {
			return utf8.RuneError
		}
		return r // of bytes that are none, utf8.RuneError
	}, s))
}
