package checks

import (
	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var irsaDefaultServiceAccount = &check.Check{
	ID:         "irsa-default-service-account",
	Title:      "IRSA annotation gives a role to a default service account",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaServiceAccounts, model.AreaPods},
	Techniques: []string{"T1078.001", "T1078.004"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, sa := range p.Cluster.ServiceAccounts {
			role := access.IRSARole(sa)
			if sa.Name != "default" || role == "" {
				continue
			}
			var holders []string
			for _, pod := range p.Access.PodsOf(sa.Namespace, sa.Name) {
				if id := p.Access.CredentialsOf(pod); id.Via == access.ViaIRSA && id.RoleARN == role {
					holders = append(holders, pod.Name)
				}
			}
			r := p.Report(sa, "every new pod in namespace %s that names no service account is given IAM role %s%s", sa.Namespace, role, holding(p, holders)).
				Because(sa, "metadata.annotations", "%s: %s", access.RoleAnnotation, role)
			if a := p.Access.Association(sa.Namespace, sa.Name); a != nil {
				r.Because(a, "roleArn", "%s goes before the annotation in new pods", a.RoleARN)
			}
			if len(holders) > 0 {
				r.Evidence("namespace "+sa.Namespace, "pods with the role: %s", check.Some(holders, 20))
			}
			r.Fix("# give the role to a service account that only the workload in need of it uses, and name that one in the role's trust policy").
				Fix(plan.Shell("kubectl", "create", "serviceaccount", "-n", sa.Namespace, "NAME")).
				Fix(plan.Shell("kubectl", "annotate", "-n", sa.Namespace, "serviceaccount/NAME", access.RoleAnnotation+"="+role)).
				Fix("# set serviceAccountName in that workload, wait for its pods, then take the role from default").
				Fix(plan.Shell("kubectl", "annotate", "-n", sa.Namespace, "serviceaccount/default", access.RoleAnnotation+"-"))
		}
	},
}
