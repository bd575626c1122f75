package oracle

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"drawbridge/internal/lab/kube"
)

const (
	bindings     = "rbac.authorization.k8s.io/v1/clusterrolebindings"
	bindingsIn   = "rbac.authorization.k8s.io/v1/rolebindings"
	clusterRoles = "rbac.authorization.k8s.io/v1/clusterroles"
	rolesIn      = "rbac.authorization.k8s.io/v1/roles"
)

func binding(role, subjects string) string {
	return `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: binding-ID}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ` + role + `}, subjects: [` + subjects + `]}`
}

func bindingIn(namespace, role, subjects string) string {
	return strings.Replace(binding(role, subjects), "ClusterRoleBinding, metadata: {", "RoleBinding, metadata: {namespace: "+namespace+", ", 1)
}

func clusterRole(rules string) string {
	return `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: role-ID}, rules: [` + rules + `]}`
}

func roleIn(namespace, rules string) string {
	return strings.Replace(clusterRole(rules), "ClusterRole, metadata: {", "Role, metadata: {namespace: "+namespace+", ", 1)
}

// systemRole is one of Kubernetes' own by its name.
func systemRole(more string) string {
	return `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: "system:role-ID"}, rules: [` + readPods + more + `]}`
}

const (
	someone    = `{kind: User, apiGroup: rbac.authorization.k8s.io, name: someone-ID}`
	hers       = `{kind: User, apiGroup: rbac.authorization.k8s.io, name: before-ID}`
	pod        = `{kind: ServiceAccount, namespace: shop, name: web}`
	anybody    = `{kind: Group, apiGroup: rbac.authorization.k8s.io, name: "system:authenticated"}`
	anonymous  = `{kind: User, apiGroup: rbac.authorization.k8s.io, name: "system:anonymous"}`
	readPods   = `{apiGroups: [""], resources: [pods], verbs: [get]}`
	all        = `{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}`
	becomeAny  = `{apiGroups: [""], resources: [users, groups], verbs: [impersonate]}`
	escalating = `{apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [bind, escalate]}`
	minting    = `{apiGroups: [""], resources: [serviceaccounts/token], verbs: [create]}`
	kubelet    = `{apiGroups: [""], resources: [nodes/proxy], verbs: [get]}`
)

// undone takes the bindings of the ways away again, so that they give nothing to those who come after.
func undone(ways []way) []way {
	for i := range ways {
		do := ways[i].do
		ways[i].do = func(a *act) []string {
			want := do(a)
			a.must(client(a, a.admin()).RbacV1().ClusterRoleBindings().Delete(a.Context(), "binding-"+a.id, metav1.DeleteOptions{}))
			return want
		}
	}
	return ways
}

// anonymousAllowed lets everybody do something, and is the configuration of somebody.
func anonymousAllowed(a *act, rule string) *rest.Config {
	a.prepare(clusterRoles, clusterRole(rule))
	a.prepare(bindings, binding("role-ID", `{kind: Group, apiGroup: rbac.authorization.k8s.io, name: "system:unauthenticated"}`))
	return &rest.Config{Host: a.kube.URL, TLSClientConfig: rest.TLSClientConfig{CAData: a.kube.CA}, QPS: -1}
}

var rbacAttacks = []attack{
	{detection: "cluster-admin-bound", severity: "high", ways: slices.Concat(
		calledIt("a new binding", made(bindings, binding("cluster-admin", someone), "cluster-admin", "someone-")),
		undone(calledIt("to everybody", raised("critical", made(bindings, binding("cluster-admin", anybody), "system:authenticated")))),
		calledIt("in kube-system", made(bindingsIn, bindingIn("kube-system", "cluster-admin", pod), "kube-system")),
		raised("medium", calledIt("in a namespace", made(bindingsIn, bindingIn("shop", "cluster-admin", pod), "shop"))),
		calledIt("one more subject", changed(bindings, binding("cluster-admin", hers), binding("cluster-admin", hers+", "+someone), "subjects", "someone-")),
		[]way{{name: "under another name", do: func(a *act) []string {
			a.prepare(clusterRoles, clusterRole(all))
			o := a.object(binding("role-ID", someone))
			_, err := a.resource(a.cfg, bindings, "").Create(a.Context(), o, metav1.CreateOptions{})
			a.must(err)
			return []string{"role-" + a.id, "someone-" + a.id}
		}}},
	)},
	{detection: "wildcard-role-created", severity: "high", ways: slices.Concat(
		made(clusterRoles, clusterRole(all), "everything"),
		changed(clusterRoles, clusterRole(readPods), clusterRole(readPods+", "+all), "rules", "everything"),
		raised("low", calledIt("in a namespace", made(rolesIn, roleIn("shop", `{apiGroups: [""], resources: ["*"], verbs: ["*"]}`)))),
		[]way{{name: "through aggregation", severity: "low", do: func(a *act) []string {
			a.prepare(clusterRoles, `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: role-ID}, aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: ID}}]}, rules: []}`)
			o := a.object(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: part-ID, labels: {to: ID}}, rules: [` + all + `]}`)
			_, err := a.resource(a.cfg, clusterRoles, "").Create(a.Context(), o, metav1.CreateOptions{})
			a.must(err)
			a.await(a.T, "the aggregation", func() bool {
				r, err := client(a, a.admin()).RbacV1().ClusterRoles().Get(a.Context(), "role-"+a.id, metav1.GetOptions{})
				return err == nil && len(r.Rules) > 0
			})
			a.who = "" // the controller does it
			return []string{"clusterrole-aggregation-controller", "role-" + a.id}
		}}},
	)},
	{detection: "escalation-verbs-granted", severity: "medium", ways: slices.Concat(
		calledIt("impersonate", made(clusterRoles, clusterRole(becomeAny), "impersonate")),
		calledIt("bind and escalate", changed(clusterRoles, clusterRole(readPods), clusterRole(readPods+", "+escalating), "rules", "bind", "escalate")),
		calledIt("tokens in a namespace", made(rolesIn, roleIn("shop", minting), "mint-tokens")),
		calledIt("kubelets", made(clusterRoles, clusterRole(kubelet), "reach-kubelets")),
		[]way{{name: "bound", severity: "high", do: func(a *act) []string {
			a.prepare(clusterRoles, clusterRole(becomeAny))
			_, err := a.resource(a.cfg, bindings, "").Create(a.Context(), a.object(binding("role-ID", someone)), metav1.CreateOptions{})
			a.must(err)
			return []string{"impersonate", "someone-" + a.id}
		}}},
		calledIt("a role that Kubernetes brings, bound", raised("high", made(bindings, binding(`"system:controller:clusterrole-aggregation-controller"`, someone), "escalate"))),
	)},
	{detection: "anonymous-access-granted", severity: "high", ways: slices.Concat(
		made(bindings, binding("view", anonymous), "system:anonymous"),
		changed(bindings, binding("view", hers), binding("view", hers+", "+anonymous), "subjects", "system:anonymous"),
	)},
	{detection: "system-role-changed", severity: "high", ways: append(
		changed(clusterRoles, systemRole(""), systemRole(", "+minting), "rules"),
		way{name: "delete", do: func(a *act) []string {
			o := a.prepare(clusterRoles, systemRole(""))
			a.must(a.client().RbacV1().ClusterRoles().Delete(a.Context(), o.GetName(), metav1.DeleteOptions{}))
			return naming(o)
		}},
	)},
	{detection: "rbac-change-then-workload", severity: "medium", ways: []way{
		{name: "binding, then pod", do: func(a *act) []string {
			_, err := a.resource(a.cfg, bindings, "").Create(a.Context(), a.object(binding("cluster-admin", pod)), metav1.CreateOptions{})
			a.must(err)
			p := kube.Pod("shop", "pod-"+a.id, "web", "")
			_, err = a.client().CoreV1().Pods("shop").Create(a.Context(), p, metav1.CreateOptions{})
			a.must(err)
			return nil
		}},
		{name: "role widened, then deployment", do: func(a *act) []string {
			a.prepare(clusterRoles, clusterRole(readPods))
			_, err := a.resource(a.cfg, clusterRoles, "").Apply(a.Context(), "role-"+a.id, a.object(clusterRole(becomeAny)), metav1.ApplyOptions{FieldManager: "kubectl", Force: true})
			a.must(err)
			_, err = a.resource(a.cfg, "apps/v1/deployments", "shop").Apply(a.Context(), "tool-"+a.id, a.object(deploymentWith("name: c", "")), metav1.ApplyOptions{FieldManager: "kubectl"})
			a.must(err)
			return nil
		}},
	}},
}
