package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"
)

// Options say how a plan is carried out.
type Options struct {
	// Journal is the path of the run's journal. Run makes it, the others read it. It holds no secrets, but all that was changed;
	// only its owner may read it.
	Journal string
	// StateDir is the folder in which runs on a cluster keep each other out; "" is StateDir().
	StateDir string
	Clients  Clients
	// Planned, where it is not nil, is the snapshot that the plan was made from. Run refuses a plan if aws-auth was edited since.
	Planned *model.Snapshot
	// Nodes are access entries that must stand, each of its type, before anything else is done and before each row of aws-auth is
	// taken out: without them nodes would be locked out.
	Nodes []NodeEntry
	// Questions are requests, by step from 1, that the cluster's authorizer is to allow when the step is done, for the username
	// and groups that they name. They are asked after the step was read back, where there is the right to ask.
	Questions map[int][]rbac.Request
	// Irreversible lets changes be made that cannot be undone.
	Irreversible bool
	// Progress is told of what happens; nil is nobody.
	Progress func(Event)
	// Now is the clock that dates the journal; nil is time.Now.
	Now func() time.Time
	// Sleep waits between two looks; nil waits for as long as it is told.
	Sleep func(context.Context, time.Duration) error
	// Settle is how long a change may take to be seen, 0 is two minutes. Changes of the cluster itself may take as long as EKS
	// says that it is being updated, up to half an hour.
	Settle time.Duration

	// sink is how the journal is written.
	sink func(*os.File) sink
}

// NodeEntry is an access entry on which nodes depend.
type NodeEntry struct{ PrincipalARN, Type string }

// Event is something that a run did.
type Event struct {
	Step, Steps int
	// Undo says that the step is being undone.
	Undo   bool
	Change plan.Change
	Stage  Stage
	// Said is what the authorizer said of a step that is done, or why it was not asked; empty where there is nothing to ask.
	Said string
}

// Stage is how far a step is.
type Stage string

// The stages of a step. Waiting comes as often as it is looked in vain.
const (
	Calling  Stage = "calling"
	Waiting  Stage = "waiting"
	Verified Stage = "verified"
	ReadBack Stage = "read back" // it stands, and whether it does what it is for was not confirmed
	Skipped  Stage = "skipped"   // it was intended and had not happened, so there is nothing to undo
)

// What keeps a run from starting.
var (
	// ErrLocked says that another run holds the journal or the cluster.
	ErrLocked = errors.New("another run is at work on it")
	// ErrUndoing says that a run is being undone, or was, and is not to be resumed.
	ErrUndoing = errors.New("the run is being undone or was: it is not resumed; finish undoing it and make a new plan")
)

// Stopped says at which step a run stopped, and why. The journal is whole: the run can be resumed or undone.
type Stopped struct {
	Step, Steps int
	Undo        bool
	Change      plan.Change
	// Sent says that the step's call may have been made.
	Sent bool
	Err  error
}

func (s *Stopped) Error() string {
	doing := ""
	if s.Undo {
		doing = "undoing "
	}
	return fmt.Sprintf("stopped at %sstep %d of %d, %s: %v", doing, s.Step, s.Steps, s.Change, s.Err)
}

func (s *Stopped) Unwrap() error { return s.Err }

// Changed says that something is otherwise than the journal has it: somebody else changed it.
type Changed struct{ What string }

func (c *Changed) Error() string { return c.What }

// NoCredentials says that a plan is about IAM of an account that no client is for.
type NoCredentials struct{ Account string }

func (n *NoCredentials) Error() string {
	return "the plan is about IAM of account " + n.Account + ", for which this run has no credentials"
}

// Unfinished says that the last run on the cluster was neither finished nor undone.
type Unfinished struct{ Journal string }

func (u *Unfinished) Error() string {
	return "the last run here is not finished: resume or undo it first; its journal is " + u.Journal
}

// Status is what became of each step of a plan, in its order.
type Status struct {
	Cluster string
	Plan    plan.Plan
	Steps   []StepStatus
	// Undoing says that the run is being undone, or was.
	Undoing bool
}

// StepStatus is what became of a step.
type StepStatus struct {
	State State
	// Drift says, after Verify, how what stands differs from what the journal says; "" is not at all.
	Drift string
	// Irreversible says why the step cannot be undone; "" that it can.
	Irreversible string
	// Backup is what undoes the step.
	Backup plan.Plan
}

// State is how far a step is.
type State string

// The states of a step.
const (
	Pending  State = "pending"
	Intended State = "intended" // its call may have been made
	Done     State = "done"
	Undone   State = "undone"
)

// Count returns how many steps are in a state.
func (s *Status) Count(state State) int {
	n := 0
	for _, step := range s.Steps {
		if step.State == state {
			n++
		}
	}
	return n
}

// Finished says that nothing is left to do: all steps are done, or all that were are undone again.
func (s *Status) Finished() bool {
	if s.Undoing {
		return s.Count(Done)+s.Count(Intended) == 0
	}
	return s.Count(Done) == len(s.Steps)
}

// open says that a run has left something half-done. One that was undone down to a step that cannot be is as whole as it gets.
func (s *Status) open() bool {
	if !s.Undoing {
		return s.Count(Done) < len(s.Steps)
	}
	for i := len(s.Steps) - 1; i >= 0; i-- {
		switch step := s.Steps[i]; {
		case step.State == Intended:
			return true
		case step.State == Done:
			return step.Irreversible == ""
		}
	}
	return false
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Progress == nil {
		o.Progress = func(Event) {}
	}
	if o.Settle <= 0 {
		o.Settle = 2 * time.Minute
	}
	if o.sink == nil {
		o.sink = func(f *os.File) sink { return f }
	}
	return o
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run carries out a plan from its first step. Before anything is changed the whole plan is held against what stands: one that
// does not fit, that this package cannot carry out, or that cannot be undone without Options saying so, is refused. The error
// is a *Stopped where the run had begun; the status is nil where it had not.
func Run(ctx context.Context, p plan.Plan, o Options) (*Status, error) {
	o = o.withDefaults()
	r, err := reachOfAll(p)
	if err != nil {
		return nil, err
	}
	if len(p) == 0 {
		return nil, errors.New("the plan has no steps")
	}
	if _, err := os.Lstat(o.Journal); err == nil {
		return nil, fmt.Errorf("journal %s is there already: it is of another run, which can be resumed or undone", o.Journal)
	}
	hold, err := lock(o.StateDir, r)
	if err != nil {
		return nil, err
	}
	defer hold.close()
	if err := hold.finished(); err != nil {
		return nil, err
	}
	first, err := preflight(ctx, p, r, &o)
	if err != nil {
		return nil, err
	}
	j, err := createJournal(o.Journal, p, first, &o)
	if err != nil {
		return nil, err
	}
	defer j.close()
	if err := hold.remember(o.Journal); err != nil {
		return j.status(), err
	}
	return (&run{Options: o, journal: j}).forward(ctx)
}

// preflight holds a whole plan against what stands, and returns what the journal begins with.
func preflight(ctx context.Context, p plan.Plan, r reach, o *Options) (record, error) {
	first := record{Cluster: r.cluster, Final: o.Irreversible}
	v, err := o.Clients.read(ctx, r)
	if err != nil {
		return first, err
	}
	if err := ready(v, r); err != nil {
		return first, err
	}
	if err := o.unedited(v); err != nil {
		return first, err
	}
	if err := o.nodesStand(ctx, r.cluster, func(NodeEntry) bool { return true }); err != nil {
		return first, err
	}
	if r.kubernetes() {
		if first.System, err = o.Clients.system(ctx); err != nil {
			return first, err
		}
	}
	for _, c := range p {
		if d, ok := c.(plan.DeleteAccessEntry); ok {
			o.Clients.readOwner(ctx, v, d.PrincipalARN)
		}
	}
	now := v.Snapshot
	for i, c := range p {
		c = spelt(c, &view{Snapshot: now})
		if _, err := o.undoing(c, now); err != nil {
			return first, fmt.Errorf("step %d of %d, %s: %w", i+1, len(p), c, err)
		}
		if now, err = (plan.Plan{c}).Simulate(now); err != nil {
			return first, err
		}
	}
	return first, nil
}

// undoing is what undoes a change. That nothing does is an error unless the options let it be so.
func (o *Options) undoing(c plan.Change, before *model.Snapshot) (plan.Plan, error) {
	back, err := c.Inverse(before)
	if _, stuck := errors.AsType[*plan.Irreversible](err); stuck && o.Irreversible {
		return nil, nil
	}
	return back, err
}

// ready refuses to change a cluster that is being changed.
func ready(v *view, r reach) error {
	if v.status == "" || v.status == "ACTIVE" {
		return nil
	}
	return fmt.Errorf("cluster %s is %s: wait until it is ACTIVE, then go on", r.cluster, v.status)
}

// unedited makes sure that aws-auth is as it was when the plan was made.
func (o *Options) unedited(v *view) error {
	if o.Planned == nil || len(v.Clusters) == 0 || v.cluster().AWSAuth == nil {
		return nil
	}
	for _, c := range o.Planned.Clusters {
		if c.ID() != v.cluster().ID() || c.AWSAuth == nil || c.AWSAuth.ResourceVersion == "" {
			continue
		}
		if has := v.cluster().AWSAuth.ResourceVersion; has != c.AWSAuth.ResourceVersion {
			return &Changed{fmt.Sprintf("aws-auth was edited since the plan was made (version %s, now %s): make a new plan", c.AWSAuth.ResourceVersion, has)}
		}
	}
	return nil
}

// nodesStand makes sure that access entries on which nodes depend are there.
func (o *Options) nodesStand(ctx context.Context, cluster string, of func(NodeEntry) bool) error {
	for _, n := range o.Nodes {
		if !of(n) {
			continue
		}
		v, err := o.Clients.read(ctx, reach{cluster, []part{{kind: partMode}, {kind: partEntry, name: n.PrincipalARN}}})
		if err != nil {
			return err
		}
		entries := v.cluster().AccessEntries
		if len(entries) == 0 || entries[0].Type != n.Type {
			return &plan.Unmet{Object: "access entry of " + n.PrincipalARN, Want: "one of type " + n.Type + ", on which nodes depend", Found: typeOf(entries)}
		}
	}
	return nil
}

func typeOf(entries []*model.AccessEntry) string {
	if len(entries) == 0 {
		return "none"
	}
	return "type " + entries[0].Type
}

// system is the uid of the namespace kube-system: no two clusters have the same.
func (c Clients) system(ctx context.Context) (string, error) {
	if c.Kubernetes == nil {
		return "", errNoClient("the Kubernetes API of the cluster")
	}
	u, err := c.Kubernetes.Get(ctx, resources[partNamespace], "", "kube-system")
	if err != nil {
		return "", fmt.Errorf("read namespace kube-system: %w", err)
	}
	return string(u.GetUID()), nil
}

// Resume goes on with a run that was stopped or killed, where it was. Whether a step happened whose call may have been made is
// found out by reading.
func Resume(ctx context.Context, o Options) (*Status, error) {
	r, unlock, err := reopen(ctx, o)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if r.journal.undoing {
		return r.journal.status(), ErrUndoing
	}
	r.Irreversible = r.Irreversible || r.journal.first.Final
	return r.forward(ctx)
}

// Undo takes back what a run has done, last step first, down to the first step that cannot be undone: then the error is a
// *plan.Irreversible, and that step and those before it stay. It can itself be killed and called again.
func Undo(ctx context.Context, o Options) (*Status, error) {
	r, unlock, err := reopen(ctx, o)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return r.back(ctx)
}

// reopen opens the journal of an earlier run on the same cluster.
func reopen(ctx context.Context, o Options) (*run, func(), error) {
	o = o.withDefaults()
	j, err := openJournal(o.Journal, &o)
	if err != nil {
		return nil, nil, err
	}
	reached, err := reachOfAll(j.plan)
	if err != nil {
		return nil, nil, errors.Join(err, j.close())
	}
	hold, err := lock(o.StateDir, reached)
	if err != nil {
		return nil, nil, errors.Join(err, j.close())
	}
	release := func() { hold.close(); j.close() }
	if j.first.System != "" {
		uid, err := o.Clients.system(ctx)
		if err == nil && uid != j.first.System {
			err = fmt.Errorf("journal %s is about another cluster: its namespace kube-system has uid %s, here it is %s", o.Journal, j.first.System, uid)
		}
		if err != nil {
			release()
			return nil, nil, err
		}
	}
	return &run{Options: o, journal: j}, release, nil
}

// Read returns what a journal says became of each step, and calls nothing.
func Read(journal string) (*Status, error) {
	j, err := readJournal(journal)
	if err != nil {
		return nil, err
	}
	return j.status(), nil
}

func (j *journal) status() *Status {
	s := &Status{Cluster: j.first.Cluster, Plan: j.plan, Steps: make([]StepStatus, len(j.plan)), Undoing: j.undoing}
	for i := range j.plan {
		step, p := &s.Steps[i], j.tasks[task{Step: i + 1}]
		step.State = Pending
		if p == nil || p.never && !j.undoing {
			continue
		}
		step.Irreversible, step.Backup = p.irreversible, slices.Clone(p.backup)
		switch {
		case j.undone(i + 1):
			step.State = Undone
		case p.verified:
			step.State = Done
		default:
			step.State = Intended
		}
	}
	return s
}

// undone says that a step that was begun has left nothing.
func (j *journal) undone(step int) bool {
	p := j.tasks[task{Step: step}]
	if p == nil || p.never {
		return true
	}
	if len(p.backup) == 0 {
		return false
	}
	last := j.tasks[task{step, len(p.backup)}]
	return last != nil && last.verified
}
