package access

import (
	"slices"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

const assumeRole = "sts:AssumeRole"

// Hop is a role that a session goes on into by sts:AssumeRole, or by a service account's token, or fails to.
type Hop struct {
	Role *model.IAMRole
	// ByToken says that it goes by the token, whatever the session is.
	ByToken bool
	Verdict Verdict
	// Chain are the statements that let it in, or that keep it out.
	Chain []finding.Evidence
	// Conditions are what an unknown verdict depends on.
	Conditions []string

	session *AWSSession // that a token opens
}

// Hops returns the roles that a session can go on into, and those for which that is unknown, in the order of the snapshot.
// One that is denied has no hops but those of its token.
func (a *Access) Hops(s AWSSession) []Hop {
	var all []Hop
	for _, role := range a.ways().candidates(&s) {
		if h := a.hop(&s, role); h.Verdict != Denied {
			all = append(all, h)
		}
	}
	return all
}

// hop says whether a session can go on into one role, and why: by the token where that is as good.
func (a *Access) hop(s *AWSSession, role *model.IAMRole) Hop {
	best := Hop{Role: role, Verdict: Denied}
	if s.token != nil && s.ARN != role.ARN {
		next := a.byToken(s, role)
		if next.Verdict != Denied {
			best = Hop{Role: role, ByToken: true, Verdict: next.Verdict, Chain: next.Chain, Conditions: next.Conditions, session: &next}
		}
	}
	if best.Verdict == Allowed || s.Verdict == Denied || s.Principal.Kind == iam.NoPrincipal {
		return best
	}
	if d := a.assume(s, role); d.verdict.rank() < best.Verdict.rank() || best.Verdict == Denied {
		return d.hop(role)
	}
	return best
}

func (d *decision) hop(role *model.IAMRole) Hop {
	return Hop{Role: role, Verdict: d.verdict, Chain: d.chain(), Conditions: d.conditions()}
}

// assume decides whether a session can take a role: by its own policies and the role's trust policy, as these count in one
// account and across two. Session tags that are transitive go along, and need sts:TagSession too: of the caller where the
// trust policy leaves it to the caller's account, else of the trust policy (IAM User Guide, "Pass session tags in AWS STS";
// EKS User Guide, "Grant Pods access to AWS resources based on tags", 2026-11).
func (a *Access) assume(s *AWSSession, role *model.IAMRole) *decision {
	d := &decision{session: s, role: role, verdict: Allowed}
	trust := a.Trust(role)
	switch {
	case s.Principal.Kind == iam.RootUser:
		d.verdict, d.because = Denied, rootAssumesNothing
		return d
	case trust == nil:
		d.verdict, d.open = Unknown, []string{"the trust policy of " + role.ARN + " (not read, or not readable)"}
		if iam.EvaluateIdentity(s.Policies, iam.Request{Principal: s.Principal, Action: assumeRole, Resource: role.ARN, Context: s.Context}).Explicit {
			d.verdict = Denied
		}
		return d
	}
	r := iam.Request{Principal: s.Principal, Action: assumeRole, Resource: role.ARN, ResourceAccount: trust.arn.Account, Context: s.Context}
	p := a.inOrganization(s.Policies, &r)
	p.Trust = &iam.Named{Policy: trust.policy}
	d.ask(p, r)
	if s.tags != nil && d.verdict != Denied {
		r.Action = "sts:TagSession"
		d.ask(p, r)
	}
	return d
}

// Through is the session that follows on a hop: what the identity then is. Which tags it bears is known only of those that
// go on from the session before, and where the role's trust policy lets nobody pass any.
func (a *Access) Through(s AWSSession, h Hop) AWSSession {
	if h.session != nil {
		return *h.session
	}
	next := AWSSession{Holder: s.Holder, Cluster: s.Cluster, Via: s.Via, Verdict: s.Verdict, Conditions: slices.Clip(s.Conditions), tags: s.tags}
	next.Chain = append(slices.Clip(s.Chain), finding.Evidence{Text: "assumes role " + h.Role.ARN, Source: h.Role.Subject().String()})
	next.Chain = append(next.Chain, h.Chain...)
	for _, condition := range h.Conditions {
		next.doubt(condition)
	}
	next = a.as(next, h.Role)
	next.Context = a.sessionContext(h.Role, nil, a.taggable(h.Role))
	if s.tags != nil {
		s.tags.tag(next.Context, principalTag)
	}
	next.opened(a)
	return next
}

// ways find, without asking all of them, the roles that may let somebody in.
type ways struct {
	named    map[string][]*model.IAMRole // by what names one principal: see principalKey
	accounts map[string][]*model.IAMRole // by the account that they leave it to
	anybody  []*model.IAMRole            // that name everyone, or somebody in a way that cannot be looked up
	byARN    map[string]*model.IAMRole
	order    map[*model.IAMRole]int
	tokens   map[string]*tokenIndex // by issuer
}

// newWays are the ways into some roles, of which those that come first are tried first.
func (a *Access) newWays(roles []*model.IAMRole) *ways {
	x := &ways{
		named: map[string][]*model.IAMRole{}, accounts: map[string][]*model.IAMRole{}, byARN: map[string]*model.IAMRole{},
		order: map[*model.IAMRole]int{}, tokens: map[string]*tokenIndex{anyIssuer: {}},
	}
	for i, r := range roles {
		x.order[r], x.byARN[r.ARN] = i, r
		trust := a.Trust(r)
		x.add(r, trust)
		x.addTokens(r, trust)
	}
	return x
}

// allWays are the ways into all roles, in the order of the snapshot.
func (a *Access) allWays() *ways {
	var all []*model.IAMRole
	for _, acct := range a.snapshot.Accounts {
		all = append(all, acct.Roles...)
	}
	return a.newWays(all)
}

// add enters a role under everybody whom a statement of its trust policy may let in.
func (x *ways) add(r *model.IAMRole, trust *Trust) {
	in := trust.callers()
	if in.anybody {
		x.anybody = append(x.anybody, r)
		return
	}
	for _, key := range in.named {
		x.named[key] = append(x.named[key], r)
	}
	for _, account := range in.accounts {
		x.accounts[account] = append(x.accounts[account], r)
	}
}

// callers are those whom a trust policy may let assume the role.
type callers struct {
	anybody         bool     // everyone, or somebody named in a way that cannot be looked up
	named, accounts []string // principal keys; accounts that it leaves it to
}

func (t *Trust) callers() callers {
	if t == nil || len(t.policy.Unknown) > 0 {
		return callers{anybody: true}
	}
	var all callers
	for i := range t.policy.Statements {
		s := &t.policy.Statements[i]
		if s.Effect == iam.Deny || s.MatchesAction(assumeRole) == iam.False {
			continue
		}
		if s.Principal == nil || s.NotPrincipal != nil || s.Principal.Everyone || len(s.Principal.Other) > 0 || len(s.Principal.CanonicalUser) > 0 {
			return callers{anybody: true}
		}
		for _, text := range s.Principal.AWS {
			switch p := iam.ParsePrincipal(text); {
			case strings.ContainsAny(text, "*?$"):
				return callers{anybody: true}
			case p.Kind == iam.RootUser:
				all.accounts = append(all.accounts, p.Account)
			default:
				all.named = append(all.named, principalKey(text))
			}
		}
	}
	return all
}

// principalKey is what a role or a session of it has in common however its ARN is written; of others it is the text.
func principalKey(text string) string {
	if arn, err := iam.ParseARN(text); err == nil && arn.RoleName() != "" {
		return arn.Account + "/" + arn.RoleName()
	}
	return text
}

// candidates returns the roles that a session may be able to go on into, as far as can be told at a glance, in the order of
// the roles.
func (x *ways) candidates(s *AWSSession) []*model.IAMRole {
	var some []*model.IAMRole
	if s.token != nil {
		some = x.byToken(s.token.WebToken)
	}
	if s.Verdict != Denied && s.Principal.Kind != iam.NoPrincipal {
		some = append(some, x.assumable(s)...)
	}
	slices.SortFunc(some, func(r, q *model.IAMRole) int { return x.order[r] - x.order[q] })
	return slices.Compact(some)
}

// assumable are those that name a session, and of those that leave it to its account the ones that its own policies may
// name.
func (x *ways) assumable(s *AWSSession) []*model.IAMRole {
	some := append(x.naming(s), x.nameable(s, x.accounts[s.Principal.Account])...)
	slices.SortFunc(some, func(r, q *model.IAMRole) int { return x.order[r] - x.order[q] })
	return slices.Compact(some)
}

// nameable returns those of some roles that a session's own policies may let it assume.
func (x *ways) nameable(s *AWSSession, roles []*model.IAMRole) []*model.IAMRole {
	if len(roles) == 0 || slices.Contains(s.Policies.Unread, iam.IdentityPolicy) {
		return roles
	}
	var some []*model.IAMRole
	arns, literal := targets(s.Policies.Identity, assumeRole)
	if literal {
		for _, arn := range arns {
			if r := x.byARN[arn]; r != nil {
				some = append(some, r)
			}
		}
		return some
	}
	var allowing []*iam.Statement
	for i := range s.Policies.Identity {
		list := s.Policies.Identity[i].Policy.Statements
		for j := range list {
			if list[j].Effect != iam.Deny && list[j].MatchesAction(assumeRole) != iam.False {
				allowing = append(allowing, &list[j])
			}
		}
	}
	for _, r := range roles {
		request := iam.Request{Principal: s.Principal, Action: assumeRole, Resource: r.ARN, Context: s.Context}
		if slices.ContainsFunc(allowing, func(st *iam.Statement) bool { return st.MatchesResource(&request) != iam.False }) {
			some = append(some, r)
		}
	}
	return some
}

// naming returns the roles that may name a session's principal, or everybody.
func (x *ways) naming(s *AWSSession) []*model.IAMRole {
	some := slices.Concat(x.anybody, x.named[principalKey(s.Principal.String())])
	if s.Principal.UniqueID != "" {
		some = append(some, x.named[s.Principal.UniqueID]...)
	}
	return some
}
