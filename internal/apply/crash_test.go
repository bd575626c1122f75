package apply

import (
	"errors"
	"flag"
	"os"
	"strconv"
	"testing"

	"drawbridge/internal/plan"
)

// A run that is killed at any write of its journal or at any call leaves a journal from which it is finished, or undone: the
// end is that of a run that nobody disturbed, and no change is made twice.
func TestCrash(t *testing.T) {
	p := everything()
	calm := full(t)
	before := calm.state(t, p)
	var count crash
	if _, err := Run(t.Context(), p, count.options(calm)); err != nil {
		t.Fatal(err)
	}
	after := calm.state(t, p)
	if count.n < 7*len(p) {
		t.Fatalf("%d places to crash at, for %d steps", count.n, len(p))
	}
	everywhere(t, count.n, func(t *testing.T, at int) {
		w := full(t)
		died(t, at, p, w)
		resumed(t, at, p, w)
		equal(t, "resumed", after, w.state(t, p))
		if n := len(w.Writes()) + w.kube.writes; n != len(p) {
			t.Fatalf("killed at %d and resumed: %d writes for %d steps", at, n, len(p))
		}
		undone(t, at, w)
		equal(t, "resumed and undone", before, w.state(t, p))
		w = full(t)
		died(t, at, p, w)
		undone(t, at, w)
		equal(t, "undone", before, w.state(t, p))
	})
}

// stride is from one place to crash at to the next that is tried. A step has seven, so that with any that is no multiple of
// seven all kinds come in turn.
var stride = flag.Int("stride", 5, "crash at every n-th place; 1 is everywhere")

// everywhere tries the places to crash at.
func everywhere(t *testing.T, places int, try func(t *testing.T, at int)) {
	t.Helper()
	tried := 0
	for at := 1; at <= places; at += *stride {
		tried++
		t.Run(strconv.Itoa(at), func(t *testing.T) {
			t.Parallel()
			try(t, at)
		})
	}
	t.Logf("%d of %d places to crash at", tried, places)
}

// Undoing may be killed as well, and undone on.
func TestCrashWhileUndoing(t *testing.T) {
	p := everything()
	calm := full(t)
	before := calm.state(t, p)
	var count crash
	run := func(t *testing.T, w *world) {
		t.Helper()
		if _, err := Run(t.Context(), p, w.options()); err != nil {
			t.Fatal(err)
		}
	}
	run(t, calm)
	if _, err := Undo(t.Context(), count.options(calm)); err != nil {
		t.Fatal(err)
	}
	writes := len(calm.Writes()) + calm.kube.writes
	everywhere(t, count.n, func(t *testing.T, at int) {
		w := full(t)
		run(t, w)
		c := &crash{at: at}
		if _, err := Undo(t.Context(), c.options(w)); !errors.Is(err, errCrash) {
			t.Fatalf("killed at %d: %v", at, err)
		}
		undone(t, at, w)
		equal(t, "undone", before, w.state(t, p))
		if n := len(w.Writes()) + w.kube.writes; n != writes {
			t.Fatalf("killed at %d while undoing: %d writes, undisturbed %d", at, n, writes)
		}
	})
}

// died runs a plan until the process is killed.
func died(t *testing.T, at int, p plan.Plan, w *world) {
	t.Helper()
	c := &crash{at: at}
	if _, err := Run(t.Context(), p, c.options(w)); !errors.Is(err, errCrash) {
		t.Fatalf("killed at %d: %v", at, err)
	}
}

// resumed goes on, or begins where not even the journal was made.
func resumed(t *testing.T, at int, p plan.Plan, w *world) {
	t.Helper()
	o := w.options()
	_, err := os.Stat(o.Journal)
	var s *Status
	if err == nil {
		s, err = Resume(t.Context(), o)
	} else {
		s, err = Run(t.Context(), p, o)
	}
	if err != nil || !s.Finished() {
		t.Fatalf("killed at %d, resumed: %v", at, err)
	}
}

func undone(t *testing.T, at int, w *world) {
	t.Helper()
	o := w.options()
	if _, err := os.Stat(o.Journal); err != nil {
		return
	}
	if s, err := Undo(t.Context(), o); err != nil || !s.Finished() {
		t.Fatalf("killed at %d, undone: %v", at, err)
	}
}
