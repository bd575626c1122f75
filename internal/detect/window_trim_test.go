package detect

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawEntries draws events of two rules at seconds, many of the second, in any order.
func drawEntries(t *rapid.T) []entry {
	n := 0
	many := rapid.IntRange(60, 300).Draw(t, "many")
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) entry {
		n++
		rule := uint8(1)
		if rapid.IntRange(0, 19).Draw(t, "first") == 0 {
			rule = 0
		}
		return entry{At: int64(time.Duration(rapid.IntRange(0, 100).Draw(t, "second")) * time.Second), Rule: rule, ID: fmt.Sprint(n), Value: fmt.Sprint("v", n%3)}
	}), many, many).Draw(t, "events")
}

// TestOrderedUnderFlood: the first of an ordered pair that comes late finds its second, however many of these came already.
func TestOrderedUnderFlood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &correlation{kind: temporalOrdered, rules: 2, span: time.Duration(rapid.IntRange(7, 30).Draw(t, "span")) * time.Second}
		late := entry{At: int64(time.Duration(rapid.IntRange(0, 100).Draw(t, "late")) * time.Second), ID: "0"}
		var w window
		want := false
		for _, e := range drawEntries(t) {
			e.Rule = 1
			if w.add(c, e) != nil {
				t.Fatal("complete without its first")
			}
			want = want || e.At >= late.At && e.At-late.At <= int64(c.span)
		}
		if len(w.Entries) > 32 {
			t.Fatalf("%d entries are kept", len(w.Entries))
		}
		if got := w.add(c, late) != nil; got != want {
			t.Fatalf("found %v, want %v", got, want)
		}
	})
}

// TestAbsenceUnderFlood: whether something came within the timespan after a time does not depend on how much came later.
func TestAbsenceUnderFlood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &correlation{kind: absence, rules: 2, span: time.Duration(rapid.IntRange(7, 30).Draw(t, "span")) * time.Second}
		var w, all window
		for _, e := range drawEntries(t) {
			w.add(c, e)
			all.Entries = append(all.Entries, e)
		}
		for s := range 100 {
			from := int64(time.Duration(s) * time.Second)
			if got, want := w.broken(c, from), all.broken(c, from); got != want {
				t.Fatalf("second %d: something came %v, want %v", s, got, want)
			}
		}
	})
}

// TestValuesUnderFlood: many events of one value do not push out the others.
func TestValuesUnderFlood(t *testing.T) {
	c := &correlation{kind: valueCount, least: 3, span: time.Hour}
	var w window
	at := func(minute int, value string) []entry {
		return w.add(c, entry{At: int64(time.Duration(minute) * time.Minute), ID: fmt.Sprint(minute, value), Value: value})
	}
	at(0, "a")
	at(1, "b")
	for m := range 50 {
		if at(2+m, "b") != nil {
			t.Fatal("two values are complete, and three are wanted")
		}
	}
	if at(55, "c") == nil {
		t.Error("the first value was pushed out")
	}
}
