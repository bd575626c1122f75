package access

import (
	"fmt"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// takeoverActions are the actions of which a principal needs one to give itself a cluster.
var takeoverActions = []string{
	"eks:CreateAccessEntry", "eks:AssociateAccessPolicy", "eks:UpdateAccessEntry", "eks:AssociateIdentityProviderConfig", "eks:CreateCapability",
	"eks:CreateAddon", "eks:UpdateAddon", "eks:CreateNodegroup", "iam:UpdateAssumeRolePolicy", "iam:CreateAccessKey", "iam:CreateLoginProfile",
	"iam:UpdateLoginProfile", "iam:CreateRole", "iam:CreateUser", "iam:PassRole", "ssm:StartSession", "ssm:SendCommand",
}

// Takeover is a way by which an IAM principal gives itself a cluster.
type Takeover struct {
	// ID is stable.
	ID string
	// Title completes "can …".
	Title string
	// Short says what the way leaves open to the whole cluster, or "".
	Short string
	Permit
}

// Takeovers knows about one cluster what decides who can give it to itself.
type Takeovers struct {
	cluster *Cluster
	subject *OpenSubject
	mode    string

	admins  map[string]*MappedAdmin // by ARN
	roles   byARN[*MappedAdmin]     // that exist and can be changed
	users   byARN[*MappedAdmin]     // that exist
	names   byARN[*MappedAdmin]     // that rows of aws-auth let in
	passing []passedAdmin
}

// Takeovers prepares to ask principals of the cluster's account.
func (c *Cluster) Takeovers() *Takeovers {
	t := &Takeovers{cluster: c, subject: c.OpenSubject(), mode: c.AuthenticationMode(), admins: map[string]*MappedAdmin{}}
	for _, m := range c.MappedAdmins() {
		t.admins[m.ARN] = m
		if m.protected() {
			continue
		}
		if m.ByName && m.Presence != Unread {
			t.names.add(m.ARN, m)
		}
		switch {
		case m.Presence == Absent:
		case m.IsRole:
			t.roles.add(m.ARN, m)
		default:
			t.users.add(m.ARN, m)
		}
	}
	t.passing = t.passable()
	return t
}

// Mapped returns why a principal is already let in with strong powers, or nil.
func (t *Takeovers) Mapped(p *IAMPrincipal) []finding.Evidence {
	if m := t.admins[p.ARN]; m != nil {
		return m.Why
	}
	return nil
}

// Of returns the ways by which a principal can give itself the cluster, as far as its own policies and boundary tell. Once
// one is certain and gives the whole cluster, lesser ones are left out.
func (t *Takeovers) Of(p *IAMPrincipal) []Takeover {
	if t.cluster.ARN == "" || !p.may.hasAny(takeoverActions) {
		return nil
	}
	var found []Takeover
	whole := false
	for _, way := range []func(*IAMPrincipal) Takeover{
		t.entryWithPolicy, t.ownEntryPolicy, t.entryWithSubject, t.ownEntrySubject, t.inherit, t.inheritByName, t.passMapped, t.identityProvider,
		t.othersEntry, t.capability, t.addon, t.node, t.nodegroup,
	} {
		w := way(p)
		if w.Answer == No || w.Title == "" || whole && (w.Short != "" || w.Answer == Maybe || strings.HasSuffix(w.ID, "-group")) {
			continue
		}
		whole = whole || w.Answer == Yes && w.Short == ""
		found = append(found, w)
	}
	return found
}

// The access policies that give a cluster: everything, and everything but cluster-wide objects and RBAC of others.
var takeoverPolicies = []string{"AmazonEKSClusterAdminPolicy", "AmazonEKSAdminPolicy"}

// about is the context of a request about the cluster itself.
func (t *Takeovers) about(p *IAMPrincipal) *iam.Context {
	c := p.context.Clone().Set("eks:clusterName", t.cluster.Name)
	if d := t.cluster.Description; d != nil {
		withTags(c, resourceTag, d.Tags)
	}
	return c
}

// opened are the asks without which the cluster takes no access entries: in mode CONFIG_MAP somebody must change it first.
func (t *Takeovers) opened(p *IAMPrincipal) []ask {
	if t.mode != model.ModeConfigMap {
		return nil
	}
	return []ask{{"eks:UpdateClusterConfig", t.cluster.ARN, t.about(p).Set("eks:authenticationMode", model.ModeAPIConfigMap)}}
}

// after says so in a title.
func (t *Takeovers) after() string {
	if t.mode == model.ModeConfigMap {
		return "change the authentication mode, then "
	}
	return ""
}

// entryWithPolicy: an access entry for itself with a strong access policy.
func (t *Takeovers) entryWithPolicy(p *IAMPrincipal) Takeover {
	if t.cluster.AccessEntry(p.ARN) != nil || !p.may.has("eks:CreateAccessEntry") || !p.may.has("eks:AssociateAccessPolicy") {
		return Takeover{Permit: Permit{Answer: No}}
	}
	best := Takeover{Permit: Permit{Answer: No}}
	for _, policy := range takeoverPolicies {
		for _, arn := range []string{p.ARN, ""} { // "" is some other principal, where conditions ask for one
			asks := append(t.opened(p), t.create(p, arn), t.associate(p, arn, policy, nil))
			if permit := p.can(asks...); better(permit, best.Permit) {
				whose := "itself"
				if arn == "" {
					whose = "a principal that its conditions let it"
				}
				best = Takeover{ID: "access-entry", Title: t.after() + "create an access entry for " + whose + " and associate " + policy + " with it", Permit: permit}
			}
		}
	}
	return best
}

// better says whether an answer says more than one before.
func better(a, b Permit) bool {
	return b.Answer == No && a.Answer != No || b.Answer == Maybe && a.Answer == Yes
}

// create asks for an access entry of a principal, "" for one not known.
func (t *Takeovers) create(p *IAMPrincipal, principal string) ask {
	c := t.about(p).Set("eks:accessEntryType", model.EntryStandard)
	if principal != "" {
		c.Set("eks:principalArn", principal).SetAbsent("eks:kubernetesGroups")
	}
	return ask{"eks:CreateAccessEntry", t.cluster.ARN, c}
}

// associate asks for an access policy in the whole cluster on the access entry of a principal, which may be there already.
func (t *Takeovers) associate(p *IAMPrincipal, principal, policy string, e *model.AccessEntry) ask {
	c := p.context.Clone().Set("eks:clusterName", t.cluster.Name).Set("eks:accessScope", model.ScopeCluster).SetAbsent("eks:namespaces").
		Set("eks:policyArn", "arn:"+p.arn.Partition+":eks::aws:cluster-access-policy/"+policy)
	t.entryKeys(c, principal, e)
	return ask{"eks:AssociateAccessPolicy", t.entryARN(principal, e), c}
}

// entryKeys are the condition keys of an access entry as a resource.
func (t *Takeovers) entryKeys(c *iam.Context, principal string, e *model.AccessEntry) {
	c.Set("eks:accessEntryType", model.EntryStandard)
	if principal != "" {
		c.Set("eks:principalArn", principal)
	}
	if e == nil {
		return
	}
	withTags(c, resourceTag, e.Tags).Set("eks:kubernetesGroups", e.Groups...)
	if e.Username != "" {
		c.Set("eks:username", e.Username)
	}
}

// entryARN is the ARN of a principal's access entry: its own, or what EKS would make of it up to the unique end.
func (t *Takeovers) entryARN(principal string, e *model.AccessEntry) string {
	if e != nil && e.ARN != "" {
		return e.ARN
	}
	arn, err := iam.ParseARN(principal)
	kind := "role"
	if err == nil && arn.IsUser() {
		kind = "user"
	}
	owner, n := t.cluster.Account, anyName
	if err == nil {
		owner, n = arn.Account, arn.Name()
	}
	c := t.cluster
	return fmt.Sprintf("arn:%s:eks:%s:%s:access-entry/%s/%s/%s/%s/%s", c.Partition, c.Region, c.Account, c.Name, kind, owner, n, anyName)
}

// ownEntryPolicy: a strong access policy on the entry that it has.
func (t *Takeovers) ownEntryPolicy(p *IAMPrincipal) Takeover {
	e := t.cluster.AccessEntry(p.ARN)
	best := Takeover{Permit: Permit{Answer: No}}
	if e == nil || e.IsNode() || !p.may.has("eks:AssociateAccessPolicy") {
		return best
	}
	for _, policy := range takeoverPolicies {
		if permit := p.can(t.associate(p, p.ARN, policy, e)); better(permit, best.Permit) {
			permit.Why = append(permit.Why, fact(e, "principalArn", "has an access entry"))
			best = Takeover{ID: "own-entry", Title: "associate " + policy + " with the access entry that it has", Permit: permit}
		}
	}
	return best
}

// entryWithSubject: an access entry for itself with a group or username that RBAC binds strongly.
func (t *Takeovers) entryWithSubject(p *IAMPrincipal) Takeover {
	if t.subject == nil || t.cluster.AccessEntry(p.ARN) != nil || !p.may.has("eks:CreateAccessEntry") {
		return Takeover{Permit: Permit{Answer: No}}
	}
	q := t.create(p, p.ARN)
	t.subject.set(q.context)
	permit := p.can(append(t.opened(p), q)...)
	permit.Why = append(permit.Why, t.subject.Why)
	return Takeover{ID: "access-entry-group", Permit: permit, Title: fmt.Sprintf("%screate an access entry for itself with %s, which can %s",
		t.after(), t.subject, t.subject.Power)}
}

// String names the subject for people.
func (s *OpenSubject) String() string { return strings.ToLower(s.Kind) + " " + s.Name }

// set makes the condition keys of a request say that it asks for the subject.
func (s *OpenSubject) set(c *iam.Context) {
	if s.Kind == rbacGroup {
		c.Set("eks:kubernetesGroups", s.Name)
	} else {
		c.Set("eks:username", s.Name).SetAbsent("eks:kubernetesGroups")
	}
}

// ownEntrySubject: a strong group or username for the entry that it has. Whether the keys of UpdateAccessEntry hold the new
// or the stored groups is not published: they stay unknown.
func (t *Takeovers) ownEntrySubject(p *IAMPrincipal) Takeover {
	e := t.cluster.AccessEntry(p.ARN)
	if t.subject == nil || e == nil || e.IsNode() || !p.may.has("eks:UpdateAccessEntry") {
		return Takeover{Permit: Permit{Answer: No}}
	}
	c := p.context.Clone().Set("eks:clusterName", t.cluster.Name)
	t.entryKeys(c, p.ARN, e)
	c.SetUnknown("eks:kubernetesGroups").SetUnknown("eks:username")
	permit := p.can(ask{"eks:UpdateAccessEntry", t.entryARN(p.ARN, e), c})
	permit.Why = append(permit.Why, t.subject.Why)
	return Takeover{ID: "own-entry-group", Permit: permit, Title: fmt.Sprintf("give the access entry that it has %s, which can %s", t.subject, t.subject.Power)}
}

// othersEntry: a strong access policy, or group, on somebody else's entry.
func (t *Takeovers) othersEntry(p *IAMPrincipal) Takeover {
	none := Takeover{Permit: Permit{Answer: No}}
	associates, updates := p.may.has("eks:AssociateAccessPolicy"), p.may.has("eks:UpdateAccessEntry") && t.subject != nil
	if !associates && !updates {
		return none
	}
	best := none
	for _, e := range t.cluster.AccessEntries {
		if e.IsNode() || e.PrincipalARN == p.ARN || t.cluster.ServiceOwned(e.PrincipalARN) != "" {
			continue
		}
		permit := Permit{Answer: No}
		if associates {
			permit = p.can(t.associate(p, e.PrincipalARN, takeoverPolicies[0], e))
		}
		if permit.Answer != Yes && updates {
			c := p.context.Clone().Set("eks:clusterName", t.cluster.Name)
			t.entryKeys(c, e.PrincipalARN, e)
			c.SetUnknown("eks:kubernetesGroups").SetUnknown("eks:username")
			if other := p.can(ask{"eks:UpdateAccessEntry", t.entryARN(e.PrincipalARN, e), c}); better(other, permit) {
				permit = other
			}
		}
		if better(permit, best.Permit) {
			best = Takeover{
				ID: "others-entry", Title: "make another principal that has an access entry cluster admin, such as " + e.PrincipalARN,
				Short: "it must be, or be able to become, that principal", Permit: permit,
			}
		}
		if best.Answer == Yes {
			break
		}
	}
	return best
}

// identityProvider: an OIDC provider whose tokens say who their bearer is. A cluster has at most one.
func (t *Takeovers) identityProvider(p *IAMPrincipal) Takeover {
	asks := []ask{{"eks:AssociateIdentityProviderConfig", t.cluster.ARN, t.about(p)}}
	title := "associate an OIDC provider of its own, whose tokens claim any username and group that RBAC binds"
	for _, i := range t.cluster.IdentityProviders {
		if i.ARN != "" {
			asks = append(asks, ask{"eks:DisassociateIdentityProviderConfig", i.ARN, p.context.Clone().Set("eks:clusterName", t.cluster.Name)})
			title = "replace the cluster's OIDC provider by its own, whose tokens claim any username and group that RBAC binds"
		}
	}
	w := Takeover{ID: "identity-provider", Title: title, Permit: p.can(asks...)}
	if t.subject != nil {
		w.Why = append(w.Why, t.subject.Why)
	} else {
		w.Short = "no group or user was found that an issuer may claim and that is bound to much"
	}
	return w
}
