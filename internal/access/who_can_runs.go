package access

import (
	"strings"

	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

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
			k := KubernetesIdentity{Verdict: Allowed, Assumed: q.c.absentAccount(sa.namespace, sa.name)}
			q.emit(Identity{Kind: KindServiceAccount, Namespace: sa.namespace, Name: sa.name}, &k, list)
		}
		return list
	}
	for _, sa := range q.bound {
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
