package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/diff"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// awsSide is what one side gives an identity in AWS.
type awsSide struct {
	access   *Access
	sessions []AWSSession
	// shut are sessions that it is denied, and whose tokens other roles may let in all the same.
	shut []AWSSession
	// spelled are the sessions, each the same for those that are the same.
	spelled []string
	key     string
	// callers is the same for sides whose certain sessions may do the same by their own policies.
	callers string
	// tokens is the same for sides whose sessions can show the same tokens to other roles.
	tokens string
}

func (d *differ) awsSide(a *Access, id Identity) *awsSide {
	d.work.sides++
	s := &awsSide{access: a}
	var callers []string
	for _, session := range a.AWSSessions(id) {
		if session.token != nil {
			s.tokens += fmt.Sprintf("%+v\x08", session.token.WebToken)
		}
		if session.Verdict == Denied {
			if session.token != nil {
				s.shut = append(s.shut, session)
			}
			continue
		}
		of := session.caller()
		spelled := of.Fingerprint()
		if session.certain() {
			callers = append(callers, spelled)
		}
		s.sessions = append(s.sessions, session)
		s.spelled = append(s.spelled, strings.Join(slices.Concat(
			[]string{string(session.Verdict), session.ARN, spelled}, slices.Sorted(slices.Values(session.Conditions)), slices.Sorted(slices.Values(session.Unread))), "\x07"))
	}
	s.callers = strings.Join(callers, "\x08")
	s.key = strings.Join(slices.Compact(slices.Sorted(slices.Values(s.spelled))), "\x08")
	return s
}

// certain says that the identity surely has the session, and whose it is.
func (s *AWSSession) certain() bool { return s.Verdict == Allowed && s.ARN != "" }

func (s *AWSSession) caller() diff.Caller {
	return diff.Caller{Principal: s.Principal, Policies: s.Policies, Context: s.Context}
}

// sameRole says whether a role or user is the same on both sides with all that decides its own sessions, as far as that can
// be told without reading a policy. Where the time decides, it is not.
func (d *differ) sameRole(arn string) bool {
	spell := func(a *Access) string {
		var inline []model.InlinePolicy
		var attached []string
		var boundary, id string
		var unknown bool
		var tags map[string]string
		if r, _ := a.Role(arn); r != nil {
			inline, attached, boundary, unknown, tags, id = r.Inline, r.Attached, r.Boundary, r.PoliciesUnknown, r.Tags, r.ID+string(r.Trust)
		} else if u, _ := a.User(arn); u != nil {
			inline, attached, unknown = a.userPolicies(u)
			boundary, tags, id = u.Boundary, u.Tags, u.ID
		} else {
			return ""
		}
		b := strings.Builder{}
		fmt.Fprintf(&b, "%s\x00%v\x00%v\x00", id, unknown, tags)
		for _, i := range inline {
			b.WriteString(i.Name + "\x01" + string(i.Document) + "\x02")
		}
		for _, policy := range append(slices.Clip(attached), boundary) {
			b.WriteString(policy + "\x01")
			if m := a.managed[policy]; m != nil {
				b.WriteString(m.Version + string(m.Document) + "\x02")
			}
		}
		return b.String()
	}
	before := spell(d.before)
	return before != "" && before == spell(d.after) && !timed(before)
}

// timed says whether policies may ask for the time, which is another one on the other side.
func timed(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "aws:currenttime") || strings.Contains(text, "aws:epochtime") || strings.Contains(text, "aws:tokenissuetime")
}

// sessions compares what an identity can do in AWS.
func (d *differ) sessions(one *IdentityDifference, p *identityPair) {
	if p.after.Kind == KindUser || p.after.Kind == KindGroup {
		return
	}
	if p.cluster == nil && d.sameAccounts && len(d.trustChange) == 0 && d.sameRole(p.after.ARN) {
		return
	}
	untouched := d.untouched(p)
	if untouched && len(d.roleChange) == 0 {
		return
	}
	before, after := &awsSide{access: d.before}, &awsSide{access: d.after}
	if p.cluster == nil || p.cluster.after != nil {
		after = d.awsSide(d.after, p.after)
	}
	switch {
	case untouched && d.sameSessions(p, after):
		same := *after
		same.access, before = d.before, &same
	case p.cluster == nil || p.cluster.before != nil:
		before = d.awsSide(d.before, p.before)
	}
	label := ""
	if p.cluster != nil {
		label = p.cluster.label
	}
	if before.key != after.key {
		d.statementsOf(one, before, after, label)
	}
	if other := before.key != after.key || before.tokens != after.tokens; other || len(d.trustChange) > 0 {
		d.hops(p, before, after, other, label)
	}
}

// statementDifference is what the callers of one side may do and those of the other may not, in both directions.
type statementDifference struct {
	gained, lost         []diff.Permission
	openGained, openLost []diff.Open
}

func (d *differ) statementDifference(before, after *awsSide) *statementDifference {
	key := [2]string{before.callers, after.callers}
	if s := d.statements[key]; s != nil {
		return s
	}
	b, a := before.certain(), after.certain()
	s := &statementDifference{}
	s.gained, s.openGained = d.aws.Minus(a, b)
	s.lost, s.openLost = d.aws.Minus(b, a)
	d.statements[key] = s
	return s
}

// certain are the callers that the identity surely is.
func (s *awsSide) certain() []diff.Caller {
	var all []diff.Caller
	for i := range s.sessions {
		if s.sessions[i].certain() {
			all = append(all, s.sessions[i].caller())
		}
	}
	return all
}

// uncertain are the sessions of a side that may or may not be, and that the other side has not just so.
func (s *awsSide) uncertain(other *awsSide) []*AWSSession {
	var all []*AWSSession
	for i := range s.sessions {
		if (s.sessions[i].Verdict == Unknown || s.sessions[i].ARN == "") && !slices.Contains(other.spelled, s.spelled[i]) {
			all = append(all, &s.sessions[i])
		}
	}
	return all
}

func (s *awsSide) doubtful() bool {
	return slices.ContainsFunc(s.sessions, func(s AWSSession) bool { return s.Verdict == Unknown || s.ARN == "" })
}

// statementsOf compares the policies of sessions.
func (d *differ) statementsOf(one *IdentityDifference, before, after *awsSide, label string) {
	undecided := func(u Undecided) {
		if u.Cluster = label; !slices.Contains(one.Unknown, u) {
			one.Unknown = append(one.Unknown, u)
		}
	}
	for _, way := range []struct {
		side       string
		has, other *awsSide
	}{{SideGained, after, before}, {SideLost, before, after}} {
		for _, s := range way.has.uncertain(way.other) {
			undecided(Undecided{Side: way.side, Scope: s.ARN, What: "what " + cmp.Or(s.ARN, "its AWS identity") + " may do", Reason: cmp.Or(describe(s.Conditions), "whose credentials it holds is not known")})
		}
		for _, arn := range except(way.has.arns(), way.other.arns()) {
			if len(way.other.sessions) > 0 { // where it had nothing, all that it has is said
				undecided(Undecided{Side: way.side, Scope: arn, What: "what policies of resources give to " + arn, Reason: "it is another principal than " + describe(way.other.arns()) + ", and policies of resources are not read"})
			}
		}
	}
	r := d.statementDifference(before, after)
	for _, way := range []struct {
		side       string
		has, other *awsSide
		found      []diff.Permission
		open       []diff.Open
		to         *[]Change
	}{{SideGained, after, before, r.gained, r.openGained, &one.Gained}, {SideLost, before, after, r.lost, r.openLost, &one.Lost}} {
		for _, o := range way.open {
			undecided(Undecided{Side: way.side, Scope: strings.Join(o.Resources, ", "), What: strings.Join(o.Actions, ", "), Reason: o.Why})
		}
		for i := range way.found {
			change, reason := way.has.change(&way.found[i], way.other)
			if change.Cluster = label; reason != "" {
				undecided(Undecided{Side: way.side, Scope: change.Scope, What: change.What(), Reason: reason})
				continue
			}
			change.Strong = d.after.danger(&change.Grant) > 1
			*way.to = append(*way.to, change)
		}
	}
}

// arns are the principals of the sessions, sorted.
func (s *awsSide) arns() []string {
	var all []string
	for i := range s.sessions {
		if arn := s.sessions[i].ARN; arn != "" {
			all = append(all, arn)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// change asks both sides for the witness of a permission, and says why it proves nothing, or "".
func (s *awsSide) change(p *diff.Permission, other *awsSide) (c Change, reason string) {
	c = Change{
		Grant: Grant{
			Verdict: Allowed, Scope: strings.Join(p.Resources, ", "),
			Statement: &Statement{Actions: p.Actions, NotActions: p.ExceptActions, Resources: p.Resources, NotResources: p.ExceptResources, Conditions: p.If},
		},
		Unless: p.Unless, Witness: Witness{Action: p.Witness.Action, Resource: p.Witness.Resource, Given: p.Given},
	}
	if other.doubtful() {
		return c, "which AWS identity it has on the other side is not certain"
	}
	for _, caller := range other.certain() {
		if p.Ask(&caller).Verdict != iam.Denied {
			return c, "the other side may allow " + c.Witness.String() + " too"
		}
	}
	for i := range s.sessions {
		session := &s.sessions[i]
		caller := session.caller()
		if !session.certain() {
			continue
		}
		if decided := p.Ask(&caller); decided.Verdict == iam.Allowed {
			d := decision{session: session}
			c.Chain, c.Conditions = slices.Clip(session.Chain), session.Conditions
			for _, m := range decided.By() {
				if m.Layer == iam.IdentityPolicy {
					c.Chain = append(c.Chain, d.evidence(m))
				}
			}
			return c, ""
		}
	}
	return c, "it cannot be shown"
}
