package migrate

import (
	"fmt"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
)

// large is a cluster in mode CONFIG_MAP with 500 rows, 300 groups and 5,000 bindings.
func large() *model.Snapshot {
	var rows strings.Builder
	var principals []string
	for i := range 500 {
		name := fmt.Sprintf("team-%d", i)
		principals = append(principals, role("teams/"+name))
		fmt.Fprintf(&rows, "- {rolearn: %q, username: %q, groups: [group-%d, group-%d]}\n", role(name), name, i%300, (i*7+1)%300)
	}
	s := synthetic("aws", model.ModeConfigMap, map[string]string{"mapRoles": rows.String()}, principals...)
	c := s.Clusters[0]
	for i := range 200 {
		c.ClusterRoles = append(c.ClusterRoles, &model.Role{Meta: model.Meta{Name: fmt.Sprintf("role-%d", i)}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"apps"}, Resources: []string{"deployments", fmt.Sprintf("kind-%d", i)}, Verbs: []string{"get", "list", "watch", "update"}},
			{APIGroups: []string{""}, Resources: []string{"pods", "configmaps"}, Verbs: []string{"get", "list"}},
		}})
	}
	for i := range 5000 {
		b := &model.Binding{RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: fmt.Sprintf("role-%d", i%200)}, Subjects: []rbacv1.Subject{{Kind: "Group", Name: fmt.Sprintf("group-%d", i%300)}}}
		b.Namespace, b.Name = fmt.Sprintf("ns-%d", i%250), fmt.Sprintf("binding-%d", i)
		c.RoleBindings = append(c.RoleBindings, b)
	}
	return s
}

// BenchmarkAccessEntries plans a migration and proves it.
func BenchmarkAccessEntries(b *testing.B) {
	s := large()
	for b.Loop() {
		a := access.New(s)
		r, err := NewResult("access-entries", s, []*Migration{AccessEntries(s, a, a.Clusters()[0], Options{})})
		if err != nil {
			b.Fatal(err)
		}
		if !r.Proof.Equal || len(r.Changes) != 1002 {
			b.Fatalf("%d changes, equal %v: %v %v", len(r.Changes), r.Proof.Equal, r.Proof.Lost[:min(3, len(r.Proof.Lost))], r.Proof.Unknown[:min(3, len(r.Proof.Unknown))])
		}
	}
}

// manyPods is a cluster of 10,000 service accounts with a workload and a pod each, on 500 nodes: 2,000 have a role by IRSA, 1,000 by
// kube2iam.
func manyPods() *model.Snapshot {
	s := aged()
	c := s.Clusters[0]
	node, instance, agent := *c.Nodes[0], *c.Instances[0], c.Workloads[1]
	c.ServiceAccounts, c.Workloads, c.Pods, c.Nodes, c.Instances = nil, []*model.Workload{agent}, nil, nil, nil
	for i := range 500 {
		n, of := node, instance
		n.Name, n.ProviderID, of.ID = fmt.Sprint("n", i), fmt.Sprintf("aws:///eu-central-1a/i-%017x", i), fmt.Sprintf("i-%017x", i)
		c.Nodes, c.Instances = append(c.Nodes, &n), append(c.Instances, &of)
	}
	for i := range 10000 {
		namespace, name := fmt.Sprint("team-", i%300), fmt.Sprint("app-", i)
		sa := &model.ServiceAccount{Meta: model.Meta{Namespace: namespace, Name: name}}
		w := &model.Workload{Kind: "Deployment", Meta: sa.Meta}
		w.PodSpec.ServiceAccount = name
		pod := &model.Pod{Phase: "Running", Meta: sa.Meta, PodSpec: model.PodSpec{ServiceAccount: name, NodeName: fmt.Sprint("n", i%500)}}
		pod.Owner = "deployment/" + name
		switch {
		case i < 2000:
			sa.Annotations = map[string]string{access.RoleAnnotation: role(name)}
			s.Accounts[0].Roles = append(s.Accounts[0].Roles, &model.IAMRole{ARN: role(name), Name: name, Trust: trustOf(trusting(issuer, "system:serviceaccount:"+namespace+":"+name))})
		case i < 3000:
			w.TemplateAnnotations = map[string]string{kube2iamRole: name}
			s.Accounts[0].Roles = append(s.Accounts[0].Roles, &model.IAMRole{ARN: role(name), Name: name, Trust: trustOf(nodesIn)})
		}
		c.ServiceAccounts, c.Workloads, c.Pods = append(c.ServiceAccounts, sa), append(c.Workloads, w), append(c.Pods, pod)
	}
	return s
}

// BenchmarkPodIdentity plans a migration and proves it: with nodes whose role pods reach, so that everybody loses the way to the
// roles of kube2iam, and of service accounts with IRSA alone.
func BenchmarkPodIdentity(b *testing.B) {
	for name, of := range map[string]struct {
		snapshot *model.Snapshot
		holders  int
	}{"kube2iam": {manyPods(), 3000}, "IRSA": {onlyIRSA(manyPods()), 2000}} {
		for _, proved := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/proved=%v", name, proved), func(b *testing.B) {
				s := of.snapshot
				for b.Loop() {
					a := access.New(s)
					m := PodIdentity(s, a, a.Clusters()[0], Options{})
					if len(m.Holders) != of.holders || len(m.Blockers) > 0 {
						b.Fatalf("%d service accounts, blockers %v", len(m.Holders), m.Blockers[:min(3, len(m.Blockers))])
					}
					if !proved {
						continue
					}
					r, err := NewResult("pod-identity", s, []*Migration{m})
					if err != nil {
						b.Fatal(err)
					}
					if r.Proof.Equal != (name == "IRSA") {
						b.Fatalf("equal: %v", r.Proof.Equal)
					}
				}
			})
		}
	}
}

// onlyIRSA takes the annotations of kube2iam off, and the way of pods to the role of their nodes.
func onlyIRSA(s *model.Snapshot) *model.Snapshot {
	c := s.Clusters[0]
	for _, w := range c.Workloads {
		w.TemplateAnnotations = nil
	}
	for _, i := range c.Instances {
		i.HopLimit = 1
	}
	return s
}
