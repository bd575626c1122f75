package iam

import (
	"slices"
	"strings"
)

// Decision is the outcome of an evaluation. Its reasons are worked out when they are asked for.
type Decision struct {
	Verdict  Verdict
	Explicit bool // denied by a Deny statement, not for want of an Allow

	policies     Policies
	request      Request
	identityOnly bool
}

// Match is a statement that bears on a decision.
type Match struct {
	Layer     Layer
	Policy    string // the policy's name
	Statement *Statement
}

// String names the statement: "identity policy AdministratorAccess, statement 1: Allow * on *".
func (m Match) String() string {
	return strings.TrimSpace(m.Layer.String()+" "+m.Policy) + ", " + m.Statement.Name() + ": " + m.Statement.String()
}

// By returns the statements that decide, in the order of the layers: the Deny statements of an explicit
// denial, the Allow statements of an allowed request, the statements that may apply when the verdict is
// unknown. A denial for want of an Allow has none.
func (d Decision) By() []Match {
	var by []Match
	e := evaluation{p: &d.policies, r: &d.request}
	e.visit = func(l Layer, policy string, s *Statement, w reach) {
		applies, want := w.any(), false
		switch d.Verdict {
		case Allowed:
			want = s.Effect == Allow && applies == True
		case Denied:
			want = d.Explicit && s.Effect == Deny && applies == True
		case Undecided:
			want = w.unsure()
		}
		if want {
			by = append(by, Match{l, policy, s})
		}
	}
	e.run(d.identityOnly)
	return by
}

// Unknowns returns what an unknown verdict depends on, sorted: see Statement.Unknowns.
func (d Decision) Unknowns() []string {
	if d.Verdict != Undecided {
		return nil
	}
	var all []string
	for _, m := range d.By() {
		all = append(all, m.Statement.Unknowns(&d.request)...)
	}
	e := evaluation{p: &d.policies, r: &d.request}
	switch who := &d.request.Principal; {
	case who.Kind == NoPrincipal:
		all = append(all, "principal")
	case d.identityOnly:
	case e.policyMissing():
		all = append(all, "policy of the resource (not given)")
	case e.mustAllow() == Unknown:
		all = append(all, "resource")
	case who.hasAccount() && e.sameAccount() == Unknown:
		all = append(all, "account of the resource")
	}
	for _, l := range d.policies.Unread {
		all = append(all, l.String()+" (not read)")
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// String returns the verdict and its statements in one line.
func (d Decision) String() string {
	text := []string{d.Verdict.String()}
	for _, m := range d.By() {
		text = append(text, m.String())
	}
	return strings.Join(text, "; ")
}

// Unknowns returns, for a statement that may or may not apply to the request, what that depends on: each
// condition in print ("StringEquals aws:SourceArn = arn:…"), resource, principal, and elements that this
// package does not know.
func (s *Statement) Unknowns(r *Request) []string {
	all := slices.Clone(s.Unknown)
	if s.opaque {
		all = append(all, "policy in an unknown version or with unknown elements")
	}
	if s.MatchesAction(r.Action) == Unknown {
		all = append(all, "action")
	}
	if s.MatchesResource(r) == Unknown {
		all = append(all, "resource")
	}
	switch {
	case s.Principal != nil && !s.Principal.Everyone && s.Principal.match(&r.Principal).unsure(),
		s.NotPrincipal != nil:
		all = append(all, "principal")
	}
	for i := range s.Conditions {
		if c := &s.Conditions[i]; c.Test(r) == Unknown {
			all = append(all, c.String())
		}
	}
	if len(all) == 0 && s.Principal != nil && s.Principal.Everyone {
		all = append(all, "whether boundary and session policies limit a grant to everyone")
	} else if len(all) == 0 {
		all = append(all, "elements that do not belong into such a policy")
	}
	return all
}

// UnknownKeys returns the condition keys, as written, whose values decide an unknown verdict, sorted and
// without repetition: those of undecided conditions and of variables in resources and values.
func (d Decision) UnknownKeys() []string {
	if d.Verdict != Undecided {
		return nil
	}
	var keys []string
	for _, m := range d.By() {
		keys = append(keys, m.Statement.UnknownKeys(&d.request)...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// UnknownKeys returns the keys that decide whether the statement applies: see Decision.UnknownKeys.
func (s *Statement) UnknownKeys(r *Request) []string {
	var keys []string
	variables := func(p *pattern) {
		for i := range p.tokens {
			t := &p.tokens[i]
			if t.kind != variable {
				continue
			}
			if _, state := t.resolve(r); state == unknown {
				keys = append(keys, t.text)
			}
		}
	}
	if s.MatchesResource(r) == Unknown {
		for i := range s.resources {
			variables(&s.resources[i].pattern)
		}
		for i := range s.notResource {
			variables(&s.notResource[i].pattern)
		}
	}
	for i := range s.Conditions {
		c := &s.Conditions[i]
		if c.Test(r) != Unknown {
			continue
		}
		if keys = append(keys, c.Key); c.op.kind == stringOperator || c.op.kind == arnOperator {
			for j := range c.operands {
				variables(&c.operands[j].pattern)
			}
		}
	}
	return keys
}
