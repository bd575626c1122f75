package graph

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
)

// told is a path in one line.
func told(p Path) string {
	text := Name(p.From)
	for _, h := range p.Hops {
		text += " -" + h.Step
		if h.Cut {
			text += "!"
		}
		text += "-> " + Name(h.To)
	}
	if !p.Certain {
		text += " (possible)"
	}
	return text
}

func (l *lab) ask(t *testing.T, from string, most int, to ...string) *Answer {
	t.Helper()
	q := Question{From: from, Most: most}
	if !slices.Contains([]string{FromEverybody, FromEveryPod, FromInternetFacing}, from) {
		q.Of = target(from)
	}
	for _, one := range to {
		q.To = append(q.To, target(one))
	}
	return l.graph(q.To...).Ask(q)
}

// TestCircle goes from a pod to AWS and back into another cluster.
func TestCircle(t *testing.T) {
	l := newLab()
	l.iamRole("data", podTrust)
	l.iamRole("boss", trustOf(roleARN("data")), allow("*", "eks:CreateAccessEntry", "eks:AssociateAccessPolicy"))
	a := l.associate("shop", "web", "data")
	a.DisableSessionTags = true
	l.pod("shop", "web-1", "web", "n").Containers[0].Env = []model.EnvVar{{Name: "AWS_CONTAINER_CREDENTIALS_FULL_URI"}}
	other := newLab()
	other.c.Name, other.c.ARN = "far", "arn:aws:eks:us-east-1:"+home+":cluster/far"
	l.Clusters = append(l.Clusters, other.c)
	far := target("cluster-admin")
	far.Cluster = "far"
	answer := l.graph(far).Ask(Question{From: FromEveryPod, To: []Target{far}, Most: 1})
	want := "pod/shop/web-1 -pod-identity!-> " + roleARN("data") + " -assume-role-> " + roleARN("boss") + " -create-access-entry-> cluster-admin"
	if len(answer.Paths) != 1 || told(answer.Paths[0]) != want {
		t.Errorf("%+v, want %s", answer.Paths, want)
	}
	if p := answer.Paths[0]; p.To.Cluster != "far" || p.From.Cluster != "lab" {
		t.Errorf("from %+v to %+v", p.From, p.To)
	}
}

// TestStarts counts those whose path differs only in where it begins, and shows those last who go through others.
func TestStarts(t *testing.T) {
	l := newLab()
	l.sa("kube-system", "boss")
	l.bind("", "cluster-admin", "sa/kube-system/boss")
	l.role("", "runner", rule("", "pods", "create"))
	for i := range 5 {
		sa := fmt.Sprintf("ci-%d", i)
		l.sa("ops", sa)
		l.bind("kube-system", "runner", "sa/ops/"+sa)
	}
	l.grant("ops", web, rule("", "serviceaccounts/token", "create", "ci-3"))
	answer := l.ask(t, FromEverybody, 5, "cluster-admin")
	var got []string
	for _, p := range answer.Paths {
		got = append(got, fmt.Sprintf("%d: %s", p.Starts, told(p)))
	}
	want := []string{
		"5: sa/ops/ci-0 -run-pods-> sa/kube-system/boss -hold-cluster-admin!-> cluster-admin",
		"1: sa/shop/web -mint-tokens-> sa/ops/ci-3 -run-pods-> sa/kube-system/boss -hold-cluster-admin!-> cluster-admin",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := len(answer.Paths[0].AlsoFrom); n != 4 {
		t.Errorf("%d others are named", n)
	}
	if r := answer.Targets[0]; r.Starts != 6 || r.Certain != 6 || r.Possible != 0 {
		t.Errorf("%+v: the boss is no entry point, all others reach the target", r)
	}
	if len(answer.ChokePoints) != 1 || answer.ChokePoints[0].Stops != 6 || answer.ChokePoints[0].Remediation.Text != "kubectl delete clusterrolebinding/cluster-admin-0" {
		t.Errorf("choke points %+v", answer.ChokePoints)
	}
}

// TestOrder shows certain paths before shorter ones that are only possible.
func TestOrder(t *testing.T) {
	l := newLab()
	l.sa("ops", "boss")
	l.bind("", "cluster-admin", "sa/ops/boss")
	l.grant("ops", web, rule("", "pods", "create"), rule("", "secrets", "get"))
	var got []string
	for _, p := range l.ask(t, web, 3, "cluster-admin").Paths {
		got = append(got, told(p))
	}
	want := []string{
		web + " -run-pods!-> sa/ops/boss -hold-cluster-admin-> cluster-admin",
		web + " -read-secrets!-> the Secrets in namespace ops -secret-tokens-> sa/ops/boss -hold-cluster-admin-> cluster-admin (possible)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestUncut has a path that rests on nothing that could be taken away, and one through what was not read.
func TestUncut(t *testing.T) {
	l := newLab()
	l.node("n")
	l.pod("shop", "p", "web", "n")
	answer := l.ask(t, "node/n", 1, "sa/shop/web")
	if !answer.Targets[0].Uncut || len(answer.ChokePoints) > 0 {
		t.Errorf("a node and its pod: %+v", answer)
	}
	delete(l.c.Read, model.AreaClusterRoleBindings)
	l.bind("", "cluster-admin", web)
	answer = l.ask(t, web, 5, "cluster-admin")
	if r := answer.Targets[0]; r.Uncut || !r.Unread || len(answer.ChokePoints) != 1 {
		t.Errorf("a binding, and more that was not read: %+v", answer)
	}
}

// TestPrivileged leaves out of the default entry points who may do everything already, as what they are and no further.
func TestPrivileged(t *testing.T) {
	l := newLab()
	l.iamRole("admin", noTrust, allow("*", "*"))
	l.iamRole("mapped", noTrust)
	l.entry(roleARN("mapped"), "mapped")
	l.policy(roleARN("mapped"), "AmazonEKSClusterAdminPolicy")
	l.iamRole("able", noTrust, allow("*", "iam:AttachRolePolicy"))
	l.sa("ops", "boss")
	l.bind("", "cluster-admin", "sa/ops/boss")
	g := l.graph()
	var got []string
	for _, v := range g.everybody() {
		got = append(got, Name(g.vertices[v].id))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{roleARN("able"), web}, got); diff != "" {
		t.Error(diff)
	}
}

// TestOnePod asks about one pod of a workload, which stands for all that are like it.
func TestOnePod(t *testing.T) {
	l := newLab()
	l.c.Workloads = []*model.Workload{{Meta: model.Meta{Namespace: "shop", Name: "web"}, Kind: "StatefulSet", PodSpec: model.PodSpec{ServiceAccount: "web"}}}
	for _, n := range []string{"web-0", "web-1"} {
		l.pod("shop", n, "web", "n").Owner = "statefulset/web"
	}
	l.bind("", "cluster-admin", web)
	for _, from := range []string{"pod/shop/web-1", "sts/shop/web", FromEveryPod} {
		answer := l.ask(t, from, 2, "cluster-admin")
		if len(answer.Paths) != 1 || told(answer.Paths[0]) != "statefulset/shop/web -hold-cluster-admin!-> cluster-admin" {
			t.Errorf("from %s: %+v", from, answer.Paths)
		}
	}
	if l.graph().Knows(target("pod/shop/web-2")) {
		t.Error("a pod that is not there is known")
	}
}

func TestParseTarget(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Target
	}{
		{"cluster-admin", Target{Kind: KindClusterAdmin}},
		{"secrets", Target{Kind: KindSecrets}},
		{"account-admin", Target{Kind: KindAccountAdmin}},
		{"secret/a/b", Target{Kind: KindSecret, Namespace: "a", Name: "b"}},
		{"node/ip-10-0-0-1", Target{Kind: KindNode, Name: "ip-10-0-0-1"}},
		{"a/b", Target{Kind: access.KindServiceAccount, Namespace: "a", Name: "b"}},
		{"arn:aws:s3:::b/k", Target{Kind: KindResource, ARN: "arn:aws:s3:::b/k"}},
		{roleARN("x"), Target{Kind: access.KindIAMRole, ARN: roleARN("x")}},
	} {
		got, err := ParseTarget(c.in)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", c.in, got, err)
		}
	}
	for _, in := range []string{"", "admin", "secret//b", "node/", "arn:"} {
		if got, err := ParseTarget(in); err == nil {
			t.Errorf("%q is taken for %+v", in, got)
		}
	}
}

// TestCertainFirst shows what is certain for some through others before what is only possible for others.
func TestCertainFirst(t *testing.T) {
	l := newLab()
	l.sa("kube-system", "boss")
	l.sa("ops", "ci")
	l.sa("ops", "lurk")
	l.bind("", "cluster-admin", "sa/kube-system/boss")
	l.grant("kube-system", "sa/ops/ci", rule("", "pods", "create"))
	l.grant("ops", web, rule("", "serviceaccounts/token", "create", "ci"))
	l.grant("kube-system", "sa/ops/lurk", rule("", "secrets", "get"))
	var got []string
	for _, p := range l.ask(t, FromEverybody, 5, "cluster-admin").Paths {
		got = append(got, told(p))
	}
	want := []string{
		"sa/ops/ci -run-pods-> sa/kube-system/boss -hold-cluster-admin!-> cluster-admin",
		"sa/shop/web -mint-tokens-> sa/ops/ci -run-pods-> sa/kube-system/boss -hold-cluster-admin!-> cluster-admin",
		"sa/ops/lurk -read-secrets-> the Secrets in namespace kube-system -secret-tokens-> sa/kube-system/boss -hold-cluster-admin!-> cluster-admin (possible)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestPossibleStarts counts those who only may have a path apart from those who have it for certain.
func TestPossibleStarts(t *testing.T) {
	l := newLab()
	l.node("n")
	l.pod("shop", "a", "web", "n").Containers[0].Privileged = true
	l.pod("shop", "b", "web", "n").Containers[0].Privileged = true
	l.pod("shop", "c", "web", "n").Containers[0].Capabilities = []string{"SYS_ADMIN"}
	answer := l.ask(t, FromEveryPod, 5, "node/n")
	if p := answer.Paths; len(p) != 1 || !p[0].Certain || p[0].Starts != 2 || len(p[0].AlsoFrom) != 1 || p[0].PossibleStarts != 1 {
		t.Errorf("paths %+v", p)
	}
	if r := answer.Targets[0]; r.Certain != 2 || r.Possible != 1 {
		t.Errorf("%+v", r)
	}
}
