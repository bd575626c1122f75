// Package plan holds the changes that drawbridge proposes: a closed set, each one call of the EKS, IAM, CloudWatch Logs or
// Kubernetes API, with what it does to a snapshot, what undoes it, and the command line that makes it. A plan is changes in
// order. Fixes of checks, choke points and migrations are plans.
//
// It decides nothing: what should change is for checks, graph and migrate. It writes to no cluster: Apply works on a
// snapshot, and only package apply carries plans out.
package plan

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// Change is one alteration of a cluster or an account. Its types are in this package and nowhere else; all are values.
type Change interface {
	// Apply makes the change in a snapshot, as far as AWS and Kubernetes would make it; what they alone set (ids, times)
	// stays empty. It replaces objects and lists and never writes into them, so they may be shared with other snapshots.
	// Where the change does not fit what stands there, or would alter nothing, the error is an *Unmet and the snapshot is
	// as it was.
	Apply(s *model.Snapshot) error
	// Inverse returns the changes that undo this one, to be applied in order to a snapshot in which it was applied to
	// before. The error is *Irreversible where nothing does, and *Unmet where the change does not fit before.
	Inverse(before *model.Snapshot) ([]Change, error)
	// String says in one line what is changed.
	String() string
	details() details
}

// details is what a change says about itself, for people and for those who carry it out.
type details struct {
	target finding.Target
	// command is what makes the change from a shell.
	command string
	// precondition is in words what Apply looks for.
	precondition string
	// verify is a command that shows whether the change has happened.
	verify string
}

// Target is the object that a change alters.
func Target(c Change) finding.Target { return c.details().target }

// Command is the change as lines for a POSIX shell. Names are quoted: they are chosen by others.
func Command(c Change) string { return c.details().command }

// Unmet says that a change does not fit a snapshot: what it expects of which object, and what was found.
type Unmet struct{ Object, Want, Found string }

func (u *Unmet) Error() string {
	return u.Object + ": expected " + u.Want + ", found " + u.Found
}

// Irreversible says why a change cannot be undone.
type Irreversible struct{ Why string }

func (i *Irreversible) Error() string { return "cannot be undone: " + i.Why }

// undoing returns the changes that undo another one, if AWS and Kubernetes would take them: the error is *Irreversible where they
// would not. What stands in a snapshot need not be what they take: they make some of it themselves, and files hold anything.
func undoing(before *model.Snapshot, c Change, undo ...Change) ([]Change, error) {
	after, err := Plan{c}.Simulate(before)
	if err != nil {
		return nil, err
	}
	for _, u := range undo {
		if err := u.Apply(after); err != nil {
			return nil, notTakenBack(err)
		}
	}
	return undo, nil
}

func notTakenBack(why error) error {
	return &Irreversible{"what was there before would not be taken back: " + why.Error()}
}

// Plan is changes in the order in which they are to be made.
type Plan []Change

// Simulate returns the snapshot as the plan would leave it; the one given is not changed, and what no change touches is
// shared with it. The error names the first step that does not fit.
func (p Plan) Simulate(s *model.Snapshot) (*model.Snapshot, error) {
	after := fork(s)
	for i, c := range p {
		if err := c.Apply(after); err != nil {
			return nil, fmt.Errorf("step %d, %s: %w", i+1, c, err)
		}
	}
	return after, nil
}

// fork copies a snapshot down to the lists of its clusters and accounts, which is as deep as changes write.
func fork(s *model.Snapshot) *model.Snapshot {
	out := *s
	out.Clusters, out.Accounts = slices.Clone(s.Clusters), slices.Clone(s.Accounts)
	for i, c := range out.Clusters {
		cluster := *c
		out.Clusters[i] = &cluster
	}
	for i, a := range out.Accounts {
		account := *a
		out.Accounts[i] = &account
	}
	return &out
}

// Inverse returns the plan that undoes this one, last step first. Where one step cannot be undone the whole cannot: the
// error names the step.
func (p Plan) Inverse(before *model.Snapshot) (Plan, error) {
	now := fork(before)
	undo := make([]Plan, len(p))
	for i, c := range p {
		back, err := c.Inverse(now)
		if err == nil {
			err = c.Apply(now)
		}
		if err != nil {
			return nil, fmt.Errorf("step %d, %s: %w", i+1, c, err)
		}
		undo[len(p)-1-i] = back
	}
	return slices.Concat(undo...), nil
}

// String lists the steps, one a line.
func (p Plan) String() string {
	var b strings.Builder
	for i, c := range p {
		fmt.Fprintf(&b, "%d. %s\n", i+1, c)
	}
	return b.String()
}
