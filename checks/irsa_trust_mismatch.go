package checks

import (
	"cmp"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var irsaTrustMismatch = &check.Check{
	ID:       "irsa-trust-mismatch",
	Title:    "Service account names an IAM role that does not let it in",
	Severity: finding.Medium,
	Needs: []model.Area{
		model.AreaCluster, model.AreaServiceAccounts, model.AreaIAMRoles, model.AreaOIDCProviders, model.AreaPodIdentityAssociations,
	},
	Techniques: []string{"T1552.005"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		issuer := p.Access.Issuer()
		for _, sa := range p.Cluster.ServiceAccounts {
			role := access.IRSARole(sa)
			// Where there is an association the annotation does nothing: pod-identity-shadows-irsa reports that.
			if role == "" || issuer == "" || p.Access.Association(sa.Namespace, sa.Name) != nil {
				continue
			}
			if why, unknown := keptOut(p, sa, role, issuer); unknown != "" {
				p.NotAssessed("%s", unknown)
			} else if why != "" {
				reportKeptOut(p, sa, role, issuer, why)
			}
		}
	},
}

// keptOut says why a service account cannot take the role of its annotation, or why that is not known.
func keptOut(p *check.Pass, sa *model.ServiceAccount, arn, issuer string) (why, unknown string) {
	parsed, err := iam.ParseARN(arn)
	if err != nil || !parsed.IsRole() {
		return "that is not the ARN of an IAM role", ""
	}
	role, presence := p.Access.Access().Role(arn)
	if presence == access.Absent {
		return "that role does not exist", ""
	}
	trust := p.Access.Access().Trust(role)
	if trust == nil {
		return "", "the trust policy of " + arn + ", which service accounts name, was not read"
	}
	token := access.WebToken{Issuer: issuer, Subject: access.Subject(sa.Namespace, sa.Name), Audience: cmp.Or(sa.Annotations[access.AudienceAnnotation], access.IRSAAudience)}
	switch e := trust.WebIdentity(token); {
	case e.Not():
		return "its trust policy keeps it out: " + strings.Join(trust.WhyNot(token), "; "), ""
	case e.Verdict == iam.Undecided:
		return "", "whether " + arn + " lets in " + sa.Namespace + "/" + sa.Name + " depends on what cannot be evaluated: " + strings.Join(e.If, "; ")
	}
	if parsed.Account == p.Cluster.Account && p.Access.Complete(model.AreaOIDCProviders) && p.Access.Access().OIDCProvider(trust.Provider(issuer)) == nil {
		return "IAM has no OIDC provider for the cluster's issuer " + issuer, ""
	}
	return "", ""
}

func reportKeptOut(p *check.Pass, sa *model.ServiceAccount, role, issuer, why string) {
	r := p.Report(sa, "%s/%s names %s, but %s; its pods get an error or go on with their node's role", sa.Namespace, sa.Name, role, why).
		Because(sa, "metadata.annotations", "%s: %s", access.RoleAnnotation, role).
		Because(p.Cluster, "identity.oidc.issuer", "%s", issuer)
	if a := sa.Annotations[access.AudienceAnnotation]; a != "" {
		r.Because(sa, "metadata.annotations", "%s: %s", access.AudienceAnnotation, a)
	}
	if pods := p.Access.PodsOf(sa.Namespace, sa.Name); len(pods) > 0 {
		r.Evidence("list pods", "%d pods run as it", len(pods))
	}
	parsed, _ := iam.ParseARN(role)
	r.Fix("# if it needs no AWS role any more").
		Fix(plan.Command(plan.UnannotateServiceAccount{Cluster: p.Cluster.ID(), Namespace: sa.Namespace, Name: sa.Name, Key: access.RoleAnnotation})).
		Fix("# else add to the trust policy of the role").
		Fix(webTrustStatement("arn:"+p.Cluster.Partition+":iam::"+cmp.Or(parsed.Account, p.Cluster.Account)+":oidc-provider/"+issuer, issuer, access.Subject(sa.Namespace, sa.Name)))
}
