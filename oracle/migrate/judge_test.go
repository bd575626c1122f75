package oracle

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"testing"

	"drawbridge/internal/access"
	"drawbridge/internal/iam"
	"drawbridge/internal/migrate"
	"drawbridge/internal/rbac"
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
		switch announced(p, q, is) {
		case nothing:
			j.say("%s: %s may %s: %v before as %+v, %v after as %+v, and the proof (equal: %v) does not say so", of, q.sts(q.session), q.Request, was, before.who(t, q.actor), is, after.who(t, q.actor), p.Equal)
		case unknown:
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

// announcement is what a proof says of a request.
type announcement int

const (
	nothing announcement = iota
	unknown
	exactly
)

// announced says whether a proof covers a decision that differs.
func announced(p *migrate.Proof, q question, gained bool) announcement {
	said := nothing
	for _, one := range p.Changes {
		if !isAbout(one.Identity, q.principal) {
			continue
		}
		changes := one.Lost
		if gained {
			changes = one.Gained
		}
		for _, c := range changes {
			if c.Rule != nil && isFor(c, q.session) && covers(c.Scope, q.Namespace) && rbac.Allows(*c.Rule, q.Request) {
				return exactly
			}
		}
		for _, u := range one.Unknown {
			if (u.Side == "" || (u.Side == access.SideGained) == gained) && (u.Scope == "" || covers(u.Scope, q.Namespace)) {
				said = unknown
			}
		}
	}
	if said == nothing && len(p.Unknown) > 0 && p.Unknown[0].Identity == (access.Identity{}) {
		return unknown
	}
	return said
}

// isAbout says whether an identity of a proof is a principal, whether or not its path is known.
func isAbout(id access.Identity, p *principal) bool {
	if id.ARN == p.arn {
		return true
	}
	a, err := iam.ParseARN(id.ARN)
	return err == nil && p.isRole() && a.IsRole() && a.Account == p.account && a.RoleName() == p.name()
}

// covers says whether what counts in a scope counts in a namespace, "" for none.
func covers(scope, namespace string) bool {
	if scope == access.ScopeCluster {
		return true
	}
	pattern, _ := strings.CutPrefix(scope, "namespace/")
	ok, err := path.Match(pattern, namespace)
	return err == nil && ok && namespace != ""
}

// sessionNamed finds the session of which a condition speaks.
var sessionNamed = regexp.MustCompile(`^the session is named ([^ ]+), which`)

// isFor says whether a change is about sessions of a name. As part of a username an @ is a hyphen.
func isFor(c access.Change, session string) bool {
	for _, condition := range c.Conditions {
		if m := sessionNamed.FindStringSubmatch(condition); m != nil && m[1] != session && m[1] != strings.ReplaceAll(session, "@", "-") {
			return false
		}
	}
	return true
}

// witness puts the witness of a change to reality: allowed on one side and denied on the other, for a session of the role at
// least where it depends on the session.
func (j *judge) witness(t *testing.T, of string, id access.Identity, c access.Change, denied, allowed *stage) {
	t.Helper()
	if id.ARN == "" || c.Witness.Action != "" {
		j.say("%s: the proof says that %s gains or loses %s, which a migration of aws-auth does not touch", of, id, c.Witness)
		return
	}
	r := rbac.Request{Verb: c.Witness.Verb, APIGroup: c.Witness.Group, Resource: c.Witness.Resource, Subresource: c.Witness.Subresource, Name: c.Witness.Name, Namespace: c.Witness.Namespace, NonResourceURL: c.Witness.URL}
	for _, p := range j.principals {
		if !isAbout(id, p) || j.unknowable(p) {
			continue
		}
		names := append([]string{"somebody"}, p.sessions...)
		if !p.isRole() {
			names = []string{""}
		}
		for _, condition := range c.Conditions {
			if m := sessionNamed.FindStringSubmatch(condition); m != nil {
				names = append(names, m[1])
			}
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
