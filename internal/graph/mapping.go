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
			session := b.session(c, "entry "+e.PrincipalARN, e.Username)
			grant := b.grant(costEntry, func() Removal {
				return Removal{Object: e.Subject(), Text: "delete the access entry of " + e.PrincipalARN + ", once no row of aws-auth takes its place"}
			})
			b.step(b.principal(e.PrincipalARN), session, access.Yes, b.with(func() Fact {
				return Fact{
					Text:     "sign in to the cluster as " + orNobody(e.Username) + groupsText(e.Groups),
					Evidence: []finding.Evidence{{Text: fmt.Sprintf("type %s, username %s, groups %s", e.Type, e.Username, strings.Join(e.Groups, ", ")), Source: e.Subject().String()}},
				}
			}), grant)
			b.comeIn(c, session, c.EntryHolders(e))
			c.associate(b, e, session)
		}
	}
}

// associate links an access entry to what its access policies give.
func (c *cluster) associate(b *builder, e *model.AccessEntry, session int32) {
	for _, a := range c.PolicyAssociationsOf(e.PrincipalARN) {
		grant := b.grant(costSubject, func() Removal {
			return Removal{Object: e.Subject(), Text: fmt.Sprintf("take %s on %s off the access entry of %s", a.PolicyName(), a.Scope, e.PrincipalARN)}
		})
		at := b.vertex(key{aBinding, c.n, "entry " + e.PrincipalARN, a.PolicyARN}, access.Identity{}, false)
		b.link(session, at, b.with(func() Fact {
			return Fact{Evidence: []finding.Evidence{{Text: fmt.Sprintf("%s on %s", a.PolicyARN, a.Scope), Source: e.Subject().String() + " associatedAccessPolicies"}}}
		}), grant)
		rules, known := access.PolicyRules(a.PolicyARN)
		namespaces := []string{""}
		if a.Scope.Type != model.ScopeCluster {
			namespaces = a.Scope.Namespaces
		}
		for _, n := range namespaces {
			if known {
				b.link(at, c.rulesBound(b, "access policy "+a.PolicyName(), rules, n), 0, 0)
				continue
			}
			for _, namespace := range c.scope(n) {
				b.maybe(at, b.admin(c, namespace), b.with(func() Fact {
					return Fact{If: []string{"if " + a.PolicyName() + " gives that much: AWS does not publish its rules"}}
				}), 0)
			}
		}
	}
}

// session is whoever came in through an access entry or a row of aws-auth.
func (b *builder) session(c *cluster, through, username string) int32 {
	return b.vertex(key{aSession, c.n, through, ""}, access.Identity{Kind: access.KindUser, Cluster: c.label, Name: orNobody(username)}, false)
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

// comeIn links a session to the usernames and groups that it has: the first holder is every session, the others are
// usernames that the caller may choose by its session name.
func (b *builder) comeIn(c *cluster, session int32, holders []rbac.Holder) {
	b.authenticated(c, session)
	for i, h := range holders {
		if h.User != "" {
			var fact int32
			if i > 0 {
				fact = b.with(func() Fact {
					return Fact{Evidence: []finding.Evidence{{Text: "a session name of the caller's choice makes the username " + h.User, Source: "{{SessionName}}"}}}
				})
			}
			b.link(session, b.user(c, h.User), fact, 0)
		}
		if i > 0 {
			continue
		}
		for _, g := range h.Groups {
			b.link(session, b.group(c, g), 0, 0)
		}
	}
}

func enterByRow(b *builder) {
	for _, c := range b.clusters {
		for _, m := range c.Mappings() {
			if !m.CanMap() || c.AuthenticationMode() != model.ModeConfigMap && c.EntryOf(m) != nil {
				continue
			}
			session := b.session(c, "row "+string(m.Kind)+" "+m.Key()+" "+m.Read.ARN, m.Read.Username)
			answer, conditions := access.Yes, []string(nil)
			if c.AuthenticationMode() == "" {
				answer, conditions = access.Maybe, []string{"if the cluster reads aws-auth: its authentication mode was not read"}
			} else if c.AuthenticationMode() == model.ModeAPIConfigMap && !c.Complete(model.AreaAccessEntries) {
				answer, conditions = access.Maybe, []string{"unless an access entry overrides it: these were not read"}
			}
			b.step(b.mapped(m), session, answer, b.with(func() Fact {
				return Fact{
					Text: "sign in to the cluster as " + orNobody(m.Read.Username) + groupsText(m.Read.Groups), If: conditions,
					Evidence: []finding.Evidence{{Text: fmt.Sprintf("line %d: username %s, groups %s", m.Line, m.Read.Username, strings.Join(m.Read.Groups, ", ")), Source: m.Subject().String() + " " + m.Kind.Block()}},
				}
			}), b.grant(costEntry, func() Removal {
				return Removal{Object: m.Subject(), Text: fmt.Sprintf("take the row of %s out of aws-auth", m.Written.ARN)}
			}))
			b.comeIn(c, session, c.MappingHolders(m))
		}
	}
}

// mapped is the principal that a row of aws-auth maps: rows of roles have no path.
func (b *builder) mapped(m *access.Mapping) int32 {
	if arn, err := iam.ParseARN(m.Read.ARN); err == nil && arn.IsRole() {
		if r, _ := b.all.RoleByName(arn.Account, arn.RoleName()); r != nil {
			return b.principal(r.ARN)
		}
	}
	return b.principal(m.Read.ARN)
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
			fact := b.says("sign in to the cluster with its own ARN as username", finding.Evidence{Text: "mapAccounts " + a.ID, Source: "ConfigMap kube-system/aws-auth"})
			grant := b.grant(costEntry, func() Removal {
				return Removal{Object: c.AWSAuth.Subject(), Text: "take account " + a.ID + " out of mapAccounts of aws-auth"}
			})
			at := b.vertex(key{aSession, c.n, "account " + a.ID, ""}, access.Identity{}, false)
			b.step(b.anyOf(anyPrincipal, a.ID, "", "any principal"), at, access.Yes, fact, grant)
			b.authenticated(c, at)
			for _, u := range append([]int32(nil), c.users...) {
				if arn, err := iam.ParseARN(b.vertices[u].id.Name); err == nil && arn.Account == a.ID {
					b.step(b.principal(b.vertices[u].id.Name), u, access.Yes, fact, grant)
				}
			}
		}
	}
}

func removeAssociation(c *cluster, a *model.PodIdentityAssociation) Removal {
	return Removal{Object: a.Subject(), Text: fmt.Sprintf("delete the Pod Identity association of %s/%s, or give it a role with less", a.Namespace, a.ServiceAccount)}
}
