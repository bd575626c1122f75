package access

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/awsdata"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// rootAssumesNothing is why a root user has no hops.
const rootAssumesNothing = "the root user of an account cannot assume roles (STS API Reference, AssumeRole)"

// AWSQuestion is what somebody may do in AWS, or not.
type AWSQuestion struct {
	// Action is service:Operation.
	Action string
	// Resource is an ARN; "*" for an action that has no resources; empty for any resource: then allowed on one is enough.
	Resource string
	// Account owns the resource. Empty is what the ARN says, and where it says nothing, the caller's own.
	Account string
	// Given are condition keys of the request whose values are known, by name.
	Given map[string][]string
	// Complete takes nothing for granted: what is in no snapshot makes the answer unknown.
	Complete bool
}

// Normal is the question as AWS would ask it: with the action's name in AWS's spelling, and about "*" where the action has no
// resources. The notes say what looks wrong about it, for people.
func (q AWSQuestion) Normal() (normal AWSQuestion, notes []string) {
	info, known := awsdata.Action(q.Action)
	if !known {
		note := fmt.Sprintf("%s is not in the Service Authorization Reference of %s", q.Action, awsdata.ServiceDataDate())
		if near := awsdata.NearestAction(q.Action); near != "" {
			note += "; did you mean " + near + "?"
		}
		return q, append(notes, note)
	}
	q.Action = info.Name
	switch {
	case len(info.ResourceTypes) == 0 && !q.assumes():
		if q.Resource != "" && q.Resource != "*" {
			notes = append(notes, info.Name+" has no resources: the question is asked about *")
		}
		q.Resource = "*"
	case q.Resource != "" && !info.Takes(q.Resource):
		var types []string
		for _, t := range info.ResourceTypes {
			types = append(types, t.Type)
		}
		notes = append(notes, fmt.Sprintf("%s is not about resources such as %s, but about: %s", info.Name, q.Resource, strings.Join(types, ", ")))
	}
	return q, notes
}

// assumes says whether an action is decided by the trust policy of a role.
func (q *AWSQuestion) assumes() bool {
	return strings.EqualFold(q.Action, "sts:AssumeRole") || strings.EqualFold(q.Action, "sts:TagSession") || strings.EqualFold(q.Action, "sts:SetSourceIdentity")
}

// owner is the account that owns the resource, as far as the ARN and the question tell, or "".
func (q *AWSQuestion) owner() string {
	if q.Account != "" {
		return q.Account
	}
	if arn, err := iam.ParseARN(q.Resource); err == nil && arn.Account != "aws" {
		return arn.Account
	}
	return ""
}

// CheckAWS answers whether an identity may do something in AWS: with any of its sessions, or with those of the roles that it
// can go on into from there. There is one grant for an identity of AWS, and one for each cluster that has an identity of
// Kubernetes. With Verdict Denied it says why not, for every session.
func (a *Access) CheckAWS(id Identity, q AWSQuestion) []Grant {
	q, _ = q.Normal()
	var all []Grant
	for _, s := range a.AWSSessions(id) {
		g := a.withSession(&s, &q)
		g.Identity = id
		if s.Cluster != "" {
			g.Identity.Cluster = s.Cluster
		}
		if n := len(all) - 1; n >= 0 && all[n].Cluster == g.Cluster {
			all[n] = either(all[n], g)
		} else {
			all = append(all, g)
		}
	}
	return all
}

// either is the answer of whoever has two sessions.
func either(g, h Grant) Grant {
	switch d := g.Verdict.rank() - h.Verdict.rank(); {
	case d > 0:
		return h
	case d == 0 && g.Verdict == Denied:
		g.Chain, g.Conditions = appendNew(slices.Clip(g.Chain), h.Chain...), appendNew(slices.Clip(g.Conditions), h.Conditions...)
	}
	return g
}

// rank puts allowed first and denied last.
func (v Verdict) rank() int { return slices.Index([]Verdict{Allowed, Unknown, Denied}, v) }

// withSession answers for one session: by itself if it may do it, else by the shortest way over other roles.
func (a *Access) withSession(s *AWSSession, q *AWSQuestion) Grant {
	return a.bestWay(s, a.ways(), func(at *AWSSession) Grant { return a.direct(at, q) })
}

// bestWay answers for one session over some ways, where direct answers for each session by itself.
func (a *Access) bestWay(s *AWSSession, over *ways, direct func(*AWSSession) Grant) Grant {
	own := direct(s)
	if own.Verdict == Allowed {
		return own
	}
	if onward, ok := a.onward(s, own.Verdict, over, direct); ok {
		return onward
	}
	return own
}

// direct answers for one session by itself.
func (a *Access) direct(s *AWSSession, q *AWSQuestion) Grant {
	switch {
	case s.Verdict == Denied:
		return Grant{Verdict: Denied, Cluster: s.Cluster, Scope: q.Resource, Chain: s.Chain, Conditions: s.Conditions}
	case s.ARN == "": // whose it is was not read
		return Grant{Verdict: Unknown, Cluster: s.Cluster, Scope: q.Resource, Chain: s.Chain, Conditions: s.Conditions}
	}
	d, scope := a.rate(s, q)
	return a.grant(s, q, d, scope)
}

// rate decides for one session by itself, and says about which resources.
func (a *Access) rate(s *AWSSession, q *AWSQuestion) (d *decision, scope string) {
	if q.Resource != "" {
		return a.decide(s, q), q.Resource
	}
	if q.assumes() {
		return a.anyRole(s, q)
	}
	if d = a.decide(s, q); d.verdict != Unknown {
		return d, "*"
	}
	return a.somewhere(s, q, d)
}

// anyRole answers which roles a session can assume, or pass tags to.
func (a *Access) anyRole(s *AWSSession, q *AWSQuestion) (*decision, string) {
	best := &decision{session: s, verdict: Denied, because: "no role that was read lets it in"}
	var scope []string
	for _, role := range a.ways().assumable(s) {
		on := *q
		on.Resource = role.ARN
		switch d := a.decide(s, &on); {
		case d.verdict.rank() < best.verdict.rank():
			best, scope = d, []string{role.ARN}
		case d.verdict == best.verdict:
			scope = append(scope, role.ARN)
		}
	}
	if best.verdict != Denied {
		return best, strings.Join(scope, ", ")
	}
	r := iam.Request{Principal: s.Principal, Action: q.Action, Context: s.Context}
	if s.Principal.Kind != iam.RootUser && iam.EvaluateIdentity(s.Policies, r).Verdict != iam.Denied {
		best.verdict, best.because, best.open = Unknown, "", []string{"whether a role that was not read lets it in"}
	}
	return best, "*"
}

// somewhere answers about any resource: on each that a statement names it asks for one that nobody has, and the best of
// the answers stands, with the resources for which it does.
func (a *Access) somewhere(s *AWSSession, q *AWSQuestion, best *decision) (*decision, string) {
	var scope []string
	seen := map[string]bool{}
	try := func(pattern, resource string) {
		if seen[resource] {
			return
		}
		seen[resource] = true
		on := *q
		on.Resource = resource
		switch d := a.decide(s, &on); {
		case d.verdict.rank() < best.verdict.rank(), d.verdict == best.verdict && scope == nil:
			best, scope = d, []string{pattern}
		case d.verdict == best.verdict:
			scope = append(scope, pattern)
		}
	}
	r := iam.Request{Principal: s.Principal, Action: q.Action, Context: s.Context}
	for _, named := range s.Policies.Identity {
		for i := range named.Policy.Statements {
			statement := &named.Policy.Statements[i]
			if statement.Effect != iam.Allow || statement.MatchesAction(q.Action) == iam.False {
				continue
			}
			for _, e := range statement.Examples(&r, stranger) {
				try(e.Pattern, ofAccount(e.Resource, cmp.Or(q.Account, s.Principal.Account)))
			}
			if statement.NotResource != nil {
				try("everything but "+strings.Join(statement.NotResource, ", "), nobodys(s, q.Action))
			}
		}
	}
	if len(scope) == 0 {
		return best, "*"
	}
	slices.Sort(scope)
	return best, strings.Join(slices.Compact(scope), ", ")
}

// ofAccount is an example's ARN in an account, where the pattern leaves the account open: a resource of somebody else would
// have to be allowed there too.
func ofAccount(resource, account string) string {
	arn, err := iam.ParseARN(resource)
	if err != nil || arn.Account != stranger {
		return resource
	}
	arn.Account = account
	return arn.String()
}

// nobodys is the ARN of a resource of the caller's account that nobody names.
func nobodys(s *AWSSession, action string) string {
	service, _, _ := strings.Cut(action, ":")
	if service = strings.ToLower(service); service == "s3" {
		return "arn:aws:s3:::" + stranger + "/" + stranger
	}
	arn, _ := iam.ParseARN(s.ARN)
	return "arn:" + arn.Partition + ":" + service + "::" + s.Principal.Account + ":" + stranger + "/" + stranger
}

// decide asks the policies. Policies of resources other than roles are in no snapshot; one that leaves all to the caller's
// account stands in for them, and what it hides is said by notes. See docs/adr/0006.
func (a *Access) decide(s *AWSSession, q *AWSQuestion) *decision {
	d := &decision{session: s, verdict: Allowed}
	r := iam.Request{Principal: s.Principal, Action: q.Action, Resource: q.Resource, ResourceAccount: q.owner(), Context: s.Context}
	if r.ResourceAccount == "" {
		r.ResourceAccount = s.Principal.Account
	}
	p := a.inOrganization(s.Policies, &r)
	if len(q.Given) > 0 {
		r.Context = r.Context.Clone()
		for key, values := range q.Given {
			r.Context.Set(key, values...)
		}
	}
	if q.assumes() && q.Resource != "" {
		return a.decideAssume(d, p, r)
	}
	p.Resource = a.leftToAccount(s.Principal.Account)
	d.ask(p, r)
	if d.verdict != Denied && q.mustBeNamed(s) {
		d.verdict, d.open = Unknown, append(d.open, "the policy of the resource, which must allow it too (policies of resources are not read)")
	}
	return d
}

// decideAssume asks the trust policy of the role that an action is about.
func (a *Access) decideAssume(d *decision, p iam.Policies, r iam.Request) *decision {
	role, presence := a.Role(r.Resource)
	switch {
	case d.session.Principal.Kind == iam.RootUser && strings.EqualFold(r.Action, assumeRole):
		d.verdict, d.because = Denied, rootAssumesNothing
		return d
	case presence == Absent:
		d.verdict, d.because = Denied, "there is no role "+r.Resource
		return d
	}
	if trust := a.Trust(role); trust != nil {
		p.Trust, d.role = &iam.Named{Policy: trust.policy}, role
	}
	d.ask(p, r)
	return d
}

// mustBeNamed says whether a policy of the resource must allow the request, which no snapshot holds: that of a KMS key, and
// that of every resource of another account (IAM User Guide, "Policy evaluation logic", 2026-11).
func (q *AWSQuestion) mustBeNamed(s *AWSSession) bool {
	if owner := q.owner(); owner != "" && owner != s.Principal.Account {
		return true
	}
	return len(q.Action) > 4 && strings.EqualFold(q.Action[:4], "kms:") && (q.Resource == "" || strings.Contains(q.Resource, ":key/"))
}

// leftToAccount is a policy of a resource that leaves it to an account's own policies, as the default policy of a key does.
func (a *Access) leftToAccount(account string) []iam.Named {
	if p, ok := a.leftTo.Load(account); ok {
		return p.([]iam.Named)
	}
	doc, err := iam.Parse(fmt.Appendf(nil, `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":%q},"Action":"*","Resource":"*"}}`, account))
	if err != nil {
		return nil
	}
	p := []iam.Named{{Policy: doc}}
	a.leftTo.Store(account, p)
	return p
}

// grant puts a decision into words.
func (a *Access) grant(s *AWSSession, q *AWSQuestion, d *decision, scope string) Grant {
	g := Grant{Identity: s.Holder, Verdict: d.verdict, Cluster: s.Cluster, Scope: scope, Chain: append(slices.Clip(s.Chain), d.chain()...)}
	if g.Verdict != Denied {
		g.Conditions = append(slices.Clip(s.Conditions), d.conditions()...)
		if s.Verdict == Unknown {
			g.Verdict = Unknown
		}
	}
	notes := a.notes(s, q, d)
	if q.Complete && len(notes) > 0 {
		g.Verdict = Unknown
	}
	g.Conditions = append(g.Conditions, notes...)
	g.Chain = append(append(g.Chain, a.copies(s, d)...), a.oversized(s)...)
	return g
}

// notes say what was not read, or what no snapshot holds, and might make the answer another one.
func (a *Access) notes(s *AWSSession, q *AWSQuestion, d *decision) []string {
	explicit := slices.ContainsFunc(d.parts, func(p part) bool { return p.decision.Explicit })
	owner, own := q.owner(), s.Principal.Account
	switch {
	case d.because != "", d.verdict == Denied && (explicit || q.assumes() || q.Resource == "*"):
		return nil
	case d.verdict == Denied && (owner == "" || owner == own):
		return []string{"no policy of the resource allows it (not read)"}
	case d.verdict == Denied:
		return nil
	}
	var all []string
	service, _, _ := strings.Cut(strings.ToLower(q.Action), ":")
	if !q.assumes() && q.Resource != "*" && !q.mustBeNamed(s) && service != "iam" { // nothing of IAM but roles has a policy
		all = append(all, "no policy of the resource denies it (not read)")
	}
	all = append(all, a.unreadGuardrails(s, q)...)
	if arn, err := iam.ParseARN(q.Resource); err == nil && q.owner() == "" && arn.Account == "" {
		all = append(all, "the resource is of account "+own+", which its ARN does not tell")
	}
	return all
}

// onward looks for the shortest way over further roles that answers better than the session by itself: over those that are
// certain first, then over all.
func (a *Access) onward(s *AWSSession, than Verdict, over *ways, direct func(*AWSSession) Grant) (Grant, bool) {
	for _, worst := range []Verdict{Allowed, Unknown} {
		if worst.rank() >= than.rank() || s.token == nil && worst.rank() < s.Verdict.rank() {
			continue
		}
		seen := map[*model.IAMRole]bool{}
		if r, ok := s.principal.(*model.IAMRole); ok {
			seen[r] = true
		}
		for queue := []AWSSession{*s}; len(queue) > 0; queue = queue[1:] {
			at := &queue[0]
			for _, role := range over.candidates(at) {
				if seen[role] {
					continue
				}
				h := a.hop(at, role)
				if h.Verdict.rank() > worst.rank() {
					continue
				}
				seen[role] = true
				next := a.Through(*at, h)
				if g := direct(&next); g.Verdict.rank() <= worst.rank() {
					return g, true
				}
				queue = append(queue, next)
			}
		}
	}
	return Grant{}, false
}
