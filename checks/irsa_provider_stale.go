package checks

import (
	"cmp"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var irsaProviderStale = &check.Check{
	ID:            "irsa-provider-stale",
	Title:         "Trust in the OIDC issuer of a cluster that is not there",
	Severity:      finding.Low,
	Needs:         []model.Area{model.AreaCluster, model.AreaIAMRoles},
	NeedsComplete: []model.Area{model.AreaOIDCProviders},
	Techniques:    []string{"T1078.004"},
	Since:         "0.1",
	Run: func(p *check.Pass) {
		// Providers belong to the account: the first cluster of a region speaks for all of the region.
		if p.Cluster != clusterOfRegion(p) {
			return
		}
		trusting := rolesByProvider(p)
		known := map[string]bool{}
		for _, o := range p.Account.OIDCProviders {
			known[o.ARN] = true
		}
		reportOrphans(p, trusting)
		var missing []string
		for provider := range trusting {
			if e, ok := eksProvider(p, provider); ok && !known[provider] && e.Region == p.Cluster.Region {
				missing = append(missing, provider)
			}
		}
		slices.Sort(missing)
		for _, provider := range missing {
			for _, role := range trusting[provider] {
				r := p.Report(role, "%s trusts OIDC provider %s, which IAM does not have: nobody can take the role that way, and the cluster it was for is probably gone", role.Name, provider).
					Because(role, "AssumeRolePolicyDocument", "Federated: %s", provider).
					Evidence("account "+p.Account.ID+" OIDC providers", "%d, this one not among them", len(p.Account.OIDCProviders)).
					Fix("# take the statement out of the trust policy; if it was the only one, delete the role").
					Key(provider)
				if trust, ok := withoutProvider(role, provider); ok {
					r.Plan(trust)
				} else {
					r.Fix(plan.Shell("aws", "iam", "get-role", "--role-name", role.Name, "--query", "Role.[RoleLastUsed,AssumeRolePolicyDocument]"))
				}
			}
		}
	},
}

// withoutProvider takes the statements that are about one OIDC provider alone out of a trust policy, if that leaves none about it
// and others: a role cannot be without a trust policy.
func withoutProvider(role *model.IAMRole, provider string) (plan.Change, bool) {
	kept, about := 0, 0
	after, err := iam.EditStatements([]byte(role.Trust), func(s *iam.Statement, text []byte) ([]byte, error) {
		switch {
		case s.Principal == nil || !slices.Contains(s.Principal.Federated, provider):
			kept++
			return text, nil
		case !isOnly(s.Principal, provider):
			about++
			return text, nil
		}
		return nil, nil
	})
	return plan.UpdateTrustPolicy{RoleARN: role.ARN, Before: role.Trust, After: model.Document(after)}, err == nil && kept > 0 && about == 0
}

// isOnly says whether a statement is about one principal, a service or a provider, and nobody else.
func isOnly(p *iam.Principals, name string) bool {
	all := slices.Concat(p.AWS, p.Service, p.Federated, p.CanonicalUser, p.Other)
	return !p.Everyone && len(all) == 1 && all[0] == name
}

func clusterOfRegion(p *check.Pass) *model.Cluster {
	for _, c := range p.Snapshot.Clusters {
		if c.Account == p.Cluster.Account && c.Region == p.Cluster.Region {
			return c
		}
	}
	return p.Cluster
}

// rolesByProvider lists the account's roles by the OIDC providers that they trust.
func rolesByProvider(p *check.Pass) map[string][]*model.IAMRole {
	by := map[string][]*model.IAMRole{}
	for _, role := range p.Account.Roles {
		if trust := p.Access.Access().Trust(role); trust != nil {
			for _, provider := range trust.Providers() {
				by[provider] = append(by[provider], role)
			}
		}
	}
	return by
}

// eksProvider recognises a provider of the account that is for an EKS issuer.
func eksProvider(p *check.Pass, arn string) (access.EKSIssuer, bool) {
	parsed, err := iam.ParseARN(arn)
	if err != nil || parsed.Account != p.Account.ID {
		return access.EKSIssuer{}, false
	}
	return access.ParseEKSIssuer(strings.TrimPrefix(parsed.Resource, "oidc-provider/"))
}

// reportOrphans reports providers whose issuer no cluster of the account has in the region, if all of those are known.
func reportOrphans(p *check.Pass, trusting map[string][]*model.IAMRole) {
	live := map[string]bool{}
	all := slices.Contains(p.Account.AllClustersOf, p.Cluster.Region)
	for _, c := range p.Snapshot.Clusters {
		if c.Account != p.Cluster.Account || c.Region != p.Cluster.Region {
			continue
		}
		issuer, ok := access.ParseEKSIssuer(p.Access.Access().Cluster(c).Issuer())
		live[issuer.ID] = true
		all = all && ok
	}
	var unsure []string
	for _, o := range p.Account.OIDCProviders {
		issuer, ok := eksProvider(p, o.ARN)
		if !ok || issuer.Region != p.Cluster.Region || live[issuer.ID] {
			continue
		}
		if !all {
			unsure = append(unsure, cmp.Or(o.URL, o.ARN))
			continue
		}
		var roles []string
		for _, r := range trusting[o.ARN] {
			roles = append(roles, r.Name)
		}
		who := "no role trusts it"
		if len(roles) > 0 {
			who = "roles still trust it: " + check.Some(roles, 3)
		}
		p.Report(o, "%s is the issuer of no cluster that account %s has in %s: that cluster was deleted, or is another account's; %s", cmp.Or(o.URL, o.ARN), p.Account.ID, issuer.Region, who).
			Because(o, "Url", "%s", o.URL).
			Evidence("eks:ListClusters in "+issuer.Region, "no cluster has this issuer").
			Fix("# if no cluster of another account uses it").
			Fix(plan.Shell("aws", "iam", "delete-open-id-connect-provider", "--open-id-connect-provider-arn", o.ARN)).
			Fix("# and take its statements out of the trust policies of the roles")
	}
	if len(unsure) > 0 {
		p.NotAssessed("whether the clusters of OIDC providers %s still exist is not known, because not all clusters of %s are in the snapshot (--all-clusters)", check.Some(unsure, 3), p.Cluster.Region)
	}
}
