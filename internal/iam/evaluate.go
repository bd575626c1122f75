package iam

import "strings"

// Layer is a kind of policy by its place in the evaluation.
type Layer uint8

// The layers, in the words of the IAM User Guide.
const (
	IdentityPolicy Layer = iota
	Boundary
	SessionPolicy
	SCP
	RCP
	ResourcePolicy
	TrustPolicy
	layers
)

// String names the layer: "identity policy", "permissions boundary", …
func (l Layer) String() string {
	return [...]string{
		"identity policy", "permissions boundary", "session policy", "service control policy",
		"resource control policy", "resource policy", "trust policy",
	}[l]
}

// ofResource reports whether the layer's policies name principals.
func (l Layer) ofResource() bool { return l == RCP || l == ResourcePolicy || l == TrustPolicy }

// Named is a policy with the name under which findings show it.
type Named struct {
	Name   string
	Policy *Policy
}

// Policies are all the policies that apply to a request.
type Policies struct {
	// Identity holds the attached and inline policies of the principal, a user's groups' among them.
	Identity []Named
	// Boundary is the permissions boundary; nil for none.
	Boundary *Named
	// Session holds the session policies of the principal's session; nil for none.
	Session []Named
	// SCP and RCP hold one list per level, from the organization's root down to the account; none when
	// the account is in no organization (or, for SCP, is its management account). SCPs are those of the
	// principal's account, RCPs those of the resource's. Give RCPs only for services that support them.
	SCP, RCP [][]Named
	// Resource holds the policies of the resource.
	Resource []Named
	// Trust is the trust policy of the role that the request is about.
	Trust *Named
	// Unread names layers that could not be read: a policy there may allow or deny anything.
	Unread []Layer
}

// Request is what is asked. Its zero parts are unknown.
type Request struct {
	Principal Principal
	// Action is service:Operation.
	Action string
	// Resource is an ARN, or "*" for an action without resources. Empty is any resource of the
	// principal's account: allowed then means on all, unknown perhaps on some, denied on none.
	Resource string
	// ResourceAccount is the account that owns the resource, needed where the ARN does not tell (S3).
	ResourceAccount string
	// Context holds the condition keys. Keys that follow from the principal (aws:PrincipalArn and its
	// like) are added to it where it does not name them.
	Context *Context
}

// Verdict is the answer to a request.
type Verdict uint8

// The verdicts. Undecided means that the unknown parts of the request decide.
const (
	Undecided Verdict = iota
	Allowed
	Denied
)

// String returns "unknown", "allowed" or "denied".
func (v Verdict) String() string { return [...]string{"unknown", "allowed", "denied"}[v] }

// Evaluate decides a request as AWS documents it (IAM User Guide, "How AWS enforcement code logic
// evaluates requests to allow or deny access" and "Cross-account policy evaluation logic", 2026-11).
func Evaluate(p Policies, r Request) Decision {
	e := evaluation{p: &p, r: &r}
	deny, allow := e.run(false)
	return decide(p, r, deny, allow, false)
}

// EvaluateIdentity decides only what the principal's side says of a request: identity policies,
// boundary, session policies and SCPs. Policies of the resource are left aside, and so are account
// borders: "may this identity pass any role?".
func EvaluateIdentity(p Policies, r Request) Decision {
	p.Resource, p.Trust, p.RCP = nil, nil, nil
	e := evaluation{p: &p, r: &r}
	deny, allow := e.run(true)
	return decide(p, r, deny, allow, true)
}

func decide(p Policies, r Request, deny, allow Truth, identityOnly bool) Decision {
	d := Decision{policies: p, request: r, identityOnly: identityOnly}
	switch {
	case deny == True:
		d.Verdict, d.Explicit = Denied, true
	case allow == False:
		d.Verdict = Denied
	case allow == True && deny == False:
		d.Verdict = Allowed
	}
	return d
}

// evaluation is one run over the policies. With a visit function it also reports each statement that
// may apply, for explanations.
type evaluation struct {
	p     *Policies
	r     *Request
	visit func(l Layer, policy string, s *Statement, w reach)
	deny  Truth
}

// run returns whether some statement denies, and whether the allows suffice.
func (e *evaluation) run(identityOnly bool) (deny, allow Truth) {
	e.deny = False
	if e.r.Principal.Kind == NoPrincipal {
		return Unknown, Unknown // even which of the policies apply
	}
	mine := e.identity()
	if identityOnly {
		return e.deny, mine.all()
	}
	theirs := nowhere
	for i := range e.p.Resource {
		theirs = theirs.or(e.policy(ResourcePolicy, &e.p.Resource[i]))
	}
	if e.p.Trust != nil {
		theirs = theirs.or(e.policy(TrustPolicy, e.p.Trust))
	}
	if e.unread(ResourcePolicy) || e.unread(TrustPolicy) || e.policyMissing() {
		theirs = theirs.or(reach{Unknown, Unknown, Unknown})
		e.deny = or(e.deny, Unknown)
	}
	allow = and(e.combine(mine, theirs), e.levels(RCP, e.p.RCP))
	return e.deny, allow
}

// side is what the principal's own policies say.
type side struct {
	identity Truth // some identity policy allows
	limits   Truth // boundary and session policies allow
	scp      Truth // every level of SCPs allows
}

func (s side) all() Truth { return and(and(s.identity, s.limits), s.scp) }

// hasAccount reports whether the caller belongs to an AWS account, so that identity policies and SCPs
// apply to it.
func (p *Principal) hasAccount() bool {
	return p.Kind != Service && p.Kind != Federated && p.Kind != Anonymous
}

func (e *evaluation) identity() side {
	if !e.r.Principal.hasAccount() {
		return side{False, True, True}
	}
	s := side{identity: False, limits: True, scp: True}
	for i := range e.p.Identity {
		s.identity = or(s.identity, e.policy(IdentityPolicy, &e.p.Identity[i]).direct)
	}
	if e.p.Boundary != nil {
		s.limits = e.policy(Boundary, e.p.Boundary).direct
	}
	if e.p.Session != nil || e.r.Principal.Kind == FederatedUser && !e.unread(SessionPolicy) {
		// The session of a federated user has the permissions of its session policies only.
		session := False
		for i := range e.p.Session {
			session = or(session, e.policy(SessionPolicy, &e.p.Session[i]).direct)
		}
		s.limits = and(s.limits, session)
	}
	if e.unread(IdentityPolicy) {
		s.identity, e.deny = or(s.identity, Unknown), or(e.deny, Unknown)
	}
	if e.unread(Boundary) || e.unread(SessionPolicy) {
		s.limits, e.deny = and(s.limits, Unknown), or(e.deny, Unknown)
	}
	if e.r.Principal.Kind == RootUser {
		s.identity = True // "with the exception of the AWS account root user, which has full access"
	}
	s.scp = e.levels(SCP, e.p.SCP)
	return s
}

// levels evaluates SCPs or RCPs: each level must allow. They never bind service-linked roles (AWS
// Organizations User Guide, "Service control policies" and "Resource control policies", 2026-11).
func (e *evaluation) levels(l Layer, levels [][]Named) Truth {
	outcome := True
	if e.r.Principal.isServiceLinked() {
		return outcome
	}
	for _, level := range levels {
		allow := False
		for i := range level {
			allow = or(allow, e.policy(l, &level[i]).any())
		}
		outcome = and(outcome, allow)
	}
	if e.unread(l) {
		outcome, e.deny = and(outcome, Unknown), or(e.deny, Unknown)
	}
	return outcome
}

// combine joins the principal's side with the resource's, in one account or across two.
func (e *evaluation) combine(mine side, theirs reach) Truth {
	r := e.r
	switch own := and(mine.identity, mine.limits); {
	case !r.Principal.hasAccount():
		return theirs.any()
	default:
		// In one account a grant to the user or session itself needs nothing else; one to the role of a
		// session is limited by boundary and session policies; one to the account leaves it to the
		// identity policies ("Policy evaluation for requests within a single account", 2026-11).
		// "IAM role trust policies and KMS key policies are exceptions to this logic, because they must
		// explicitly allow access".
		named := or(theirs.direct, and(theirs.role, mine.limits))
		within := or(named, own)
		switch must := or(named, and(theirs.account, own)); e.mustAllow() {
		case True:
			within = must
		case Unknown:
			within = join(within, must)
		}
		across := and(theirs.any(), own)
		switch e.sameAccount() {
		case True:
			return and(within, mine.scp)
		case False:
			return and(across, mine.scp)
		}
		return and(join(within, across), mine.scp)
	}
}

// sameAccount tells whether principal and resource are of one account.
func (e *evaluation) sameAccount() Truth {
	owner := e.r.ResourceAccount
	if owner == "" {
		var part [6]string
		if !cutARN(e.r.Resource, &part) || part[4] == "aws" {
			return True // no ARN: an action without resources, or any of the account's own
		}
		owner = part[4]
	}
	if owner == "" {
		return Unknown
	}
	return truth(owner == e.r.Principal.Account)
}

// mustAllow tells whether the request is one that the resource's policy itself must allow.
func (e *evaluation) mustAllow() Truth {
	a := e.r.Action
	switch {
	case e.p.Trust != nil, foldPrefix(a, "sts:AssumeRole") >= 0,
		strings.EqualFold(a, "sts:TagSession"), strings.EqualFold(a, "sts:SetSourceIdentity"):
		return True
	case foldPrefix(a, "kms:") < 0:
		return False
	case e.r.Resource == "":
		return Unknown
	}
	return truth(strings.Contains(e.r.Resource, ":key/"))
}

// policyMissing reports whether the policy that must allow was not given: roles and keys always have one.
func (e *evaluation) policyMissing() bool {
	return e.p.Trust == nil && len(e.p.Resource) == 0 && e.mustAllow() != False
}

func (e *evaluation) unread(l Layer) bool {
	for _, u := range e.p.Unread {
		if u == l {
			return true
		}
	}
	return false
}

// policy evaluates one policy: it returns how it allows the request and notes a denial.
func (e *evaluation) policy(l Layer, n *Named) reach {
	allow := nowhere
	if n.Policy == nil {
		e.deny = or(e.deny, Unknown)
		return reach{Unknown, Unknown, Unknown}
	}
	bounded := truth(e.p.Boundary != nil)
	if e.unread(Boundary) {
		bounded = or(bounded, Unknown)
	}
	for i := range n.Policy.Statements {
		s := &n.Policy.Statements[i]
		w := s.applies(e.r, l, bounded)
		t := w.any()
		if t == False {
			continue
		}
		if e.visit != nil {
			e.visit(l, n.Name, s, w)
		}
		if s.Effect != Allow {
			e.deny = or(e.deny, t)
		}
		if s.Effect != Deny {
			allow = allow.or(w)
		}
	}
	return allow
}

// lookup finds a condition key, given in lower case: in the context, or among those that follow from the
// principal (IAM User Guide, "AWS global condition context keys", 2026-11).
func (r *Request) lookup(key string) (presence, []string) {
	if r == nil {
		return unknown, nil
	}
	if e, ok := r.Context.lookup(key); ok {
		return e.state, e.values
	}
	if state, values := r.Principal.key(key); state != unknown {
		return state, values
	}
	return r.Context.rest(key), nil
}
