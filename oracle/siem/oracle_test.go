package oracle

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"drawbridge/detections"
	"drawbridge/internal/detect"
	"drawbridge/internal/siem"
	"drawbridge/internal/sigma"
)

var (
	seed  = flag.Uint64("seed", 1, "of the random rules and events")
	cases = flag.Int("cases", 600, "random rules for each log")
)

// exported is the one rule of an export.
func exported(t testing.TB, rules []*sigma.Rule, target string) siem.Rule {
	t.Helper()
	r, err := siem.Export(rules, target)
	if err != nil {
		t.Fatal(err)
	}
	return r.Rules[0]
}

// TestRandom holds random rules against both systems on random events.
func TestRandom(t *testing.T) {
	m := maker{rand.New(rand.NewPCG(*seed, 7))}
	for _, audit := range []bool{false, true} {
		var records []record
		for i := range 250 {
			records = append(records, recordOf(t, m.event(i, audit)))
		}
		a := newAthena(t)
		a.load(t, records)
		n := counts{}
		for range *cases {
			text := m.rule(audit)
			rules, err := sigma.Parse("alone.yml", []byte(text))
			if err != nil {
				n["not a rule"]++ // all of one value, everything matched, and the like
				continue
			}
			want := matched(t, rules, records)
			n["rules"]++
			if len(want) > 0 {
				n["rules that match"]++
			}
			n.hold(t, a, rules, records, want, text)
		}
		t.Logf("audit %v, %d events: %v", audit, len(records), n)
		if n["athena exact"] < *cases/2 || !audit && n["eventbridge compared"] < *cases/10 {
			t.Errorf("too few were compared: %v", n)
		}
	}
}

type counts map[string]int

// hold compares a rule's exports, where they are exact, with what drawbridge found.
func (n counts) hold(t *testing.T, a *athena, rules []*sigma.Rule, records []record, want map[string]bool, text string) {
	t.Helper()
	switch e := exported(t, rules, "athena"); e.Verdict {
	case siem.Refused:
		n["athena refused"]++
	case siem.Approximated: // not promised to be the same, but told how often it is
		n["athena approximated"]++
		if missing, extra := differ(want, a.ids(t, e.Text)); missing != nil || extra != nil {
			n["athena approximated and different"]++
		}
	default:
		n["athena exact"]++
		if missing, extra := differ(want, a.ids(t, e.Text)); missing != nil || extra != nil {
			t.Errorf("athena misses %v, finds besides %v\n%s\n%s", missing, extra, text, e.Text)
			show(t, records, append(missing, extra...))
		}
	}
	e := exported(t, rules, "eventbridge")
	if e.Verdict != siem.Exact {
		n["eventbridge "+string(e.Verdict)]++
		return
	}
	n["eventbridge exact"]++
	b, err := newBridge(e.Text)
	if errors.Is(err, errOther) {
		return
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, e.Text)
	}
	n["eventbridge compared"]++
	got := map[string]bool{}
	for _, r := range records {
		if b.matches(t, r) {
			got[r.id] = true
		}
	}
	if missing, extra := differ(want, got); missing != nil || extra != nil {
		t.Errorf("eventbridge misses %v, finds besides %v\n%s\n%s", missing, extra, text, e.Text)
		show(t, records, append(missing, extra...))
	}
}

func show(t *testing.T, records []record, ids []string) {
	t.Helper()
	for _, r := range records {
		if slices.Contains(ids[:min(len(ids), 1)], r.id) {
			t.Logf("%s", r.line)
		}
	}
}

// TestDetections holds every document of every built-in detection against both systems, on the events of all cases.
func TestDetections(t *testing.T) {
	p, err := detect.Load(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	all, err := detect.CasesOf(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	var records []record
	for _, c := range all {
		for line := range bytes.Lines(c.Events) {
			if len(bytes.TrimSpace(line)) > 0 {
				r := recordOf(t, line)
				unique := fmt.Sprintf("%s-%d", r.id, len(records)) // cases of several detections use the same ids
				records = append(records, recordOf(t, bytes.ReplaceAll(line, []byte(`"`+r.id+`"`), []byte(`"`+unique+`"`))))
			}
		}
	}
	a := newAthena(t)
	a.load(t, records)
	n := counts{}
	for _, d := range p.Detections {
		for _, r := range d.Rules {
			if r.Correlation != nil {
				continue
			}
			rules := alone(r)
			if exported(t, rules, "athena").Verdict == siem.Refused && exported(t, rules, "eventbridge").Verdict == siem.Refused {
				n["refused"]++
				continue
			}
			n["rules"]++
			n.hold(t, a, rules, records, matched(t, rules, records), d.ID+" "+r.Name)
		}
	}
	for _, d := range p.Detections {
		n.correlations(t, a, d, all)
	}
	t.Logf("%d events: %v", len(records), n)
}

// correlations compares, case by case, whether a correlation is found at all.
func (n counts) correlations(t *testing.T, a *athena, d *detect.Detection, all []*detect.Case) {
	for _, r := range d.Rules {
		if r.Correlation == nil {
			continue
		}
		rules := alone(append([]*sigma.Rule{r}, parts(d, r)...)...)
		e := exported(t, rules, "athena")
		if e.Verdict == siem.Refused {
			n["correlations refused"]++
			continue
		}
		program := compile(t, rules)
		n["correlations "+string(e.Verdict)]++
		for _, c := range all {
			if c.Detection != d.ID {
				continue
			}
			var records []record
			for line := range bytes.Lines(c.Events) {
				if len(bytes.TrimSpace(line)) > 0 {
					records = append(records, recordOf(t, line))
				}
			}
			a.load(t, distinct(records))
			want, got := run(t, program, records...) > 0, len(a.ids(t, e.Text)) > 0
			if want != got && e.Verdict == siem.Exact {
				t.Errorf("%s %s: drawbridge finds it: %v, the SQL: %v\n%s", d.ID, c.Name, want, got, e.Text)
			}
			n["correlated cases"]++
		}
	}
}

func parts(d *detect.Detection, r *sigma.Rule) []*sigma.Rule {
	var out []*sigma.Rule
	for _, o := range d.Rules {
		if o.Correlation == nil && slices.Contains(r.Correlation.Rules, o.Name) {
			out = append(out, o)
		}
	}
	return out
}

// distinct leaves out events that came before.
func distinct(records []record) []record {
	seen := map[string]bool{}
	return slices.DeleteFunc(records, func(r record) bool {
		again := seen[string(r.line)] || seen[r.id]
		seen[string(r.line)], seen[r.id] = true, true
		return again
	})
}
