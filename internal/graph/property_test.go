package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"pgregory.net/rapid"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"
)

// anyLab draws a small snapshot in which much leads to much.
func anyLab(t *rapid.T) *lab {
	l := newLab()
	pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	times := func(label string, most int) []struct{} {
		return make([]struct{}, rapid.IntRange(0, most).Draw(t, label))
	}
	l.c.Description.AuthenticationMode = pick("mode", model.ModeAPI, model.ModeAPIConfigMap, model.ModeConfigMap, "")
	l.c.Description.KubernetesVersion = pick("version", "1.33", "1.36", "")
	for _, sa := range []string{"ops/boss", "ops/default", "kube-system/agent"} {
		namespace, name, _ := cut(sa)
		l.sa(namespace, name)
	}
	l.node("n")
	l.node("m")
	l.c.Nodegroups = []*model.Nodegroup{{Name: "workers", NodeRoleARN: roleARN("nodes")}}
	l.c.Instances[0].HTTPTokens = pick("tokens", "optional", "required", "")
	l.iamRole("nodes", serviceTrust("ec2.amazonaws.com"))
	for i := range times("pods", 4) {
		namespace, sa, _ := cut(pick("runs as", "shop/web", "ops/boss", "kube-system/agent"))
		p := l.pod(namespace, fmt.Sprintf("p%d", i), sa, pick("node", "n", "m"))
		p.HostNetwork = rapid.Bool().Draw(t, "host network")
		p.Containers[0].Privileged = rapid.IntRange(0, 3).Draw(t, "privileged") == 0
	}
	rules := map[string][]rbacv1.PolicyRule{
		"run": {rule("", "pods", "create")}, "exec": {rule("", "pods/exec", "get")}, "mint": {rule("", "serviceaccounts/token", "create", "boss")},
		"kubelet": {rule("", "nodes/proxy", "get")}, "secrets": {rule("", "secrets", "get")}, "admin": {rule("*", "*", "*")},
		"binder":   {rule("rbac.authorization.k8s.io", "rolebindings clusterrolebindings", "create"), rule("rbac.authorization.k8s.io", "clusterroles", "bind", "run", "mint")},
		"escalate": {rule("rbac.authorization.k8s.io", "clusterroles roles", "update escalate")}, "impersonate": {rule("", "users", "impersonate")},
		"aws-auth": {rule("", "configmaps", "update", "aws-auth")}, "maker": {rule("", "pods serviceaccounts", "create")},
	}
	var names []string
	for n := range rules {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		l.role("", n, rules[n]...)
	}
	for range times("bindings", 5) {
		var subjects []string
		for range rapid.IntRange(1, 2).Draw(t, "subjects") {
			subjects = append(subjects, pick("subject", "sa/shop/web", "sa/ops/boss", "sa/ops/gone", "sa/kube-system/agent", "group:admins", "group:system:serviceaccounts", "user:root", "group:system:authenticated"))
		}
		l.bind(pick("in", "", "shop", "ops", "kube-system"), pick("role", append(names, "not-there")...), subjects...)
	}
	anyIAM(t, l, pick)
	return l
}

// anyIAM draws roles, associations and the ways into the cluster.
func anyIAM(t *rapid.T, l *lab, pick func(string, ...string) string) {
	trusts := []string{podTrust, noTrust, trustOf("arn:aws:iam::" + home + ":root"), trustOf(roleARN("a")), irsaTrust("StringEquals", "system:serviceaccount:shop:web"), irsaTrust("StringLike", "system:serviceaccount:*:boss"), trustOf("*")}
	can := []string{
		allow("*", "*"), allow("*", "sts:AssumeRole"), allow(roleARN("b"), "iam:UpdateAssumeRolePolicy"), allow("*", "eks:*"), allow("*", "iam:PassRole", "lambda:*"),
		allow("*", "eks:AssociateAccessPolicy"), allow("*", "iam:CreateRole"), allow("*", "ssm:StartSession"), allow("*", "s3:GetObject"), allow("*", "iam:AttachRolePolicy"),
	}
	for _, n := range []string{"a", "b", "c"} {
		r := l.iamRole(n, pick("trust", trusts...), pick("can", can...))
		r.PoliciesUnknown = rapid.IntRange(0, 5).Draw(t, "policies unknown") == 0
	}
	taken := map[string]bool{}
	for range rapid.IntRange(0, 2).Draw(t, "associations") {
		sa := pick("for", "shop/web", "ops/boss", "ops/gone")
		if taken[sa] {
			continue
		}
		taken[sa] = true
		namespace, name, _ := cut(sa)
		l.associate(namespace, name, pick("gives", "a", "b", "not-there"))
	}
	for _, n := range []string{"a", "b"} {
		if l.c.Description.AuthenticationMode != model.ModeConfigMap && rapid.Bool().Draw(t, "entry of "+n) {
			l.entry(roleARN(n), pick("username", "x", "root", "u:{{SessionName}}"), pick("group", "admins", "devs"))
			if policy := pick("policy", "", "AmazonEKSEditPolicy", "AmazonEKSClusterAdminPolicy", "AmazonEKSNewPolicy"); policy != "" {
				l.policy(roleARN(n), policy, []string{"shop", "o*"}[:rapid.IntRange(0, 2).Draw(t, "scope")]...)
			}
		}
	}
	if rapid.Bool().Draw(t, "aws-auth") {
		l.awsAuth("- {rolearn: " + roleARN(pick("mapped", "a", "c", "gone")) + ", username: y, groups: [" + pick("mapped group", "admins", "system:masters") + "]}\n")
	}
}

func cut(sa string) (namespace, name string, ok bool) {
	id := target("sa/" + sa)
	return id.Namespace, id.Name, true
}

// leads is how certainly each identity reaches each target, by their names.
func leads(l *lab) map[string]access.Answer {
	g := l.graph(target(roleARN("b")))
	all := map[string]access.Answer{}
	for _, to := range []string{"cluster-admin", "secrets", "account-admin", "sa/ops/boss", roleARN("b"), "node/n"} {
		for _, target := range g.find(target(to)) {
			for v, d := range g.distances(target, nil) {
				id := g.vertices[v].id
				if d >= farAway || id.Kind != access.KindServiceAccount && id.Kind != access.KindIAMRole && id.Kind != access.KindPod && id.Kind != KindNode {
					continue // users and groups are there only as long as something names them
				}
				if id.Name == "gone" || id.ARN == roleARN("gone") || id.ARN == roleARN("not-there") {
					continue // so are a service account and a role that do not exist
				}
				key := string(id.Kind) + " " + Name(id) + " to " + to
				if d < doubt {
					all[key] = access.Yes
				} else if _, known := all[key]; !known {
					all[key] = access.Maybe
				}
			}
		}
	}
	return all
}

// TestRemovingAGrantAddsNoPath takes one thing after another away.
func TestRemovingAGrantAddsNoPath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLab(t)
		before := leads(l)
		var what string
		c := l.c
		switch kind := rapid.IntRange(0, 5).Draw(t, "kind of grant"); {
		case kind == 0 && len(c.ClusterRoleBindings) > 0:
			what, c.ClusterRoleBindings = "a ClusterRoleBinding", c.ClusterRoleBindings[1:]
		case kind == 1 && len(c.RoleBindings) > 0:
			what, c.RoleBindings = "a RoleBinding", c.RoleBindings[1:]
		case kind == 2 && len(c.PodIdentityAssociations) > 0:
			what, c.PodIdentityAssociations = "an association", c.PodIdentityAssociations[1:]
		case kind == 3 && len(c.PolicyAssociations) > 0:
			what, c.PolicyAssociations = "an access policy", c.PolicyAssociations[1:]
		case kind == 4 && c.AWSAuth != nil:
			what, c.AWSAuth = "aws-auth", nil
		default:
			what, l.a.Roles[1].Inline = "a policy of a role", nil
		}
		for key, answer := range leads(l) {
			if was, known := before[key]; !known || answer == access.Yes && was == access.Maybe {
				t.Fatalf("without %s: %s is %v, before %v (%v)", what, key, answer, was, known)
			}
		}
	})
}

// TestAGapHidesNoPath forgets what was read: every path is still there, if only as possible.
func TestAGapHidesNoPath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLab(t)
		before, g := leads(l), l.graph()
		area := forget(t, l)
		after := leads(l)
		for key := range before {
			if _, known := after[key]; !known {
				from, to, _ := strings.Cut(key, " to ")
				_, from, _ = strings.Cut(from, " ")
				told := g.Ask(Question{From: from, Of: target(from), To: []Target{target(to)}, Most: 1})
				t.Fatalf("without %s read: %s is gone: %+v", area, key, told.Paths)
			}
		}
	})
}

// forget makes an area one that was not read.
func forget(t *rapid.T, l *lab) model.Area {
	c := l.c
	areas := map[model.Area]func(){
		model.AreaClusterRoleBindings: func() { c.ClusterRoleBindings = nil }, model.AreaRoleBindings: func() { c.RoleBindings = nil },
		model.AreaClusterRoles: func() { c.ClusterRoles = nil }, model.AreaAccessEntries: func() { c.AccessEntries, c.PolicyAssociations = nil, nil },
		model.AreaPolicyAssociations: func() { c.PolicyAssociations = nil }, model.AreaAWSAuth: func() { c.AWSAuth = nil },
		model.AreaPodIdentityAssociations: func() { c.PodIdentityAssociations = nil }, model.AreaNodegroups: func() { c.Nodegroups = nil },
		model.AreaInstances: func() { c.Instances = nil }, model.AreaCluster: func() { c.Description = nil },
	}
	names := []model.Area{}
	for area := range areas {
		names = append(names, area)
	}
	slices.Sort(names)
	area := rapid.SampledFrom(names).Draw(t, "area")
	areas[area]()
	delete(c.Read, area)
	l.Gaps = append(l.Gaps, finding.Gap{Area: string(area), Cluster: "lab", Reason: "forgotten"})
	return area
}

// TestCutsHold carries out the plans of choke points, and finds no path any more.
func TestCutsHold(t *testing.T) {
	cuts := 0
	rapid.Check(t, func(t *rapid.T) {
		l := anyLab(t)
		if l.c.AuthenticationMode() == "" {
			return // which it is shows by whether there are access entries, and a cut may take them away
		}
		g := l.graph()
		from := rapid.SampledFrom([]string{"sa/shop/web", roleARN("c"), FromEverybody, FromEveryPod}).Draw(t, "from")
		q := Question{From: from, To: []Target{target(rapid.SampledFrom([]string{"cluster-admin", "account-admin", "sa/ops/boss", "secrets"}).Draw(t, "to"))}, Most: 1}
		if from != FromEverybody && from != FromEveryPod {
			q.Of = target(from)
		}
		target := g.find(q.To[0])[0]
		starts := slices.DeleteFunc(g.from(q), func(v int32) bool { return v == target })
		grants, ok := g.cutGrants(starts, target, g.distances(target, nil), nil)
		if !ok || len(grants) == 0 {
			return
		}
		var changes plan.Plan
		for _, c := range grants {
			r := g.grants[c].what()
			if len(r.Plan) == 0 {
				return // in words only
			}
			changes = append(changes, r.Plan...)
		}
		after, err := simulate(changes, l.Snapshot)
		if err != nil {
			t.Fatal(err)
		}
		cuts++
		names := map[access.Identity]bool{}
		for _, v := range starts {
			names[g.vertices[v].id] = true
		}
		cut := New(access.New(after), after)
		dist := cut.distances(cut.find(q.To[0])[0], nil)
		for _, v := range cut.from(q) {
			if id := cut.vertices[v].id; names[id] && dist[v] < farAway {
				told := &Answer{}
				cut.answer(told, []int32{v}, cut.find(q.To[0])[0], 1)
				t.Fatalf("%s still reaches %s after %s: %+v", Name(id), Name(q.To[0]), changes, told.Paths)
			}
		}
	})
	if cuts == 0 {
		t.Error("no cut was tried")
	}
}

// simulate carries out changes that are each of their own: what two of them do is done once, and the subjects of a binding
// are taken out from the last on, because they are counted anew after each.
func simulate(changes plan.Plan, s *model.Snapshot) (*model.Snapshot, error) {
	seen := map[string]bool{}
	changes = slices.DeleteFunc(changes, func(c plan.Change) bool {
		again := seen[c.String()]
		seen[c.String()] = true
		return again
	})
	slices.SortStableFunc(changes, func(a, b plan.Change) int {
		x, ok := a.(plan.RemoveSubject)
		y, ok2 := b.(plan.RemoveSubject)
		if ok && ok2 {
			return y.Index - x.Index
		}
		return 0
	})
	return changes.Simulate(s)
}

// TestAgreesWithAccess holds the steps by RBAC to what package access answers for the requests themselves.
func TestAgreesWithAccess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLab(t)
		g := l.graph()
		c := g.all.Clusters()[0]
		kind := rapid.SampledFrom([]string{"run-pods", "enter-pods", "read-secrets"}).Draw(t, "power")
		for _, id := range []string{"sa/shop/web", "sa/ops/boss", "sa/kube-system/agent"} {
			for _, namespace := range []string{"shop", "ops", "kube-system"} {
				want := false
				for _, w := range rbac.PowerByID(kind).Ways {
					if !w.OpenIn(c.Minor()) || c.Minor() == 0 && (w.Since > 0 || w.Before > 0) {
						continue
					}
					r := w.Needs[0]
					r.Namespace = namespace
					want = want || c.Check(target(id), r).Verdict == access.Allowed
				}
				if got := g.holdsPower(g.find(target(id)), kind, namespace); got != want {
					t.Fatalf("%s in %s: %s holds it: %v, want %v", kind, namespace, id, got, want)
				}
			}
		}
	})
}

// holdsPower says whether one of some places has a certain step of a kind in a namespace or the whole cluster, or may do
// everything.
func (g *Graph) holdsPower(places []int32, kind, namespace string) bool {
	near := g.near(places, farAway)
	for i := range g.edges {
		e := &g.edges[i]
		if near[e.from] >= doubt || e.kind == 0 || e.possible {
			continue
		}
		to := g.vertices[e.to].id
		switch Kinds[e.kind-1].ID {
		case kind:
			if to.Namespace == namespace || to.Namespace == "" {
				return true
			}
		case "hold-cluster-admin":
			return true
		}
	}
	return false
}
