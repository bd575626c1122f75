package access

import (
	"fmt"
	"testing"

	"drawbridge/internal/model"
)

// onNodes is a cluster of n service accounts with a workload and a pod each that reach the role of their nodes, and n/5 roles which
// that role may take, or may not.
func onNodes(n int, trusted bool) *model.Snapshot {
	const account, profile = "111122223333", "arn:aws:iam::111122223333:instance-profile/nodes"
	arn := func(name string) string { return "arn:aws:iam::" + account + ":role/" + name }
	trust := model.Document(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"` + arn("nodes") + `"},"Action":"sts:AssumeRole"}}`)
	if !trusted {
		trust = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	}
	a := &model.Account{ID: account, Read: map[model.Area]bool{model.AreaIAMRoles: true, model.AreaIAMUsers: true}}
	a.Roles = []*model.IAMRole{{ARN: arn("nodes"), Name: "nodes", InstanceProfiles: []string{profile}, Inline: []model.InlinePolicy{{
		Name: "any", Document: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}}`,
	}}}}
	for i := range n / 5 {
		a.Roles = append(a.Roles, &model.IAMRole{ARN: arn(fmt.Sprint("r", i)), Name: fmt.Sprint("r", i), Trust: trust})
	}
	c := &model.Cluster{Name: "prod", Account: account, Read: map[model.Area]bool{}}
	node := &model.Node{Meta: model.Meta{Name: "n1"}, ProviderID: "aws:///eu-central-1a/i-0123456789abcdef0"}
	c.Nodes = []*model.Node{node}
	c.Instances = []*model.Instance{{ID: node.InstanceID(), InstanceProfileARN: profile, MetadataOptions: model.MetadataOptions{HTTPTokens: "optional"}}}
	for i := range n {
		meta := model.Meta{Namespace: "shop", Name: fmt.Sprint("app-", i)}
		spec := model.PodSpec{ServiceAccount: meta.Name, NodeName: "n1"}
		c.ServiceAccounts = append(c.ServiceAccounts, &model.ServiceAccount{Meta: meta})
		c.Pods = append(c.Pods, &model.Pod{Meta: meta, PodSpec: spec, Phase: "Running"})
	}
	for _, area := range AreasOfDiff() {
		if info, _ := area.Info(); info.OfAccount {
			a.Read[area] = true
		} else {
			c.Read[area] = true
		}
	}
	return &model.Snapshot{Clusters: []*model.Cluster{c}, Accounts: []*model.Account{a}}
}

// TestDiffGrowth counts what a comparison does where many lose the way to many roles: no more than in proportion to its size. What
// is told is told in full: who loses it, and what.
func TestDiffGrowth(t *testing.T) {
	const n, times = 50, 8
	measure := func(n int) work {
		d := newDiffer(New(onNodes(n, true)), New(onNodes(n, false)))
		d.compare(true)
		return d.work
	}
	small, large := measure(n), measure(n*times)
	for name, grown := range map[string][2]int{
		"sessions opened": {small.sides, large.sides}, "roles that sessions were asked for": {small.hops, large.hops}, "roles compared": {small.changes, large.changes},
	} {
		if grown[0] == 0 || grown[1] > grown[0]*times*5/4 {
			t.Errorf("%s: %d, and %d at %d times the size", name, grown[0], grown[1], times)
		}
	}
	r := DiffShared(New(onNodes(n, true)), New(onNodes(n, false)))
	if len(r.Shared) != 1 || len(r.Shared[0].Identities) != 2*n || len(r.Shared[0].Lost) != n/5 {
		t.Fatalf("shared: %+v", r.Shared)
	}
	all := Diff(New(onNodes(n, true)), New(onNodes(n, false)))
	lost := 0
	for _, one := range all.Identities {
		lost += len(one.Lost)
	}
	if want := (2*n + 1) * (n / 5); lost != want || len(all.Shared) > 0 {
		t.Errorf("without sharing %d losses, want %d", lost, want)
	}
}
