package detect

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"drawbridge/internal/event"
	"drawbridge/internal/finding"
)

// TestUsersLookedUpOnce: a ledger that looks users up once, and keeps nothing of an event's own memory, has the same as one that
// looks each up for every request, also where facts are forgotten all the time, and in whatever order the requests of several
// clusters come.
func TestUsersLookedUpOnce(t *testing.T) {
	p := catalogue(t)
	cases, err := CasesOf(os.DirFS("../../detections"))
	if err != nil {
		t.Fatal(err)
	}
	type record struct {
		line    []byte
		cluster string
	}
	var records []record
	for _, c := range cases {
		for line := range bytes.Lines(c.Events) {
			records = append(records, record{line, c.Cluster}, record{line, "other"}, record{line, ""})
		}
	}
	random := rand.New(rand.NewPCG(4, 6))
	for _, facts := range []int{1, 8, 100, 0} {
		random.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		run := func(once bool) (*Engine, []string) {
			var findings []finding.Finding
			g := New(p, &Context{}, Options{Facts: facts}, func(f finding.Finding) { findings = append(findings, f) })
			for _, r := range records {
				var e event.Event
				line := bytes.Clone(r.line)
				if event.NewDecoder(bytes.NewBuffer(line), event.Options{Cluster: r.cluster}).Next(&e) != nil {
					continue
				}
				if !once {
					g.ledger.users = users{}
				}
				g.Add(&e)
				for i := range line {
					if once { // a decoder reads the next records into the same memory
						line[i] = '#'
					}
				}
			}
			g.Flush()
			var found []string
			for _, f := range findings {
				text, err := json.Marshal(f)
				if err != nil {
					t.Fatal(err)
				}
				found = append(found, string(text))
			}
			slices.Sort(found)
			return g, found
		}
		once, got := run(true)
		each, want := run(false)
		if diff := cmp.Diff(want, got); diff != "" || len(got) < 10 {
			t.Errorf("%d facts: %d findings; looked up for each request -, once +:\n%s", facts, len(got), diff)
		}
		if diff := cmp.Diff(each.ledger, once.ledger, cmpopts.IgnoreUnexported(Ledger{}), cmp.AllowUnexported(objects{})); diff != "" {
			t.Errorf("%d facts: looked up for each request -, once +:\n%.4000s", facts, diff)
		}
	}
}
