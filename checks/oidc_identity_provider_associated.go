package checks

import (
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var oidcIdentityProviderAssociated = &check.Check{
	ID:         "oidc-identity-provider-associated",
	Title:      "People can sign in through an OIDC provider",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaIdentityProviders},
	Techniques: []string{"T1556.009"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, i := range p.Cluster.IdentityProviders {
			r := p.Report(i, "identity provider %s lets in whoever %s vouches for, beside access entries and aws-auth", i.Name, orNobody(i.IssuerURL)).
				Because(i, "oidc.issuerUrl", "%s", orNobody(i.IssuerURL)).
				Because(i, "oidc.usernameClaim", "%s with prefix %s", orNobody(i.UsernameClaim), orNobody(i.UsernamePrefix)).
				Because(i, "oidc.groupsClaim", "%s with prefix %s", orNobody(i.GroupsClaim), orNobody(i.GroupsPrefix))
			if len(i.RequiredClaims) == 0 {
				r.Because(i, "oidc.requiredClaims", "none: every token of the client is accepted")
			}
			r.Fix("# if nobody signs in this way any more").
				Fix(plan.Shell("aws", "eks", "disassociate-identity-provider-config", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region,
					"--identity-provider-config", "type=oidc,name="+i.Name)).
				Fix("# else review who can get tokens there, and which users and groups RBAC binds:").
				Fix("kubectl get clusterrolebindings,rolebindings -A -o wide")
		}
	},
}
