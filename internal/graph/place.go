package graph

import (
	"drawbridge/internal/access"
	"drawbridge/internal/iam"
	"drawbridge/internal/rbac"
)

// The vertices of a cluster, then those of AWS.

func (b *builder) serviceAccount(c *cluster, namespace, name string) int32 {
	return b.vertex(key{aServiceAccount, c.n, namespace, name}, access.Identity{Kind: access.KindServiceAccount, Cluster: c.label, Namespace: namespace, Name: name}, false)
}

// part is one of several places of a service account.
func (b *builder) part(w what, c *cluster, namespace, name string) int32 {
	v := b.vertex(key{w, c.n, namespace, name}, access.Identity{Kind: access.KindServiceAccount, Cluster: c.label, Namespace: namespace, Name: name}, false)
	b.vertices[v].part = true
	return v
}

// newPod is a pod that an attacker made, with whatever a service account's pods get.
func (b *builder) newPod(c *cluster, namespace, name string) int32 {
	return b.part(aNewPod, c, namespace, name)
}

// minted is a token of a service account for any audience.
func (b *builder) minted(c *cluster, namespace, name string) int32 {
	return b.part(aMinted, c, namespace, name)
}

func (b *builder) user(c *cluster, name string) int32 {
	id := access.IdentityOfUser(name)
	if id.Kind == access.KindServiceAccount {
		return b.serviceAccount(c, id.Namespace, id.Name)
	}
	id.Cluster = c.label
	n := len(b.vertices)
	v := b.vertex(key{aUser, c.n, name, ""}, id, false)
	if n < len(b.vertices) {
		c.users = append(c.users, v)
	}
	return v
}

func (b *builder) group(c *cluster, name string) int32 {
	return b.vertex(key{aGroup, c.n, name, ""}, access.Identity{Kind: access.KindGroup, Cluster: c.label, Name: name}, false)
}

// holder is whom a subject of a binding stands for, or -1.
func (b *builder) holder(c *cluster, user, group string) int32 {
	switch {
	case user != "":
		return b.user(c, user)
	case group != "":
		return b.group(c, group)
	}
	return -1
}

func (b *builder) node(c *cluster, name string) int32 {
	return b.vertex(key{aNode, c.n, name, ""}, access.Identity{Kind: KindNode, Cluster: c.label, Name: name}, false)
}

// any is one of many alike in a namespace, or with "" anywhere in the cluster.
func (b *builder) any(w what, c *cluster, namespace, title string) int32 {
	return b.vertex(key{w, c.n, namespace, ""}, access.Identity{Kind: KindAny, Cluster: c.label, Namespace: namespace, Name: title}, true)
}

func (b *builder) newPods(c *cluster, namespace string) int32 {
	return b.any(anyNewPod, c, namespace, "a pod of its own")
}

func (b *builder) runningPods(c *cluster, namespace string) int32 {
	return b.any(anyRunning, c, namespace, "any running pod")
}

func (b *builder) tokens(c *cluster, namespace string) int32 {
	return b.any(anyToken, c, namespace, "any service account")
}

func (b *builder) nodes(c *cluster) int32 { return b.any(anyNode, c, "", "any node") }

// secrets are those of a namespace, or all.
func (b *builder) secrets(c *cluster, namespace string) int32 {
	if namespace == "" {
		return b.vertex(key{theSecrets, c.n, "", ""}, access.Identity{Kind: KindSecrets, Cluster: c.label}, false)
	}
	return b.any(anySecret, c, namespace, "the Secrets")
}

// secret is one that somebody asks about.
func (b *builder) secret(c *cluster, t Target) int32 {
	return b.vertex(key{theSecret, c.n, t.Namespace, t.Name}, access.Identity{Kind: KindSecret, Cluster: c.label, Namespace: t.Namespace, Name: t.Name}, false)
}

// admin is who may do everything in the cluster, or in a namespace.
func (b *builder) admin(c *cluster, namespace string) int32 {
	if namespace == "" {
		return b.vertex(key{theCluster, c.n, "", ""}, access.Identity{Kind: KindClusterAdmin, Cluster: c.label}, false)
	}
	return b.vertex(key{anyNamespaceAdmin, c.n, namespace, ""}, access.Identity{Kind: KindAny, Cluster: c.label, Namespace: namespace, Name: "admin"}, false)
}

// principal is an IAM role or user. Sessions of a role are the role.
func (b *builder) principal(arn string) int32 {
	id := access.Identity{Kind: access.KindPrincipal, ARN: arn}
	if parsed, err := iam.ParseARN(arn); err == nil {
		id = access.IdentityOfARN(parsed)
	}
	return b.vertex(key{aPrincipal, 0, arn, ""}, id, false)
}

// permissions is where what a principal may do counts, in whatever session: the principal itself, if nothing is known of it.
func (b *builder) permissions(arn string) int32 {
	if v, made := b.keys[key{aPermission, 0, arn, ""}]; made {
		return v
	}
	return b.principal(arn)
}

// sessionsOf are all the places of a principal from which it can sign in to clusters.
func (b *builder) sessionsOf(arn string) []int32 {
	all := []int32{b.permissions(arn)}
	for _, c := range b.clusters {
		for _, a := range c.PodIdentityAssociations {
			if v, made := c.sessions[a]; made && roleOf(a) == arn && a.Policy != "" {
				all = append(all, v)
			}
		}
	}
	return all
}

// act enters a principal of an account: what it may do counts in every session of it.
func (b *builder) act(acct *account, p *access.IAMPrincipal) {
	from := b.principal(p.ARN)
	at := b.vertex(key{aPermission, 0, p.ARN, ""}, access.Identity{}, false)
	b.link(from, at, 0, 0)
	user := p.Object.Subject().Kind == string(access.KindIAMUser)
	acct.actors = append(acct.actors, actor{p, at, user, nil, newMemo()})
	if user {
		acct.users = append(acct.users, p.ARN)
	} else {
		acct.roles = append(acct.roles, p.ARN)
	}
}

func (b *builder) accountAdmin(id string) int32 {
	return b.vertex(key{theAccount, 0, id, ""}, access.Identity{Kind: KindAccountAdmin, Name: id}, false)
}

// anyTitles name places of an account that stand for many.
var anyTitles = map[what]string{anyPrincipal: "any principal", anyRole: "any role", anyIAMUser: "any user", anyTrusting: "any role that trusts the account"}

// anyOf is one of many alike in an account.
func (b *builder) anyOf(w what, account string) int32 {
	return b.vertex(key{w, 0, account, ""}, access.Identity{Kind: KindAny, Name: anyTitles[w] + " of account " + account}, true)
}

// ownNode is a node that an attacker adds to a cluster.
func (b *builder) ownNode(c *cluster) int32 {
	return b.vertex(key{aNode, c.n, "", "own"}, access.Identity{Kind: KindAny, Cluster: c.label, Name: "a node of its own"}, false)
}

// authenticated links somebody to the groups that everybody who signs in has.
func (b *builder) authenticated(c *cluster, v int32) {
	b.link(v, b.group(c, rbac.GroupAuthenticated), 0, 0)
}
