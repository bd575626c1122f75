package oracle

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"

	"drawbridge/internal/rbac"
)

// gen makes roles, bindings and requests that are likely to meet.
type gen struct{ *rand.Rand }

func pick[T any](g gen, list ...T) T { return list[g.IntN(len(list))] }

// some returns up to n of the strings, repetitions included.
func (g gen) some(n int, list []string) []string {
	var out []string
	for range g.IntN(n + 1) {
		out = append(out, pick(g, list...))
	}
	return out
}

var (
	verbs      = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "bind", "escalate", "impersonate", "impersonate:user-info", "*", "", "GET", "get*"}
	apiGroups  = []string{"", "", "apps", "rbac.authorization.k8s.io", "*", "Apps", "apps/v1"}
	resources  = []string{"pods", "secrets", "configmaps", "deployments", "pods/log", "pods/exec", "nodes/proxy", "deployments/scale", "*", "*/log", "*/scale", "*/", "/", "", "pods/", "pods/*", "po*", "*/*", "*/log/x", "pods/log/x", "Pods", "/log"}
	parts      = []string{"pods", "secrets", "configmaps", "deployments", "nodes", "*", "", "pods/log", "Pods"}
	subs       = []string{"", "", "", "log", "exec", "proxy", "scale", "*", "log/x", "xlog", "/log"}
	names      = []string{"", "a", "b", "aws-auth", "*"}
	paths      = []string{"/", "/healthz", "/healthz/etcd", "/api", "/api/v1", "/metrics", "*", "/a*b", "/healthz*", "healthz"}
	urls       = []string{"/", "*", "/healthz", "/healthz/*", "/api*", "/api/**", "/**", "", "/a*b", "**", "/a*b*"}
	namespaces = []string{"shop", "bank", "kube-system"}
	users      = []string{"ann", "bob", "Ann", "", "system:serviceaccount:shop:web", "system:serviceaccount:bank:web", "system:serviceaccount:shop:", "system:node:n", "system:kube-scheduler"}
	groups     = []string{"team", "system:authenticated", "system:serviceaccounts", "system:serviceaccounts:shop", "system:nodes", "", "system:unauthenticated"}
	roleNames  = []string{"r0", "r1", "r2", "r3"}
)

func (g gen) rule() rbacv1.PolicyRule {
	r := rbacv1.PolicyRule{Verbs: g.some(3, verbs)}
	if g.IntN(4) > 0 {
		r.APIGroups, r.Resources = g.some(2, apiGroups), g.some(3, resources)
		if g.IntN(3) == 0 {
			r.ResourceNames = g.some(2, names)
		}
	}
	if g.IntN(4) == 0 {
		r.NonResourceURLs = g.some(2, urls)
	}
	return r
}

func (g gen) rules() []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for range g.IntN(5) {
		rules = append(rules, g.rule())
	}
	return rules
}

func (g gen) subject() rbacv1.Subject {
	s := rbacv1.Subject{Kind: pick(g, "User", "Group", "ServiceAccount"), APIGroup: pick(g, "", "rbac.authorization.k8s.io", "other")}
	switch s.Kind {
	case "User":
		s.Name = pick(g, users...)
	case "Group":
		s.Name = pick(g, groups...)
	default:
		s.Name, s.Namespace = pick(g, "web", "job", "", "shop:web"), pick(g, "", "", "shop", "bank", "system")
	}
	if g.IntN(20) == 0 {
		s.Kind = pick(g, "", "user", "Users", "Node")
	}
	return s
}

// world is one cluster's RBAC in both forms. ClusterRoleBindings come first, as the authorizer visits them.
type world struct {
	roles    []rbac.Role
	bindings []rbac.Binding
	real     struct {
		roles               []*rbacv1.Role
		roleBindings        []*rbacv1.RoleBinding
		clusterRoles        []*rbacv1.ClusterRole
		clusterRoleBindings []*rbacv1.ClusterRoleBinding
	}
}

func (g gen) world() *world {
	w := &world{}
	for _, n := range roleNames {
		if g.IntN(20) > 0 {
			w.role(rbac.Role{Name: n, Rules: g.rules()})
		}
		for _, ns := range namespaces {
			if g.IntN(6) > 0 {
				w.role(rbac.Role{Namespace: ns, Name: n, Rules: g.rules()})
			}
		}
	}
	if g.IntN(4) == 0 {
		w.bootstrap()
	}
	for _, ns := range append([]string{""}, namespaces...) {
		for i := range g.IntN(6) {
			b := rbac.Binding{Namespace: ns, Name: fmt.Sprint("b", i), RoleRef: rbacv1.RoleRef{
				APIGroup: pick(g, "rbac.authorization.k8s.io", ""),
				Kind:     pick(g, "ClusterRole", "ClusterRole", "ClusterRole", "Role"), Name: pick(g, roleNames...),
			}}
			if ns != "" {
				b.RoleRef.Kind = pick(g, "ClusterRole", "Role")
			}
			if g.IntN(25) == 0 {
				b.RoleRef.Kind = pick(g, "", "clusterrole", "Group")
			}
			for range g.IntN(4) {
				b.Subjects = append(b.Subjects, g.subject())
			}
			w.binding(b)
		}
	}
	return w
}

func (w *world) role(r rbac.Role) {
	w.roles = append(w.roles, r)
	meta := metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Name}
	if r.Namespace == "" {
		w.real.clusterRoles = append(w.real.clusterRoles, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: r.Rules})
		return
	}
	w.real.roles = append(w.real.roles, &rbacv1.Role{ObjectMeta: meta, Rules: r.Rules})
}

func (w *world) binding(b rbac.Binding) {
	w.bindings = append(w.bindings, b)
	meta := metav1.ObjectMeta{Namespace: b.Namespace, Name: b.Name}
	if b.Namespace == "" {
		w.real.clusterRoleBindings = append(w.real.clusterRoleBindings, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: b.RoleRef, Subjects: b.Subjects})
		return
	}
	w.real.roleBindings = append(w.real.roleBindings, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: b.RoleRef, Subjects: b.Subjects})
}

// bootstrap adds what every cluster is born with.
func (w *world) bootstrap() {
	var born []rbac.Role
	for _, r := range bootstrappolicy.ClusterRoles() {
		born = append(born, rbac.Role{Name: r.Name, Labels: r.Labels, Rules: r.Rules, Aggregation: r.AggregationRule})
	}
	for _, r := range rbac.Aggregate(born) {
		w.role(r)
	}
	for _, b := range bootstrappolicy.ClusterRoleBindings() {
		w.binding(rbac.Binding{Name: b.Name, RoleRef: b.RoleRef, Subjects: b.Subjects})
	}
}

func (g gen) holder() rbac.Holder {
	if g.IntN(3) == 0 {
		return rbac.ServiceAccount(pick(g, namespaces...), pick(g, "web", "job"))
	}
	return rbac.Holder{User: pick(g, users...), Groups: g.some(3, groups)}
}

// request makes any request; two times in three it starts from a binding and a rule of the world, so that most
// of the fields meet.
func (g gen) request(w *world) rbac.Request {
	r := g.anyRequest()
	if g.IntN(3) == 0 || len(w.bindings) == 0 {
		return r
	}
	b := w.bindings[g.IntN(len(w.bindings))]
	if r.Namespace = b.Namespace; b.Namespace == "" {
		r.Namespace = pick(g, "", "shop")
	}
	if len(b.Subjects) > 0 {
		if user, group := rbac.Names(pick(g, b.Subjects...), b.Namespace); group == rbac.GroupMasters {
			r.Groups = append(r.Groups, "team") // masters do not reach RBAC: TestMastersAreAllowedFirst
		} else if group != "" {
			r.Groups = append(r.Groups, group)
		} else {
			r.User = user
		}
	}
	i := slices.IndexFunc(w.roles, func(role rbac.Role) bool {
		return role.Kind() == b.RoleRef.Kind && role.Name == b.RoleRef.Name && (role.Namespace == "" || role.Namespace == b.Namespace)
	})
	if i < 0 || len(w.roles[i].Rules) == 0 {
		return r
	}
	rule := pick(g, w.roles[i].Rules...)
	one := func(list []string, other string) string {
		if len(list) == 0 || g.IntN(12) == 0 {
			return other
		}
		return pick(g, list...)
	}
	r.Verb = one(rule.Verbs, r.Verb)
	if r.NonResourceURL != "" || len(rule.NonResourceURLs) > 0 && g.IntN(2) == 0 {
		r.NonResourceURL = one(rule.NonResourceURLs, r.NonResourceURL)
		return r
	}
	r.APIGroup, r.Name = one(rule.APIGroups, r.APIGroup), one(rule.ResourceNames, r.Name)
	if combined := one(rule.Resources, ""); combined != "" {
		r.Resource, r.Subresource, _ = strings.Cut(combined, "/")
		if r.Resource == "*" {
			r.Resource = pick(g, parts...)
		}
	}
	return r
}

func (g gen) anyRequest() rbac.Request {
	h := g.holder()
	r := rbac.Request{User: h.User, Groups: h.Groups, Verb: pick(g, verbs...), Namespace: pick(g, "", "shop", "bank", "kube-system", "nowhere")}
	if g.IntN(5) == 0 {
		r.NonResourceURL = pick(g, paths...)
		return r
	}
	r.APIGroup, r.Resource, r.Subresource, r.Name = pick(g, apiGroups...), pick(g, parts...), pick(g, subs...), pick(g, names...)
	return r
}
