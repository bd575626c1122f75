package checks

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var podIdentityShadowsIRSA = &check.Check{
	ID:         "pod-identity-shadows-irsa",
	Title:      "Service account has both a Pod Identity association and an IRSA annotation",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaPodIdentityAssociations, model.AreaServiceAccounts, model.AreaPods},
	Techniques: []string{"T1078.004"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, a := range p.Cluster.PodIdentityAssociations {
			sa, _ := p.Access.ServiceAccount(a.Namespace, a.ServiceAccount)
			annotated := access.IRSARole(sa)
			if annotated == "" {
				continue
			}
			var r *check.Report
			if annotated == a.RoleARN {
				r = p.Report(sa, "%s/%s gets %s through Pod Identity and through IRSA; %s; low, because both name one role", sa.Namespace, sa.Name, a.RoleARN, usedByPods(p, a)).
					Severity(finding.Low)
			} else {
				r = p.Report(sa, "new pods of %s/%s get %s through Pod Identity, not %s as the annotation says; %s", sa.Namespace, sa.Name, a.RoleARN, annotated, usedByPods(p, a))
			}
			r.Because(sa, "metadata.annotations", "%s: %s", access.RoleAnnotation, annotated).
				Because(a, "roleArn", "%s, which goes before the annotation when a pod is made", a.RoleARN).
				Fix("# when all pods run through Pod Identity, take the annotation away, and then the cluster's OIDC provider from the old role's trust policy")
			unannotate := plan.UnannotateServiceAccount{Cluster: p.Cluster.ID(), Namespace: sa.Namespace, Name: sa.Name, Key: access.RoleAnnotation}
			if usesIRSA(p, sa) {
				r.Fix(plan.Command(unannotate))
			} else {
				r.Plan(unannotate)
			}
		}
	},
}

// usesIRSA says whether pods of a service account run with the role of its annotation, or may.
func usesIRSA(p *check.Pass, sa *model.ServiceAccount) bool {
	return !p.Access.Complete(model.AreaPods) || slices.ContainsFunc(p.Access.PodsOf(sa.Namespace, sa.Name), func(pod *model.Pod) bool {
		via := p.Access.CredentialsOf(pod).Via
		return via == access.ViaIRSA || via == access.ViaUnknown
	})
}

// usedByPods says in words which identity the pods of an association's service account have now.
func usedByPods(p *check.Pass, a *model.PodIdentityAssociation) string {
	if !p.Access.Complete(model.AreaPods) {
		return "what its pods use now was not read"
	}
	count := map[string]int{}
	var order []string
	for _, pod := range p.Access.PodsOf(a.Namespace, a.ServiceAccount) {
		is := identityNow(p.Access.CredentialsOf(pod))
		if count[is]++; count[is] == 1 {
			order = append(order, is)
		}
	}
	if len(order) == 0 {
		return "no pod runs now"
	}
	for i, is := range order {
		order[i] = fmt.Sprintf("%d with %s", count[is], is)
	}
	return "pods now: " + strings.Join(order, ", ")
}
