package report

import (
	"errors"
	"fmt"
	"slices"

	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// backPhase is how a phase is undone.
type backPhase struct {
	migrate.PhaseResult
	// undo are the changes that undo it, in order.
	undo plan.Plan
	// stuck says which steps cannot be undone, and why.
	stuck []string
}

// waysBack says of each phase how it is undone. Rows of aws-auth that a phase takes out come back as a whole: the text as it
// stood.
func waysBack(r *migrate.Result) ([]backPhase, error) {
	now := r.Before
	phases := make([]backPhase, 0, len(r.Phases))
	next := 0
	for _, p := range r.Phases {
		b := backPhase{PhaseResult: p}
		changes := r.Changes[next : next+len(p.Steps)]
		next += len(p.Steps)
		var undo []plan.Plan
		for len(changes) > 0 {
			n := rowsOut(changes)
			after, err := changes[:n].Simulate(now)
			if err != nil {
				return nil, fmt.Errorf("simulate phase %s: %w", p.ID, err)
			}
			back, err := inverse(changes[:n], now, after)
			stuck, irreversible := errors.AsType[*plan.Irreversible](err)
			switch {
			case irreversible:
				b.stuck = append(b.stuck, changes[0].String()+" "+stuck.Error())
			case err != nil:
				return nil, fmt.Errorf("undo %s: %w", changes[0], err)
			}
			undo = append(undo, back)
			now, changes = after, changes[n:]
		}
		slices.Reverse(undo)
		b.undo = slices.Concat(undo...)
		phases = append(phases, b)
	}
	return phases, nil
}

// rowsOut is how many of the first changes take rows out of the same aws-auth, at least 1.
func rowsOut(changes plan.Plan) int {
	first, ok := changes[0].(plan.RemoveAWSAuthRow)
	n := 1
	for ok && n < len(changes) {
		next, also := changes[n].(plan.RemoveAWSAuthRow)
		if !also || next.Cluster != first.Cluster {
			break
		}
		n++
	}
	return n
}

// inverse undoes changes that rowsOut put together.
func inverse(changes plan.Plan, before, after *model.Snapshot) (plan.Plan, error) {
	if first, ok := changes[0].(plan.RemoveAWSAuthRow); ok {
		if put, ok := rewritten(first.Cluster, after, before); ok {
			return plan.Plan{put}, nil
		}
	}
	return changes[0].Inverse(before)
}

// rewritten is the change that writes the blocks of aws-auth that differ from one snapshot to another, and false where none
// does.
func rewritten(cluster string, from, to *model.Snapshot) (plan.PutAWSAuth, bool) {
	put := plan.PutAWSAuth{Cluster: cluster, Before: map[string]string{}, After: map[string]string{}}
	has, wants := awsAuthData(from, cluster), awsAuthData(to, cluster)
	for _, block := range []string{"mapRoles", "mapUsers"} {
		if has[block] != wants[block] {
			put.Before[block], put.After[block] = has[block], wants[block]
		}
	}
	return put, len(put.After) > 0
}

func awsAuthData(s *model.Snapshot, cluster string) map[string]string {
	for _, c := range s.Clusters {
		if c.ID() == cluster && c.AWSAuth != nil {
			return c.AWSAuth.Data
		}
	}
	return nil
}
