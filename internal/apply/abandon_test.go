package apply

import (
	"errors"
	"os"
	"testing"

	lab "drawbridge/internal/lab/aws"
)

// TestAbandon gives a run up half-way: nothing is called, its journal is kept and of use, and others may begin. One that is at work
// or has left nothing half-done is not given up.
func TestAbandon(t *testing.T) {
	w := newWorld(t, "API", lab.Options{}, roleNames(3)...)
	p := entries(3)
	var during error
	stop := func() {
		t.Helper()
		if _, err := Run(t.Context(), p, at(w.options(), 2, func() {
			_, _, during = Abandon(w.options())
			w.Deny("eks:CreateAccessEntry")
		})); err == nil {
			t.Fatal("not denied")
		}
		w.Allow()
	}
	stop()
	if !errors.Is(during, ErrLocked) {
		t.Errorf("while the run was at work: %v", during)
	}
	calls := len(w.Calls())
	kept, s, err := Abandon(w.options())
	if err != nil || kept != w.options().Journal+".abandoned" || s.Count(Done) != 2 {
		t.Fatalf("%s, %+v, %v", kept, s, err)
	}
	if len(w.Calls()) != calls {
		t.Errorf("%d calls", len(w.Calls())-calls)
	}
	if _, err := os.Lstat(w.options().Journal); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the journal is still there: %v", err)
	}
	if _, _, err := Abandon(w.options()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the second time: %v", err)
	}

	// What is kept can be undone, and the name is free for another run: also one that is given up in its turn.
	o := w.options()
	o.Journal = kept
	if s, err := Undo(t.Context(), o); err != nil || !s.Finished() {
		t.Fatalf("%+v, %v", s, err)
	}
	stop()
	if again, _, err := Abandon(w.options()); err != nil || again != kept+"-2" {
		t.Errorf("%s, %v", again, err)
	}
	if _, err := Run(t.Context(), p[2:], w.options()); err != nil {
		t.Errorf("a run after it: %v", err)
	}
	if _, _, err := Abandon(w.options()); !errors.Is(err, ErrFinished) {
		t.Errorf("a run that is finished: %v", err)
	}
}
