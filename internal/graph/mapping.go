package graph

import (
	"fmt"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// The steps of this file lead from IAM principals into a cluster as whom its access entries and aws-auth make them.

func enterByEntry(b *builder) {
	for _, c := range b.clusters {
		if c.AuthenticationMode() == model.ModeConfigMap {
			continue
		}
		for _, e := range c.AccessEntries {
			if c.Dead(e) != nil {
				continue
			}
			session := b.comer(c, "entry "+e.PrincipalARN, e.Username)
			grant := b.grant(costEntry, func() Removal { return deleteEntry(c, e) })
			fact := b.with(func() Fact {
				return Fact{
					Text:     "sign in to the cluster as " + orNobody(e.Username) + groupsText(e.Groups),
					Evidence: []finding.Evidence{evidence(e, "type %s, username %s, groups %s", e.Type, e.Username, strings.Join(e.Groups, ", "))},
				}
			})
			for _, from := range b.sessionsOf(e.PrincipalARN) {
				b.step(from, session, access.Yes, fact, grant)
			}
			b.comeIn(c, session, c.EntryHolders(e), func(group string) int32 {
				return b.grant(costSubject, func() Removal { return leaveGroup(c, e, group) })
			})
			c.associate(b, e, session)
		}
	}
}

// associate links an access entry to what its access policies give.
func (c *cluster) associate(b *builder, e *model.AccessEntry, session int32) {
	for _, a := range c.PolicyAssociationsOf(e.PrincipalARN) {
		at := b.vertex(key{aBinding, c.n, "entry " + e.PrincipalARN, a.PolicyARN}, access.Identity{}, false)
		fact := b.says(Fact{Evidence: []finding.Evidence{{Text: fmt.Sprintf("%s on %s", a.PolicyARN, a.Scope), Source: e.Subject().String() + " associatedAccessPolicies"}}})
		b.link(session, at, fact, b.grant(costSubject, func() Removal { return disassociate(c, e, a) }))
		rules, known := access.PolicyRules(a.PolicyARN)
		namespaces := []string{""}
		if a.Scope.Type != model.ScopeCluster {
			namespaces = a.Scope.Namespaces
		}
		for _, n := range namespaces {
			if known {
				b.link(at, c.rulesBound(b, "access policy "+a.PolicyName(), rules, n), 0, 0)
			} else {
				c.unpublished(b, at, a, n)
			}
		}
	}
}

// unpublished links to everything that a policy may give whose rules AWS does not publish.
func (c *cluster) unpublished(b *builder, at int32, a *model.PolicyAssociation, n string) {
	fact := b.with(func() Fact {
		return Fact{If: []string{"if " + a.PolicyName() + " gives that much: AWS does not publish its rules"}}
	})
	for _, namespace := range c.scope(n) {
		b.maybe(at, b.admin(c, namespace), fact, 0)
	}
}

// comer is whoever came in through an access entry or a row of aws-auth.
func (b *builder) comer(c *cluster, through, username string) int32 {
	v := b.vertex(key{aSession, c.n, through, ""}, access.Identity{Kind: access.KindUser, Cluster: c.label, Name: orNobody(username)}, false)
	b.vertices[v].part = true
	return v
}

func orNobody(username string) string {
	if username == "" {
		return "(no username)"
	}
	return username
}

func groupsText(groups []string) string {
	if len(groups) == 0 {
		return ""
	}
	return " in groups " + strings.Join(groups, ", ")
}

// comeIn links whoever came in to the usernames and groups that it has: the first holder is every session, the others are
// usernames that the caller may choose by its session name.
func (b *builder) comeIn(c *cluster, session int32, holders []rbac.Holder, grant func(group string) int32) {
	b.authenticated(c, session)
	for i, h := range holders {
		if h.User != "" {
			var fact int32
			if i > 0 {
				fact = b.says(Fact{Evidence: []finding.Evidence{{Text: "a session name of the caller's choice makes the username " + h.User, Source: "{{SessionName}}"}}})
			}
			b.link(session, b.user(c, h.User), fact, 0)
		}
		if i > 0 {
			continue
		}
		for _, g := range h.Groups {
			b.link(session, b.group(c, g), 0, grant(g))
		}
	}
}

func enterByRow(b *builder) {
	for _, c := range b.clusters {
		for _, m := range c.Mappings() {
			if !c.counts(m) {
				continue
			}
			answer, conditions := access.Yes, []string(nil)
			switch {
			case c.AuthenticationMode() == "":
				answer, conditions = access.Maybe, []string{"if the cluster reads aws-auth: its authentication mode was not read"}
			case c.AuthenticationMode() == model.ModeAPIConfigMap && !c.Complete(model.AreaAccessEntries):
				answer, conditions = access.Maybe, []string{"unless an access entry overrides it: these were not read"}
			}
			session := b.rowComer(c, m)
			fact := b.with(func() Fact {
				return Fact{
					Text: "sign in to the cluster as " + orNobody(m.Read.Username) + groupsText(m.Read.Groups), If: conditions,
					Evidence: []finding.Evidence{{Text: fmt.Sprintf("line %d: username %s, groups %s", m.Line, m.Read.Username, strings.Join(m.Read.Groups, ", ")), Source: m.Subject().String() + " " + m.Kind.Block()}},
				}
			})
			grant := b.grant(costEntry, func() Removal { return removeRow(c, m) })
			for _, from := range b.sessionsOf(b.mapped(m)) {
				b.step(from, session, answer, fact, grant)
			}
			b.comeIn(c, session, c.MappingHolders(m), func(string) int32 { return 0 })
		}
	}
}

// counts says whether a row of aws-auth lets somebody in: no access entry overrides it, or one that lets nobody in itself.
func (c *cluster) counts(m *access.Mapping) bool {
	e := c.EntryOf(m)
	return m.CanMap() && (c.AuthenticationMode() == model.ModeConfigMap || e == nil || c.Dead(e) != nil)
}

// created: in mode CONFIG_MAP the principal that created the cluster is a member of system:masters, and no API tells who that
// is (EKS User Guide, "Grant IAM users and roles access to Kubernetes APIs", 2026-11).
func created(b *builder) {
	for _, c := range b.clusters {
		condition := "if it created the cluster, which no API tells"
		switch mode := c.AuthenticationMode(); {
		case mode == "" && len(c.AccessEntries) == 0:
			condition += ", and the mode is CONFIG_MAP, which was not read"
		case mode != model.ModeConfigMap:
			continue
		}
		b.step(b.anyOf(anyPrincipal, c.account.id), b.admin(c, ""), access.Maybe, b.gap("sign in to the cluster as its creator", "%s", condition), b.grant(costEntry, func() Removal {
			return Removal{
				Object: finding.Subject{Kind: "Cluster", Name: c.Name, ARN: c.ARN},
				Text:   "change the authentication mode of cluster " + c.label + ", and then delete the access entry of its creator that appears",
			}
		}))
	}
}

func (b *builder) rowComer(c *cluster, m *access.Mapping) int32 {
	return b.comer(c, "row "+m.Key()+" "+m.Read.ARN, m.Read.Username)
}

// mapped is the ARN of the principal that a row of aws-auth maps: rows of roles have no path.
func (b *builder) mapped(m *access.Mapping) string {
	if arn, err := iam.ParseARN(m.Read.ARN); err == nil && arn.IsRole() {
		if r, _ := b.all.RoleByName(arn.Account, arn.RoleName()); r != nil {
			return r.ARN
		}
	}
	return m.Read.ARN
}

// enterByAccount: mapAccounts lets every principal of an account in, each with its ARN as username.
func enterByAccount(b *builder) {
	for _, c := range b.clusters {
		if !c.ReadsAWSAuth() || c.ParsedAWSAuth() == nil {
			continue
		}
		for _, a := range c.ParsedAWSAuth().Accounts {
			if !a.Valid {
				continue
			}
			fact := b.says(Fact{Text: "sign in to the cluster with its own ARN as username", Evidence: []finding.Evidence{{Text: "mapAccounts " + a.ID, Source: "ConfigMap kube-system/aws-auth"}}})
			grant := b.grant(costEntry, func() Removal {
				return Removal{Object: c.AWSAuth.Subject(), Text: "take account " + a.ID + " out of mapAccounts of aws-auth"}
			})
			at := b.vertex(key{aSession, c.n, "account " + a.ID, ""}, access.Identity{Kind: access.KindUser, Cluster: c.label, Name: "a principal of account " + a.ID}, false)
			b.vertices[at].part = true
			b.step(b.anyOf(anyPrincipal, a.ID), at, access.Yes, fact, grant)
			b.authenticated(c, at)
			for _, u := range append([]int32(nil), c.users...) {
				if name := b.vertices[u].id.Name; accountOf(name) == a.ID {
					b.step(b.permissions(name), u, access.Yes, fact, grant)
				}
			}
		}
	}
}
