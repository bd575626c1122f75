package access

import (
	"cmp"
	"maps"
	"slices"
	"strings"

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

	grants []Grant
}

// hit is a binding that allows the request, or whose role is missing.
type hit struct {
	role                   *rbac.Role // nil where it is missing
	binding, subject, rule int32
	before                 int32 // the hit of the same subject before this one
	// narrow says that the rule is for certain names only.
	narrow bool
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

// findBindings files every binding that bears on the request under its subjects.
func (q *query) findBindings() {
	index := q.c.RBAC()
	q.all = make([]hit, 1, len(index.Bindings())+1)
	q.accounts, q.users, q.groups = map[name]int32{}, map[string]int32{}, map[string]int32{}
	for i := range index.Bindings() {
		b := &index.Bindings()[i]
		if b.Namespace != "" && (q.r.NonResourceURL != "" || !q.anywhere && b.Namespace != q.r.Namespace) {
			continue
		}
		role := index.Role(b)
		if role == nil {
			q.file(b, hit{binding: int32(i)}) //nolint:gosec // no cluster has two thousand million bindings
			continue
		}
		q.rules(role, func(h hit) {
			h.binding, h.role = int32(i), role //nolint:gosec // as above
			q.file(b, h)
		})
	}
}

// rules are the first rule of a role that allows the request, or, if the request names no object, those that allow it for
// certain names.
func (q *query) rules(role *rbac.Role, found func(hit)) {
	named := false
	for i := range role.Rules {
		rule := &role.Rules[i]
		named = named || len(rule.ResourceNames) > 0
		if rbac.Allows(*rule, q.r) {
			found(hit{rule: int32(i)}) //nolint:gosec // as above
			return
		}
	}
	if !named || q.r.Name != "" || q.r.NonResourceURL != "" {
		return
	}
	for i := range role.Rules {
		if rule := &role.Rules[i]; len(rule.ResourceNames) > 0 {
			named := q.r
			named.Name = rule.ResourceNames[0]
			if rbac.Allows(*rule, named) {
				found(hit{rule: int32(i), narrow: true}) //nolint:gosec // as above
			}
		}
	}
}

// file puts a hit under each subject of its binding.
func (q *query) file(b *rbac.Binding, h hit) {
	for i, s := range b.Subjects {
		h.subject = int32(i)   //nolint:gosec // as above
		n := int32(len(q.all)) //nolint:gosec // as above
		switch s.Kind {
		case rbacv1.GroupKind:
			h.before, q.groups[s.Name] = q.groups[s.Name], n
		case rbacv1.UserKind, rbacv1.ServiceAccountKind:
			sa, user := subjectAccount(s, b.Namespace)
			switch {
			case sa.name != "":
				h.before, q.accounts[sa] = q.accounts[sa], n
			case user != "" || s.Kind == rbacv1.UserKind:
				h.before, q.users[user] = q.users[user], n
			default:
				continue
			}
		default:
			continue
		}
		q.all = append(q.all, h)
	}
}

// subjectAccount is the service account that a subject stands for, by its kind or by its username, or else the username.
func subjectAccount(s rbacv1.Subject, namespace string) (name, string) {
	if s.Kind == rbacv1.ServiceAccountKind {
		if s.Namespace != "" {
			namespace = s.Namespace
		}
		if namespace != "" && s.Name != "" && !strings.Contains(namespace, ":") && !strings.Contains(s.Name, ":") {
			return name{namespace, s.Name}, ""
		}
	}
	user, _ := rbac.Names(s, namespace)
	return accountOf(user), user
}

// accountOf is the service account of a username, or nothing.
func accountOf(user string) name {
	if id := IdentityOfUser(user); id.Kind == KindServiceAccount {
		return name{id.Namespace, id.Name}
	}
	return name{}
}

// hits are those of a username and groups.
func (q *query) hits(h rbac.Holder) []hit {
	first := q.users[h.User]
	if sa := accountOf(h.User); sa.name != "" {
		first = q.accounts[sa]
	}
	return q.collect(nil, first, h.Groups...)
}

// collect adds to a list the hits that one leads to, and those of groups.
func (q *query) collect(list []hit, first int32, groups ...string) []hit {
	for i := first; i != 0; i = q.all[i].before {
		list = append(list, q.all[i])
	}
	for _, g := range groups {
		for i := q.groups[g]; i != 0; i = q.all[i].before {
			list = append(list, q.all[i])
		}
	}
	return list
}

// held turns hits into what is held in each place, leaving out what something else covers.
func (q *query) held(hits []hit) []found {
	if len(hits) == 0 {
		return nil
	}
	bindings := q.c.RBAC().Bindings()
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(bindings[a.binding].Namespace, bindings[b.binding].Namespace), cmp.Compare(rank(a), rank(b)),
			cmp.Compare(a.binding, b.binding), cmp.Compare(a.rule, b.rule), cmp.Compare(a.subject, b.subject))
	})
	var all []found
	whole, here, last := false, "", -1
	for i, h := range hits {
		b := &bindings[h.binding]
		if last < 0 || b.Namespace != here {
			here, last = b.Namespace, -1
		}
		// What is allowed without limits covers the rest of its place, and in the whole cluster everything.
		if whole || last == 0 || i > 0 && hits[i-1].binding == h.binding && hits[i-1].rule == h.rule { // by another subject
			continue
		}
		last = rank(h)
		whole = here == "" && last == 0
		all = append(all, q.found(b, h))
	}
	return all
}

// rank orders hits of one place: what allows, what allows for some names, what is unknown.
func rank(h hit) int {
	switch {
	case h.role == nil:
		return 2
	case h.narrow:
		return 1
	}
	return 0
}

func (q *query) found(b *rbac.Binding, h hit) found {
	if h.role == nil {
		return found{verdict: Unknown, namespace: q.place(b.Namespace), open: []string{q.c.missingRole(b)}}
	}
	f := found{verdict: Allowed, namespace: q.place(b.Namespace), chain: q.c.Chain(rbac.Grant{Binding: b, Subject: int(h.subject), Role: h.role, Rule: int(h.rule)}), assumed: q.c.doubtRole(h.role)}
	if h.narrow {
		f.rule = &h.role.Rules[h.rule]
	}
	return f
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

// serviceAccounts answers for the service accounts that exist, run or are bound, and for what runs as them.
func (q *query) serviceAccounts() {
	general := generalGroups(q.groups)
	if len(q.accounts) == 0 && !general {
		return
	}
	done := make(map[name][]found, len(q.accounts))
	var hits []hit
	answer := func(sa name) []found {
		list, known := done[sa]
		if known {
			return list
		}
		if hits = q.collect(hits[:0], q.accounts[sa]); general {
			hits = q.collect(hits, 0, rbac.GroupServiceAccounts, rbac.GroupServiceAccounts+":"+sa.namespace, rbac.GroupAuthenticated)
		}
		list = q.held(hits)
		done[sa] = list
		if len(list) > 0 {
			k := q.c.asServiceAccount(sa.namespace, sa.name)
			q.emit(Identity{Kind: KindServiceAccount, Namespace: sa.namespace, Name: sa.name}, &k, list)
		}
		return list
	}
	bound := slices.Collect(maps.Keys(q.accounts))
	slices.SortFunc(bound, func(a, b name) int { return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name)) })
	for _, sa := range bound {
		answer(sa)
	}
	if general {
		for _, sa := range q.c.ServiceAccounts {
			answer(name{sa.Namespace, sa.Name})
		}
	}
	for _, u := range q.c.Units() {
		own := name{u.Namespace, u.ServiceAccount()}
		if list := answer(own); len(list) > 0 {
			q.runs(u.Object, u.Namespace, u.Spec, list)
		}
		for _, p := range u.Pods { // that were made before the template named another service account
			if of := (name{p.Namespace, ServiceAccountName(&p.PodSpec)}); of != own {
				if list := answer(of); len(list) > 0 {
					q.runs(p, p.Namespace, &p.PodSpec, list)
				}
			}
		}
	}
}

// generalGroups says whether some groups are those of service accounts in general.
func generalGroups(groups map[string]int32) bool {
	for g := range groups {
		if g == rbac.GroupAuthenticated || g == rbac.GroupServiceAccounts || strings.HasPrefix(g, rbac.GroupServiceAccounts+":") {
			return true
		}
	}
	return false
}

// runs answers for a workload or pod that runs as a service account.
func (q *query) runs(o model.Object, namespace string, s *model.PodSpec, list []found) {
	id, field := Identity{Kind: KindPod, Namespace: namespace, Name: o.Subject().Name}, "spec"
	if _, ok := o.(*model.Workload); ok {
		id.Kind, field = KindWorkload, "spec.template.spec"
	}
	k := q.c.running(o, namespace, s, field)
	q.emit(id, &k, list)
}

// everyKubelet answers for all kubelets together and says whether that was all: what each may, or what some may because of
// pods that refer to an object in a way that snapshots do not keep.
func (q *query) everyKubelet() (done bool) {
	k := asGroup(groupNodes)
	emit := func(f found) {
		if q.groups[groupNodes] == 0 || f.verdict == Unknown {
			q.emit(Identity{Kind: KindGroup, Name: groupNodes}, &k, []found{f})
		}
	}
	places := []string{q.r.Namespace}
	if q.anywhere {
		places = []string{"any", nodeLeases}
	}
	r := q.r
	for _, n := range places {
		r.Namespace = n
		switch o := q.c.anyNode(r); {
		case o.verdict == Allowed:
			if n == "any" {
				n = ""
			}
			emit(found{verdict: Allowed, namespace: n, chain: o.chain})
			return true
		case o.verdict == Unknown:
			if n == "any" {
				n = "*"
			}
			emit(found{verdict: Unknown, namespace: n, open: o.open})
			return false
		}
	}
	return false
}

// kubelets answers for what every kubelet may, and for the nodes that a named object is of or whose pods refer to it.
func (q *query) kubelets() {
	if q.everyKubelet() || q.r.Name == "" {
		return
	}
	type place struct{ node, namespace string }
	seen := map[place]bool{}
	ask := func(node, namespace string) {
		user, r := nodeUserPrefix+node, q.r
		r.Namespace = namespace
		if seen[place{node, namespace}] || q.users[user] != 0 {
			return
		}
		seen[place{node, namespace}] = true
		if o := (kubelet{q.c, node}).authorize(r); o.verdict == Allowed {
			k := asUser(user)
			q.emit(Identity{Kind: KindUser, Name: user}, &k, []found{{verdict: Allowed, namespace: namespace, chain: o.chain}})
		}
	}
	if q.c.nodes[q.r.Name] != nil {
		ask(q.r.Name, q.r.Namespace)
	}
	r := q.r
	for _, p := range q.c.Pods {
		if q.anywhere {
			r.Namespace = p.Namespace
		}
		if p.NodeName != "" && leads(p, &r) {
			ask(p.NodeName, p.Namespace)
		}
	}
}
