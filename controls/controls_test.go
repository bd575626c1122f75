package controls_test

import (
	"slices"
	"testing"

	"drawbridge/checks"
	"drawbridge/controls"
	"drawbridge/internal/finding"
)

// TestChecksExist refuses a control that names a check that is not there, and a check that no framework asks for.
func TestChecksExist(t *testing.T) {
	mapped := map[string]map[string]bool{}
	for _, e := range controls.Editions("") {
		ids := map[string]bool{}
		for _, c := range e.Controls {
			if ids[c.ID] {
				t.Errorf("%s %s has control %s twice", e.Title, e.Edition, c.ID)
			}
			ids[c.ID] = true
			if c.Title == "" || len(c.Checks) == 0 {
				t.Errorf("%s %s: control %s has title %q and %d checks", e.Title, e.Edition, c.ID, c.Title, len(c.Checks))
			}
			for _, id := range c.Checks {
				if checks.ByID(id) == nil {
					t.Errorf("%s %s: control %s names unknown check %s", e.Title, e.Edition, c.ID, id)
				}
				if mapped[id] == nil {
					mapped[id] = map[string]bool{}
				}
				mapped[id][e.Framework] = true
			}
		}
	}
	for _, c := range checks.All {
		if len(mapped[c.ID]) == 0 {
			t.Errorf("no framework asks for %s", c.ID)
		}
	}
}

func TestOf(t *testing.T) {
	got := controls.Of("authentication-mode-config-map")
	for _, want := range []finding.Control{{Framework: "cis-eks", ID: "4.1.7"}, {Framework: "nist-800-53", ID: "AC-2"}, {Framework: "iso-27001", ID: "A.9.1.1"}, {Framework: "iso-27001", ID: "5.15"}} {
		if !slices.Contains(got, want) {
			t.Errorf("controls %v lack %v", got, want)
		}
	}
	if got := controls.Frameworks(); !slices.Equal(got, []string{"cis-eks", "iso-27001", "nist-800-53"}) {
		t.Errorf("frameworks %v", got)
	}
}
