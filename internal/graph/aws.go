package graph

import (
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
)

// The steps of this file begin or end with IAM principals.

// administer: an administrator of an account is at the target.
func administer(b *builder) {
	for _, acct := range b.accounts {
		for _, p := range acct.principals {
			b.permitted(p, p.Administrator(), b.accountAdmin(acct.id), "do everything in account "+acct.id)
		}
	}
}

// permitted draws a step that a principal's own policies allow.
func (b *builder) permitted(p *access.IAMPrincipal, permit access.Permit, to int32, text string) {
	if permit.Answer == access.No {
		return
	}
	fact := b.with(func() Fact { return Fact{Text: text, Evidence: permit.Why, If: permit.If} })
	b.step(b.principal(p.ARN), b.byPolicies(p, permit, to), permit.Answer, fact, 0)
}

// byPolicies is a place on the way to another that is gone with the policies that allow the way.
func (b *builder) byPolicies(p *access.IAMPrincipal, permit access.Permit, to int32) int32 {
	n := len(b.vertices)
	at := b.vertex(key{aBinding, 0, p.ARN + " " + strings.Join(permit.Policies, " "), b.nameOf(to)}, access.Identity{}, false)
	if n < len(b.vertices) {
		b.link(at, to, 0, b.grant(costStatement*max(1, len(permit.Policies)), func() Removal {
			return Removal{Object: p.Object.Subject(), Text: "narrow what allows it to " + p.Object.Subject().String() + ": " + strings.Join(permit.Policies, ", ")}
		}))
	}
	return at
}

// writeIAM: whoever changes what principals may do becomes an administrator.
func writeIAM(b *builder) {
	for _, acct := range b.accounts {
		for _, p := range acct.principals {
			arn, err := iam.ParseARN(p.ARN)
			if err != nil {
				continue
			}
			for _, held := range p.Privileges(acct.region) {
				if held.Kind == access.WritesIAM {
					b.writes(acct, p, arn.IsUser(), held)
				}
			}
		}
	}
}

// writes draws what one privilege over IAM gives: some are as good as everything for a role, some for a user, and some for
// whoever is also somebody else.
func (b *builder) writes(acct *account, p *access.IAMPrincipal, user bool, held access.Privilege) {
	to, permit := b.accountAdmin(acct.id), held.Permit
	switch held.ID {
	case "iam:UpdateAssumeRolePolicy":
		to = b.anyOf(anyRole, acct.id, "", "any role")
	case "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:UpdateLoginProfile":
		to = b.anyOf(anyIAMUser, acct.id, "", "any user")
	case "iam:*", "own-inline-policy", "own-attached-policy", "own-managed-policy":
	case "iam:AttachRolePolicy", "iam:PutRolePolicy":
		if user {
			permit = doubted(permit, "if it can take some role of the account")
		}
	case "iam:AttachUserPolicy", "iam:PutUserPolicy":
		if !user {
			permit = doubted(permit, "if it can act as some user of the account")
		}
	default:
		permit = doubted(permit, "if the group, policy or provider that it changes is that of somebody it can act as")
	}
	b.permitted(p, permit, to, held.Title)
}

// doubted is a permit with a condition more.
func doubted(p access.Permit, condition string) access.Permit {
	p.If = append(p.If[:len(p.If):len(p.If)], condition)
	p.Answer = access.Maybe
	return p
}

// takeOver draws the ways by which principals give themselves a cluster, by their id.
func takeOver(ids ...string) func(*builder) {
	return func(b *builder) {
		for _, acct := range b.accounts {
			for _, c := range acct.clusters {
				for _, t := range c.takeovers(b) {
					for _, w := range t.ways {
						for _, id := range ids {
							if w.ID == id {
								b.takesOver(c, t.who, w)
							}
						}
					}
				}
			}
		}
	}
}

// takeover is what one principal can do to a cluster.
type takeover struct {
	who  *access.IAMPrincipal
	ways []access.Takeover
}

func (c *cluster) takeovers(b *builder) []takeover {
	if c.taken == nil {
		c.taken = []takeover{}
		all := c.Takeovers()
		for _, p := range c.account.principals {
			if ways := all.Of(p); len(ways) > 0 {
				c.taken = append(c.taken, takeover{p, ways})
			}
		}
	}
	return c.taken
}

func (b *builder) takesOver(c *cluster, p *access.IAMPrincipal, w access.Takeover) {
	to, permit := b.admin(c, ""), w.Permit
	switch {
	case w.ID == "node" || w.ID == "nodegroup" || w.ID == "node-entry":
		to = b.nodes(c)
		if w.ID != "node" {
			permit = doubted(permit, "as far as pods are placed on the node that it adds")
		}
	case strings.HasSuffix(w.ID, "-group") || w.ID == "identity-provider":
		if s := c.OpenSubject(); s != nil {
			to = b.holder(c, map[bool]string{true: s.Name}[s.Kind == "User"], map[bool]string{true: s.Name}[s.Kind == "Group"])
		} else {
			permit = doubted(permit, w.Short)
		}
	case w.Short != "":
		permit = doubted(permit, w.Short)
	}
	b.permitted(p, permit, to, w.Title)
}

// attachRole: an association gives a role to a service account.
func attachRole(b *builder) {
	for _, c := range b.clusters {
		attachers := c.Attachers()
		for _, p := range c.account.principals {
			a := attachers.Of(p)
			if a.Answer() == access.No {
				continue
			}
			act := a.Creates
			if act.Answer == access.No {
				act = a.Updates
			}
			for _, r := range a.Roles {
				permit := both(act, r.Permit)
				b.permitted(p, doubted(permit, "if it can also run a pod in the cluster"), b.principal(r.Role.ARN), "make a Pod Identity association with role "+r.Role.ARN)
			}
		}
	}
}

// both is the permit of two things that are needed together.
func both(x, y access.Permit) access.Permit {
	p := access.Permit{Answer: access.Yes, If: append(x.If[:len(x.If):len(x.If)], y.If...), Why: append(x.Why[:len(x.Why):len(x.Why)], y.Why...)}
	p.Policies = append(x.Policies[:len(x.Policies):len(x.Policies)], y.Policies...)
	switch {
	case x.Answer == access.No || y.Answer == access.No:
		p.Answer = access.No
	case x.Answer == access.Maybe || y.Answer == access.Maybe:
		p.Answer = access.Maybe
	}
	return p
}

// irsa: a role's trust policy lets in tokens of service accounts, whether or not an annotation names it.
func irsa(b *builder) {
	for _, c := range b.clusters {
		issuer := c.Issuer()
		if issuer == "" || c.account.model == nil {
			continue
		}
		for _, r := range c.account.model.Roles {
			trust := b.all.Trust(r)
			if trust == nil || !strings.Contains(string(r.Trust), issuer) || !trust.Trusts(issuer) {
				continue
			}
			at := b.vertex(key{anAssociation, c.n, "trust", r.ARN}, access.Identity{}, false)
			b.link(at, b.principal(r.ARN), 0, b.grant(costTrust, func() Removal {
				return Removal{Object: r.Subject(), Text: "narrow the trust policy of " + r.ARN + " for tokens of cluster " + c.label}
			}))
			for _, sa := range trust.NamedSubjects(issuer) {
				entry := trust.WebIdentity(access.WebToken{Issuer: issuer, Subject: access.Subject(sa[0], sa[1]), Audience: access.IRSAAudience})
				answer, conditions := answerOf(entry)
				if answer == access.No {
					continue
				}
				fact := b.with(func() Fact {
					return Fact{Text: "take role " + r.ARN + " with a token of the service account", If: conditions, Evidence: []finding.Evidence{{Text: strings.Join(entry.Statements, "; "), Source: r.Subject().String() + " trust policy"}}}
				})
				b.step(b.newPod(c, sa[0], sa[1]), at, answer, fact, 0)
				b.step(b.minted(c, sa[0], sa[1]), at, answer, fact, 0)
				for _, k := range c.running {
					if k.irsa && k.namespace == sa[0] && k.sa == sa[1] {
						b.step(k.at, at, answer, fact, 0)
					}
				}
			}
		}
	}
}
