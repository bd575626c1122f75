package access

import (
	"cmp"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// AreasOfWhoCan are the areas of a snapshot that WhoCan looks at.
func AreasOfWhoCan() []model.Area {
	return slices.Concat(areasRBAC, areasDoor, []model.Area{model.AreaServiceAccounts, model.AreaPods, model.AreaWorkloads})
}

// WhoCan lists who can make a request: usernames and groups that bindings name, service accounts and what runs as them, IAM
// principals, and kubelets. Anywhere asks for every namespace at once, and each grant has its scope; without it, for
// the request's own. Without a name in the request, those who can make it for certain names only are listed too, and
// their Rule says which.
//
// Each answer is what Check says of that identity. Whoever may only because of what was not read at all is not listed: the
// gaps tell. Sessions of an IAM role are listed where their name makes them more than the role.
func (c *Cluster) WhoCan(r rbac.Request, anywhere bool) []Grant {
	if r.NonResourceURL != "" {
		r = rbac.Request{Verb: r.Verb, NonResourceURL: r.NonResourceURL}
	}
	if anywhere = anywhere && Namespaced(r); anywhere {
		r.Namespace = ""
	}
	q := &query{c: c, r: r, anywhere: anywhere, label: c.label()}
	q.findBindings()
	q.grants = make([]Grant, 0, len(q.accounts)+len(q.users)+len(q.groups)+len(c.AccessEntries)+len(c.Workloads))
	q.subjects()
	q.kubelets()
	q.serviceAccounts()
	q.principals()
	slices.SortFunc(q.grants, compareGrants)
	return q.grants
}

// Namespaced says whether grants in namespaces can allow a request. Namespaces count: a request about one is in it.
func Namespaced(r rbac.Request) bool {
	known, ok := rbac.FindResource(r.Resource, r.APIGroup)
	return r.NonResourceURL == "" && (!ok || known.Namespaced || known.Name == "namespaces")
}

// WhoCanAll is WhoCan for every cluster of the snapshot.
func (a *Access) WhoCanAll(r rbac.Request, anywhere bool) []Grant {
	var all []Grant
	for _, c := range a.Clusters() {
		all = append(all, c.WhoCan(r, anywhere)...)
	}
	return all
}

// compareGrants orders grants of a cluster: allowed before unknown, then by identity and scope.
func compareGrants(a, b Grant) int {
	return cmp.Or(cmp.Compare(a.Verdict, b.Verdict), a.Identity.Compare(b.Identity), cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.What(), b.What()))
}

// query is one request put to one cluster: who is bound to what allows it.
type query struct {
	c        *Cluster
	r        rbac.Request
	anywhere bool
	label    string

	// all are the hits; the maps hold the last of each subject, which leads to those before it. 0 is none.
	all      []hit
	accounts map[name]int32 // service accounts
	users    map[string]int32
	groups   map[string]int32
	bound    []name // the service accounts, in the order of the bindings

	grants []Grant
}

// found is what somebody holds of the request in one place.
type found struct {
	verdict   Verdict
	namespace string // "" is the whole cluster; of access policies it may hold wildcards
	// rule is what is held, where that is less than the request.
	rule          *rbacv1.PolicyRule
	chain         []finding.Evidence
	open, assumed []string
}

// place is where a grant counts: in the request's namespace, if one was asked for.
func (q *query) place(namespace string) string {
	if q.anywhere {
		return namespace
	}
	return q.r.Namespace
}

// everything is what members of system:masters hold.
func (q *query) everything() []found {
	return []found{{verdict: Allowed, namespace: q.r.Namespace, chain: []finding.Evidence{mastersLink}}}
}

// emit answers for an identity.
func (q *query) emit(id Identity, k *KubernetesIdentity, list []found) {
	if id.OfKubernetes() {
		id.Cluster = q.label
	}
	for _, f := range list {
		g := Grant{Identity: id, Verdict: f.verdict, Cluster: q.label, Scope: ScopeOf(f.namespace), Rule: f.rule, Chain: f.chain}
		if k != nil {
			if len(k.Chain) > 0 {
				g.Chain = slices.Concat(k.Chain, f.chain)
			}
			if k.Verdict == Unknown {
				g.Verdict = Unknown
			}
			g.Conditions = k.Assumed
			if g.Verdict == Unknown {
				g.Conditions = k.Open
			}
		}
		if g.Verdict == Unknown {
			g.Conditions = slices.Concat(g.Conditions, f.open)
		} else if len(f.assumed) > 0 {
			g.Conditions = slices.Concat(g.Conditions, f.assumed)
		}
		if notes := q.c.versionNotes(q.r, g.Verdict); notes != nil {
			g.Conditions = slices.Concat(g.Conditions, notes)
		}
		q.grants = append(q.grants, g)
	}
}

// subjects answers for the usernames and groups that bindings name, and for system:masters.
func (q *query) subjects() {
	for u := range q.users {
		id := Identity{Kind: KindUser, Name: u}
		k := asUser(u)
		q.emit(id, &k, q.holds(&k, nil))
	}
	for g := range q.groups {
		if g != rbac.GroupMasters {
			k := asGroup(g)
			q.emit(Identity{Kind: KindGroup, Name: g}, &k, q.holds(&k, nil))
		}
	}
	k := KubernetesIdentity{Verdict: Allowed}
	if q.c.AuthenticationMode() == model.ModeConfigMap {
		k.Chain = []finding.Evidence{fact(q.c.Cluster, "authenticationMode", "the principal that created the cluster is a member; no API names it")}
	}
	q.emit(Identity{Kind: KindGroup, Name: rbac.GroupMasters}, &k, q.everything())
}

// holds is what an identity holds by any authorizer.
func (q *query) holds(k *KubernetesIdentity, policies []*model.PolicyAssociation) []found {
	if slices.Contains(k.Holder.Groups, rbac.GroupMasters) {
		return q.everything()
	}
	h := k.Holder
	if k.various {
		h.User = q.c.nobody()
	}
	var list []found
	if o := q.c.nodeAuthorizer(h, k.Template, q.r); o.verdict == Allowed {
		list = append(list, found{verdict: Allowed, namespace: q.r.Namespace, chain: o.chain})
	}
	list = append(list, q.held(q.hits(h))...)
	for _, p := range policies {
		list = append(list, q.byPolicy(p)...)
	}
	return covered(list)
}

// covered leaves out what another way covers: the whole cluster covers every namespace, allowed covers unknown.
func covered(list []found) []found {
	if len(list) < 2 {
		return list
	}
	var kept []found
	full := map[string]bool{}
	for _, f := range list {
		if f.verdict == Allowed && f.rule == nil && !full[f.namespace] {
			full[f.namespace] = true
			kept = append(kept, f)
		}
	}
	if full[""] {
		return slices.DeleteFunc(kept, func(f found) bool { return f.namespace != "" })
	}
	unknown := map[string]int{} // where kept has what is not known of a place
	for _, f := range list {
		if f.verdict == Allowed && f.rule == nil || full[f.namespace] {
			continue
		}
		if i, have := unknown[f.namespace]; have && f.verdict == Unknown {
			kept[i].open = slices.Concat(kept[i].open, f.open)
			continue
		}
		if f.verdict == Unknown {
			unknown[f.namespace] = len(kept)
		}
		kept = append(kept, f)
	}
	return kept
}

// byPolicy is what an access policy gives, in each place of its scope.
func (q *query) byPolicy(p *model.PolicyAssociation) []found {
	places := []string{""}
	switch {
	case !q.anywhere && !counts(p.Scope, q.r):
		return nil
	case !q.anywhere:
		places = []string{q.r.Namespace}
	case p.Scope.Type != model.ScopeCluster:
		places = p.Scope.Namespaces
	}
	f := found{verdict: Denied}
	rules, published := PolicyRules(p.PolicyARN)
	if !published {
		f = found{verdict: Unknown, open: []string{unpublished(p)}}
	}
	for i := range rules {
		if rbac.Allows(rules[i], q.r) {
			f = found{verdict: Allowed, chain: policyChain(p, ruleText(&rules[i]), i), assumed: doubtPolicy(p)}
			break
		}
	}
	if f.verdict == Denied {
		return nil
	}
	list := make([]found, len(places))
	for i, n := range places {
		list[i] = f
		list[i].namespace = n
	}
	return list
}
