package access

import (
	"testing"

	"drawbridge/internal/model"
)

func TestUnits(t *testing.T) {
	pod := func(n, owner, phase string) *model.Pod {
		return &model.Pod{Meta: model.Meta{Namespace: "a", Name: n, Owner: owner}, Phase: phase}
	}
	c := &model.Cluster{
		Name: "lab",
		Workloads: []*model.Workload{
			{Meta: model.Meta{Namespace: "a", Name: "web"}, Kind: "Deployment"},
			{Meta: model.Meta{Namespace: "a", Name: "agent"}, Kind: "DaemonSet"},
			{Meta: model.Meta{Namespace: "a", Name: "nightly"}, Kind: "CronJob"},
			{Meta: model.Meta{Namespace: "b", Name: "web"}, Kind: "Deployment"},
		},
		Pods: []*model.Pod{
			pod("web-5d4-a", "replicaset/web-5d4", "Running"), pod("web-5d4-b", "replicaset/web-5d4", "Running"),
			pod("agent-1", "daemonset/agent", "Running"), pod("nightly-28-x", "job/nightly-28", "Running"),
			pod("nightly-27-x", "job/nightly-27", "Succeeded"), pod("by-hand", "", "Running"), pod("by-hand-2", "", "Running"),
			pod("roll-1", "rollout/roll", "Running"), pod("roll-2", "rollout/roll", "Running"), pod("odd", "replicaset/odd", "Running"),
		},
	}
	a := New(&model.Snapshot{Clusters: []*model.Cluster{c}})
	got := map[string]int{}
	for _, u := range a.Cluster(c).Units() {
		got[u.Namespace+" "+u.Object.Subject().Name] = len(u.Pods)
	}
	want := map[string]int{
		"a deployment/web": 2, "a daemonset/agent": 1, "a cronjob/nightly": 1, "b deployment/web": 0,
		"a by-hand": 1, "a by-hand-2": 1, "a roll-1": 2, "a odd": 1,
	}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s has %d pods, want %d", name, got[name], n)
		}
	}
	if len(got) != len(want) {
		t.Errorf("units %v", got)
	}
}
