package apply

import (
	"testing"
	"time"

	lab "drawbridge/internal/lab/aws"
)

// Two hundred entries while every twentieth call is throttled: all are made, each once.
func TestThrottled(t *testing.T) {
	w := newWorld(t, "API_AND_CONFIG_MAP", lab.Options{}, roleNames(200)...)
	w.ThrottleEvery(20)
	p := entries(200)
	start := time.Now()
	s, err := Run(t.Context(), p, w.options())
	if err != nil || !s.Finished() {
		t.Fatal(err)
	}
	took := time.Since(start)
	throttled, effects := 0, map[string]int{}
	for _, c := range w.Calls() {
		switch {
		case c.Error == "ThrottlingException":
			throttled++
		case !c.ReadOnly():
			effects[c.Action]++
		}
	}
	if effects["eks:CreateAccessEntry"] != 200 || effects["eks:AssociateAccessPolicy"] != 100 || len(effects) != 2 {
		t.Errorf("calls with effect: %v", effects)
	}
	if throttled < len(w.Calls())/25 {
		t.Errorf("%d of %d calls were throttled", throttled, len(w.Calls()))
	}
	if n := len(w.region.AccessEntries("prod")); n != 200 {
		t.Errorf("%d entries", n)
	}
	t.Logf("%d steps, %d calls, %d throttled, %s", len(p), len(w.Calls()), throttled, took)
}
