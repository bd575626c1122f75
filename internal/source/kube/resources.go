package kube

import (
	"context"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"drawbridge/internal/model"
	"drawbridge/internal/projection"
)

// reader reads one resource and returns what stores it in a cluster, or nil if the cluster has nothing of the kind.
type reader func(context.Context, *client) (store func(*model.Cluster), err error)

// resource is one thing that is read, the area that it belongs to and what one must be allowed to do for it.
type resource struct {
	area model.Area
	schema.GroupResource
	// names are the objects that are got; of a resource without, all objects are listed.
	names []string
	read  reader
}

// verb is what must be allowed on the resource.
func (r *resource) verb() string {
	if len(r.names) > 0 {
		return "get"
	}
	return "list"
}

// action is the verb and resource in the words of model.Areas.
func (r *resource) action() string {
	if r.area == model.AreaAWSAuth {
		return "get configmaps kube-system/aws-auth"
	}
	return r.verb() + " " + r.GroupResource.String()
}

func list[L, T, R any, PL listOf[L]](area model.Area, gv schema.GroupVersion, name string, items func(*L) []T, keep func([]R, *T) []R, at func(*model.Cluster) *[]R) resource {
	gvr := gv.WithResource(name)
	return resource{area: area, GroupResource: gvr.GroupResource(), read: typed[L, T, R, PL](gvr, items, keep, at)}
}

func ofWorkloads(c *model.Cluster) *[]*model.Workload { return &c.Workloads }

// resources is the one table of what is read, what it needs and where it goes; the biggest come first, so that they are
// not waited for at the end.
var resources = []resource{
	list(model.AreaPods, corev1.SchemeGroupVersion, "pods",
		func(l *corev1.PodList) []corev1.Pod { return l.Items }, one(projection.Pod),
		func(c *model.Cluster) *[]*model.Pod { return &c.Pods }),
	list(model.AreaServiceAccounts, corev1.SchemeGroupVersion, "serviceaccounts",
		func(l *corev1.ServiceAccountList) []corev1.ServiceAccount { return l.Items }, one(projection.ServiceAccount),
		func(c *model.Cluster) *[]*model.ServiceAccount { return &c.ServiceAccounts }),

	list(model.AreaWorkloads, appsv1.SchemeGroupVersion, "deployments",
		func(l *appsv1.DeploymentList) []appsv1.Deployment { return l.Items }, one(projection.Deployment), ofWorkloads),
	list(model.AreaWorkloads, appsv1.SchemeGroupVersion, "daemonsets",
		func(l *appsv1.DaemonSetList) []appsv1.DaemonSet { return l.Items }, one(projection.DaemonSet), ofWorkloads),
	list(model.AreaWorkloads, appsv1.SchemeGroupVersion, "statefulsets",
		func(l *appsv1.StatefulSetList) []appsv1.StatefulSet { return l.Items }, one(projection.StatefulSet), ofWorkloads),
	list(model.AreaWorkloads, appsv1.SchemeGroupVersion, "replicasets",
		func(l *appsv1.ReplicaSetList) []appsv1.ReplicaSet { return l.Items }, uncontrolled(projection.ReplicaSet), ofWorkloads),
	list(model.AreaWorkloads, corev1.SchemeGroupVersion, "replicationcontrollers",
		func(l *corev1.ReplicationControllerList) []corev1.ReplicationController { return l.Items }, one(projection.ReplicationController), ofWorkloads),
	list(model.AreaWorkloads, batchv1.SchemeGroupVersion, "jobs",
		func(l *batchv1.JobList) []batchv1.Job { return l.Items }, uncontrolled(projection.Job), ofWorkloads),
	list(model.AreaWorkloads, batchv1.SchemeGroupVersion, "cronjobs",
		func(l *batchv1.CronJobList) []batchv1.CronJob { return l.Items }, one(projection.CronJob), ofWorkloads),

	list(model.AreaRoles, rbacv1.SchemeGroupVersion, "roles",
		func(l *rbacv1.RoleList) []rbacv1.Role { return l.Items }, one(projection.Role),
		func(c *model.Cluster) *[]*model.Role { return &c.Roles }),
	list(model.AreaClusterRoles, rbacv1.SchemeGroupVersion, "clusterroles",
		func(l *rbacv1.ClusterRoleList) []rbacv1.ClusterRole { return l.Items }, one(projection.ClusterRole),
		func(c *model.Cluster) *[]*model.Role { return &c.ClusterRoles }),
	list(model.AreaRoleBindings, rbacv1.SchemeGroupVersion, "rolebindings",
		func(l *rbacv1.RoleBindingList) []rbacv1.RoleBinding { return l.Items }, one(projection.RoleBinding),
		func(c *model.Cluster) *[]*model.Binding { return &c.RoleBindings }),
	list(model.AreaClusterRoleBindings, rbacv1.SchemeGroupVersion, "clusterrolebindings",
		func(l *rbacv1.ClusterRoleBindingList) []rbacv1.ClusterRoleBinding { return l.Items }, one(projection.ClusterRoleBinding),
		func(c *model.Cluster) *[]*model.Binding { return &c.ClusterRoleBindings }),

	list(model.AreaNamespaces, corev1.SchemeGroupVersion, "namespaces",
		func(l *corev1.NamespaceList) []corev1.Namespace { return l.Items }, one(projection.Namespace),
		func(c *model.Cluster) *[]*model.Namespace { return &c.Namespaces }),
	list(model.AreaNodes, corev1.SchemeGroupVersion, "nodes",
		func(l *corev1.NodeList) []corev1.Node { return l.Items }, one(projection.Node),
		func(c *model.Cluster) *[]*model.Node { return &c.Nodes }),
	{area: model.AreaAWSAuth, GroupResource: corev1.Resource("configmaps"), names: []string{"aws-auth"}, read: awsAuth},

	custom("karpenter.k8s.aws", "ec2nodeclasses", "v1", "v1beta1"),
	custom("karpenter.k8s.aws", "awsnodetemplates", "v1alpha1"),
	custom("eks.amazonaws.com", "nodeclasses", "v1"),

	list(model.AreaMutatingWebhooks, admissionv1.SchemeGroupVersion, "mutatingwebhookconfigurations",
		func(l *admissionv1.MutatingWebhookConfigurationList) []admissionv1.MutatingWebhookConfiguration {
			return l.Items
		},
		func(rows []*model.MutatingWebhook, c *admissionv1.MutatingWebhookConfiguration) []*model.MutatingWebhook {
			return append(rows, projection.MutatingWebhooks(c)...)
		},
		func(c *model.Cluster) *[]*model.MutatingWebhook { return &c.MutatingWebhooks }),
	recent(list(model.AreaAdmissionPolicies, admissionv1.SchemeGroupVersion, "validatingadmissionpolicies",
		func(l *admissionv1.ValidatingAdmissionPolicyList) []admissionv1.ValidatingAdmissionPolicy {
			return l.Items
		},
		one(projection.ValidatingAdmissionPolicy),
		func(c *model.Cluster) *[]*model.AdmissionPolicy { return &c.AdmissionPolicies })),
	recent(list(model.AreaPolicyBindings, admissionv1.SchemeGroupVersion, "validatingadmissionpolicybindings",
		func(l *admissionv1.ValidatingAdmissionPolicyBindingList) []admissionv1.ValidatingAdmissionPolicyBinding {
			return l.Items
		},
		one(projection.ValidatingAdmissionPolicyBinding),
		func(c *model.Cluster) *[]*model.AdmissionPolicyUse { return &c.PolicyBindings })),
}

// custom is a custom resource that says which IAM role nodes get.
func custom(group, name string, versions ...string) resource {
	return resource{area: model.AreaNodeClasses, GroupResource: schema.GroupResource{Group: group, Resource: name}, read: nodeClasses(group, name, versions...)}
}

// recent marks a resource that older API servers do not have: ValidatingAdmissionPolicy came with Kubernetes 1.30.
func recent(r resource) resource {
	r.read = unlessServed(r.read)
	return r
}

// ClusterRole returns the least permissions with which [Collect] has no gap, one rule for each area and API group. A
// ClusterRole cannot name a namespace, so it lets one get a ConfigMap aws-auth in others than kube-system too.
func ClusterRole() *rbacv1.ClusterRole {
	role := &rbacv1.ClusterRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
		ObjectMeta: metav1.ObjectMeta{Name: "drawbridge-read"},
	}
	type key struct {
		area  model.Area
		group string
	}
	at := map[key]int{}
	for _, r := range resources {
		k := key{r.area, r.Group}
		if i, ok := at[k]; ok {
			role.Rules[i].Resources = append(role.Rules[i].Resources, r.Resource)
			continue
		}
		at[k] = len(role.Rules)
		role.Rules = append(role.Rules, rbacv1.PolicyRule{
			APIGroups: []string{r.Group}, Resources: []string{r.Resource}, ResourceNames: slices.Clone(r.names), Verbs: []string{r.verb()},
		})
	}
	return role
}
