package access

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/awsdata"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// WaysOf returns the powers that rules give where they are bound ("" is the whole cluster), each in every way that is open
// in the cluster's version of Kubernetes.
func (c *Cluster) WaysOf(rules []rbacv1.PolicyRule, namespace string) []rbac.Held {
	return slices.DeleteFunc(slices.Clone(c.all.powersOf(rules)), func(h rbac.Held) bool { return !c.open(h.Way) || !countsIn(h.Way, namespace) })
}

// NamedSubjects returns the service accounts that conditions of a trust policy name for an issuer, wildcards aside, as
// namespace and name. Whether they get in is for WebIdentity to say.
func (t *Trust) NamedSubjects(issuer string) [][2]string {
	var all [][2]string
	for i := range t.policy.Statements {
		for _, c := range t.policy.Statements[i].Conditions {
			if !strings.EqualFold(c.Key, issuer+":sub") {
				continue
			}
			for _, v := range c.Values {
				namespace, n, ok := strings.Cut(strings.TrimPrefix(v, subjectPrefix), ":")
				if ok && strings.HasPrefix(v, subjectPrefix) && !strings.ContainsAny(v, "*?") {
					all = append(all, [2]string{namespace, n})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(all)
}

// TrustingService returns the roles of an account whose trust policy may let a service take them.
func (a *Access) TrustingService(account, service string) []string {
	var arns []string
	for _, r := range a.trusting(account, service).all {
		arns = append(arns, r.ARN)
	}
	return arns
}

// Ask is one question about an IAM principal: may it do this?
type Ask struct {
	Action, Resource string
	// PassedTo is the service that gets the role, for iam:PassRole.
	PassedTo string
}

// May asks several questions that must all be answered yes, by the principal's own policies and within its boundary.
func (p *IAMPrincipal) May(asks ...Ask) Permit {
	all := make([]ask, len(asks))
	for i, q := range asks {
		all[i] = ask{action: q.Action, resource: q.Resource}
		if q.PassedTo != "" {
			all[i].context = p.passing(q.PassedTo)
		}
	}
	return p.can(all...)
}

// Targets returns the resources that the principal's statements name for an action, as patterns: a "*" matches any run of
// characters. It tells at a glance where asking is worth while: what is in none of them is not allowed.
func (p *IAMPrincipal) Targets(action string) []string {
	if !p.may.has(action) {
		return nil
	}
	var patterns []string
	for i := range p.policies.Identity {
		list := p.policies.Identity[i].Policy.Statements
		for j := range list {
			s := &list[j]
			if s.Effect != iam.Allow || s.MatchesAction(action) == iam.False {
				continue
			}
			if s.Resource == nil { // all but some
				return []string{"*"}
			}
			patterns = append(patterns, s.Resource...)
		}
	}
	slices.Sort(patterns)
	return slices.Compact(patterns)
}

// Pass is a way to run code with a role: handing it to a service that runs code.
type Pass struct {
	// ID is that of the privilege of doing it with any role.
	ID, Title, Service string
	ways               [][]need
}

// Passes lists the ways to run code with a role that is passed.
func Passes() []Pass {
	var all []Pass
	for i := range privileges {
		for _, way := range privileges[i].ways {
			service := passesTo(way)
			if service == "" {
				continue
			}
			if n := len(all); n > 0 && all[n-1].ID == privileges[i].id {
				all[n-1].ways = append(all[n-1].ways, way)
				continue
			}
			all = append(all, Pass{privileges[i].id, privileges[i].title, service, [][]need{way}})
		}
	}
	return all
}

// CanPass says whether a principal can run code with a role in one way, or with any role where it is "".
func (p *IAMPrincipal) CanPass(x Pass, region, role string) Permit {
	best := Permit{Answer: No}
	for _, way := range x.ways {
		permit := p.throughRole(way, region, role)
		if better(permit, best) {
			best = permit
		}
	}
	return best
}

// Account says whether the trust policy leaves it to an account who takes the role: it asks as a role of the account that
// nobody has.
func (t *Trust) Account(id string) Entry {
	return t.ask(iam.RoleSession("arn:"+t.arn.Partition+":iam::"+id+":role/"+stranger, ""), new(iam.Context), chosenByBearer, "sts:AssumeRole")
}

// Service says whether the trust policy lets a service take the role.
func (t *Trust) Service(service string) Entry {
	return t.ask(iam.ServicePrincipal(service), new(iam.Context), none, "sts:AssumeRole")
}

// ReadHops is Hops for roles whose trust policy was read. With named it leaves those out that leave it to the session's own
// account who takes them, and that are of this account, for sessions that may take any of these.
func (a *Access) ReadHops(s AWSSession, named bool) []Hop {
	var all []Hop
	x := a.ways()
	some := x.assumable(&s)
	if named {
		some = x.naming(&s)
		for _, role := range x.accounts[s.Principal.Account] {
			if arn, err := iam.ParseARN(role.ARN); err == nil && arn.Account != s.Principal.Account {
				some = append(some, role)
			}
		}
	}
	for _, role := range some {
		if a.Trust(role) == nil {
			continue
		}
		if h := a.hop(&s, role); h.Verdict != Denied {
			all = append(all, h)
		}
	}
	return all
}

// Outsider is somebody outside of a snapshot whom a trust policy may let in.
type Outsider struct {
	// Principal is an ARN, an account or "*" as the trust policy writes it, or the ARN of an OIDC provider.
	Principal string
	Provider  bool
	Entry
}

// Outsiders returns whom a trust policy may let in of accounts and through OIDC providers that are not known: principals
// that it names, and whoever gets a token of a provider.
func (t *Trust) Outsiders(known func(account string) bool, issuer func(string) bool) []Outsider {
	var all []Outsider
	add := func(o Outsider) {
		if !o.Not() && !slices.ContainsFunc(all, func(x Outsider) bool { return x.Principal == o.Principal }) {
			all = append(all, o)
		}
	}
	for i := range t.policy.Statements {
		s := &t.policy.Statements[i]
		if s.Effect != iam.Allow || s.Principal == nil {
			continue
		}
		names := s.Principal.AWS
		if s.Principal.Everyone {
			names = append([]string{"*"}, names...)
		}
		for _, text := range names {
			if account := iam.ParsePrincipal(text).Account; text == "*" || account != "" && !known(account) {
				add(Outsider{Principal: text, Entry: t.ask(t.outsider(text), new(iam.Context), chosenByBearer, "sts:AssumeRole")})
			}
		}
		for _, f := range s.Principal.Federated {
			if _, name, ok := strings.Cut(f, ":oidc-provider/"); ok && !issuer(name) {
				c := new(iam.Context).Set("aws:FederatedProvider", f).Set(name+":aud", IRSAAudience)
				add(Outsider{Principal: f, Provider: true, Entry: t.ask(iam.FederatedPrincipal(f), c, chosenByBearer, webIdentityAction)})
			}
		}
	}
	return all
}

// outsider is whoever a principal element means: of an account, or of everybody, a role that nobody has.
func (t *Trust) outsider(text string) iam.Principal {
	p := iam.ParsePrincipal(text)
	account := p.Account
	if text == "*" {
		account = "000000000000"
	} else if p.Kind != iam.RootUser {
		return p
	}
	return iam.RoleSession("arn:"+t.arn.Partition+":iam::"+account+":role/"+stranger, "")
}

// ActionsOn lists the known actions on resources of an ARN's kind, those first that read or change what they hold.
func ActionsOn(arn string) []string {
	parsed, err := iam.ParseARN(arn)
	if err != nil {
		return nil
	}
	service, ok := awsdata.Service(parsed.Service)
	if !ok {
		return nil
	}
	kind, literal := "", -1 // the kind whose form says most
	for _, t := range service.ResourceTypes {
		for _, form := range t.ARNs {
			if n := fits(form, arn); n > literal {
				kind, literal = t.Name, n
			}
		}
	}
	levels := []string{"Read", "Write", "Permissions management", "List", "Tagging"}
	byLevel := make([][]string, len(levels)+1)
	for _, action := range service.Actions() {
		info, _ := awsdata.Action(action)
		if !slices.ContainsFunc(info.ResourceTypes, func(r awsdata.ActionResource) bool { return r.Type == kind }) {
			continue
		}
		n := slices.Index(levels, info.AccessLevel)
		if n < 0 {
			n = len(levels)
		}
		byLevel[n] = append(byLevel[n], info.Name)
	}
	return slices.Concat(byLevel...)
}

// fits says how many characters of a form of the Service Authorization Reference, in which ${Name} stands for any text, an ARN
// has literally, or -1 where it is not of that form.
func fits(form, arn string) int {
	literal := 0
	first := true
	for form != "" {
		text, rest, variable := strings.Cut(form, "${")
		i := strings.Index(arn, text)
		if i < 0 || first && i > 0 {
			return -1
		}
		literal, first = literal+len(text), false
		arn = arn[i+len(text):]
		if !variable {
			if arn != "" {
				return -1
			}
			break
		}
		_, form, _ = strings.Cut(rest, "}")
	}
	return literal
}

// UseOf returns the first of some actions that the principal's own policies let it do on a resource for certain, or else the
// first that they may; the permit's answer No means none.
func (p *IAMPrincipal) UseOf(arn string, actions []string) (action string, permit Permit) {
	permit = Permit{Answer: No}
	if !slices.ContainsFunc(p.policies.Identity, func(named iam.Named) bool {
		return slices.ContainsFunc(named.Policy.Statements, func(s iam.Statement) bool {
			return s.Effect == iam.Allow && s.MatchesResource(&iam.Request{Principal: p.who, Resource: arn, Context: p.context}) == iam.True
		})
	}) {
		return "", permit
	}
	for _, a := range actions {
		if one := p.can(ask{action: a, resource: arn}); better(one, permit) {
			action, permit = a, one
		}
		if permit.Answer == Yes {
			break
		}
	}
	return action, permit
}

// Dead says why an access entry lets nobody in, or nil: its principal is gone, or was created again after the entry was made.
func (c *Cluster) Dead(e *model.AccessEntry) []finding.Evidence { return c.dead(e) }

// HasProvider says whether a role's account has the OIDC provider that tokens of an issuer go through.
func (a *Access) HasProvider(t *Trust, issuer string) Presence {
	switch {
	case a.OIDCProvider(t.Provider(issuer)) != nil:
		return Present
	case a.read(t.arn.Account, model.AreaOIDCProviders):
		return Absent
	}
	return Unread
}
