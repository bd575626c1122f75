package graph

import (
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
)

// comeFromOutside: trust policies let in principals of other accounts, and whoever gets a token of a public OIDC provider.
func comeFromOutside(b *builder) {
	issuers := map[string]bool{}
	for _, c := range b.clusters {
		issuers[c.Issuer()] = true
	}
	known := func(id string) bool {
		return slices.ContainsFunc(b.accounts, func(a *account) bool { return a.id == id })
	}
	for _, acct := range b.accounts {
		for _, arn := range acct.roles {
			role, _ := b.all.Role(arn)
			trust := b.all.Trust(role)
			if trust == nil {
				continue
			}
			for _, o := range trust.Outsiders(known, func(issuer string) bool { return issuers[issuer] || isEKS(issuer) }) {
				answer, conditions := answerOf(o.Entry)
				from := b.outsider(o)
				b.outside = append(b.outside, from)
				b.step(from, b.principal(arn), answer, b.with(func() Fact {
					return Fact{
						Text: "take role " + arn + ", whose trust policy lets it in", If: conditions,
						Evidence: []finding.Evidence{{Text: strings.Join(o.Statements, "; "), Source: role.Subject().String() + " trust policy"}},
					}
				}), b.grant(costTrust, func() Removal {
					return Removal{Object: role.Subject(), Text: "take " + o.Principal + " out of the trust policy of " + arn + ", or add conditions"}
				}))
			}
		}
	}
	b.outsidersOfClusters(known)
}

// isEKS says whether an issuer is that of an EKS cluster, whose tokens no stranger gets.
func isEKS(issuer string) bool {
	_, ok := access.ParseEKSIssuer(issuer)
	return ok
}

func (b *builder) outsider(o access.Outsider) int32 {
	switch _, provider, _ := strings.Cut(o.Principal, ":oidc-provider/"); {
	case o.Principal == "*":
		return b.vertex(key{anOutsider, 0, "*", ""}, access.Identity{Kind: KindOutside, Name: "any AWS principal in the world"}, false)
	case o.Provider:
		return b.vertex(key{anOutsider, 0, provider, ""}, access.Identity{Kind: KindOutside, Name: "whoever gets a token of " + provider}, false)
	}
	return b.principal(o.Principal)
}

// outsidersOfClusters are those whom a cluster itself lets in: nobody in particular, where the API server answers the
// internet, and principals of other accounts.
func (b *builder) outsidersOfClusters(known func(account string) bool) {
	for _, c := range b.clusters {
		if d := c.Description; d == nil || d.EndpointPublic {
			b.outside = append(b.outside, b.user(c, "system:anonymous"))
		}
		for _, e := range c.AccessEntries {
			if !known(accountOf(e.PrincipalARN)) {
				b.outside = append(b.outside, b.principal(e.PrincipalARN))
			}
		}
		for _, m := range c.Mappings() {
			if c.counts(m) && !known(accountOf(m.Read.ARN)) {
				b.outside = append(b.outside, b.principal(b.mapped(m)))
			}
		}
		if parsed := c.ParsedAWSAuth(); parsed != nil && c.ReadsAWSAuth() {
			for _, a := range parsed.Accounts {
				if a.Valid && !known(a.ID) {
					b.outside = append(b.outside, b.anyOf(anyPrincipal, a.ID))
				}
			}
		}
	}
	slices.Sort(b.outside)
	b.outside = slices.Compact(b.outside)
	for _, v := range b.outside {
		b.starts[v] = true
	}
}
