package apply

import (
	"context"
	"fmt"

	"drawbridge/internal/plan"
)

// Verify reads what a run has changed and says, step by step, whether it still is as the journal has it. It writes nothing, and
// may run beside a run. An error means that something could not be read.
func Verify(ctx context.Context, o Options) (*Status, error) {
	j, err := readJournal(o.Journal)
	if err != nil {
		return nil, err
	}
	s := j.status()
	// Steps about the same parts are looked at together: what stands there is what the last of them left.
	type group struct {
		steps []int
		reach reach
	}
	var order []part
	groups := map[part]*group{}
	for i, step := range s.Steps {
		if step.State != Done && step.State != Undone || j.tasks[task{Step: i + 1}].never {
			continue
		}
		r, err := reachOf(j.plan[i])
		if err != nil {
			return s, err
		}
		key := r.parts[len(r.parts)-1]
		if groups[key] == nil {
			groups[key] = &group{reach: r}
			order = append(order, key)
		}
		groups[key].steps = append(groups[key].steps, i)
	}
	for _, key := range order {
		g := groups[key]
		drift, err := j.drift(ctx, o.Clients, s, g.steps, g.reach)
		if err != nil {
			return s, err
		}
		for _, i := range g.steps {
			s.Steps[i].Drift = drift
		}
	}
	return s, nil
}

// drift says how what stands differs from what steps about it should have left, or is "".
func (j *journal) drift(ctx context.Context, c Clients, s *Status, steps []int, r reach) (string, error) {
	want, err := j.tasks[task{Step: steps[0] + 1}].snapshot()
	if err != nil {
		return "", err
	}
	for _, i := range steps {
		if s.Steps[i].State != Done {
			break
		}
		if want, err = (plan.Plan{spelt(j.plan[i], &view{Snapshot: want})}).Simulate(want); err != nil {
			return "", err
		}
	}
	v, err := c.read(ctx, r)
	if err != nil {
		return "", err
	}
	if len(r.parts) > 1 && len(v.Clusters) > 0 && v.cluster().Description != nil && want.Clusters[0].Description != nil {
		want.Clusters[0].Description.AuthenticationMode = v.cluster().AuthenticationMode() // other steps are about that
	}
	equal, err := same(want, v.Snapshot)
	if err != nil || equal {
		return "", err
	}
	return fmt.Sprintf("%s is not as the run left it: somebody else changed it", r.parts[len(r.parts)-1]), nil
}
