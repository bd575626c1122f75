package oracle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"drawbridge/internal/detect"
	"drawbridge/internal/event"
)

// mutator changes events of the cases a little: a field goes, is null, has a value that it has elsewhere, or other letters.
type mutator struct {
	maker
	lines map[string][][]byte // by detection
	other [][]byte
	// values are those that a field has anywhere, by its path.
	values map[string][]any
}

func newMutator(seed uint64, all []*detect.Case) *mutator {
	m := &mutator{maker: maker{rand.New(rand.NewPCG(seed, 13))}, lines: map[string][][]byte{}, values: map[string][]any{}}
	for _, c := range all {
		for line := range bytes.Lines(c.Events) {
			if line = bytes.TrimSpace(line); len(line) == 0 {
				continue
			}
			m.lines[c.Detection] = append(m.lines[c.Detection], line)
			m.other = append(m.other, line)
			if e, ok := decoded(line); ok {
				m.collect(e, "")
			}
		}
	}
	return m
}

func decoded(line []byte) (map[string]any, bool) {
	var e map[string]any
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	return e, d.Decode(&e) == nil
}

func (m *mutator) collect(x any, path string) {
	if len(m.values[path]) < 50 {
		m.values[path] = append(m.values[path], x)
	}
	switch x := x.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			m.collect(x[k], path+"."+k)
		}
	case []any:
		for _, v := range x {
			m.collect(v, path+"[]")
		}
	}
}

// recordsOf are the events of a detection's cases, each with mutations, and some of others; all with ids of their own.
func (m *mutator) recordsOf(t testing.TB, detection string) []record {
	lines := slices.Clone(m.lines[detection])
	for range 40 {
		lines = append(lines, m.other[m.IntN(len(m.other))])
	}
	var out []record
	add := func(line []byte) {
		r := recordOf(t, line)
		unique := fmt.Sprintf("%s-%d", r.id, len(out)) // cases use the same ids
		out = append(out, recordOf(t, bytes.ReplaceAll(line, []byte(`"`+r.id+`"`), []byte(`"`+unique+`"`))))
	}
	for _, line := range lines {
		add(line)
		for range 2 {
			if e, ok := decoded(line); ok {
				for range 1 + m.IntN(2) {
					m.change(e, "")
				}
				if line := bytes.TrimSpace(mustMarshal(t, e)); readable(line) {
					add(line)
				}
			}
		}
	}
	return out
}

// readable says that drawbridge reads an event: what it cannot, it counts as unparsed, and no rule is asked.
func readable(line []byte) bool {
	var e event.Event
	return event.NewDecoder(bytes.NewReader(append(line[:len(line):len(line)], '\n')), event.Options{Input: "oracle"}).Next(&e) == nil
}

// kept are fields that every record has: without them it is none, or not the one that its id names.
var kept = map[string]bool{
	".eventID": true, ".auditID": true, ".eventVersion": true, ".kind": true, ".apiVersion": true, ".impersonatedUser.username": true, ".user.username": true,
	".userIdentity.sessionContext.sessionIssuer.arn": true, ".userIdentity.type": true,
}

func (m *mutator) change(at map[string]any, path string) {
	keys := slices.Sorted(maps.Keys(at))
	if len(keys) == 0 {
		return
	}
	k := keys[m.IntN(len(keys))]
	here := path + "." + k
	if inner, ok := at[k].(map[string]any); ok && m.IntN(8) > 0 {
		m.change(inner, here)
		return
	}
	if kept[here] {
		return
	}
	switch m.IntN(6) {
	case 0:
		delete(at, k)
	case 1:
		at[k] = nil
	case 2, 3:
		at[k] = m.values[here][m.IntN(len(m.values[here]))]
	case 4:
		if s, ok := at[k].(string); ok {
			at[k] = m.of(strings.ToUpper(s), strings.ToLower(s), s+"x", "x"+s)
		}
	default:
		if list, ok := at[k].([]any); ok && len(list) > 0 {
			at[k] = list[m.IntN(len(list)):]
		}
	}
}

func mustMarshal(t testing.TB, v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
