package access

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/model"
)

func TestFlags(t *testing.T) {
	got := Flags([]string{"/agent", "server", "--port", "80", "--endpoint=https://a/b=c", "-v", "trace", "-b10.0.0.2", "-p=8080", "--rotate-credentials", "--bind-hosts", "10.0.0.1", "x", "-"})
	want := []Flag{
		{"", "/agent"},
		{"", "server"},
		{"port", "80"},
		{"endpoint", "https://a/b=c"},
		{"v", "trace"},
		{"b", "10.0.0.2"},
		{"p", "8080"},
		{"rotate-credentials", ""},
		{"bind-hosts", "10.0.0.1"},
		{"", "x"},
		{"", "-"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAgents(t *testing.T) {
	daemonSet := func(name, image string, labels map[string]string) *model.Workload {
		return &model.Workload{
			Meta: model.Meta{Namespace: "kube-system", Name: name}, Kind: "DaemonSet", TemplateLabels: labels,
			PodSpec: model.PodSpec{Containers: []model.Container{{Name: "c", Image: image}}},
		}
	}
	c := &model.Cluster{Workloads: []*model.Workload{
		daemonSet("eks-pod-identity-agent", "mirror.example:5000/other:v1", nil),
		daemonSet("renamed", "mirror.example:5000/eks/eks-pod-identity-agent@sha256:00", nil),
		daemonSet("labelled", "x", map[string]string{"app.kubernetes.io/name": "eks-pod-identity-agent"}),
		daemonSet("aws-node", "602401143452.dkr.ecr.us-east-1.amazonaws.com/amazon-k8s-cni:v1", nil),
	}}
	var got []string
	for _, u := range New(&model.Snapshot{Clusters: []*model.Cluster{c}}).Cluster(c).Agents() {
		got = append(got, u.Object.Subject().Name)
	}
	if diff := cmp.Diff([]string{"daemonset/eks-pod-identity-agent", "daemonset/renamed", "daemonset/labelled"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestNeedsAgent(t *testing.T) {
	for name, tc := range map[string]struct {
		node model.Node
		want bool
	}{
		"managed":          {model.Node{Meta: model.Meta{Labels: map[string]string{NodegroupLabel: "a"}}}, true},
		"hybrid":           {model.Node{Meta: model.Meta{Labels: map[string]string{ComputeTypeLabel: "hybrid"}}}, true},
		"auto":             {model.Node{Meta: model.Meta{Labels: map[string]string{ComputeTypeLabel: "auto"}}}, false},
		"fargate":          {model.Node{Meta: model.Meta{Labels: map[string]string{ComputeTypeLabel: "fargate"}}}, false},
		"windows":          {model.Node{OS: "windows"}, false},
		"windows by label": {model.Node{Meta: model.Meta{Labels: map[string]string{OSLabel: "windows"}}}, false},
	} {
		if got := NeedsAgent(&tc.node); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
