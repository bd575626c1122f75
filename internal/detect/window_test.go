package detect_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
)

// head is what the documents of these tests share.
const head = "title: T\nname: %s\nlevel: high\nlogsource: {product: kubernetes, service: audit}\n"

func program(t testing.TB, yml string) *detect.Program {
	t.Helper()
	p, err := detect.Load(fstest.MapFS{"t.yml": {Data: []byte(yml)}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// part is a document over events: verb is what it looks for.
func part(name, verb string) string {
	return fmt.Sprintf(head, name) + "detection: {s: {verb: " + verb + "}, condition: s}\n---\n"
}

func correlate(kind, condition string, rules ...string) string {
	return "title: T\nname: t\nlevel: high\ncorrelation:\n  type: " + kind + "\n  rules: [" + join(rules) + "]\n  group-by: [user.username]\n  timespan: 10s\n" + condition
}

func join(words []string) string {
	var b bytes.Buffer
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(w)
	}
	return b.String()
}

// happened is an event of these tests: a verb at a second, by somebody, on something.
type happened struct {
	at               int
	verb, user, name string
}

func (h happened) String() string {
	at := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC).Add(time.Duration(h.at) * time.Second).Format("2006-01-02T15:04:05.000000Z")
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%s-%s-%s-%d","stage":"ResponseComplete","requestURI":"/","verb":"%s","user":{"username":"%s"},"objectRef":{"resource":"things","name":"%s"},"responseStatus":{"code":200},"requestReceivedTimestamp":"%s","stageTimestamp":"%s"}`,
		h.verb, h.user, h.name, h.at, h.verb, h.user, h.name, at, at)
}

func feed(t testing.TB, g *detect.Engine, events []happened) {
	t.Helper()
	var b bytes.Buffer
	for _, h := range events {
		fmt.Fprintln(&b, h)
	}
	d := event.NewDecoder(&b, event.Options{Cluster: "prod"})
	var e event.Event
	for {
		err := d.Next(&e)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		g.Add(&e)
	}
}

func found(t testing.TB, p *detect.Program, events []happened) []string {
	t.Helper()
	var out []string
	g := detect.New(p, &detect.Context{}, detect.Options{}, func(f finding.Finding) { out = append(out, f.Time.Format("05")+" "+f.Message) })
	feed(t, g, events)
	g.Flush()
	slices.Sort(out)
	return out
}

// TestBurst: which of the events of a burst come first is chance; its finding is the same.
func TestBurst(t *testing.T) {
	p := program(t, part("t.a", "get")+correlate("event_count", "  condition: {gte: 8}", "t.a"))
	var events []happened
	for i := range 30 {
		events = append(events, happened{i / 3, "get", "u", fmt.Sprint(i)})
	}
	prints := map[string]bool{}
	for seed := range uint64(20) {
		rand.New(rand.NewPCG(seed, 3)).Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		g := detect.New(p, &detect.Context{}, detect.Options{}, func(f finding.Finding) { prints[f.Fingerprint] = true })
		feed(t, g, events)
		g.Flush()
	}
	if len(prints) != 1 {
		t.Errorf("%d fingerprints of one burst in twenty orders", len(prints))
	}
}

func TestWindows(t *testing.T) {
	a, b := part("t.a", "get"), part("t.b", "list")
	tests := []struct {
		name, yml string
		events    []happened
		want      int
	}{
		{"three within the span", a + correlate("event_count", "  condition: {gte: 3}", "t.a"), []happened{{0, "get", "u", "x"}, {4, "get", "u", "x"}, {10, "get", "u", "x"}}, 1},
		{"three, the last too late", a + correlate("event_count", "  condition: {gte: 3}", "t.a"), []happened{{0, "get", "u", "x"}, {4, "get", "u", "x"}, {11, "get", "u", "x"}}, 0},
		{"more than two", a + correlate("event_count", "  condition: {gt: 2}", "t.a"), []happened{{0, "get", "u", "x"}, {4, "get", "u", "x"}, {10, "get", "u", "x"}}, 1},
		{"three of two users", a + correlate("event_count", "  condition: {gte: 3}", "t.a"), []happened{{0, "get", "u", "x"}, {4, "get", "v", "x"}, {10, "get", "u", "x"}}, 0},
		{"one event three times", a + correlate("event_count", "  condition: {gte: 3}", "t.a"), []happened{{0, "get", "u", "x"}, {0, "get", "u", "x"}, {0, "get", "u", "x"}}, 0},
		{"two bursts far apart", a + correlate("event_count", "  condition: {gte: 2}", "t.a"), []happened{{0, "get", "u", "x"}, {1, "get", "u", "x"}, {60, "get", "u", "x"}, {61, "get", "u", "x"}}, 2},
		{"a burst that goes on is one", a + correlate("event_count", "  condition: {gte: 2}", "t.a"), []happened{{0, "get", "u", "x"}, {1, "get", "u", "x"}, {5, "get", "u", "x"}, {9, "get", "u", "x"}}, 1},
		{"three values", a + correlate("value_count", "  condition: {gte: 3, field: objectRef.name}", "t.a"), []happened{{0, "get", "u", "x"}, {4, "get", "u", "y"}, {10, "get", "u", "z"}}, 1},
		{"two values thrice", a + correlate("value_count", "  condition: {gte: 3, field: objectRef.name}", "t.a"), []happened{{0, "get", "u", "x"}, {4, "get", "u", "y"}, {10, "get", "u", "x"}}, 0},
		{"three values, an earlier event of one after a later", a + correlate("value_count", "  condition: {gte: 3, field: objectRef.name}", "t.a"), []happened{{0, "get", "u", "x"}, {0, "get", "u", "z"}, {11, "get", "u", "y"}, {1, "get", "u", "y"}}, 1},
		{"both, in any order", a + b + correlate("temporal", "", "t.a", "t.b"), []happened{{0, "list", "u", "x"}, {9, "get", "u", "x"}}, 1},
		{"both, too far apart", a + b + correlate("temporal", "", "t.a", "t.b"), []happened{{0, "list", "u", "x"}, {11, "get", "u", "x"}}, 0},
		{"in order", a + b + correlate("temporal_ordered", "", "t.a", "t.b"), []happened{{0, "get", "u", "x"}, {9, "list", "u", "x"}}, 1},
		{"not in order", a + b + correlate("temporal_ordered", "", "t.a", "t.b"), []happened{{0, "list", "u", "x"}, {9, "get", "u", "x"}}, 0},
		{"nothing follows", a + b + correlate("absence", "", "t.a", "t.b"), []happened{{0, "get", "u", "x"}, {30, "watch", "u", "x"}}, 1},
		{"something follows", a + b + correlate("absence", "", "t.a", "t.b"), []happened{{0, "get", "u", "x"}, {5, "list", "u", "x"}, {30, "watch", "u", "x"}}, 0},
		{"something follows too late", a + b + correlate("absence", "", "t.a", "t.b"), []happened{{0, "get", "u", "x"}, {15, "list", "u", "x"}, {30, "watch", "u", "x"}}, 1},
		{"the log ends before it can be told", a + b + correlate("absence", "", "t.a", "t.b"), []happened{{0, "get", "u", "x"}, {5, "watch", "u", "x"}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := program(t, tt.yml)
			if got := found(t, p, tt.events); len(got) != tt.want {
				t.Errorf("found %d, want %d: %q", len(got), tt.want, got)
			}
		})
	}
}

// TestKeywords: text anywhere in the record, as it is, with wildcards, or as a regular expression.
func TestKeywords(t *testing.T) {
	for keyword, want := range map[string]int{"[us*r-1]": 1, "['Ann', 'nobody']": 0, "{'|re': 'us.r-[0-9]'}": 1, "{'|re': 'us.r-[a-z]'}": 0} {
		p := program(t, fmt.Sprintf(head, "t")+"detection: {s: "+keyword+", condition: s}\n")
		if got := found(t, p, []happened{{0, "get", "user-1", "x"}}); len(got) != want {
			t.Errorf("%s: found %d, want %d", keyword, len(got), want)
		}
	}
}

// TestOrderDoesNotMatter: whether something is found does not depend on the order in which the events come.
func TestOrderDoesNotMatter(t *testing.T) {
	a, b := part("t.a", "get"), part("t.b", "list")
	programs := []*detect.Program{
		program(t, a+correlate("event_count", "  condition: {gte: 3}", "t.a")),
		program(t, a+correlate("value_count", "  condition: {gte: 3, field: objectRef.name}", "t.a")),
		program(t, a+b+correlate("temporal", "", "t.a", "t.b")),
		program(t, a+b+correlate("temporal_ordered", "", "t.a", "t.b")),
		program(t, a+b+correlate("absence", "", "t.a", "t.b")),
	}
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom(programs).Draw(t, "program")
		n := rapid.IntRange(1, 12).Draw(t, "events")
		events := make([]happened, n)
		for i := range events {
			events[i] = happened{
				rapid.IntRange(0, 40).Draw(t, "at"), rapid.SampledFrom([]string{"get", "list"}).Draw(t, "verb"),
				rapid.SampledFrom([]string{"u", "v"}).Draw(t, "user"), rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, "name"),
			}
		}
		events = append(events, happened{100, "watch", "u", "x"})
		users := func(lines []string) bool { return len(lines) > 0 }
		want := users(foundRapid(t, p, events))
		shuffled := slices.Clone(events)
		seed := rapid.Uint64().Draw(t, "order")
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := users(foundRapid(t, p, shuffled)); got != want {
			t.Fatalf("in order: %v, shuffled: %v\n%v", want, got, shuffled)
		}
	})
}

func foundRapid(t *rapid.T, p *detect.Program, events []happened) []string {
	var out []string
	g := detect.New(p, &detect.Context{}, detect.Options{}, func(f finding.Finding) { out = append(out, f.Message) })
	var b bytes.Buffer
	for _, h := range events {
		fmt.Fprintln(&b, h)
	}
	d := event.NewDecoder(&b, event.Options{})
	var e event.Event
	for d.Next(&e) == nil {
		g.Add(&e)
	}
	g.Flush()
	return out
}

// TestSaved: an engine that was saved and restored after every event finds what one finds that was not.
func TestSaved(t *testing.T) {
	a, b := part("t.a", "get"), part("t.b", "list")
	for _, yml := range []string{
		a + correlate("event_count", "  condition: {gte: 3}", "t.a"), a + b + correlate("temporal_ordered", "", "t.a", "t.b"), a + b + correlate("absence", "", "t.a", "t.b"),
	} {
		p := program(t, yml)
		events := []happened{{0, "get", "u", "x"}, {2, "list", "u", "x"}, {4, "get", "u", "x"}, {8, "get", "u", "y"}, {9, "get", "v", "y"}, {60, "watch", "u", "x"}}
		want := found(t, p, events)
		var got []string
		report := func(f finding.Finding) { got = append(got, f.Time.Format("05")+" "+f.Message) }
		g := detect.New(p, &detect.Context{}, detect.Options{}, report)
		for _, h := range events {
			feed(t, g, []happened{h})
			var saved bytes.Buffer
			if err := g.Save(&saved); err != nil {
				t.Fatal(err)
			}
			var err error
			if g, err = detect.Restore(&saved, p, &detect.Context{}, detect.Options{}, report); err != nil {
				t.Fatal(err)
			}
		}
		g.Flush()
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-whole +saved):\n%s", diff)
		}
		if len(want) == 0 {
			t.Error("nothing is found at all")
		}
	}
}

// BenchmarkWindowMemory is the memory of a million open windows, and what it takes to save them.
func BenchmarkWindowMemory(b *testing.B) {
	p := program(b, part("t.a", "get")+correlate("event_count", "  condition: {gte: 3}", "t.a"))
	const keys = 1_000_000
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		g := detect.New(p, &detect.Context{}, detect.Options{Windows: keys}, func(finding.Finding) {})
		for from := 0; from < keys; from += 10_000 {
			events := make([]happened, 10_000)
			for i := range events {
				events[i] = happened{from / 200_000, "get", fmt.Sprintf("user-%d", from+i), "x"}
			}
			feed(b, g, events)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MiB")
		var saved bytes.Buffer
		start := time.Now()
		if err := g.Save(&saved); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(start).Seconds(), "save-s")
		b.ReportMetric(float64(saved.Len())/1e6, "saved-MB")
		if s := g.Stats(); s.Evicted != 0 {
			b.Fatalf("%d windows were given up", s.Evicted)
		}
	}
}
