package oracle

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"drawbridge/internal/lab/kube"
	sourcekube "drawbridge/internal/source/kube"
)

// objects are what a cluster holds: random roles and bindings that the API server takes, and what they are about.
type objects struct {
	clusterRoles []*rbacv1.ClusterRole
	roles        []*rbacv1.Role
	wide         []*rbacv1.ClusterRoleBinding
	narrow       []*rbacv1.RoleBinding
	others       []runtime.Object
	pods         []*corev1.Pod
}

func (o *objects) all() []runtime.Object {
	all := append([]runtime.Object(nil), o.others...)
	for _, r := range o.clusterRoles {
		all = append(all, r)
	}
	for _, r := range o.roles {
		all = append(all, r)
	}
	for _, b := range o.wide {
		all = append(all, b)
	}
	for _, b := range o.narrow {
		all = append(all, b)
	}
	for _, p := range o.pods {
		all = append(all, p)
	}
	return all
}

var (
	verbs      = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "bind", "escalate", "impersonate", "approve", "*", "GET", "get*"}
	apiGroups  = []string{"", "", "", "apps", "batch", "rbac.authorization.k8s.io", "*", "Apps", "apps/v1"}
	resources  = []string{"pods", "pods", "secrets", "configmaps", "services", "serviceaccounts", "deployments", "nodes", "pods/log", "pods/exec", "nodes/proxy", "serviceaccounts/token", "deployments/scale", "*", "*/log", "*/scale", "*/", "pods/", "pods/*", "po*", "*/*", "Pods"}
	parts      = []string{"pods", "secrets", "configmaps", "services", "serviceaccounts", "deployments", "nodes", "namespaces", "*", "Pods"}
	subs       = []string{"", "", "", "", "log", "exec", "proxy", "scale", "status", "token", "*", "log/x"}
	names      = []string{"a", "b", "aws-auth", "*"}
	urls       = []string{"/", "*", "/healthz", "/healthz/*", "/api*", "/metrics", "/**", "/a*b", "**"}
	paths      = []string{"/", "/healthz", "/healthz/etcd", "/api", "/api/v1", "/metrics", "/a*b", "/healthz*", "/version"}
	roleLabels = []string{"", "", "alpha", "beta"}
	usernames  = []string{"alice", "bob", "carol", "admin", "user:alice", "user:jane-example.com", "u:bob", "web", "bob:x", home + ":alice", "u:jane@example.com:" + home, "{{ SessionName }}", "{{Nothing}}", "key:", "key:ASIA0000000000000010", "system:node:" + kube.Node(0, "").Name}
	everybody  = []string{"system:authenticated", "system:serviceaccounts", "system:serviceaccounts:shop", "system:nodes", "system:bootstrappers"}
)

func (g gen) rule(urlsToo bool) rbacv1.PolicyRule {
	r := rbacv1.PolicyRule{Verbs: g.some(1, 3, verbs)}
	if urlsToo && g.chance(5) {
		r.NonResourceURLs = g.some(1, 2, urls)
		return r
	}
	r.APIGroups, r.Resources = g.some(1, 2, apiGroups), g.some(1, 3, resources)
	if g.chance(3) {
		r.ResourceNames = g.some(1, 2, names)
	}
	return r
}

func (g gen) rules(urlsToo bool) []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for range 1 + g.IntN(3) {
		rules = append(rules, g.rule(urlsToo))
	}
	return rules
}

// subject is somebody that may come in, or nobody.
func (g gen) subject(all []*principal) rbacv1.Subject {
	user := rbacv1.Subject{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName}
	switch g.IntN(8) {
	case 0, 1:
		user.Name = pick(g, usernames...)
	case 2, 3: // the default usernames of access entries, and those of mapAccounts
		p := pick(g, all...)
		if user.Name = p.stripped(); p.isRole() && g.chance(2) {
			user.Name = p.sts(pick(g, "alice", "bob", "jane-example.com"))
		}
	case 4:
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: pick(g, namespaces...), Name: pick(g, "web", "job", "default")}
	case 5:
		return rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: pick(g, everybody[1:]...)}
	default:
		return rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: pick(g, groups...)}
	}
	return user
}

func (g gen) subjects(all []*principal) []rbacv1.Subject {
	var s []rbacv1.Subject
	for range g.IntN(4) {
		s = append(s, g.subject(all))
	}
	return s
}

func (g gen) objects(all []*principal) *objects {
	o := &objects{}
	for _, ns := range namespaces {
		o.others = append(o.others, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ns}})
		for _, sa := range []string{"web", "job"} {
			o.others = append(o.others, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: sa}})
		}
		for i := range 2 {
			o.roles = append(o.roles, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: fmt.Sprint("r", i)}, Rules: g.rules(false)})
		}
	}
	for i := range 10 {
		r := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("r", i)}, Rules: g.rules(true)}
		if label := pick(g, roleLabels...); label != "" {
			r.Labels = map[string]string{"feeds": label}
		}
		o.clusterRoles = append(o.clusterRoles, r)
	}
	// Aggregated from those, and one from the other.
	for i, label := range []string{"alpha", "beta", "gamma"} {
		r := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "all-" + label, Labels: map[string]string{"feeds": []string{"gamma", "", ""}[i]}}}
		r.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"feeds": label}}}}
		o.clusterRoles = append(o.clusterRoles, r)
	}
	g.bind(o, all)
	for i := range nodeCount {
		o.others = append(o.others, kube.Node(i, "general"))
	}
	for i := range 6 {
		pod := kube.Pod(pick(g, namespaces...), fmt.Sprint("pod-", i), pick(g, "web", "job", "default"), kube.Node(i%nodeCount, "").Name)
		g.refer(&pod.Spec)
		o.pods = append(o.pods, pod)
	}
	return o
}

// refer makes a pod refer to objects, by which its node may read them.
func (g gen) refer(s *corev1.PodSpec) {
	local := corev1.LocalObjectReference{Name: pick(g, "a", "b")}
	switch g.IntN(6) {
	case 0:
		s.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: local.Name}}}}
	case 1:
		s.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: local}}}}
	case 2:
		s.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: local}}, {ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: local}}}
	case 3:
		s.Containers[0].Env = []corev1.EnvVar{{Name: "E", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: local, Key: "k"}}}}
	case 4:
		s.ImagePullSecrets = []corev1.LocalObjectReference{local}
	}
}

// bind adds bindings of roles that are there, and now and then of ones that are not.
func (g gen) bind(o *objects, all []*principal) {
	clusterRoles := []string{"view", "edit", "admin", "cluster-admin", "system:node"}
	for range 3 {
		for _, r := range o.clusterRoles {
			clusterRoles = append(clusterRoles, r.Name)
		}
	}
	for i := range 12 {
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: pick(g, clusterRoles...)}
		o.wide = append(o.wide, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("b", i)}, RoleRef: ref, Subjects: g.subjects(all)})
	}
	if g.chance(2) {
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "r0"}
		everybody := rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: everybody[0]}
		o.wide = append(o.wide, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "everybody"}, RoleRef: ref, Subjects: []rbacv1.Subject{everybody}})
	}
	clusterRoles = append(clusterRoles, "gone")
	for i := range 30 {
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: pick(g, clusterRoles...)}
		if g.chance(2) {
			ref.Kind, ref.Name = "Role", pick(g, "r0", "r0", "r0", "r1", "r1", "r1", "gone")
		}
		meta := metav1.ObjectMeta{Namespace: pick(g, namespaces...), Name: fmt.Sprint("b", i)}
		o.narrow = append(o.narrow, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: g.subjects(all)})
	}
	reader := sourcekube.ClusterRole()
	reader.Name = readers
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: readers}
	subject := rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: readers}
	o.clusterRoles = append(o.clusterRoles, reader)
	o.wide = append(o.wide, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: readers}, RoleRef: ref, Subjects: []rbacv1.Subject{subject}})
}
