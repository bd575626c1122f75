package oracle

import (
	"fmt"
	"slices"
	"testing"

	"drawbridge/internal/access"
	"drawbridge/internal/migrate"
	"drawbridge/oracle/promise"
)

// judge holds what reality decided before and after against a proof.
type judge struct {
	*world
	// planned says that the plan is the planner's, without a mistake.
	planned   bool
	questions []question
	tally     *tally
	wrong     []string
}

func (j *judge) say(format string, args ...any) {
	if len(j.wrong) < 3 {
		j.wrong = append(j.wrong, fmt.Sprintf(format, args...))
	}
}

// compare looks for decisions that differ and are not announced, and for announcements that do not come true.
func (j *judge) compare(t *testing.T, of string, p *migrate.Proof, before, after *stage) {
	t.Helper()
	for i, q := range j.questions {
		was, is := before.decisions[i], after.decisions[i]
		if was == is {
			continue
		}
		if j.unknowable(q.principal) {
			continue
		}
		j.tally.differ++
		if j.planned && !q.isNode() && before.who(t, q.actor).username != "" { // no entry is without a username
			j.say("%s: %s may %s: %v before as %+v, %v after as %+v: only entries of nodes are not what their rows were", of, q.sts(q.session), q.Request, was, before.who(t, q.actor), is, after.who(t, q.actor))
		}
		switch promise.Of(p, q.arn, q.session, q.Request, is) {
		case promise.Nothing:
			j.say("%s: %s may %s: %v before as %+v, %v after as %+v, and the proof (equal: %v) does not say so", of, q.sts(q.session), q.Request, was, before.who(t, q.actor), is, after.who(t, q.actor), p.Equal)
		case promise.Unknown:
			j.tally.unknown++
		}
	}
	gained, lost := 0, 0
	for _, one := range p.Changes {
		gained, lost = gained+len(one.Gained), lost+len(one.Lost)
		for _, c := range one.Gained {
			j.tally.gained++
			j.witness(t, of, one.Identity, c, before, after)
		}
		for _, c := range one.Lost {
			j.tally.lost++
			j.witness(t, of, one.Identity, c, after, before)
		}
	}
	if p.Equal != (len(p.Gained)+len(p.Lost)+len(p.Unknown) == 0) || gained != len(p.Gained) || lost != len(p.Lost) || len(p.Witnesses) != gained+lost {
		j.say("%s: the proof says equal: %v, %d gained of %d, %d lost of %d, %d unknown, %d witnesses", of, p.Equal, len(p.Gained), gained, len(p.Lost), lost, len(p.Unknown), len(p.Witnesses))
	}
}

// unknowable says that an access entry of a principal is dead, and that no snapshot can tell: its account was not read. Plans
// note that.
func (j *judge) unknowable(p *principal) bool {
	return p.recreated && j.snapshot.Account(p.account) == nil && j.state.entryOf(p.arn) >= 0
}

// witness puts the witness of a change to reality: allowed on one side and denied on the other, for a session of the role at
// least where it depends on the session.
func (j *judge) witness(t *testing.T, of string, id access.Identity, c access.Change, denied, allowed *stage) {
	t.Helper()
	r, ofKubernetes := promise.Witness(c)
	if id.ARN == "" || !ofKubernetes {
		j.say("%s: the proof says that %s gains or loses %s, which a migration of aws-auth does not touch", of, id, c.Witness)
		return
	}
	for _, p := range j.principals {
		if !promise.IsAbout(id, p.arn) || j.unknowable(p) {
			continue
		}
		names := slices.Concat([]string{"somebody"}, p.sessions, promise.Sessions(c))
		if !p.isRole() {
			names = []string{""}
		}
		for _, name := range names {
			a := actor{p, name}
			if allowed.authority.allows(p.unique, allowed.who(t, a), r) && !denied.authority.allows(p.unique, denied.who(t, a), r) {
				return
			}
		}
		j.say("%s: the proof's witness is none: %s, %s is as allowed before as after, by sessions %q: %+v, %+v; %v", of, id, r, names, denied.who(t, actor{p, names[0]}), allowed.who(t, actor{p, names[0]}), c.Conditions)
	}
}
