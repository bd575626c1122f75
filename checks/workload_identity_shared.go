package checks

import (
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var workloadIdentityShared = &check.Check{
	ID:         "workload-identity-shared",
	Title:      "Unrelated workloads share a service account that holds an IAM role",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaPodIdentityAssociations, model.AreaServiceAccounts, model.AreaWorkloads, model.AreaPods},
	Techniques: []string{"T1078.004"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		users := map[[2]string][]*access.Unit{}
		for _, u := range p.Access.Units() {
			name := [2]string{u.Namespace, u.ServiceAccount()}
			users[name] = append(users[name], u)
		}
		seen := map[[2]string]bool{}
		for _, sa := range p.Access.AWSServiceAccounts() {
			name := [2]string{sa.Namespace, sa.Name}
			// A default service account is shared by what it is: the checks of default service accounts report it.
			if seen[name] || sa.Name == "default" {
				continue
			}
			seen[name] = true
			apps := unrelated(users[name])
			if len(apps) < 2 {
				continue
			}
			role, via := p.Access.HoldsAWSRole(sa.Namespace, sa.Name)
			var names []string
			for _, u := range apps {
				names = append(names, unitName(u))
			}
			var o model.Object = sa.Object
			if account, _ := p.Access.ServiceAccount(sa.Namespace, sa.Name); account != nil {
				o = account
			}
			r := p.Report(o, "%d workloads that have no label in common run as %s/%s and so all hold IAM role %s: %s", len(apps), sa.Namespace, sa.Name, role, check.Some(names, 4)).
				Because(sa.Object, "", "holds %s through %s", role, via)
			for _, u := range apps[:min(len(apps), 20)] {
				r.Because(u.Object, "spec.serviceAccountName", "%s", sa.Name)
			}
			r.Fix("# give each workload a service account and a role of its own").
				Fix(plan.Command(plan.CreateServiceAccount{Cluster: p.Cluster.ID(), Namespace: sa.Namespace, Name: "NAME"})).
				Fix(plan.Command(plan.CreatePodIdentityAssociation{Cluster: p.Cluster.ID(), Namespace: sa.Namespace, ServiceAccount: "NAME", RoleARN: "ARN"}))
			if w, ok := apps[len(apps)-1].Object.(*model.Workload); ok {
				r.Fix(plan.Shell("kubectl", "set", "serviceaccount", "-n", sa.Namespace, w.Subject().Name, "NAME"))
			}
		}
	},
}

// appLabels are labels that the parts of one application carry with one value (Kubernetes documentation, "Recommended
// Labels", 2026-11; the short ones are common use).
var appLabels = []string{"app.kubernetes.io/part-of", "app.kubernetes.io/instance", "app.kubernetes.io/name", "app", "k8s-app", "release"}

// unrelated returns one unit of each application: units belong together that share a value of an application's label or
// a controlling owner, directly or over others.
func unrelated(units []*access.Unit) []*access.Unit {
	parent := make([]int, len(units))
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	first := map[string]int{}
	for i, u := range units {
		for _, sign := range signsOf(u) {
			if j, ok := first[sign]; ok {
				parent[max(root(i), root(j))] = min(root(i), root(j))
			} else {
				first[sign] = i
			}
		}
	}
	var apps []*access.Unit
	for i, u := range units {
		if root(i) == i {
			apps = append(apps, u)
		}
	}
	return apps
}

// signsOf are what a unit shares with others of its application.
func signsOf(u *access.Unit) []string {
	var signs []string
	add := func(labels map[string]string) {
		for _, k := range appLabels {
			if v := labels[k]; v != "" {
				signs = append(signs, k+"="+v)
			}
		}
	}
	add(u.Labels)
	switch o := u.Object.(type) {
	case *model.Workload:
		add(o.Labels)
		if o.Owner != "" {
			signs = append(signs, "owner "+o.Owner)
		}
	case *model.Pod:
		if o.Owner != "" {
			signs = append(signs, "owner "+o.Owner)
		}
	}
	return signs
}

func unitName(u *access.Unit) string {
	s := u.Object.Subject()
	if s.Kind == "Workload" {
		return s.Name
	}
	return strings.ToLower(s.Kind) + "/" + s.Name
}
