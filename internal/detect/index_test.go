package detect

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/event"
	"drawbridge/internal/finding"
)

// withoutIndex is a program that looks at every rule for every event of its plane.
func withoutIndex(t *testing.T) *Program {
	p := catalogue(t)
	for i := range p.indexes {
		p.indexes[i] = index{gates: []gate{{rules: p.indexes[i].all()}}}
	}
	return p
}

// all are the rules of an index, each once, in an order that is always the same.
func (x *index) all() (rules []*rule) {
	for _, g := range x.gates {
		rules = append(rules, g.rules...)
	}
	for _, rs := range x.rules {
		rules = append(rules, rs...)
	}
	slices.SortFunc(rules, func(a, b *rule) int { return strings.Compare(a.name+a.variantID(), b.name+b.variantID()) })
	return slices.Compact(rules)
}

func (r *rule) variantID() string {
	if r.variant == nil {
		return ""
	}
	return r.variant.rule.ID
}

func catalogue(t *testing.T) *Program {
	p, err := Load(os.DirFS("../../detections"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// readAll has an engine read records to their end; what cannot be read is passed over. read is told of each that can.
func readAll(t *testing.T, g *Engine, c *Case, records [][]byte, read func(*event.Event)) {
	t.Helper()
	d := event.NewDecoder(bytes.NewBuffer(bytes.Join(records, []byte("\n"))), event.Options{Input: c.Name, Cluster: c.Cluster})
	var e event.Event
	for {
		err := d.Next(&e)
		if _, skip := errors.AsType[*event.Unparsed](err); skip {
			continue
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		g.Add(&e)
		read(&e)
	}
	g.Flush()
}

// found are the findings of some records, in order of their ids.
func found(t *testing.T, p *Program, c *Case, records [][]byte) []string {
	var out []string
	g := New(p, c.Context, Options{}, func(f finding.Finding) {
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, string(text))
	})
	readAll(t, g, c, records, func(*event.Event) {})
	slices.Sort(out)
	return out
}

// TestIndex: what the index and the gates leave out does not matter, on the events of all cases and on those that differ from
// them: with the members of others, in other words, and without some.
func TestIndex(t *testing.T) {
	indexed, plain := catalogue(t), withoutIndex(t)
	cases, err := CasesOf(os.DirFS("../../detections"))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 5))
	var pool []map[string]json.RawMessage
	for _, c := range cases {
		for line := range bytes.Lines(c.Events) {
			var record map[string]json.RawMessage
			if json.Unmarshal(line, &record) == nil {
				pool = append(pool, record)
			}
		}
	}
	reported := 0
	for _, c := range cases {
		records := bytes.Split(bytes.TrimSpace(c.Events), []byte("\n"))
		var changed [][]byte
		for range 6 {
			record := records[random.IntN(len(records))]
			changed = append(changed, mutate(random, record, pool))
		}
		for _, records := range [][][]byte{records, append(slices.Clone(records), changed...)} {
			got, want := found(t, indexed, c, records), found(t, plain, c, records)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s/%s: without the index -, with it +:\n%s", c.Detection, c.Name, diff)
			}
			reported += len(got)
		}
	}
	if reported < len(cases)/2 {
		t.Errorf("%d findings of %d cases", reported, len(cases))
	}
}

// mutate is a record with some members of others, without some, or in capitals.
func mutate(random *rand.Rand, record []byte, pool []map[string]json.RawMessage) []byte {
	var r map[string]json.RawMessage
	if json.Unmarshal(record, &r) != nil {
		return record
	}
	other := pool[random.IntN(len(pool))]
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for k := range other {
			if !yield(k) {
				return
			}
		}
	}) {
		switch random.IntN(6) {
		case 0:
			r[name] = other[name]
		case 1:
			delete(r, name)
		case 2:
			if v, ok := r[name]; ok && name != "kind" && name != "apiVersion" && len(v) > 0 && v[0] == '"' {
				r[name] = bytes.ToUpper(v)
			}
		}
	}
	out, err := json.Marshal(r)
	if err != nil {
		return record
	}
	return out
}
