package migrate

import (
	"testing"
	"os"
	"time"
	"strconv"
	"drawbridge/internal/access"
	"drawbridge/internal/model"
	"fmt"
)

func shape(n, irsa, k2i, hop int) *model.Snapshot {
	s := manyPods()
	c := s.Clusters[0]
	c.ServiceAccounts, c.Workloads, c.Pods = nil, c.Workloads[:1], nil
	s.Accounts[0].Roles = s.Accounts[0].Roles[:2]
	for _, i := range c.Instances { i.HopLimit = hop }
	for i := range n {
		namespace, name := fmt.Sprint("team-", i%300), fmt.Sprint("app-", i)
		sa := &model.ServiceAccount{Meta: model.Meta{Namespace: namespace, Name: name}}
		w := &model.Workload{Kind: "Deployment", Meta: sa.Meta}
		w.PodSpec.ServiceAccount = name
		pod := &model.Pod{Phase: "Running", Meta: sa.Meta, PodSpec: model.PodSpec{ServiceAccount: name, NodeName: fmt.Sprint("n", i%500)}}
		pod.Owner = "deployment/" + name
		switch {
		case i < irsa:
			sa.Annotations = map[string]string{access.RoleAnnotation: role(name)}
			s.Accounts[0].Roles = append(s.Accounts[0].Roles, &model.IAMRole{ARN: role(name), Name: name, Trust: trustOf(trusting(issuer, "system:serviceaccount:"+namespace+":"+name))})
		case i < irsa+k2i:
			w.TemplateAnnotations = map[string]string{kube2iamRole: name}
			s.Accounts[0].Roles = append(s.Accounts[0].Roles, &model.IAMRole{ARN: role(name), Name: name, Trust: trustOf(nodesIn)})
		}
		c.ServiceAccounts, c.Workloads, c.Pods = append(c.ServiceAccounts, sa), append(c.Workloads, w), append(c.Pods, pod)
	}
	return s
}

func TestShape(t *testing.T) {
	get := func(n string) int { v, _ := strconv.Atoi(os.Getenv(n)); return v }
	s := shape(get("N"), get("IRSA"), get("K2I"), get("HOP"))
	start := time.Now()
	a := access.New(s)
	m := PodIdentity(s, a, a.Clusters()[0], Options{})
	t.Log("plan", time.Since(start), len(m.Holders), m.Blockers)
	start = time.Now()
	r, err := NewResult("pod-identity", s, []*Migration{m})
	if err != nil { t.Fatal(err) }
	t.Log("proof", time.Since(start), r.Proof.Equal, len(r.Proof.Gained), len(r.Proof.Lost), len(r.Proof.Unknown), len(r.Steps))
	for _, p := range r.Proof.Phases { t.Log(p) }
}
