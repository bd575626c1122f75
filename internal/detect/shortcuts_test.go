package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/event"
	"drawbridge/internal/finding"
)

// TestShortcuts: rules that nobody thought of find the same with everything that spares work as without: index, gates, classes,
// what a user cannot match, what the ledger cannot yet tell, records that are alike, and users that are looked up once. The rules
// are made at random of what the events of the cases say, with the modifiers and the nests that Sigma has.
func TestShortcuts(t *testing.T) {
	cases, err := CasesOf(os.DirFS("../../detections"))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(2, 9))
	pools := map[event.Plane][]map[string]json.RawMessage{}
	for _, c := range cases {
		for line := range bytes.Lines(c.Events) {
			var record map[string]json.RawMessage
			if json.Unmarshal(line, &record) != nil {
				continue
			}
			plane := event.Kubernetes
			if record["eventName"] != nil {
				plane = event.CloudTrail
			}
			pools[plane] = append(pools[plane], record)
		}
	}
	found := 0
	for range 120 {
		m := ruleMaker{random, pools}
		files := fstest.MapFS{}
		for i := range 1 + random.IntN(random.IntN(60)+1) {
			files[fmt.Sprintf("r%d.yml", i)] = &fstest.MapFile{Data: []byte(m.rule(fmt.Sprintf("r%d", i)))}
		}
		p, plain := compiled(t, files), compiled(t, files)
		plain.plain()
		c := cases[random.IntN(len(cases))]
		var lines [][]byte
		for range 60 {
			pool := pools[event.Plane(1+random.IntN(2))]
			record, err := json.Marshal(pool[random.IntN(len(pool))])
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, record)
			for range random.IntN(4) {
				lines = append(lines, m.again(record, pool))
			}
		}
		o := Options{}
		if random.IntN(2) == 0 {
			o.Lateness = 15 * time.Minute
		}
		if random.IntN(2) == 0 {
			o.Facts = 1 + random.IntN(20)
		}
		got, want := m.run(t, p, c, lines, o, false), m.run(t, plain, c, lines, o, true)
		if diff := cmp.Diff(want, got); diff != "" {
			for id := range files {
				if strings.Contains(diff, "\""+strings.TrimSuffix(id, ".yml")+" ") {
					t.Logf("%s", files[id].Data)
				}
			}
			t.Fatalf("without shortcuts -, with them +:\n%s", diff)
		}
		found += len(got)
	}
	if found < 1000 {
		t.Errorf("%d findings", found)
	}
}

func compiled(t *testing.T, files fstest.MapFS) *Program {
	t.Helper()
	p, err := Load(files)
	if err != nil {
		for _, e := range strings.Split(err.Error(), "\n") {
			t.Log(e)
		}
		t.Fatal("rules do not compile")
	}
	return p
}

// plain takes all shortcuts out of a program.
func (p *Program) plain() {
	for i := range p.indexes {
		rules := p.indexes[i].all()
		for _, r := range rules {
			r.possible, r.possibleFor, r.via = always, always, nil
		}
		p.indexes[i] = index{gates: []gate{{rules: rules}}}
	}
}

// ruleMaker makes rules and events.
type ruleMaker struct {
	random *rand.Rand
	pools  map[event.Plane][]map[string]json.RawMessage
}

func (m ruleMaker) pick(words ...string) string { return words[m.random.IntN(len(words))] }

// again is a record with the members of others, without some, or with some that are null or empty.
func (m ruleMaker) again(record []byte, pool []map[string]json.RawMessage) []byte {
	out := mutate(m.random, record, pool)
	if m.random.IntN(2) == 0 {
		out = m.sameActor(record, pool[m.random.IntN(len(pool))])
	}
	var r map[string]any
	if m.random.IntN(2) == 0 || json.Unmarshal(out, &r) != nil {
		return out
	}
	m.spoil(r)
	changed, err := json.Marshal(r)
	if err != nil {
		return out
	}
	return changed
}

// sameActor is another record, in the same minute, of who made the first one.
func (m ruleMaker) sameActor(record []byte, other map[string]json.RawMessage) []byte {
	var r map[string]json.RawMessage
	if json.Unmarshal(record, &r) != nil {
		return record
	}
	for k, v := range other {
		switch k {
		case "userIdentity", "sourceIPAddress", "userAgent", "vpcEndpointId", "vpcEndpointAccountId", "user", "eventTime", "requestReceivedTimestamp", "stageTimestamp":
		default:
			r[k] = v
		}
	}
	if r["eventID"] != nil {
		r["eventID"] = fmt.Appendf(nil, "%q", fmt.Sprint("again-", m.random.Uint32()))
	}
	out, err := json.Marshal(r)
	if err != nil {
		return record
	}
	return out
}

func (m ruleMaker) spoil(r map[string]any) {
	keys := slices.Sorted(func(yield func(string) bool) {
		for k := range r {
			if !yield(k) {
				return
			}
		}
	})
	for _, k := range keys {
		if k == "kind" || k == "apiVersion" || strings.HasSuffix(k, "Timestamp") || k == "eventTime" || k == "eventVersion" {
			continue
		}
		switch v := r[k].(type) {
		case map[string]any:
			if m.random.IntN(8) == 0 {
				r[k] = nil
			} else {
				m.spoil(v)
			}
		case []any:
			switch m.random.IntN(12) {
			case 0:
				r[k] = []any{}
			case 1:
				r[k] = []any{nil}
			case 2:
				r[k] = append(v, nil, "")
			case 3:
				r[k] = nil
			}
		case string:
			switch m.random.IntN(16) {
			case 0:
				r[k] = ""
			case 1:
				r[k] = nil
			case 2:
				r[k] = strings.ToUpper(v)
			case 3:
				r[k] = strings.Repeat(v, 40)
			case 4:
				r[k] = strings.NewReplacer("s", "\u017f", "k", "\u212a").Replace(v)
			}
		default:
			if m.random.IntN(12) == 0 {
				r[k] = nil
			}
		}
	}
}

// leaves are the fields of a record and what stands there, as Sigma writes it.
func leaves(prefix string, v any, out *[][2]string) {
	switch v := v.(type) {
	case map[string]any:
		if prefix != "" {
			*out = append(*out, [2]string{prefix, "x"})
		}
		for k, inner := range v {
			leaves(strings.TrimPrefix(prefix+"."+k, "."), inner, out)
		}
	case []any:
		for _, inner := range v {
			leaves(prefix, inner, out)
		}
	case string:
		*out = append(*out, [2]string{prefix, v})
	case nil:
		*out = append(*out, [2]string{prefix, "null"})
	default:
		*out = append(*out, [2]string{prefix, fmt.Sprint(v)})
	}
}

func (m ruleMaker) leaves(plane event.Plane) [][2]string {
	pool := m.pools[plane]
	var v map[string]any
	text, _ := json.Marshal(pool[m.random.IntN(len(pool))])
	_ = json.Unmarshal(text, &v)
	var out [][2]string
	leaves("", v, &out)
	out = slices.DeleteFunc(out, func(l [2]string) bool {
		return strings.ContainsAny(l[0], " |*?'\"\\:{}[],&") || strings.ContainsAny(l[1], "\n") || strings.Contains(l[0], "eriod")
	})
	slices.SortFunc(out, func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) })
	return out
}

// fieldsOf are drawbridge's, by plane.
func fieldsOf(plane event.Plane) (out []string) {
	for _, f := range Fields() {
		if e := enrichmentOf(f.Name); e.Planes == 0 || e.Planes&planes(plane) != 0 {
			out = append(out, f.Name)
		}
	}
	return out
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// test is one line of a selection.
func (m ruleMaker) test(plane event.Plane, all [][2]string) string {
	if m.random.IntN(3) == 0 {
		f := fieldsOf(plane)
		name := f[m.random.IntN(len(f))]
		return m.pick(name+": null", name+"|exists: true", name+"|exists: false", name+": 'yes'", name+": 'true'", name+": 'false'", name+"|contains: 'a'", name+"|startswith: ['1', 'a', 'k', 'P']", name+"|fieldref: "+m.pick(f...))
	}
	l := all[m.random.IntN(len(all))]
	if m.random.IntN(3) == 0 { // what tells the class
		telling := []string{"verb", "objectRef.resource", "objectRef.subresource", "objectRef.apiGroup", "responseStatus.code", "user.username", "user.groups", "impersonatedUser", "objectRef.namespace", "objectRef.name"}
		if plane == event.CloudTrail {
			telling = []string{"eventSource", "eventName", "userIdentity.accessKeyId", "userIdentity", "vpcEndpointAccountId", "errorCode", "requestParameters"}
		}
		l[0] = m.pick(telling...)
		l[1] = "x"
		for _, o := range all {
			if o[0] == l[0] {
				l[1] = o[1]
			}
		}
	}
	other := all[m.random.IntN(len(all))]
	part := l[1]
	if n := len(part); n > 3 && n < 200 {
		part = strings.ToValidUTF8(part[1:n-1], "")
	}
	begin := strings.ToValidUTF8(l[1][:min(len(l[1]), 4)], "")
	if strings.Trim(part, "*?") == "" || strings.Trim(begin, "*?") == "" {
		part, begin = "zz", "zz"
	}
	switch m.random.IntN(16) {
	case 0:
		return l[0] + ": null"
	case 1:
		return l[0] + "|exists: " + m.pick("true", "false")
	case 2:
		return l[0] + ": ''"
	case 3:
		return l[0] + "|contains: " + quote(part)
	case 4:
		return l[0] + "|startswith: [" + quote(begin) + ", 'zz']"
	case 5:
		return l[0] + "|startswith|cased: " + quote(begin)
	case 6:
		return l[0] + "|endswith: " + quote(part)
	case 7:
		return l[0] + ": [null, " + quote(other[1]) + "]"
	case 8:
		return l[0] + "|fieldref: " + other[0]
	case 9:
		return l[0] + "|gte: 200"
	case 10:
		return l[0] + "|contains|all: [" + quote(part) + ", " + quote(begin) + "]"
	case 11:
		return l[0] + ": [" + quote(strings.ToUpper(l[1])) + ", " + quote(other[1]) + "]"
	case 12:
		return l[0] + "|cased: " + quote(l[1])
	case 13:
		return l[0] + ": '*'"
	}
	return l[0] + ": " + quote(l[1])
}

// condition is a nest of selections.
func (m ruleMaker) condition(names []string, depth int) string {
	if depth == 0 || m.random.IntN(3) == 0 {
		return m.pick(names...)
	}
	a, b := m.condition(names, depth-1), m.condition(names, depth-1)
	return m.pick("("+a+" and "+b+")", "("+a+" or "+b+")", "not ("+a+")", "("+a+" and not "+b+")")
}

func (m ruleMaker) rule(name string) string {
	plane, source := event.Kubernetes, "product: kubernetes, service: audit"
	if m.random.IntN(2) == 0 {
		plane, source = event.CloudTrail, "product: aws, service: cloudtrail"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "title: T\nname: %s\nid: %08x-0000-4000-8000-000000000000\nlevel: high\nlogsource: {%s}\ndetection:\n", name, m.random.Uint32(), source)
	names := []string{"a", "b", "c"}
	all := m.leaves(plane)
	for _, s := range names {
		fmt.Fprintf(&b, "  %s:\n", s)
		used := map[string]bool{}
		for range 1 + m.random.IntN(2) {
			test := m.test(plane, all)
			if key, _, _ := strings.Cut(test, ":"); !used[key] {
				used[key] = true
				fmt.Fprintf(&b, "    %s\n", test)
			}
		}
	}
	fmt.Fprintf(&b, "  condition: %s\n", m.condition(names, 3))
	if m.random.IntN(2) == 0 {
		once := all[m.random.IntN(len(all))][0]
		b.WriteString("drawbridge:\n  once: [" + once + m.pick("", ", drawbridge.action") + "]\n")
		if m.random.IntN(2) == 0 {
			b.WriteString("  cluster: " + m.pick("drawbridge.cluster", "drawbridge.actor") + "\n")
		}
	}
	return b.String()
}

// run is what is found, and by which records. careful is without what remembers, and the record's bytes are the engine's only
// until it has seen them either way.
func (m ruleMaker) run(t *testing.T, p *Program, c *Case, lines [][]byte, o Options, careful bool) (out []string) {
	t.Helper()
	g := New(p, c.Context, o, func(f finding.Finding) { out = append(out, f.ID+" "+f.Fingerprint) })
	for _, line := range lines {
		b := bytes.Clone(line)
		d := event.NewDecoder(bytes.NewBuffer(b), event.Options{Input: "in", Cluster: c.Cluster})
		var e event.Event
		if d.Next(&e) != nil {
			continue
		}
		if careful {
			g.ledger.users = users{}
			g.look.reset(&e, false)
			g.classify(&g.look)
			g.look.class.changes = e.Plane() == event.Kubernetes
		}
		g.Add(&e)
		for i := range b {
			b[i] = '#'
		}
	}
	g.Flush()
	slices.Sort(out)
	return slices.Compact(out)
}
