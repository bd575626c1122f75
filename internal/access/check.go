package access

import (
	"fmt"
	"slices"

	"drawbridge/internal/awsdata"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// Check answers what a SubjectAccessReview would for an identity: Node authorizer, RBAC and the access policies of its
// access entry, any of which may allow. User and Groups of the request are not looked at. An IAM role without a
// session is allowed what a session name of somebody's choice makes possible; the conditions name that session.
//
// What was not read makes the answer unknown where it could change it, never allowed.
func (c *Cluster) Check(id Identity, r rbac.Request) Grant {
	if r.NonResourceURL != "" {
		r = rbac.Request{Verb: r.Verb, NonResourceURL: r.NonResourceURL}
	}
	k := c.Kubernetes(id)
	g := Grant{Identity: id, Verdict: k.Verdict, Cluster: c.label(), Scope: ScopeOf(r.Namespace), Chain: k.Chain}
	if id.OfKubernetes() {
		g.Identity.Cluster = g.Cluster
	}
	if k.Verdict != Denied {
		o := c.opinionOf(&k, r)
		g.settle(&k, o)
		g.Conditions = append(g.Conditions, c.versionNotes(r, g.Verdict)...)
	}
	return g
}

// settle puts together how an identity gets in and what may be done as it.
func (g *Grant) settle(k *KubernetesIdentity, o opinion) {
	g.Chain = slices.Concat(k.Chain, o.chain)
	switch {
	case o.verdict == Allowed && k.Verdict == Allowed:
		g.Verdict, g.Conditions = Allowed, slices.Concat(k.Assumed, o.assumed)
	case o.verdict == Denied && (k.fallsOut || k.Verdict == Allowed && len(k.Open) == 0):
		g.Verdict, g.Chain = Denied, append(g.Chain, k.noGrant())
	default:
		g.Verdict, g.Conditions = Unknown, slices.Concat(k.Open, o.open)
	}
}

// opinion is what the authorizers say of a request.
type opinion struct {
	verdict       Verdict // denied: none of them allows it
	chain         []finding.Evidence
	open, assumed []string
}

// opinionOf asks for an identity, and then for its sessions whose names make it somebody else.
func (c *Cluster) opinionOf(k *KubernetesIdentity, r rbac.Request) opinion {
	h := k.Holder
	if k.various {
		h.User = c.nobody()
	}
	o := c.authorize(h, k.Template, k.Policies, r)
	if o.verdict == Allowed {
		return o
	}
	for _, s := range k.Sessions {
		made := c.authorize(s.Holder, "", nil, r)
		if made.verdict == Allowed {
			made.assumed = append(made.assumed, isNamed(s))
			return made
		}
		if made.verdict == Unknown && o.verdict == Denied {
			o = made
		}
	}
	for _, h := range k.maybe {
		if made := c.authorize(h, "", nil, r); made.verdict != Denied && o.verdict == Denied {
			o = opinion{verdict: Unknown, chain: made.chain, open: []string{everIs(h)}}
		}
	}
	if o.verdict == Denied && k.otherwise != nil && c.opinionOf(k.otherwise, r).verdict != Denied {
		return opinion{verdict: Unknown, open: []string{recreated}}
	}
	return o
}

const recreated = "whether it was created again after its access entry was made: then aws-auth lets it in, and as somebody else"

func everIs(h rbac.Holder) string {
	return "whether it is ever " + nameOr(h.User, "a user") + inGroups(h.Groups)
}

// nobody is a username that no binding names.
func (c *Cluster) nobody() string {
	n := "\x00"
	for {
		if _, named := slices.BinarySearch(c.rbac().subjects().users, n); !named {
			return n
		}
		n += "\x00"
	}
}

// authorize asks each authorizer for a holder, in the API server's order; the first that allows decides. The template is
// the holder's username where sessions fill it in.
func (c *Cluster) authorize(h rbac.Holder, template string, policies []*model.PolicyAssociation, r rbac.Request) opinion {
	if slices.Contains(h.Groups, rbac.GroupMasters) {
		return opinion{verdict: Allowed, chain: []finding.Evidence{mastersLink}}
	}
	var open []string
	for _, ask := range []func() opinion{
		func() opinion { return c.nodeAuthorizer(h, template, r) },
		func() opinion { return c.byRBAC(h, r) },
		func() opinion { return c.byPolicies(policies, r) },
	} {
		o := ask()
		if o.verdict == Allowed {
			return o
		}
		open = append(open, o.open...)
	}
	if len(open) > 0 {
		return opinion{verdict: Unknown, open: open}
	}
	return opinion{verdict: Denied}
}

var mastersLink = finding.Evidence{Text: "may do everything, whatever the bindings say", Source: "Group " + rbac.GroupMasters}

// byRBAC asks the RBAC authorizer.
func (c *Cluster) byRBAC(h rbac.Holder, r rbac.Request) opinion {
	r.User, r.Groups = h.User, h.Groups
	if decision, grant := c.RBAC().Authorize(r); decision == rbac.Allowed {
		return opinion{verdict: Allowed, chain: c.Chain(grant), assumed: c.doubtRole(grant.Role)}
	}
	open := c.unreadBindings(r.Namespace)
	for _, b := range c.RBAC().BoundIn(h, r.Namespace) {
		switch role := c.RBAC().Role(b); {
		case role == nil:
			open = append(open, c.missingRole(b))
		case role.Namespace == "" && c.rbac().partial[role.Name] && !c.Complete(model.AreaClusterRoles):
			open = append(open, "the rules of ClusterRole "+role.Name+", which is aggregated from ClusterRoles that were not all read")
		}
	}
	if len(open) > 0 {
		return opinion{verdict: Unknown, open: open}
	}
	return opinion{verdict: Denied}
}

const clusterAdminAssumed = "ClusterRole cluster-admin, which was not read, has the rules with which API servers make it"

// doubtRole says so where a role is not from the input.
func (c *Cluster) doubtRole(r *rbac.Role) []string {
	if r.Namespace == "" && r.Name == clusterAdmin.Name && c.rbac().assumed {
		return []string{clusterAdminAssumed}
	}
	return nil
}

// missingRole says what a binding to a role that is not there leaves open.
func (c *Cluster) missingRole(b *rbac.Binding) string {
	area, role := model.AreaClusterRoles, "ClusterRole "+b.RoleRef.Name
	if b.RoleRef.Kind != "ClusterRole" {
		area, role = model.AreaRoles, b.RoleRef.Kind+" "+qualified(b.Namespace, b.RoleRef.Name)
	}
	why := "which was not read"
	if c.Complete(area) {
		why = "which is not in the input"
	}
	return fmt.Sprintf("the rules of %s, %s and which %s %s binds", role, why, b.Kind(), qualified(b.Namespace, b.Name))
}

// unreadBindings says which bindings that count in a namespace may be missing from the snapshot.
func (c *Cluster) unreadBindings(namespace string) []string {
	var open []string
	if !c.Complete(model.AreaClusterRoleBindings) {
		open = append(open, "the ClusterRoleBindings, which were not all read")
	}
	if namespace != "" && !c.Complete(model.AreaRoleBindings) {
		open = append(open, "the RoleBindings, which were not all read")
	}
	return open
}

// byPolicies asks the access policies of an access entry.
func (c *Cluster) byPolicies(policies []*model.PolicyAssociation, r rbac.Request) opinion {
	var open []string
	for _, p := range policies {
		if !counts(p.Scope, r) {
			continue
		}
		rules, published := PolicyRules(p.PolicyARN)
		if !published {
			open = append(open, unpublished(p))
			continue
		}
		for i := range rules {
			if rbac.Allows(rules[i], r) {
				return opinion{verdict: Allowed, chain: policyChain(p, ruleText(&rules[i]), i), assumed: doubtPolicy(p)}
			}
		}
	}
	if len(open) > 0 {
		return opinion{verdict: Unknown, open: open}
	}
	return opinion{verdict: Denied}
}

func unpublished(p *model.PolicyAssociation) string {
	return "the rules of access policy " + p.PolicyName() + ", which AWS does not publish"
}

// counts says whether an access scope reaches a request: one of namespaces reaches what is in a namespace only.
func counts(s model.AccessScope, r rbac.Request) bool {
	return s.Type == model.ScopeCluster || r.Namespace != "" && s.Covers(r.Namespace)
}

// policyChain leads from an access entry over a policy association to a rule of the access policy.
func policyChain(p *model.PolicyAssociation, rule string, i int) []finding.Evidence {
	return []finding.Evidence{
		{Text: fmt.Sprintf("associates %s with %s", p.PolicyName(), p.Scope), Source: "AccessEntry " + p.PrincipalARN + " associatedAccessPolicies"},
		{Text: rule + ", as AWS published it by " + awsdata.AccessPoliciesDate(), Source: fmt.Sprintf("access policy %s rules[%d]", p.PolicyName(), i)},
	}
}

// doubtPolicy says so where the rules of an access policy are known from somebody other than AWS.
func doubtPolicy(p *model.PolicyAssociation) []string {
	if known, ok := awsdata.LookupAccessPolicy(p.PolicyARN); ok && known.Confidence != "aws-docs" {
		return []string{"access policy " + p.PolicyName() + " has the rules that others than AWS tell of"}
	}
	return nil
}

// noGrant says what was looked at in vain.
func (k *KubernetesIdentity) noGrant() finding.Evidence {
	who := "username " + k.Holder.User
	if k.various {
		who = "its username"
	}
	text := "no binding of " + who + inGroups(k.Holder.Groups) + " allows it"
	for _, p := range k.Policies {
		text += fmt.Sprintf(", nor does %s on %s", p.PolicyName(), p.Scope)
	}
	return finding.Evidence{Text: text, Source: "RBAC and access policies"}
}

// CheckAll is Check for every cluster of the snapshot. Clusters known to lack a service account, pod or workload are left
// out while another may have it.
func (a *Access) CheckAll(id Identity, r rbac.Request) []Grant {
	var answers, elsewhere []Grant
	for _, c := range a.Clusters() {
		if g := c.Check(id, r); c.lacks(id) {
			elsewhere = append(elsewhere, g)
		} else {
			answers = append(answers, g)
		}
	}
	if len(answers) == 0 {
		return elsewhere
	}
	return answers
}

// lacks says whether a service account, pod or workload is known not to be in the cluster.
func (c *Cluster) lacks(id Identity) bool {
	switch id.Kind {
	case KindServiceAccount:
		_, presence := c.ServiceAccount(id.Namespace, id.Name)
		return presence == Absent
	case KindPod:
		return c.pod(id) == nil && c.Complete(model.AreaPods)
	case KindWorkload:
		return c.workload(id) == nil && c.Complete(model.AreaWorkloads)
	}
	return false
}

// label is how results call the cluster.
func (c *Cluster) label() string { return c.all.snapshot.Label(c.Cluster) }
