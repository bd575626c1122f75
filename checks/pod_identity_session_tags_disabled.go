package checks

import (
	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var podIdentitySessionTagsDisabled = &check.Check{
	ID:         "pod-identity-session-tags-disabled",
	Title:      "Pod Identity association opens sessions without tags",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaPodIdentityAssociations, model.AreaIAMRoles},
	Techniques: []string{"T1562.008"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		c := p.Cluster
		for _, a := range c.PodIdentityAssociations {
			if !a.DisableSessionTags {
				continue
			}
			refused, trust := "", trustOfAssociation(p, a)
			in := trust != nil && !trust.PodIdentity(p.Access.Session(a)).Not()
			if trust != nil && !in {
				tagged := p.Access.Session(a)
				tagged.Untagged = false
				if !trust.PodIdentity(tagged).Not() {
					refused = "; the trust policy of the role wants the tags, so its pods get no credentials"
				}
			}
			var r *check.Report
			if a.Policy != "" {
				r = p.Report(a, "CloudTrail cannot tell which pod used %s, and conditions on kubernetes-* tags fail%s; low, because the association's session policy needs the tags off", a.RoleARN, refused).
					Severity(finding.Low).
					Because(a, "policy", "a session policy, which EKS takes only without session tags")
			} else {
				r = p.Report(a, "CloudTrail cannot tell which pod, namespace or cluster used %s, and conditions on kubernetes-* or eks-cluster-* tags fail%s", a.RoleARN, refused)
			}
			r.Because(a, "disableSessionTags", "true")
			if a.Policy != "" {
				r.Fix("# session policy and session tags exclude each other: keep one of them, and give the role only what the session policy leaves")
			}
			on := plan.UpdatePodIdentityAssociation{Cluster: c.ID(), Namespace: a.Namespace, ServiceAccount: a.ServiceAccount, ID: a.ID, DisableSessionTags: new(bool)}
			if in && a.Policy == "" { // else the tags let the pods into the role
				r.Plan(on)
			} else {
				r.Fix(plan.Command(on))
			}
			r.Fix("# then restart the pods: sessions that are open stay without tags")
		}
	},
}

func trustOfAssociation(p *check.Pass, a *model.PodIdentityAssociation) *access.Trust {
	role, _ := p.Access.Access().Role(a.RoleARN)
	return p.Access.Access().Trust(role)
}
