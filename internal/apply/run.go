package apply

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	arn "drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// run is a plan being carried out or undone.
type run struct {
	Options
	journal *journal
	// said and confirmed are about the step that was done last: see confirm.
	said      string
	confirmed bool
}

// forward goes on from the first step that is not verified.
func (r *run) forward(ctx context.Context) (*Status, error) {
	for i, c := range r.journal.plan {
		if err := r.carry(ctx, task{Step: i + 1}, c, nil); err != nil {
			return r.journal.status(), err
		}
	}
	return r.journal.status(), nil
}

// back undoes what was done, last step first.
func (r *run) back(ctx context.Context) (*Status, error) {
	if !r.journal.undoing {
		if err := r.journal.add(record{Kind: undo}); err != nil {
			return r.journal.status(), err
		}
	}
	for step := len(r.journal.plan); step > 0; step-- {
		if err := r.backStep(ctx, step); err != nil {
			return r.journal.status(), err
		}
	}
	return r.journal.status(), nil
}

func (r *run) backStep(ctx context.Context, step int) error {
	if r.journal.undone(step) {
		return nil
	}
	t, c := task{Step: step}, r.journal.plan[step-1]
	p := r.journal.tasks[t]
	if !p.verified {
		happened, err := r.settled(ctx, t, c)
		if err != nil {
			return r.stopped(t, c, true, err)
		}
		if !happened {
			r.tell(t, c, Skipped)
			return r.journal.add(record{Kind: never, task: t})
		}
	}
	if p.irreversible != "" {
		return r.stopped(task{step, 1}, c, false, &plan.Irreversible{Why: p.irreversible})
	}
	before, err := p.snapshot()
	if err != nil {
		return r.stopped(task{step, 1}, c, false, err)
	}
	left, err := (plan.Plan{spelt(c, &view{Snapshot: before})}).Simulate(before)
	if err != nil {
		return r.stopped(task{step, 1}, c, false, err)
	}
	for i, back := range p.backup {
		if err := r.carry(ctx, task{step, i + 1}, back, left); err != nil {
			return err
		}
		if left, err = (plan.Plan{spelt(back, &view{Snapshot: left})}).Simulate(left); err != nil {
			return r.stopped(task{step, i + 1}, back, true, err)
		}
	}
	return nil
}

// grace is for how long it is looked for a change of which nothing but the intent is known. Access entries are seen after
// "several seconds" (EKS User Guide, "Create access entries", 2026-11).
const grace = 20 * time.Second

// settled says whether a step happened that is not verified. Where it seems not to have, it is looked again for a while, because
// its call may have been made just before the end.
func (r *run) settled(ctx context.Context, t task, c plan.Change) (bool, error) {
	var happened bool
	err := r.poll(ctx, t, c, min(grace, r.Settle), func(v *view, want *model.Snapshot) (bool, error) {
		var err error
		happened, err = same(want, v.Snapshot)
		return happened, err
	})
	if late, ok := errors.AsType[*unsettled](err); ok && late.nothing {
		return false, nil
	}
	return happened, err
}

// carry does one task: it reads, checks, notes what it intends, calls, and verifies. Where left is not nil, what is read must be
// just that. A task of which the intent is noted already is gone on with.
func (r *run) carry(ctx context.Context, t task, c plan.Change, left *model.Snapshot) error {
	p := r.journal.tasks[t]
	if p != nil && p.verified {
		return nil
	}
	sent := p != nil && !p.never
	if err := r.attempt(ctx, t, c, left, &sent); err != nil {
		return r.stopped(t, c, sent, err)
	}
	done := r.event(t, c, ReadBack)
	if done.Said = r.said; r.confirmed {
		done.Stage = Verified
	}
	r.Progress(done)
	return nil
}

func (r *run) attempt(ctx context.Context, t task, c plan.Change, left *model.Snapshot, sent *bool) error {
	p := r.journal.tasks[t]
	if p == nil || p.never {
		if err := r.once(ctx, t, c, left, sent); err != nil {
			return err
		}
		return r.verify(ctx, t, c)
	}
	happened, err := r.pending(ctx, t, c)
	if err != nil {
		return err
	}
	if !happened {
		if err := r.once(ctx, t, c, left, sent); err != nil {
			return err
		}
	}
	return r.verify(ctx, t, c)
}

// pending finds out about a task that an earlier process began. If somebody else did something, that is an error.
func (r *run) pending(ctx context.Context, t task, c plan.Change) (happened bool, err error) {
	p := r.journal.tasks[t]
	before, err := p.snapshot()
	if err != nil {
		return false, err
	}
	v, want, err := r.look(ctx, c, before)
	if err != nil {
		return false, err
	}
	if p.done || v.busy(c) {
		return r.settled(ctx, t, c)
	}
	if happened, err = same(want, v.Snapshot); err != nil || happened {
		return happened, err
	}
	nothing, err := same(before, v.Snapshot)
	if err == nil && !nothing {
		err = &Changed{"what it is about is neither as it was before the step nor as it would be after it: somebody else changed it"}
	}
	return false, err
}

// conflicts is how often a step is begun anew because its object got another version between reading and writing.
const conflicts = 5

// once makes the call of a step.
func (r *run) once(ctx context.Context, t task, c plan.Change, left *model.Snapshot, sent *bool) error {
	for n := 1; ; n++ {
		v, c, want, err := r.check(ctx, t, c, left)
		if err != nil {
			return err
		}
		if err := r.intend(ctx, t, c, v); err != nil {
			return err
		}
		r.tell(t, c, Calling)
		*sent = true
		err = r.Clients.call(ctx, c, v, want, r.token(t))
		if apierrors.IsConflict(err) && n < conflicts {
			*sent = false
			if err := r.journal.add(record{Kind: never, task: t}); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			if err := r.despite(ctx, t, c, want, err); err != nil {
				*sent = r.journal.tasks[t] == nil || !r.journal.tasks[t].never
				return err
			}
		}
		return r.journal.add(record{Kind: done, task: t})
	}
}

// despite decides about a call that failed. Its answer may have been lost, or that to an earlier try: if what it should do is
// done, it is; if it was refused, that is noted, so that there is nothing to undo.
func (r *run) despite(ctx context.Context, t task, c plan.Change, want *model.Snapshot, failed error) error {
	if ctx.Err() != nil {
		return failed
	}
	reached, err := reachOf(c)
	if err != nil {
		return err
	}
	v, err := r.Clients.read(ctx, reached)
	if err != nil {
		return failed
	}
	if ok, err := same(want, v.Snapshot); err != nil || ok {
		return err
	}
	if refused(failed) {
		if err := r.journal.add(record{Kind: never, task: t}); err != nil {
			return errors.Join(failed, err)
		}
	}
	if v.busy(c) {
		return fmt.Errorf("%w; the cluster is being updated: wait until it is ACTIVE, then go on", failed)
	}
	return failed
}

// refused says that a call certainly did nothing. That something is there already, or is not there any more, says nothing: an
// earlier try, whose answer was lost, may have seen to that.
func refused(err error) bool {
	if apierrors.IsConflict(err) || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsUnauthorized(err) {
		return true
	}
	api, isAPI := errors.AsType[smithy.APIError](err)
	answer, isAnswer := errors.AsType[*smithyhttp.ResponseError](err)
	if !isAPI || !isAnswer || gone(err) || slices.Contains([]string{"ResourceInUseException", "EntityAlreadyExists"}, api.ErrorCode()) {
		return false
	}
	status := answer.HTTPStatusCode()
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}

// check reads what a change touches and holds the change against it. What does not fit may be old news, so it is looked again.
func (r *run) check(ctx context.Context, t task, c plan.Change, left *model.Snapshot) (*view, plan.Change, *model.Snapshot, error) {
	reached, err := reachOf(c)
	if err != nil {
		return nil, nil, nil, err
	}
	for wait := time.Second; ; wait *= 2 {
		v, err := r.Clients.read(ctx, reached)
		if err != nil {
			return nil, nil, nil, err
		}
		fitting := spelt(c, v)
		want, err := r.fits(ctx, t, fitting, v, left, reached)
		if err == nil {
			return v, fitting, want, nil
		}
		if _, again := errors.AsType[*plan.Unmet](err); !again || wait > 4*time.Second {
			return nil, nil, nil, err
		}
		r.tell(t, c, Waiting)
		if err := r.Sleep(ctx, wait); err != nil {
			return nil, nil, nil, err
		}
	}
}

// fits returns what should stand after a change.
func (r *run) fits(ctx context.Context, t task, c plan.Change, v *view, left *model.Snapshot, reached reach) (*model.Snapshot, error) {
	if err := ready(v, reached); err != nil {
		return nil, err
	}
	if t.Undo == 0 && reached.has(partAWSAuth) && r.journal.version != "" && v.cluster().AWSAuth != nil && v.cluster().AWSAuth.ResourceVersion != r.journal.version {
		return nil, &Changed{fmt.Sprintf("aws-auth was edited since this run last wrote it (version %s, now %s): look at what changed, then make a new plan or undo this one", r.journal.version, v.cluster().AWSAuth.ResourceVersion)}
	}
	if row, ok := c.(plan.RemoveAWSAuthRow); ok && t.Undo == 0 {
		if err := r.nodesStand(ctx, reached.cluster, row0(row)); err != nil {
			return nil, err
		}
	}
	want, err := (plan.Plan{c}).Simulate(v.Snapshot)
	if err != nil {
		if unmet, ok := errors.AsType[*plan.Unmet](err); ok {
			return nil, unmet
		}
		return nil, err
	}
	if left == nil {
		return want, nil
	}
	untouched, err := same(left, v.Snapshot)
	if err == nil && !untouched {
		err = &Changed{"what it is about was changed by somebody else after the step was done; look at it before undoing"}
	}
	return want, err
}

// row0 matches the node entries of the principal of a row.
func row0(row plan.RemoveAWSAuthRow) func(NodeEntry) bool {
	return func(n NodeEntry) bool {
		a, err := arn.ParseARN(row.ARN)
		b, err2 := arn.ParseARN(n.PrincipalARN)
		return err == nil && err2 == nil && a.Account == b.Account && strings.EqualFold(a.RoleName(), b.RoleName())
	}
}

// intend notes what is about to be done and what undoes it. Nothing is called before that is on disk.
func (r *run) intend(ctx context.Context, t task, c plan.Change, v *view) error {
	rec := record{Kind: intent, task: t}
	var err error
	if rec.Before, err = snapshotText(v.Snapshot); err != nil {
		return err
	}
	if t.Undo == 0 {
		judged := v
		if d, ok := c.(plan.DeleteAccessEntry); ok {
			copied := *v.Snapshot
			judged = &view{Snapshot: &copied}
			r.Clients.readOwner(ctx, judged, d.PrincipalARN)
		}
		back, err := c.Inverse(judged.Snapshot)
		stuck, irreversible := errors.AsType[*plan.Irreversible](err)
		switch {
		case irreversible && r.Irreversible:
			rec.Irreversible = stuck.Why
		case err != nil:
			return err
		}
		if rec.Backup, err = encode(back); err != nil {
			return err
		}
	}
	return r.journal.add(rec)
}

// verify waits until a change is seen, and notes that.
func (r *run) verify(ctx context.Context, t task, c plan.Change) error {
	var version string
	err := r.poll(ctx, t, c, r.Settle, func(v *view, want *model.Snapshot) (bool, error) {
		if len(v.Clusters) > 0 && v.cluster().AWSAuth != nil {
			version = v.cluster().AWSAuth.ResourceVersion
		}
		return same(want, v.Snapshot)
	})
	if err != nil {
		return err
	}
	if r.said, r.confirmed, err = r.confirm(ctx, t, c); err != nil {
		return err
	}
	return r.journal.add(record{Kind: verified, task: t, Version: version})
}

// unsettled says that a change was not seen in time; nothing that what stands is as before it.
type unsettled struct {
	nothing bool
	after   time.Duration
}

func (u *unsettled) Error() string {
	if u.nothing {
		return fmt.Sprintf("the change is not to be seen after %s: what it is about is as before", u.after)
	}
	return fmt.Sprintf("the change is not to be seen after %s: what it is about is neither as before nor as it should be", u.after)
}

// updating bounds how long a cluster may be UPDATING. EKS names no bound; minutes are usual.
const updating = 30 * time.Minute

// poll reads what a change touches until it is as it should be, for as long as the bound says and as the cluster is being
// updated. Waits double, from half a second to a quarter of a minute.
func (r *run) poll(ctx context.Context, t task, c plan.Change, bound time.Duration, seen func(v *view, want *model.Snapshot) (bool, error)) error {
	before, err := r.journal.tasks[t].snapshot()
	if err != nil {
		return err
	}
	var waited, idle time.Duration
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 15*time.Second) {
		v, want, err := r.look(ctx, c, before)
		if err != nil {
			return err
		}
		busy := v.busy(c)
		ok, err := seen(v, want)
		if err != nil || ok && !busy {
			return err
		}
		if idle >= bound || waited >= updating {
			nothing, err := same(before, v.Snapshot)
			return cmp.Or(err, error(&unsettled{nothing, waited}))
		}
		r.tell(t, c, Waiting)
		if err := r.Sleep(ctx, wait); err != nil {
			return err
		}
		waited += wait
		if !busy {
			idle += wait
		}
	}
}

// look reads what a change touches, and works out what should stand there after it.
func (r *run) look(ctx context.Context, c plan.Change, before *model.Snapshot) (*view, *model.Snapshot, error) {
	want, err := (plan.Plan{spelt(c, &view{Snapshot: before})}).Simulate(before)
	if err != nil {
		return nil, nil, err
	}
	reached, err := reachOf(c)
	if err != nil {
		return nil, nil, err
	}
	v, err := r.Clients.read(ctx, reached)
	return v, want, err
}

// slow says that a change is one of the cluster itself, which EKS makes in its own time.
func slow(c plan.Change) bool {
	switch c.(type) {
	case plan.SetAuthenticationMode, plan.UpdateClusterLogging:
		return true
	}
	return false
}

// busy says that EKS is at work on what a change is about.
func (v *view) busy(c plan.Change) bool { return slow(c) && v.status == "UPDATING" }

// token is the same for the same task of the same run, and for no other.
func (r *run) token(t task) string {
	sum := sha256.Sum256([]byte(r.journal.first.ID + "/" + strconv.Itoa(t.Step) + "/" + strconv.Itoa(t.Undo)))
	return hex.EncodeToString(sum[:])
}

func (r *run) stopped(t task, c plan.Change, sent bool, err error) error {
	return &Stopped{Step: t.Step, Steps: len(r.journal.plan), Undo: r.journal.undoing, Change: c, Sent: sent, Err: err}
}

func (r *run) tell(t task, c plan.Change, s Stage) {
	r.Progress(r.event(t, c, s))
}

func (r *run) event(t task, c plan.Change, s Stage) Event {
	return Event{Step: t.Step, Steps: len(r.journal.plan), Undo: r.journal.undoing, Change: c, Stage: s}
}
