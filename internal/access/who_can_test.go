package access

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// answers are grants in one line each: who, where, and what is less than asked for or not certain.
func answers(grants []Grant) []string {
	out := []string{}
	for _, g := range grants {
		line := g.Identity.String() + " " + g.Scope
		if g.Verdict != Allowed {
			line += " " + string(g.Verdict)
		}
		if g.Rule != nil {
			line += " (" + g.What() + ")"
		}
		if len(g.Conditions) > 0 {
			line += " if " + strings.Join(g.Conditions, "; ")
		}
		out = append(out, line)
	}
	return out
}

// asks is who can do something in a world: what the world has, the request, whether in any namespace, and the answers.
type asks struct {
	set      func(*world)
	r        rbac.Request
	anywhere bool
	want     []string
}

const masters = "group:system:masters "

var (
	dev     = roleARN("dev")
	secrets = rbac.Request{Verb: "get", Resource: "secrets", Namespace: "a"}
)

func entry(w *world, groups ...string) {
	w.role("dev", longAgo)
	w.entry(dev, session("dev", "{{SessionName}}"), groups...)
}

func account(w *world, namespace, n string) {
	w.c.ServiceAccounts = append(w.c.ServiceAccounts, &model.ServiceAccount{Meta: model.Meta{Namespace: namespace, Name: n}})
}

func testWhoCan(t *testing.T, cases map[string]asks) {
	t.Parallel()
	for n, tc := range cases {
		t.Run(n, func(t *testing.T) {
			t.Parallel()
			w := newWorld()
			tc.set(w)
			got := answers(w.access().WhoCan(tc.r, tc.anywhere))
			slices.Sort(got)
			want := slices.Sorted(slices.Values(tc.want))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWhoCanByBindings: subjects of bindings, and what stands for them.
func TestWhoCanByBindings(t *testing.T) {
	testWhoCan(t, map[string]asks{
		"nobody but the masters": {func(*world) {}, secrets, false, []string{masters + "namespace/a"}},
		"a group, and the principal that has it": {
			func(w *world) {
				entry(w, "devs")
				w.clusterRole("s", rule("get", "secrets"))
				w.bind("a", "s", group("devs"))
			}, secrets, false,
			[]string{"group:devs namespace/a", masters + "namespace/a", dev + " namespace/a"},
		},
		"the whole cluster covers namespaces": {func(w *world) {
			entry(w, "devs")
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("a", "s", group("devs"))
			w.bind("", "s", group("devs"))
		}, secrets, true, []string{"group:devs cluster", masters + "cluster", dev + " cluster"}},
		"each place of its own": {func(w *world) {
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("b", "s", user("u"))
			w.bind("a", "s", user("u"))
		}, secrets, true, []string{masters + "cluster", "user:u namespace/a", "user:u namespace/b"}},
		"groups of service accounts are expanded": {func(w *world) {
			account(w, "a", "x")
			account(w, "b", "y")
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("a", "s", group("system:serviceaccounts:b"))
		}, secrets, false, []string{masters + "namespace/a", "group:system:serviceaccounts:b namespace/a", "sa/b/y namespace/a"}},
		"everybody who is authenticated": {func(w *world) {
			entry(w)
			account(w, "a", "x")
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("", "s", group("system:authenticated"))
		}, secrets, true, []string{"group:system:authenticated cluster", masters + "cluster", dev + " cluster", "sa/a/x cluster"}},
		"a service account by its username": {
			func(w *world) {
				account(w, "b", "y")
				w.clusterRole("s", rule("get", "secrets"))
				w.bind("a", "s", user("system:serviceaccount:b:y"))
			}, secrets, false,
			[]string{masters + "namespace/a", "sa/b/y namespace/a"},
		},
		"one that is not there": {
			func(w *world) { w.clusterRole("s", rule("get", "secrets")); w.bind("a", "s", sa("b", "y")) }, secrets, false,
			[]string{masters + "namespace/a", "sa/b/y namespace/a if there is no service account b/y now: it counts for whoever creates it"},
		},
		"what runs as it": {func(w *world) {
			account(w, "b", "y")
			w.c.Workloads = []*model.Workload{{Meta: model.Meta{Namespace: "b", Name: "web"}, Kind: "Deployment", PodSpec: model.PodSpec{ServiceAccount: "y"}}}
			old := model.PodSpec{ServiceAccount: "z"}
			w.c.Pods = []*model.Pod{
				{Meta: model.Meta{Namespace: "b", Name: "web-1", Owner: "replicaset/web-5d4"}, PodSpec: model.PodSpec{ServiceAccount: "y"}},
				{Meta: model.Meta{Namespace: "b", Name: "web-0", Owner: "replicaset/web-5d4"}, PodSpec: old},
				{Meta: model.Meta{Namespace: "b", Name: "lone"}, PodSpec: model.PodSpec{ServiceAccount: "y"}},
				{Meta: model.Meta{Namespace: "b", Name: "done"}, PodSpec: model.PodSpec{ServiceAccount: "y"}, Phase: "Succeeded"},
			}
			account(w, "b", "z")
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("a", "s", sa("b", "y"), sa("b", "z"))
		}, secrets, false, []string{masters + "namespace/a", "pod/b/lone namespace/a", "pod/b/web-0 namespace/a", "sa/b/y namespace/a", "sa/b/z namespace/a", "deployment/b/web namespace/a"}},
		"a missing role": {func(w *world) { w.bind("a", "gone", user("u"), sa("b", "y")); account(w, "b", "y") }, secrets, false, []string{
			masters + "namespace/a", "sa/b/y namespace/a unknown if the rules of ClusterRole gone, which is not in the input and which RoleBinding a/gone-u binds",
			"user:u namespace/a unknown if the rules of ClusterRole gone, which is not in the input and which RoleBinding a/gone-u binds",
		}},
		"the same subject twice": {func(w *world) { w.clusterRole("s", rule("get", "secrets")); w.bind("a", "s", user("u"), user("u")) }, secrets, false, []string{masters + "namespace/a", "user:u namespace/a"}},
		"a service account by many ways": {func(w *world) {
			account(w, "a", "x")
			w.clusterRole("s", rule("get", "secrets"))
			w.clusterRole("t", rule("get", "secrets"))
			w.clusterRole("db", rule("get", "secrets", "db"))
			for _, role := range []string{"db", "s", "t"} {
				w.bind("b", role, sa("a", "x"))
			}
			w.bind("c", "db", sa("a", "x"), sa("a", "x"))
			w.bind("c", "gone", sa("a", "x"))
		}, secrets, true, []string{
			masters + "cluster", "sa/a/x namespace/b", "sa/a/x namespace/c (get on secrets named db)",
			"sa/a/x namespace/c unknown if the rules of ClusterRole gone, which is not in the input and which RoleBinding c/gone-x binds",
		}},
		"a service account with the whole cluster": {func(w *world) {
			account(w, "a", "x")
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("", "s", sa("a", "x"))
			w.bind("b", "s", sa("a", "x"))
			w.bind("b", "gone", sa("a", "x"))
		}, secrets, true, []string{masters + "cluster", "sa/a/x cluster"}},
		"aggregated in a circle": {func(w *world) {
			for _, n := range []string{"x", "y"} {
				w.c.ClusterRoles = append(w.c.ClusterRoles, &model.Role{
					Meta: model.Meta{Name: n, Labels: map[string]string{"g": "1"}}, Aggregation: &rbacv1.AggregationRule{},
				})
				last := w.c.ClusterRoles[len(w.c.ClusterRoles)-1]
				last.Aggregation.ClusterRoleSelectors = append(last.Aggregation.ClusterRoleSelectors, selector("g", "1"))
			}
			w.clusterRole("leaf", rule("get", "secrets"))
			w.c.ClusterRoles[2].Labels = map[string]string{"g": "1"}
			w.bind("", "x", user("u"))
		}, secrets, true, []string{masters + "cluster", "user:u cluster"}},
	})
}

// TestWhoCanFromIAM: principals of IAM, by access entries, access policies and aws-auth.
func TestWhoCanFromIAM(t *testing.T) {
	testWhoCan(t, map[string]asks{
		"access policies in each place": {
			func(w *world) { entry(w); w.policy(dev, "AmazonEKSEditPolicy", "a", "x-*") }, secrets, true,
			[]string{masters + "cluster", dev + " namespace/a", dev + " namespace/x-*"},
		},
		"access policies here": {
			func(w *world) { entry(w); w.policy(dev, "AmazonEKSEditPolicy", "a", "x-*") },
			rbac.Request{Verb: "get", Resource: "secrets", Namespace: "x-1"},
			false,
			[]string{masters + "namespace/x-1", dev + " namespace/x-1"},
		},
		"policies that are prose, once": {func(w *world) {
			entry(w)
			w.policy(dev, "AmazonEKSComputePolicy")
			w.policy(dev, "AmazonEKSNetworkingPolicy")
		}, secrets, false, []string{masters + "namespace/a", dev + " namespace/a unknown if the rules of access policy AmazonEKSComputePolicy, which AWS does not publish; the rules of access policy AmazonEKSNetworkingPolicy, which AWS does not publish"}},
		"a session that is more than its role": {
			func(w *world) {
				entry(w)
				w.clusterRole("s", rule("get", "secrets"))
				w.bind("a", "s", user(session("dev", "jane")))
			}, secrets, false,
			[]string{masters + "namespace/a", session("dev", "jane") + " namespace/a", "user:" + session("dev", "jane") + " namespace/a"},
		},
		"a group that the session chooses": {func(w *world) {
			w.role("dev", longAgo)
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: u\n  groups: ['{{SessionName}}']"})
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("a", "s", group("ops"))
		}, secrets, false, []string{"group:ops namespace/a", masters + "namespace/a", session("dev", "ops") + " namespace/a"}},
		"rows and accounts": {func(w *world) {
			w.role("dev", longAgo)
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  username: u", "mapAccounts": "['" + foreign + "']"})
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("a", "s", user("u"), user("arn:aws:iam::"+foreign+":user/f"))
		}, secrets, false, []string{masters + "namespace/a", dev + " namespace/a", "arn:aws:iam::" + foreign + ":user/f namespace/a", "user:arn:aws:iam::" + foreign + ":user/f namespace/a", "user:u namespace/a"}},
		"an access entry of another life": {func(w *world) {
			w.role("dev", lately)
			w.entry(dev, "dev")
			w.policy(dev, "AmazonEKSClusterAdminPolicy")
		}, secrets, false, []string{masters + "namespace/a"}},
		"an access entry before its row": {func(w *world) {
			entry(w)
			w.awsAuth(map[string]string{"mapRoles": "- rolearn: " + dev + "\n  groups: [system:masters]"})
		}, secrets, false, []string{masters + "namespace/a"}},
		"the hidden creator": {func(w *world) { w.c.Description.AuthenticationMode = model.ModeConfigMap }, secrets, false, []string{masters + "namespace/a"}},
		"a principal with the whole cluster by policy, and less by RBAC": {func(w *world) {
			entry(w, "devs")
			w.policy(dev, "AmazonEKSAdminViewPolicy")
			w.clusterRole("s", rule("get", "secrets"))
			w.bind("b", "s", group("devs"))
			w.bind("c", "gone", group("devs"))
		}, secrets, true, []string{
			"group:devs namespace/b", "group:devs namespace/c unknown if the rules of ClusterRole gone, which is not in the input and which RoleBinding c/gone-devs binds",
			masters + "cluster", dev + " cluster",
		}},
	})
}

// TestWhoCanDo: what is asked for: names, subresources, URLs, what is of no namespace, what kubelets get.
func TestWhoCanDo(t *testing.T) {
	testWhoCan(t, map[string]asks{
		"certain names only": {
			func(w *world) { w.clusterRole("s", rule("get", "secrets", "db", "tls")); w.bind("a", "s", user("u")) }, secrets, false,
			[]string{masters + "namespace/a", "user:u namespace/a (get on secrets named db, tls)"},
		},
		"one of these names": {
			func(w *world) { w.clusterRole("s", rule("get", "secrets", "db", "tls")); w.bind("a", "s", user("u")) },
			rbac.Request{Verb: "get", Resource: "secrets", Namespace: "a", Name: "db"},
			false,
			[]string{"group:system:nodes namespace/a unknown if which node it is", masters + "namespace/a", "user:u namespace/a"},
		},
		"another name": {
			func(w *world) { w.clusterRole("s", rule("get", "configmaps", "db")); w.bind("a", "s", user("u")) },
			rbac.Request{Verb: "update", Resource: "configmaps", Namespace: "a", Name: "x"},
			false,
			[]string{masters + "namespace/a"},
		},
		"all names cover some": {
			func(w *world) {
				w.clusterRole("s", rule("get", "secrets", "db"), rule("get", "secrets"))
				w.bind("a", "s", user("u"))
			}, secrets, false,
			[]string{masters + "namespace/a", "user:u namespace/a"},
		},
		"subresources are things of their own": {
			func(w *world) { w.clusterRole("s", rule("*", "pods")); w.bind("a", "s", user("u")) },
			rbac.Request{Verb: "create", Resource: "pods", Subresource: "exec", Namespace: "a"},
			false,
			[]string{masters + "namespace/a"},
		},
		"every subresource of that name": {
			func(w *world) { w.clusterRole("s", rule("create", "*/exec")); w.bind("a", "s", user("u")) },
			rbac.Request{Verb: "create", Resource: "pods", Subresource: "exec", Namespace: "a"},
			false,
			[]string{masters + "namespace/a", "user:u namespace/a"},
		},
		"everything is asked for, and some is not that": {func(w *world) {
			w.clusterRole("all", rbacv1.PolicyRule{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}})
			w.clusterRole("core", rule("*", "*"))
			w.bind("", "all", user("u"))
			w.bind("", "core", user("v"))
		}, rbac.Request{Verb: "*", APIGroup: "*", Resource: "*"}, false, []string{masters + "cluster", "user:u cluster"}},
		"what is of no namespace": {
			func(w *world) {
				w.clusterRole("n", rule("delete", "nodes"))
				w.bind("a", "n", user("u"))
				w.bind("", "n", user("v"))
			},
			rbac.Request{Verb: "delete", Resource: "nodes"},
			true,
			[]string{masters + "cluster", "user:v cluster"},
		},
		"a Namespace, in itself": {
			func(w *world) { w.clusterRole("n", rule("delete", "namespaces")); w.bind("a", "n", user("u")) },
			rbac.Request{Verb: "delete", Resource: "namespaces"},
			true,
			[]string{masters + "cluster", "user:u namespace/a"},
		},
		"URLs": {func(w *world) {
			w.clusterRole("m", rbacv1.PolicyRule{Verbs: []string{"get"}, NonResourceURLs: []string{"/met*"}})
			w.bind("", "m", user("u"))
			w.bind("a", "m", user("v"))
		}, rbac.Request{Verb: "get", NonResourceURL: "/metrics", Namespace: "a"}, true, []string{masters + "cluster", "user:u cluster"}},
		"every kubelet": {func(w *world) {
			w.role("node", longAgo)
			w.entry(roleARN("node"), "system:node:{{EC2PrivateDNSName}}", "system:nodes").Type = model.EntryEC2Linux
		}, rbac.Request{Verb: "list", Resource: "services"}, true, []string{
			masters + "cluster", "group:system:nodes cluster if its members have usernames that begin with system:node:, as all kubelets have", roleARN("node") + " cluster",
		}},
		"the kubelet of a pod that refers to it": {func(w *world) {
			w.c.Pods = []*model.Pod{{Meta: model.Meta{Namespace: "a", Name: "p"}, PodSpec: model.PodSpec{NodeName: "n1", Volumes: []model.Volume{{Name: "v", Secret: "db"}}}}}
		}, rbac.Request{Verb: "get", Resource: "secrets", Namespace: "a", Name: "db"}, true, []string{masters + "cluster", "user:system:node:n1 namespace/a", "group:system:nodes namespace/* unknown if which node it is"}},
	})
}

// TestWhoCanOrder: allowed before unknown, IAM principals by name, and the same answers in the same order each time.
func TestWhoCanOrder(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.clusterRole("s", rule("get", "secrets"))
	for _, u := range []string{"c", "a", "b"} {
		w.bind("a", "s", user(u))
		w.bind("a", "gone", user("x"+u))
	}
	var first []string
	for range 5 {
		got := answers(w.access().WhoCan(rbac.Request{Verb: "get", Resource: "secrets"}, true))
		if first == nil {
			first = got
		}
		if diff := cmp.Diff(first, got); diff != "" {
			t.Fatal(diff)
		}
	}
	var who []string
	for _, line := range first {
		who = append(who, strings.Fields(line)[0])
	}
	if diff := cmp.Diff([]string{"group:system:masters", "user:a", "user:b", "user:c", "user:xa", "user:xb", "user:xc"}, who); diff != "" {
		t.Error(diff)
	}
}

func TestSeveralClusters(t *testing.T) {
	t.Parallel()
	w, other := newWorld(), newWorld()
	other.c.Name, other.c.ARN = "test", "arn:aws:eks:eu-central-1:"+home+":cluster/test"
	w.Clusters = append(w.Clusters, other.c)
	w.c.Pods = []*model.Pod{{Meta: model.Meta{Namespace: "a", Name: "p"}}}
	all := New(w.Snapshot)
	r := rbac.Request{Verb: "get", Resource: "secrets"}
	where := func(grants []Grant) []string {
		var out []string
		for _, g := range grants {
			out = append(out, g.Cluster+" "+string(g.Verdict))
		}
		return out
	}
	for id, want := range map[string][]string{
		"user:u":   {"prod denied", "test denied"},
		"pod/a/p":  {"prod denied"}, // the other is known not to have it
		"pod/a/no": {"prod denied", "test denied"},
		"sa/a/x":   {"prod denied", "test denied"},
	} {
		if diff := cmp.Diff(want, where(all.CheckAll(mustIdentity(t, id), r))); diff != "" {
			t.Errorf("%s: %s", id, diff)
		}
	}
	if diff := cmp.Diff([]string{"prod allowed", "test allowed"}, where(all.WhoCanAll(r, true))); diff != "" {
		t.Error(diff)
	}
}
