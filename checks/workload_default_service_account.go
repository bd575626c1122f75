package checks

import (
	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var workloadDefaultServiceAccount = &check.Check{
	ID:         "workload-default-service-account",
	Title:      "Workload runs as the default service account",
	Severity:   finding.Low,
	Needs:      []model.Area{model.AreaWorkloads, model.AreaPods},
	Techniques: []string{"T1078.001"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		for _, u := range p.Access.Units() {
			if u.ServiceAccount() != "default" || access.IsSystemNamespace(u.Namespace) {
				continue
			}
			r := p.Report(u.Object, "runs as service account default of namespace %s, like every pod there that names none", u.Namespace)
			if u.Spec.ServiceAccount == "" {
				r.Because(u.Object, "spec.serviceAccountName", "unset, so the ServiceAccount admission plugin sets default")
			} else {
				r.Because(u.Object, "spec.serviceAccountName", "default")
			}
			name := u.Object.Subject().Name
			r.Fix("# give the workload a service account of its own").
				Fix(plan.Command(plan.CreateServiceAccount{Cluster: p.Cluster.ID(), Namespace: u.Namespace, Name: "NAME"}))
			if _, isWorkload := u.Object.(*model.Workload); isWorkload {
				r.Fix(plan.Shell("kubectl", "set", "serviceaccount", "-n", u.Namespace, name, "NAME"))
			} else {
				r.Fix("# then set spec.serviceAccountName where pod " + plan.Shell(name) + " is made")
			}
		}
	},
}
