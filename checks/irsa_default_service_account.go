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
			unannotate := plan.UnannotateServiceAccount{Cluster: p.Cluster.ID(), Namespace: sa.Namespace, Name: sa.Name, Key: access.RoleAnnotation}
			if isUnused(p, sa.Namespace, sa.Name) {
				r.Fix("# nothing runs as it: take the role away").Plan(unannotate)
				continue
			}
			r.Fix("# give the role to a service account that only the workload in need of it uses, and name that one in the role's trust policy").
				Fix(plan.Command(plan.CreateServiceAccount{Cluster: p.Cluster.ID(), Namespace: sa.Namespace, Name: "NAME"})).
				Fix(plan.Command(plan.AnnotateServiceAccount{Cluster: p.Cluster.ID(), Namespace: sa.Namespace, Name: "NAME", Key: access.RoleAnnotation, Value: role})).
				Fix("# set serviceAccountName in that workload, wait for its pods, then take the role from default").
				Fix(plan.Command(unannotate))
		}
	},
}

// isUnused says whether it is certain that nothing runs, or would run, as a service account.
func isUnused(p *check.Pass, namespace, name string) bool {
	return p.Access.Complete(model.AreaPods) && p.Access.Complete(model.AreaWorkloads) && p.Access.Complete(model.AreaServiceAccounts) &&
		len(p.Access.PodsOf(namespace, name)) == 0 && len(p.Access.WorkloadsOf(namespace, name)) == 0
}
