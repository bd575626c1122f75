package apply

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"drawbridge/internal/plan"
)

// part is something that is read on its own: an object, or the part of one that a change is about.
type part struct {
	kind            kind
	namespace, name string // of IAM principals the name is the ARN
	policy          string // of an inline policy, its name
}

type kind string

const (
	partMode        kind = "authentication mode"
	partLogs        kind = "control-plane logs"
	partLogGroup    kind = "log group"
	partEntry       kind = "access entry" // with its access policies
	partAssociation kind = "Pod Identity association"
	partTrust       kind = "trust policy"
	partAttached    kind = "attached policies"
	partInline      kind = "inline policy"
	// The others are kinds of Kubernetes objects.
	partAWSAuth            kind = "ConfigMap"
	partNamespace          kind = "Namespace"
	partServiceAccount     kind = "ServiceAccount"
	partRole               kind = "Role"
	partClusterRole        kind = "ClusterRole"
	partRoleBinding        kind = "RoleBinding"
	partClusterRoleBinding kind = "ClusterRoleBinding"
)

// resources are the Kubernetes kinds that changes touch. Those of workloads are in lower case, as findings name them.
var resources = map[kind]schema.GroupVersionResource{
	partAWSAuth:             corev1.SchemeGroupVersion.WithResource("configmaps"),
	partNamespace:           corev1.SchemeGroupVersion.WithResource("namespaces"),
	partServiceAccount:      corev1.SchemeGroupVersion.WithResource("serviceaccounts"),
	partRole:                rbacv1.SchemeGroupVersion.WithResource("roles"),
	partClusterRole:         rbacv1.SchemeGroupVersion.WithResource("clusterroles"),
	partRoleBinding:         rbacv1.SchemeGroupVersion.WithResource("rolebindings"),
	partClusterRoleBinding:  rbacv1.SchemeGroupVersion.WithResource("clusterrolebindings"),
	"deployment":            appsv1.SchemeGroupVersion.WithResource("deployments"),
	"daemonset":             appsv1.SchemeGroupVersion.WithResource("daemonsets"),
	"statefulset":           appsv1.SchemeGroupVersion.WithResource("statefulsets"),
	"replicaset":            appsv1.SchemeGroupVersion.WithResource("replicasets"),
	"replicationcontroller": corev1.SchemeGroupVersion.WithResource("replicationcontrollers"),
	"cronjob":               batchv1.SchemeGroupVersion.WithResource("cronjobs"),
}

// String names the part for a message.
func (p part) String() string {
	text := string(p.kind)
	switch {
	case p.name == "":
	case p.namespace != "":
		text += " " + p.namespace + "/" + p.name
	default:
		text += " " + p.name
	}
	if p.policy != "" {
		text += " " + p.policy
	}
	return text
}

// reach is what a change touches: of which cluster, "" for none, and which parts of it or of its account.
type reach struct {
	cluster string
	parts   []part
}

// reachOf says what a change touches. A change and those that undo it touch the same. It is an error where this package
// cannot carry the change out.
func reachOf(c plan.Change) (reach, error) {
	for _, known := range []func(plan.Change) (reach, bool){ofEKS, ofKubernetes, ofIAM} {
		if r, ok := known(c); ok {
			return r, nil
		}
	}
	return reach{}, fmt.Errorf("%s (%s): drawbridge cannot carry this out", reflect.TypeOf(c).Name(), c)
}

func one(cluster string, k kind, namespace, name string) (reach, bool) {
	return reach{cluster, []part{{kind: k, namespace: namespace, name: name}}}, true
}

// ofEKS is the reach of changes in EKS and in the logs of its control plane.
func ofEKS(c plan.Change) (reach, bool) {
	entry := func(cluster, principal string) (reach, bool) {
		return reach{cluster, []part{{kind: partMode}, {kind: partEntry, name: principal}}}, true
	}
	switch c := c.(type) {
	case plan.CreateAccessEntry:
		return entry(c.Cluster, c.PrincipalARN)
	case plan.UpdateAccessEntry:
		return entry(c.Cluster, c.PrincipalARN)
	case plan.DeleteAccessEntry:
		return entry(c.Cluster, c.PrincipalARN)
	case plan.AssociateAccessPolicy:
		return entry(c.Cluster, c.PrincipalARN)
	case plan.DisassociateAccessPolicy:
		return entry(c.Cluster, c.PrincipalARN)
	case plan.SetAuthenticationMode:
		return one(c.Cluster, partMode, "", "")
	case plan.UpdateClusterLogging:
		return one(c.Cluster, partLogs, "", "")
	case plan.SetLogRetention:
		return one(c.Cluster, partLogGroup, "", c.LogGroup)
	case plan.CreatePodIdentityAssociation:
		return one(c.Cluster, partAssociation, c.Namespace, c.ServiceAccount)
	case plan.UpdatePodIdentityAssociation:
		return one(c.Cluster, partAssociation, c.Namespace, c.ServiceAccount)
	case plan.DeletePodIdentityAssociation:
		return one(c.Cluster, partAssociation, c.Namespace, c.ServiceAccount)
	}
	return reach{}, false
}

// ofKubernetes is the reach of changes of Kubernetes objects. Whether rows of aws-auth may go depends on the authentication mode.
func ofKubernetes(c plan.Change) (reach, bool) {
	awsAuth := func(cluster string) (reach, bool) {
		return reach{cluster, []part{{kind: partMode}, {kind: partAWSAuth, namespace: "kube-system", name: "aws-auth"}}}, true
	}
	account := func(cluster, namespace, name string) (reach, bool) {
		return reach{cluster, []part{{kind: partNamespace, name: namespace}, {kind: partServiceAccount, namespace: namespace, name: name}}}, true
	}
	switch c := c.(type) {
	case plan.RemoveAWSAuthRow:
		return awsAuth(c.Cluster)
	case plan.PutAWSAuth:
		return awsAuth(c.Cluster)
	case plan.CreateBinding:
		return one(c.Cluster, bindingKind(c.Namespace), c.Namespace, c.Name)
	case plan.DeleteBinding:
		return one(c.Cluster, bindingKind(c.Namespace), c.Namespace, c.Name)
	case plan.AddSubject:
		return one(c.Cluster, bindingKind(c.Namespace), c.Namespace, c.Name)
	case plan.RemoveSubject:
		return one(c.Cluster, bindingKind(c.Namespace), c.Namespace, c.Name)
	case plan.PutRoleRules:
		if c.Namespace == "" {
			return one(c.Cluster, partClusterRole, "", c.Name)
		}
		return one(c.Cluster, partRole, c.Namespace, c.Name)
	case plan.CreateServiceAccount:
		return account(c.Cluster, c.Namespace, c.Name)
	case plan.DeleteServiceAccount:
		return account(c.Cluster, c.Namespace, c.Name)
	case plan.AnnotateServiceAccount:
		return one(c.Cluster, partServiceAccount, c.Namespace, c.Name)
	case plan.UnannotateServiceAccount:
		return one(c.Cluster, partServiceAccount, c.Namespace, c.Name)
	case plan.SetAutomount:
		if c.Kind == "ServiceAccount" {
			return one(c.Cluster, partServiceAccount, c.Namespace, c.Name)
		}
		if k, name, _ := strings.Cut(c.Name, "/"); c.Kind == "Workload" && isWorkload(kind(k)) {
			return one(c.Cluster, kind(k), c.Namespace, name)
		}
	}
	return reach{}, false
}

// ofIAM is the reach of changes in IAM.
func ofIAM(c plan.Change) (reach, bool) {
	inline := func(arn, policy string) (reach, bool) {
		return reach{"", []part{{kind: partInline, name: arn, policy: policy}}}, true
	}
	switch c := c.(type) {
	case plan.AttachPolicy:
		return one("", partAttached, "", c.PrincipalARN)
	case plan.DetachPolicy:
		return one("", partAttached, "", c.PrincipalARN)
	case plan.PutInlinePolicy:
		return inline(c.PrincipalARN, c.Name)
	case plan.DeleteInlinePolicy:
		return inline(c.PrincipalARN, c.Name)
	case plan.UpdateTrustPolicy:
		return one("", partTrust, "", c.RoleARN)
	}
	return reach{}, false
}

// reachOfAll is what the changes of a plan touch together. They must be about one cluster.
func reachOfAll(p plan.Plan) (reach, error) {
	var all reach
	seen := map[part]bool{}
	for i, c := range p {
		r, err := reachOf(c)
		if err != nil {
			return reach{}, fmt.Errorf("step %d: %w", i+1, err)
		}
		if r.cluster != "" && all.cluster != "" && r.cluster != all.cluster {
			return reach{}, fmt.Errorf("step %d is about cluster %s, others about %s: a run is about one cluster", i+1, r.cluster, all.cluster)
		}
		if r.cluster != "" {
			all.cluster = r.cluster
		}
		for _, p := range r.parts {
			if !seen[p] {
				seen[p] = true
				all.parts = append(all.parts, p)
			}
		}
	}
	return all, nil
}

func (r reach) has(k kind) bool {
	return slices.ContainsFunc(r.parts, func(p part) bool { return p.kind == k })
}

// kubernetes says whether a Kubernetes API is touched.
func (r reach) kubernetes() bool {
	return slices.ContainsFunc(r.parts, func(p part) bool { _, ok := resources[p.kind]; return ok })
}

func isWorkload(k kind) bool {
	_, ok := resources[k]
	return ok && strings.ToLower(string(k)) == string(k)
}

func bindingKind(namespace string) kind {
	if namespace == "" {
		return partClusterRoleBinding
	}
	return partRoleBinding
}
