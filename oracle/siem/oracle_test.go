package oracle

import (
	"bytes"
	"errors"
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
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
		in := systems(a, newLucene(t, records))
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
			n.hold(t, in, rules, records, want, text)
		}
		t.Logf("audit %v, %d events: %v", audit, len(records), n)
		if n["athena exact"] < *cases/2 || !audit && n["eventbridge compared"] < *cases/10 {
			t.Errorf("too few were compared: %v", n)
		}
	}
}

type counts map[string]int

// system is one that runs exports.
type system struct {
	target string
	// find returns the ids of the records that an export finds; errOther if it cannot run it.
	find func(testing.TB, string, []record) (map[string]bool, error)
}

// systems are those that there are, with the records in them.
func systems(a *athena, l *lucene) []system {
	search := func(_ testing.TB, text string, _ []record) (map[string]bool, error) { return l.ids(text) }
	return []system{
		{"sigma", func(t testing.TB, text string, records []record) (map[string]bool, error) {
			rules, err := sigma.Parse("alone.yml", []byte(text))
			if err != nil {
				return nil, err
			}
			return matched(t, alone(rules...), records), nil
		}},
		{"elastic", search}, {"opensearch", search},
		{"athena", func(t testing.TB, text string, _ []record) (map[string]bool, error) { return a.ids(t, text), nil }},
		{"eventbridge", func(t testing.TB, text string, records []record) (map[string]bool, error) {
			b, err := newBridge(text)
			if err != nil {
				return nil, err
			}
			got := map[string]bool{}
			for _, r := range records {
				if b.matches(t, r) {
					got[r.id] = true
				}
			}
			return got, nil
		}},
	}
}

// hold compares a rule's exports with what drawbridge found: exact ones find the same, approximated ones that miss nothing
// find all of it.
func (n counts) hold(t *testing.T, all []system, rules []*sigma.Rule, records []record, want map[string]bool, text string) {
	t.Helper()
	found := map[string]map[string]bool{} // by text: Elastic and OpenSearch have the same
	for _, s := range all {
		e := exported(t, rules, s.target)
		n[s.target+" "+string(e.Verdict)]++
		if e.Verdict == siem.Refused {
			continue
		}
		got, err := found[e.Text], error(nil)
		if got == nil {
			got, err = s.find(t, e.Text, records)
			found[e.Text] = got
		}
		if errors.Is(err, errOther) {
			continue
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, e.Text)
		}
		n[s.target+" compared"]++
		broken, ids := promise(e, want, got)
		if broken != "" {
			t.Errorf("%s %s %v\n%s\n%s", s.target, broken, ids, text, e.Text)
			show(t, records, ids)
		}
		if e.Verdict == siem.Approximated && !e.Misses {
			n[s.target+" wider"]++
			n[s.target+" wider, found by both"] += len(want)
		}
	}
}

// promise says which promise of an export is broken, with the ids that show it; "" if none is.
func promise(e siem.Rule, want, got map[string]bool) (string, []string) {
	missing, extra := differ(want, got)
	switch {
	case missing != nil && (e.Verdict == siem.Exact || !e.Misses):
		return "misses", missing
	case extra != nil && e.Verdict == siem.Exact:
		return "finds besides", extra
	}
	return "", nil
}

func show(t *testing.T, records []record, ids []string) {
	t.Helper()
	for _, r := range records {
		if slices.Contains(ids[:min(len(ids), 1)], r.id) {
			t.Logf("%s", r.line)
		}
	}
}

// TestDetections holds every document of every built-in detection against the systems: on the events of its own cases, on
// mutations of them, and on some of all others.
func TestDetections(t *testing.T) {
	p, err := detect.Load(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	all, err := detect.CasesOf(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	m := newMutator(*seed, all)
	a := newAthena(t)
	n := counts{}
	for _, d := range p.Detections {
		records := m.recordsOf(t, d.ID)
		a.load(t, records)
		in := systems(a, newLucene(t, records))
		n["events"] += len(records)
		for _, r := range d.Rules {
			if r.Correlation != nil {
				continue
			}
			rules := alone(r)
			if !slices.ContainsFunc(in, func(s system) bool { return exported(t, rules, s.target).Verdict != siem.Refused }) {
				n["refused"]++
				continue
			}
			n["rules"]++
			want := matched(t, rules, records)
			n["matches"] += len(want)
			n.hold(t, in, rules, records, want, d.ID+" "+r.Name)
		}
	}
	for _, d := range p.Detections {
		n.correlations(t, a, d, all)
	}
	t.Logf("%v", n)
	if n["athena wider, found by both"] < 100 || n["eventbridge wider, found by both"] < 100 || n["elastic wider, found by both"] < 100 {
		t.Error("too little is found by both for the comparison to mean something")
	}
}

// TestNoticed breaks exports: what is too narrow, and of exact ones what is too wide, is noticed.
func TestNoticed(t *testing.T) {
	all, err := detect.CasesOf(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	p, err := detect.Load(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	const id = "access-entry-granted-admin"
	rules := alone(p.Detection(id).Rules[0])
	records := newMutator(*seed, all).recordsOf(t, id)
	want := matched(t, rules, records)
	a := newAthena(t)
	a.load(t, records)
	e := exported(t, rules, "athena")
	if e.Verdict != siem.Approximated || e.Misses {
		t.Fatalf("%s: %s %v", id, e.Verdict, e.Losses)
	}
	if broken, ids := promise(e, want, a.ids(t, e.Text)); broken != "" {
		t.Errorf("the export as it is %s %v", broken, ids)
	}
	narrow := strings.Replace(e.Text, "cluster-access-policy/", "cluster-access-policy/x", 1)
	if broken, _ := promise(e, want, a.ids(t, narrow)); broken != "misses" {
		t.Errorf("a policy that is misspelt is not noticed (%q)\n%s", broken, narrow)
	}
	e.Verdict = siem.Exact
	if broken, _ := promise(e, want, a.ids(t, strings.Split(e.Text, "WHERE")[0])); broken != "finds besides" {
		t.Errorf("a query without conditions is not noticed (%q)", broken)
	}
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
			if want && !got && !e.Misses || got && !want && e.Verdict == siem.Exact {
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
