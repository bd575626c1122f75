package report

import (
	"errors"
	"fmt"
	"slices"

	"drawbridge/internal/finding"
	"drawbridge/internal/migrate"
	"drawbridge/internal/plan"
)

// SavedPlanFormats are the formats in which a plan can be written that was saved as JSON: those that need nothing but what is
// planned. The others hold the state that a migration leaves behind, and what undoes each step: for these it is planned anew.
var SavedPlanFormats = []string{"text", "markdown", "json", "yaml"}

// ParsePlan reads a migration that its json format wrote. It comes without the snapshots that it was planned for.
func ParsePlan(text []byte) (*migrate.Result, error) {
	r, err := Parse[migrate.Result](text, migrate.KindPlan)
	if err != nil {
		return nil, err
	}
	if len(r.Steps) == 0 && len(r.Phases) == 0 {
		return r, nil
	}
	var ids, planned []string
	steps := &finding.Plan{}
	for _, s := range r.Steps {
		ids = append(ids, s.ID)
		steps.Steps = append(steps.Steps, s.Step)
	}
	for _, p := range r.Phases {
		planned = append(planned, p.Steps...)
	}
	if !slices.Equal(ids, planned) {
		return nil, errors.New("the steps of its phases are not its steps, in their order")
	}
	if len(slices.Compact(slices.Sorted(slices.Values(ids)))) != len(ids) {
		return nil, errors.New("two of its steps have the same id")
	}
	if r.Changes, err = plan.Read(steps); err != nil {
		return nil, fmt.Errorf("read its steps: %w", err)
	}
	return r, nil
}

// whole says whether a migration comes with its snapshots, or was saved without them.
func whole(r *migrate.Result) bool { return r.Before != nil && r.After != nil }
