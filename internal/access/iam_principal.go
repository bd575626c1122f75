package access

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// IAMPrincipal is an IAM role or user with what the snapshot tells of its permissions: its own policies, its permissions
// boundary, and the service control policies of its account where they were read. Policies of resources are not looked at.
type IAMPrincipal struct {
	Object model.Object // *model.IAMRole or *model.IAMUser
	ARN    string
	// Boundary is the ARN of its permissions boundary, or "".
	Boundary string
	// Unread names policies that count too, but are not in the snapshot or not understood. They may allow or deny anything.
	Unread []string

	arn             iam.ARN
	who             iam.Principal
	policies        iam.Policies // those that could be read
	limitsUnread    []string     // boundary and session policies that could not
	copies          []managedPolicy
	context         *iam.Context
	guardrails      *Guardrails
	placed          bool // some policy asks where a resource is: see place
	home            string
	may             actionSet
	customerManaged []string // ARNs
}

// IAMRole returns what the snapshot tells of a role's permissions.
func (a *Access) IAMRole(r *model.IAMRole) *IAMPrincipal {
	if p, ok := a.principals.Load(r); ok {
		return p.(*IAMPrincipal)
	}
	p := a.newPrincipal(r, r.ARN, r.Inline, r.Attached, r.Boundary, r.PoliciesUnknown)
	a.principals.Store(r, p)
	return p
}

// IAMUser returns what the snapshot tells of a user's permissions, those of its groups included.
func (a *Access) IAMUser(u *model.IAMUser) *IAMPrincipal {
	if p, ok := a.principals.Load(u); ok {
		return p.(*IAMPrincipal)
	}
	inline, attached, unknown := a.userPolicies(u)
	p := a.newPrincipal(u, u.ARN, inline, attached, u.Boundary, unknown)
	// The tags of a user are those of its requests; a role's may be overridden by those of the session.
	withTags(p.context, principalTag, u.Tags)
	a.principals.Store(u, p)
	return p
}

// IAMPrincipals lists the roles and then the users of an account. Service-linked roles are left out: nobody but AWS can take
// or change them.
func (a *Access) IAMPrincipals(acct *model.Account) []*IAMPrincipal {
	all := make([]*IAMPrincipal, 0, len(acct.Roles)+len(acct.Users))
	for _, r := range acct.Roles {
		if !strings.Contains(r.ARN, ":role/aws-service-role/") {
			all = append(all, a.IAMRole(r))
		}
	}
	for _, u := range acct.Users {
		all = append(all, a.IAMUser(u))
	}
	return all
}

func (a *Access) newPrincipal(o model.Object, arn string, inline []model.InlinePolicy, attached []string, boundary string, unknown bool) *IAMPrincipal {
	// That the caller chooses an encrypted connection, and calls by itself, is no condition that could stop it.
	p := &IAMPrincipal{Object: o, ARN: arn, Boundary: boundary, context: new(iam.Context).Set("aws:SecureTransport", "true").Set("aws:ViaAWSService", "false")}
	p.arn, _ = iam.ParseARN(arn)
	if p.who = iam.ParsePrincipal(arn); p.who.Kind == iam.NoPrincipal {
		p.Unread = append(p.Unread, "the principal itself, whose ARN cannot be read")
		return p
	}
	p.guardrails, p.home = a.Guardrails(p.arn.Account), a.homeRegion(p.arn.Account)
	p.guardrails.keys(p.context, "aws:PrincipalOrg")
	p.policies.SCP, p.placed = p.guardrails.SCP, p.guardrails.placed
	if unknown {
		p.Unread = append(p.Unread, "policies that were not listed")
	}
	for _, i := range inline {
		named := iam.Named{Name: "inline policy " + i.Name}
		named.Policy, _ = a.Parse(i.Document)
		p.add(a, named)
	}
	for _, policy := range attached {
		if !strings.Contains(policy, ":iam::aws:") {
			p.customerManaged = append(p.customerManaged, policy)
		}
		p.add(a, p.managed(a, policy))
	}
	if boundary != "" {
		if named := p.managed(a, boundary); named.Policy != nil && len(named.Policy.Unknown) == 0 {
			p.policies.Boundary, p.placed = &named, p.placed || placed(named.Policy)
		} else {
			p.limitsUnread = append(p.limitsUnread, "permissions boundary "+boundary)
			p.Unread = append(p.Unread, boundary)
		}
	}
	return p
}

// managed returns a managed policy, without a document where it is not known, and notes that it is a copy.
func (p *IAMPrincipal) managed(a *Access, arn string) iam.Named {
	m := a.managedPolicy(arn)
	if m.copied != "" {
		p.copies = append(p.copies, m)
	}
	return m.Named
}

// add adds one identity policy, or notes that it cannot be read.
func (p *IAMPrincipal) add(a *Access, named iam.Named) {
	if named.Policy == nil || len(named.Policy.Unknown) > 0 {
		p.Unread = append(p.Unread, named.Name)
		return
	}
	p.policies.Identity, p.placed = append(p.policies.Identity, named), p.placed || placed(named.Policy)
	p.may.add(a.mayAllow(named.Policy))
}

// WithSession is the principal in a session with a session policy, which can only take away.
func (a *Access) WithSession(p *IAMPrincipal, of string, policy model.Document) *IAMPrincipal {
	if policy == "" {
		return p
	}
	limited := *p
	doc, err := a.Parse(policy)
	if err != nil || len(doc.Unknown) > 0 {
		limited.limitsUnread = append(slices.Clone(p.limitsUnread), "session policy of "+of)
		limited.Unread = append(slices.Clone(p.Unread), "session policy of "+of)
		return &limited
	}
	limited.policies.Session, limited.placed = []iam.Named{{Name: "of " + of, Policy: doc}}, p.placed || placed(doc)
	return &limited
}

// ask is one question: may the principal do this?
type ask struct {
	action, resource string
	context          *iam.Context // nil is the principal's own
}

// Permit says whether a principal's own policies allow something.
type Permit struct {
	Answer Answer
	// If is in print what an answer Maybe depends on.
	If []string
	// Why are the statements that allow, and Policies the policies that hold them: ARNs, and "inline policy x".
	Why      []finding.Evidence
	Policies []string
}

// can asks several questions that must all be answered yes. A statement that names the resources only by what is not known
// (a variable) counts as one that does not reach them: it limits.
func (p *IAMPrincipal) can(asks ...ask) Permit {
	for i := range asks {
		if !p.may.has(asks[i].action) {
			return Permit{Answer: No}
		}
	}
	all := Permit{Answer: Yes}
	var conditions [][]string
	for i := range asks {
		one := p.canOne(&asks[i])
		if one.Answer == No {
			return one
		}
		if one.Answer == Maybe {
			all.Answer = Maybe
		}
		conditions = append(conditions, one.If)
		all.Why = appendNew(all.Why, one.Why...)
		all.Policies = appendNew(all.Policies, one.Policies...)
	}
	alike := !slices.ContainsFunc(conditions, func(c []string) bool { return !slices.Equal(c, conditions[0]) })
	for i, q := range asks {
		for _, c := range conditions[i] {
			if !alike {
				c = q.action + " " + c
			}
			all.If = appendNew(all.If, c)
		}
	}
	return all
}

func (p *IAMPrincipal) canOne(q *ask) Permit {
	r := iam.Request{Principal: p.who, Action: q.action, Resource: q.resource, Context: p.place(q)}
	d := iam.EvaluateIdentity(p.policies, r)
	if d.Verdict == iam.Denied {
		return Permit{Answer: No}
	}
	result := Permit{Answer: Yes}
	sure, alternatives := false, []string{}
	for i := range p.policies.Identity {
		named := &p.policies.Identity[i]
		for j := range named.Policy.Statements {
			s := &named.Policy.Statements[j]
			if s.Effect != iam.Allow || s.MatchesAction(r.Action) != iam.True || s.MatchesResource(&r) != iam.True || s.MeetsConditions(&r) == iam.False {
				continue
			}
			result.Why = appendNew(result.Why, p.statement(named.Name, s))
			result.Policies = appendNew(result.Policies, named.Name)
			if s.MeetsConditions(&r) == iam.True && len(s.Unknown) == 0 {
				sure = true
			} else {
				alternatives = append(alternatives, strings.Join(s.Unknowns(&r), " and "))
			}
		}
	}
	if len(result.Why) == 0 {
		return Permit{Answer: No} // at most on resources that a variable names
	}
	for i := range p.copies {
		if p.copies[i].Name == p.Boundary {
			result.Why = appendNew(result.Why, p.copies[i].evidence())
		}
	}
	if d.Verdict == iam.Undecided {
		result.Answer = Maybe
		if !sure {
			result.If = append(result.If, "only if "+strings.Join(slices.Compact(alternatives), ", or "))
		}
		result.If = appendNew(result.If, limits(d, &r)...)
	}
	for _, limit := range p.limitsUnread {
		result.Answer = Maybe
		result.If = append(result.If, "as far as "+limit+" lets it, which was not read")
	}
	return result
}

// targets returns the resources that statements of some policies name for an action, and false where they name some by a
// pattern or by leaving some out. It is for leaving out of long lists what cannot be meant.
func targets(policies []iam.Named, action string) (arns []string, literal bool) {
	for i := range policies {
		list := policies[i].Policy.Statements
		for j := range list {
			s := &list[j]
			if s.Effect == iam.Deny || s.MatchesAction(action) == iam.False {
				continue
			}
			if s.Resource == nil || slices.ContainsFunc(s.Resource, func(r string) bool { return strings.ContainsAny(r, "*?$") }) {
				return nil, false
			}
			arns = append(arns, s.Resource...)
		}
	}
	return arns, true
}

// byARN is a list of things that have ARNs.
type byARN[T any] struct {
	all   []T
	index map[string][]T
}

func (l *byARN[T]) add(arn string, item T) {
	if l.index == nil {
		l.index = map[string][]T{}
	}
	l.all = append(l.all, item)
	l.index[arn] = append(l.index[arn], item)
}

// within returns those of a list that the principal may do an action on, as far as its statements tell at a glance.
func within[T any](p *IAMPrincipal, action string, list byARN[T]) []T {
	if !p.may.has(action) || len(list.all) == 0 {
		return nil
	}
	arns, literal := targets(p.policies.Identity, action)
	if !literal {
		return list.all
	}
	var some []T
	slices.Sort(arns)
	for _, arn := range slices.Compact(arns) {
		some = append(some, list.index[arn]...)
	}
	return some
}

// limits prints the conditions under which a deny, a boundary, a session policy or a service control policy stands in the
// way of a request.
func limits(d iam.Decision, r *iam.Request) []string {
	var all []string
	for _, m := range d.By() {
		why := strings.Join(m.Statement.Unknowns(r), " and ")
		switch {
		case m.Statement.Effect == iam.Deny && m.Layer == iam.SCP:
			all = append(all, fmt.Sprintf("unless denied by %s of %s %s, if %s", m.Statement.Name(), m.Layer, m.Policy, why))
		case m.Statement.Effect == iam.Deny:
			all = append(all, fmt.Sprintf("unless denied by %s of %s, if %s", m.Statement.Name(), m.Policy, why))
		case m.Layer != iam.IdentityPolicy:
			all = append(all, fmt.Sprintf("within %s %s only if %s", m.Layer, m.Policy, why))
		}
	}
	return all
}

// shortened cuts a long list of actions. Conditions that matter are printed of their own.
func shortened(text string) string {
	const most = 400
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " …"
}

// appendNew appends what is not there yet.
func appendNew[T comparable](list []T, more ...T) []T {
	for _, m := range more {
		if !slices.Contains(list, m) {
			list = append(list, m)
		}
	}
	return list
}
