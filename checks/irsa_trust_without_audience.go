package checks

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var irsaTrustWithoutAudience = &check.Check{
	ID:         "irsa-trust-without-audience",
	Title:      "Trust policy accepts tokens made out for others than AWS",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaCluster, model.AreaIAMRoles, model.AreaOIDCProviders},
	Techniques: []string{"T1550.001"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		issuer := p.Access.Issuer()
		if issuer == "" {
			return
		}
		for _, acct := range p.Snapshot.Accounts {
			for _, role := range acct.Roles {
				trust := p.Access.Access().Trust(role)
				if trust == nil || !trust.Trusts(issuer) {
					continue
				}
				if e := trust.AnyAudience(issuer); !e.Not() {
					reportAnyAudience(p, role, trust, issuer, e)
				}
			}
		}
	},
}

func reportAnyAudience(p *check.Pass, role *model.IAMRole, trust *access.Trust, issuer string, e access.Entry) {
	condition := ""
	if len(e.If) > 0 {
		condition = " if " + strings.Join(e.If, " and ")
	}
	text := role.Name + " accepts tokens of cluster " + p.Cluster.Name + " for any audience" + condition
	var r *check.Report
	switch provider := p.Access.Access().OIDCProvider(trust.Provider(issuer)); {
	case provider == nil:
		r = p.Report(role, "%s: which audiences the OIDC provider itself accepts was not read", text)
	case slices.Equal(provider.ClientIDs, []string{access.IRSAAudience}):
		r = p.Report(role, "%s; low, because the OIDC provider itself accepts sts.amazonaws.com only, as long as nobody adds another", text).Severity(finding.Low)
	default:
		r = p.Report(role, "%s that the OIDC provider accepts (%s): a token that a pod shows to another service opens the role too", text, check.Some(provider.ClientIDs, 5))
	}
	for _, s := range e.Statements {
		r.Because(role, "AssumeRolePolicyDocument", "%s", s)
	}
	if narrow, ok := narrowTrust(role, trust.Provider(issuer), func(text []byte) ([]byte, error) {
		return iam.SetConditions(text, nil, "StringEquals", map[string][]string{issuer + ":aud": {access.IRSAAudience}})
	}); ok && !otherAudience(p, role) {
		r.Plan(narrow)
		return
	}
	r.Fix("# add to the Condition of the statement for this provider").
		Fix(fmt.Sprintf(`"StringEquals": {%q: "sts.amazonaws.com"}`, issuer+":aud")).
		Fix(plan.Shell("aws", "iam", "update-assume-role-policy", "--role-name", role.Name, "--policy-document", "file://trust.json"))
}

// otherAudience says whether a service account that is annotated with the role has tokens made out for another audience than
// AWS's default, or may have.
func otherAudience(p *check.Pass, role *model.IAMRole) bool {
	return !p.Access.Complete(model.AreaServiceAccounts) || slices.ContainsFunc(p.Cluster.ServiceAccounts, func(sa *model.ServiceAccount) bool {
		audience := sa.Annotations[access.AudienceAnnotation]
		return access.IRSARole(sa) == role.ARN && audience != "" && audience != access.IRSAAudience
	})
}
