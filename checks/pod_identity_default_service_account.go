package checks

import (
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var podIdentityDefaultServiceAccount = &check.Check{
	ID:         "pod-identity-default-service-account",
	Title:      "Pod Identity association gives a role to a default service account",
	Severity:   finding.High,
	Needs:      []model.Area{model.AreaPodIdentityAssociations, model.AreaPods},
	Techniques: []string{"T1078.001", "T1078.004"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		c := p.Cluster
		for _, a := range c.PodIdentityAssociations {
			if a.ServiceAccount != "default" {
				continue
			}
			var holders []string
			for _, pod := range p.Access.PodsOf(a.Namespace, "default") {
				if p.Access.CredentialsOf(pod).Association == a {
					holders = append(holders, pod.Name)
				}
			}
			r := p.Report(a, "every new pod in namespace %s that names no service account gets IAM role %s%s", a.Namespace, a.RoleARN, holding(p, holders)).
				Because(a, "serviceAccount", "default, which the ServiceAccount admission plugin gives to pods that name none").
				Because(a, "roleArn", "%s", a.RoleARN)
			if len(holders) > 0 {
				r.Evidence("namespace "+a.Namespace, "pods with the role: %s", check.Some(holders, 20))
			}
			if isUnused(p, a.Namespace, a.ServiceAccount) {
				r.Fix("# nothing runs as it: take the role away")
				deleteAssociation(r, p, a)
				continue
			}
			r.Fix("# give the role to a service account that only the workload in need of it uses").
				Fix(plan.Command(plan.CreateServiceAccount{Cluster: c.ID(), Namespace: a.Namespace, Name: "NAME"})).
				Fix(plan.Command(plan.CreatePodIdentityAssociation{Cluster: c.ID(), Namespace: a.Namespace, ServiceAccount: "NAME", RoleARN: a.RoleARN})).
				Fix("# set serviceAccountName in that workload, wait for its pods, then take the role from default").
				Fix(plan.Command(dissociation(p, a))).
				Fix("# automountServiceAccountToken: false does not help: the webhook that gives the credentials does not read it")
		}
	},
}

// holding says how many pods hold a role now, where pods were read.
func holding(p *check.Pass, pods []string) string {
	switch {
	case len(pods) > 0:
		return "; now " + check.Some(pods, 3)
	case p.Access.Complete(model.AreaPods):
		return "; no pod has it now"
	}
	return "; which pods have it now was not read"
}
