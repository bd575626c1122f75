package apply

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// Every change is carried out as Simulate says, by one call, and undone.
func TestEverything(t *testing.T) {
	w, p := full(t), everything()
	before := w.state(t, p)
	if _, err := Run(t.Context(), p, w.options()); err != nil {
		t.Fatal(err)
	}
	equal(t, "after the run", simulated(t, p, before), w.state(t, p))
	if n := len(w.Writes()) + w.kube.writes; n != len(p) {
		t.Errorf("%d writes for %d steps", n, len(p))
	}
	s, err := Undo(t.Context(), w.options())
	if err != nil || !s.Finished() {
		t.Fatalf("undo: %v, %+v", err, s)
	}
	equal(t, "after undoing", before, w.state(t, p))
}

// simulated is the state that a plan should leave.
func simulated(t testing.TB, p plan.Plan, now *model.Snapshot) *model.Snapshot {
	t.Helper()
	for _, c := range p {
		var err error
		if now, err = (plan.Plan{spelt(c, &view{Snapshot: now})}).Simulate(now); err != nil {
			t.Fatal(err)
		}
	}
	return now
}

// What undoes a change touches what the change touches: the state that is kept of a step covers its way back.
func TestReach(t *testing.T) {
	w, p := full(t), everything()
	now := w.state(t, p)
	seen := map[string]bool{}
	for _, c := range p {
		c = spelt(c, &view{Snapshot: now})
		back, err := c.Inverse(now)
		if err != nil {
			t.Fatal(c, err)
		}
		want, err := reachOf(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range append(back, c) {
			seen[reflect.TypeOf(b).Name()] = true
			got, err := reachOf(b)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(want, got) {
				t.Errorf("%s touches %v, %s, which undoes it, %v", c, want, b, got)
			}
		}
		if err := c.Apply(now); err != nil {
			t.Fatal(err)
		}
	}
	var missing []string
	for _, name := range changeNames(t) {
		if !seen[name] && name != "SetAuthenticationMode" {
			missing = append(missing, name)
		}
	}
	if diff := cmp.Diff([]string(nil), missing); diff != "" {
		t.Errorf("changes that no test carries out (-want +got):\n%s", diff)
	}
}

// changeNames are the types of package plan that are changes, from its source.
func changeNames(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../plan/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	method := regexp.MustCompile(`(?m)^func \(\w* ?(\w+)\) Inverse\(before`)
	var names []string
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range method.FindAllStringSubmatch(string(b), -1) {
			if m[1] != "Plan" {
				names = append(names, m[1])
			}
		}
	}
	if len(names) < 28 {
		t.Fatalf("found %v only", names)
	}
	return names
}
