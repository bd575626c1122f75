package graph

import (
	"strconv"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/rbac"
)

// belongings adds what comes with a place and is no step: the members of what stands for many, the groups that everybody
// has, and the service account that a pod runs as.
func (b *builder) belongings() {
	for _, c := range b.clusters {
		b.spread(c, anyNewPod, b.newPods, b.newPod)
		b.spread(c, anyToken, b.tokens, b.minted)
		b.spread(c, anyIdentity, b.identities, b.serviceAccount)
		b.runningIn(c)
		b.tokensOf(c)
		b.groupsOf(c)
		for _, n := range c.Nodes {
			b.link(b.nodes(c), b.node(c, n.Name), 0, 0)
		}
		for _, u := range c.users {
			b.link(b.anyUser(c), u, 0, 0)
		}
	}
	for _, acct := range b.accounts {
		for _, p := range acct.principals {
			v := b.principal(p.ARN)
			b.starts[v] = true
			b.link(v, b.anyOf(anyPrincipal, acct.id, "", "any principal"), 0, 0)
			if p.Object.Subject().Kind == string(access.KindIAMUser) {
				b.link(b.anyOf(anyIAMUser, acct.id, "", "any user"), v, 0, 0)
			} else {
				b.link(b.anyOf(anyRole, acct.id, "", "any role"), v, 0, 0)
			}
		}
	}
}

// spread links what stands for all service accounts of a cluster to those of each namespace, and these to each one.
func (b *builder) spread(c *cluster, w what, many func(*cluster, string) int32, one func(*cluster, string, string) int32) {
	for _, namespace := range c.namespaces {
		_, all := b.keys[key{w, c.n, "", ""}]
		_, made := b.keys[key{w, c.n, namespace, ""}]
		if !all && !made || len(c.accounts[namespace]) == 0 {
			continue
		}
		of := many(c, namespace)
		if all {
			b.link(many(c, ""), of, 0, 0)
		}
		for _, sa := range c.accounts[namespace] {
			b.link(of, one(c, namespace, sa), 0, 0)
		}
	}
}

// runningIn links what stands for all running pods to the pods.
func (b *builder) runningIn(c *cluster) {
	spaces := map[string]bool{}
	for _, k := range c.running {
		of := b.runningPods(c, k.namespace)
		if !spaces[k.namespace] {
			spaces[k.namespace] = true
			b.link(b.runningPods(c, ""), of, 0, 0)
		}
		b.link(of, k.at, 0, 0)
		if k.token == access.No {
			continue
		}
		fact := b.with(func() Fact {
			_, _, field := c.Automounts(k.namespace, k.unit.Spec)
			f := Fact{Evidence: []finding.Evidence{{Text: "mounts a token of service account " + k.namespace + "/" + k.sa, Source: field}}}
			if k.token == access.Maybe {
				f.If = []string{"if " + field + " lets it: the service account was not read"}
			}
			return f
		})
		if k.token == access.Yes {
			b.link(k.at, b.serviceAccount(c, k.namespace, k.sa), fact, 0)
		} else {
			b.maybe(k.at, b.serviceAccount(c, k.namespace, k.sa), fact, 0)
		}
	}
}

// tokensOf links pods of an attacker's own, and minted tokens, to the service account.
func (b *builder) tokensOf(c *cluster) {
	for i := range b.vertices {
		id := &b.vertices[i].id
		if id.Kind != access.KindServiceAccount || id.Cluster != c.label {
			continue
		}
		for _, w := range []what{aNewPod, aMinted} {
			if v, made := b.keys[key{w, c.n, id.Namespace, id.Name}]; made && v == int32(i) { //nolint:gosec // an index of vertices
				b.link(v, b.serviceAccount(c, id.Namespace, id.Name), 0, 0)
			}
		}
	}
}

// groupsOf links service accounts and users to the groups that Kubernetes gives them.
func (b *builder) groupsOf(c *cluster) {
	all, anybody := b.group(c, rbac.GroupServiceAccounts), b.group(c, rbac.GroupAuthenticated)
	b.link(all, anybody, 0, 0)
	for i := range b.vertices {
		id := &b.vertices[i].id
		if id.Cluster != c.label {
			continue
		}
		v := int32(i) //nolint:gosec // an index of vertices
		switch {
		case id.Kind == access.KindServiceAccount && b.keys[key{aServiceAccount, c.n, id.Namespace, id.Name}] == v:
			of := b.group(c, rbac.GroupServiceAccounts+":"+id.Namespace)
			b.link(v, of, 0, 0)
			b.link(of, all, 0, 0)
			b.starts[v] = !b.own[v]
		case id.Kind == access.KindUser && id.Name == "system:anonymous":
			b.link(v, b.group(c, rbac.GroupUnauthenticated), 0, 0)
			b.starts[v] = true
		case id.Kind == access.KindUser:
			b.link(v, anybody, 0, 0)
		}
	}
}

func (b *builder) identities(c *cluster, namespace string) int32 {
	return b.any(anyIdentity, c, namespace, "any service account")
}

func (b *builder) anyUser(c *cluster) int32 { return b.any(anyUser, c, "", "any user") }

// nameOf tells a vertex apart in keys of others.
func (b *builder) nameOf(v int32) string { return strconv.Itoa(int(v)) }

// objects adds what is in the graph only because somebody asks about it.
func (b *builder) objects(targets []Target) {
	for _, t := range targets {
		if t.Kind != KindSecret {
			continue
		}
		for _, c := range b.clusters {
			v := b.vertex(key{theSecret, c.n, t.Namespace, t.Name}, access.Identity{Kind: KindSecret, Cluster: c.label, Namespace: t.Namespace, Name: t.Name}, false)
			b.link(b.secrets(c, ""), v, 0, 0)
			b.link(b.secrets(c, t.Namespace), v, 0, 0)
		}
	}
}
