package graph

import (
	"slices"
	"strconv"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// belongings adds what comes with a place and is no step: the members of what stands for many, the groups that everybody
// has, and the service account that a pod runs as.
func (b *builder) belongings() {
	for _, c := range b.clusters {
		b.everyServiceAccount(c)
		b.admins(c)
		b.missing(c)
		b.spread(c, anyNewPod, b.newPods, b.newPod)
		b.spread(c, anyToken, b.tokens, b.token)
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
		b.administrators(acct)
		for _, arn := range acct.roles {
			b.member(acct, arn, anyRole)
		}
		for _, arn := range acct.users {
			b.member(acct, arn, anyIAMUser)
		}
	}
}

// admins draws what those can do who may do everything, in the cluster or in a namespace.
func (b *builder) admins(c *cluster) {
	pods, enter, secrets := b.says(Fact{Text: "run pods as any service account"}), b.says(Fact{Text: "run commands in any running pod"}), b.says(Fact{Text: "read Secrets"})
	made := b.says(Fact{Text: makes})
	for _, namespace := range append([]string{""}, c.namespaces...) {
		if _, made := b.keys[key{anyNamespaceAdmin, c.n, namespace, ""}]; !made && namespace != "" {
			continue
		}
		from := b.admin(c, namespace)
		b.kind = numberOf("run-pods")
		b.step(from, b.newPods(c, namespace), access.Yes, pods, 0)
		b.kind = numberOf("enter-pods")
		b.step(from, b.runningPods(c, namespace), access.Yes, enter, 0)
		b.kind = numberOf("read-secrets")
		b.step(from, b.secrets(c, namespace), access.Yes, secrets, 0)
		b.kind = numberOf("make-service-account")
		b.step(from, b.made(c, namespace, namespace == ""), access.Yes, made, 0)
		b.kind = numberOf("ack-objects")
		for _, k := range c.Capabilities {
			if k.Type == capabilityACK && k.RoleARN != "" {
				b.step(from, b.principal(k.RoleARN), access.Yes, b.says(Fact{Text: "write objects of ACK, which capability " + k.Name + " acts on"}), 0)
			}
		}
		b.kind = numberOf("write-aws-auth")
		if answer, conditions := c.auth(); namespace == "kube-system" {
			b.step(from, b.admin(c, ""), answer, b.with(func() Fact {
				return Fact{Text: "map IAM principals to any username and group by writing aws-auth", If: conditions}
			}), 0)
		}
	}
	b.kind = 0
}

// numberOf is the number of a kind in edges.
func numberOf(id string) uint8 {
	return uint8(slices.IndexFunc(Kinds, func(k Kind) bool { return k.ID == id }) + 1) //nolint:gosec // a short list
}

// everyServiceAccount makes the service accounts that no step has led to.
func (b *builder) everyServiceAccount(c *cluster) {
	for _, namespace := range c.namespaces {
		for _, sa := range c.accounts[namespace] {
			b.serviceAccount(c, namespace, sa)
		}
	}
}

// administrators draws what those can do who may do everything in an account.
func (b *builder) administrators(acct *account) {
	from := b.accountAdmin(acct.id)
	for _, c := range acct.clusters {
		text, kind := "create an access entry for itself", "create-access-entry"
		if c.AuthenticationMode() == model.ModeConfigMap {
			text, kind = "change the authentication mode, then "+text, "change-authentication-mode"
		}
		b.kind = numberOf(kind)
		b.step(from, b.admin(c, ""), access.Yes, b.says(Fact{Text: text + ", as an administrator of the account"}), 0)
	}
	b.kind = numberOf("assume-role")
	b.leaving(acct, func(role *model.IAMRole, answer access.Answer, fact, grant int32) {
		if accountOf(role.ARN) != acct.id {
			b.step(from, b.principal(role.ARN), answer, fact, grant)
		}
	})
	b.kind = 0
}

// member makes a principal of an account an entry point, and one of those that stand for many.
func (b *builder) member(acct *account, arn string, of what) {
	v := b.principal(arn)
	b.starts[v] = true
	for _, session := range b.sessionsOf(arn) {
		b.link(session, b.anyOf(anyPrincipal, acct.id), 0, 0)
	}
	b.link(b.anyOf(of, acct.id), v, 0, 0)
}

// spread links what stands for all service accounts of a cluster to those of each namespace, and these to each one.
func (b *builder) spread(c *cluster, w what, many func(*cluster, string) int32, one func(*cluster, string, string) int32) {
	for _, namespace := range c.namespaces {
		_, all := b.keys[key{w, c.n, "", ""}]
		_, made := b.keys[key{w, c.n, namespace, ""}]
		if !all && !made || !made && len(c.accounts[namespace]) == 0 {
			continue
		}
		of := many(c, namespace)
		if all {
			b.link(many(c, ""), of, 0, 0)
		}
		for _, sa := range c.accounts[namespace] {
			if c.exists(namespace, sa) {
				b.link(of, one(c, namespace, sa), 0, 0)
			} else {
				b.maybe(of, one(c, namespace, sa), b.gap("", "if service account %s/%s exists, which was not read", namespace, sa), 0)
			}
		}
	}
}

// exists says whether a service account is certainly there: it was read, or a pod runs as it.
func (c *cluster) exists(namespace, sa string) bool {
	_, presence := c.ServiceAccount(namespace, sa)
	return presence == access.Present || len(c.runningAs[[2]string{namespace, sa}]) > 0
}

// token is where whoever mints a token of a service account gets to: a token for other audiences matters only where
// somebody takes it.
func (b *builder) token(c *cluster, namespace, sa string) int32 {
	if v, made := b.keys[key{aMinted, c.n, namespace, sa}]; made {
		return v
	}
	return b.serviceAccount(c, namespace, sa)
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

// tokensOf links pods of an attacker's own, and minted tokens, to the service account, and makes the pods entry points: to be
// a service account is to run as it.
func (b *builder) tokensOf(c *cluster) {
	for v := 0; v < len(b.vertices); v++ { // more are made on the way
		id := b.vertices[v].id
		if id.Kind != access.KindServiceAccount || id.Cluster != c.label || b.keys[key{aServiceAccount, c.n, id.Namespace, id.Name}] != int32(v) {
			continue
		}
		sa, pod := int32(v), b.newPod(c, id.Namespace, id.Name)
		_, presence := c.ServiceAccount(id.Namespace, id.Name)
		b.starts[pod] = !b.own[sa] && (presence != access.Absent || c.exists(id.Namespace, id.Name))
		b.link(pod, sa, 0, 0)
		if minted, made := b.keys[key{aMinted, c.n, id.Namespace, id.Name}]; made {
			b.link(pod, minted, 0, 0)
			b.link(minted, sa, 0, 0)
		}
	}
}

// groupsOf links service accounts and users to the groups that Kubernetes gives them.
func (b *builder) groupsOf(c *cluster) {
	all, anybody := b.group(c, rbac.GroupServiceAccounts), b.group(c, rbac.GroupAuthenticated)
	b.link(all, anybody, 0, 0)
	of := map[string]int32{}
	spaces := func(namespace string) int32 {
		v, known := of[namespace]
		if !known {
			v = b.group(c, rbac.GroupServiceAccounts+":"+namespace)
			of[namespace] = v
			b.link(v, all, 0, 0)
		}
		return v
	}
	for i := 0; i < len(b.vertices); i++ { // more are made on the way
		id := b.vertices[i].id
		if id.Cluster != c.label {
			continue
		}
		v := int32(i)
		switch {
		case id.Kind == access.KindServiceAccount && b.keys[key{aServiceAccount, c.n, id.Namespace, id.Name}] == v:
			b.link(v, spaces(id.Namespace), 0, 0)
		case id.Kind == access.KindUser && id.Name == "system:anonymous":
			b.link(v, b.group(c, rbac.GroupUnauthenticated), 0, 0)
			b.starts[v] = true
		case id.Kind == access.KindUser && !b.vertices[i].part:
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

// objects adds what is in the graph only because somebody asks about it: all others can be reached on shorter ways.
func (b *builder) objects() {
	for _, t := range b.asked {
		for _, c := range b.clusters {
			if t.Kind == KindSecret {
				b.link(b.secrets(c, ""), b.secret(c, t), 0, 0)
				b.link(b.secrets(c, t.Namespace), b.secret(c, t), 0, 0)
			}
		}
		kind, text := "update-trust-policy", "change who may take role "
		if t.Kind == access.KindIAMUser {
			kind, text = "make-credentials", "make access keys of user "
		}
		for _, v := range b.find(t) {
			if arn := b.vertices[v].id.ARN; t.Kind == access.KindIAMRole || t.Kind == access.KindIAMUser {
				b.kind = numberOf(kind)
				b.step(b.accountAdmin(accountOf(arn)), v, access.Yes, b.says(Fact{Text: text + arn}), 0)
				b.kind = 0
			}
		}
	}
}
