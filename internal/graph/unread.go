package graph

import (
	"fmt"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// unread draws what might be where the snapshot has a gap, so that nobody takes a path that was not seen for one that is not
// there.
func unread(b *builder) {
	for _, c := range b.clusters {
		b.unreadRBAC(c)
		b.unreadMapping(c)
		b.unreadPods(c)
		b.unreadRoles(c)
	}
	for _, acct := range b.accounts {
		for _, p := range acct.actors {
			if len(p.Unread) > 0 {
				b.step(p.at, b.accountAdmin(acct.id), access.Maybe, b.gap("do everything in account "+acct.id, "if %s gives that much, which was not read", strings.Join(p.Unread, " or ")), 0)
			}
		}
		b.unreadTrust(acct)
	}
	for v := range b.vertices {
		id := b.vertices[v].id
		if id.Kind != access.KindIAMRole && id.Kind != access.KindIAMUser {
			continue
		}
		if account := accountOf(id.ARN); account != "" && b.permissions(id.ARN) == int32(v) && b.presence(id.ARN) == access.Unread {
			b.step(int32(v), b.accountAdmin(account), access.Maybe, b.gap("do everything in account "+account, "if its policies give that much: %s was not read", id.ARN), 0)
		}
	}
}

// gap is a fact of which only the condition is known.
func (b *builder) gap(text, format string, args ...any) int32 {
	return b.with(func() Fact { return Fact{Text: text, If: []string{fmt.Sprintf(format, args...)}} })
}

func (b *builder) presence(arn string) access.Presence {
	if strings.Contains(arn, ":user/") {
		_, presence := b.all.User(arn)
		return presence
	}
	_, presence := b.all.Role(arn)
	return presence
}

func (b *builder) unreadRBAC(c *cluster) {
	for _, group := range []string{rbac.GroupAuthenticated, rbac.GroupUnauthenticated} {
		if !c.Complete(model.AreaClusterRoleBindings) {
			b.step(b.group(c, group), b.admin(c, ""), access.Maybe, b.gap("do everything in the whole cluster", "if a ClusterRoleBinding gives that much: not all were read"), 0)
		}
		if !c.Complete(model.AreaRoleBindings) {
			for _, namespace := range c.namespaces {
				b.step(b.group(c, group), b.admin(c, namespace), access.Maybe, b.gap("do everything in a namespace", "if a RoleBinding gives that much in namespace %s: not all were read", namespace), 0)
			}
		}
	}
	for _, bind := range c.Bindings() {
		if c.RoleOf(bind) != nil || c.Complete(model.AreaClusterRoles) && bind.RoleRef.Kind == "ClusterRole" || c.Complete(model.AreaRoles) && bind.RoleRef.Kind == "Role" {
			continue
		}
		at := b.vertex(key{aBinding, c.n, bind.Namespace, bind.Name}, access.Identity{}, false)
		b.step(at, b.admin(c, bind.Namespace), access.Maybe, b.gap("do what a role gives", "if %s %s gives that much, which was not read", bind.RoleRef.Kind, bind.RoleRef.Name), 0)
	}
}

func (b *builder) unreadMapping(c *cluster) {
	mode := c.AuthenticationMode()
	any := b.anyOf(anyPrincipal, c.account.id)
	if mode != model.ModeConfigMap && !c.Complete(model.AreaAccessEntries) {
		b.step(any, b.admin(c, ""), access.Maybe, b.gap("sign in to the cluster", "if an access entry lets it in and gives that much: not all were read"), 0)
	}
	if mode != model.ModeAPI && !c.Complete(model.AreaAWSAuth) {
		b.step(any, b.admin(c, ""), access.Maybe, b.gap("sign in to the cluster", "if aws-auth lets it in and gives that much, which was not read"), 0)
	}
	if mode != model.ModeConfigMap && !c.Complete(model.AreaPolicyAssociations) {
		for _, e := range c.AccessEntries {
			b.step(b.comer(c, "entry "+e.PrincipalARN, e.Username), b.admin(c, ""), access.Maybe, b.gap("do what access policies give", "if the access entry has access policies that give that much: not all were read"), 0)
		}
	}
}

func (b *builder) unreadPods(c *cluster) {
	if !c.Complete(model.AreaPods) {
		for _, namespace := range c.namespaces {
			b.step(b.runningPods(c, namespace), b.newPods(c, namespace), access.Maybe, b.gap("act as a service account of the namespace", "if pods run as it: not all pods were read"), 0)
		}
	}
	if !c.Complete(model.AreaPods) || !c.Complete(model.AreaNodes) {
		fact := b.gap("act as pods on the node", "if they run there: not all pods and nodes were read")
		b.step(b.nodes(c), b.newPods(c, ""), access.Maybe, fact, 0)
		for _, n := range c.Nodes {
			b.step(b.node(c, n.Name), b.newPods(c, ""), access.Maybe, fact, 0)
		}
	}
}

// unreadRoles: which role a service account holds is not known without the associations, nor who may be behind a token
// without the cluster's issuer.
func (b *builder) unreadRoles(c *cluster) {
	associations, issuer := !c.Complete(model.AreaPodIdentityAssociations), c.Issuer() == ""
	if !associations && !issuer {
		return
	}
	at := b.vertex(key{anyMatching, c.n, "", "any pod"}, access.Identity{Kind: KindAny, Cluster: c.label, Name: "any pod"}, true)
	for _, namespace := range c.namespaces {
		for _, sa := range c.accounts[namespace] {
			b.link(b.newPod(c, namespace, sa), at, 0, 0)
			b.link(b.minted(c, namespace, sa), at, 0, 0)
		}
	}
	for _, k := range c.running {
		b.link(k.at, at, 0, 0)
	}
	if associations {
		b.step(at, b.passed(c.account, access.PodIdentityService), access.Maybe, b.gap("take a role through Pod Identity", "if an association gives it: not all were read"), 0)
		b.passedRoles(c.account)
		if _, roles := b.all.RoleByName(c.account.id, ""); roles == access.Unread {
			b.step(at, b.accountAdmin(c.account.id), access.Maybe, b.gap("do everything as a role that Pod Identity gives", "if an association gives one that may: neither associations nor IAM roles were all read"), 0)
		}
	}
	for _, acct := range b.accounts {
		for _, arn := range acct.roles {
			role, _ := b.all.Role(arn)
			if trust := b.all.Trust(role); issuer && trust != nil && len(trust.Providers()) > 0 {
				b.step(at, b.principal(arn), access.Maybe, b.with(func() Fact {
					return Fact{
						Text: "take role " + arn + " with a token of a service account", If: []string{"if one of its OIDC providers is the cluster's, whose issuer was not read"},
						Evidence: []finding.Evidence{evidence(role, "trusts %s", strings.Join(trust.Providers(), ", "))},
					}
				}), 0)
			}
		}
	}
}

// unreadTrust: a role whose trust policy is not known may let anybody of its account in.
func (b *builder) unreadTrust(acct *account) {
	for _, arn := range acct.roles {
		if role, _ := b.all.Role(arn); b.all.Trust(role) == nil {
			b.step(b.anyOf(anyPrincipal, acct.id), b.principal(arn), access.Maybe, b.gap("take role "+arn, "if its trust policy lets it in, which was not read"), 0)
		}
	}
}
