package apply

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"drawbridge/internal/model"
	"drawbridge/internal/projection"
)

// readObject reads a Kubernetes object.
func (c Clients) readObject(ctx context.Context, v *view, p part) error {
	if c.Kubernetes == nil {
		return errNoClient("the Kubernetes API of the cluster")
	}
	k := v.cluster()
	k.MarkRead(areaOf(p.kind))
	u, err := c.Kubernetes.Get(ctx, resources[p.kind], p.namespace, p.name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if u.GetName() != p.name || u.GetNamespace() != p.namespace {
		return fmt.Errorf("the answer is about %s/%s", u.GetNamespace(), u.GetName())
	}
	v.objects[p] = u
	return project(k, p, u)
}

// areaOf is the area of a snapshot to which the objects of a kind belong.
func areaOf(k kind) model.Area {
	switch k {
	case partAWSAuth:
		return model.AreaAWSAuth
	case partNamespace:
		return model.AreaNamespaces
	case partServiceAccount:
		return model.AreaServiceAccounts
	case partRole:
		return model.AreaRoles
	case partClusterRole:
		return model.AreaClusterRoles
	case partRoleBinding:
		return model.AreaRoleBindings
	case partClusterRoleBinding:
		return model.AreaClusterRoleBindings
	}
	return model.AreaWorkloads
}

// project adds to the cluster what a snapshot keeps of an object.
func project(k *model.Cluster, p part, u *unstructured.Unstructured) error {
	switch p.kind {
	case partAWSAuth:
		cm, err := typed[corev1.ConfigMap](u)
		k.AWSAuth = projection.AWSAuth(cm)
		return err
	case partNamespace:
		k.Namespaces = append(k.Namespaces, &model.Namespace{Meta: model.Meta{Name: p.name}})
		return nil
	case partServiceAccount:
		sa, err := typed[corev1.ServiceAccount](u)
		k.ServiceAccounts = append(k.ServiceAccounts, projection.ServiceAccount(sa))
		return err
	case partRole:
		r, err := typed[rbacv1.Role](u)
		k.Roles = append(k.Roles, projection.Role(r))
		return err
	case partClusterRole:
		r, err := typed[rbacv1.ClusterRole](u)
		k.ClusterRoles = append(k.ClusterRoles, projection.ClusterRole(r))
		return err
	case partRoleBinding:
		b, err := typed[rbacv1.RoleBinding](u)
		k.RoleBindings = append(k.RoleBindings, projection.RoleBinding(b))
		return err
	case partClusterRoleBinding:
		b, err := typed[rbacv1.ClusterRoleBinding](u)
		k.ClusterRoleBindings = append(k.ClusterRoleBindings, projection.ClusterRoleBinding(b))
		return err
	}
	return projectWorkload(k, u)
}

// projectWorkload keeps of a workload what a change of it is about. The rest of its template may change at any time.
func projectWorkload(k *model.Cluster, u *unstructured.Unstructured) error {
	w := &model.Workload{Kind: u.GetKind(), Meta: model.Meta{Namespace: u.GetNamespace(), Name: u.GetName(), UID: string(u.GetUID())}}
	for _, o := range u.GetOwnerReferences() {
		if o.Controller != nil && *o.Controller {
			w.Owner = strings.ToLower(o.Kind) + "/" + o.Name
		}
	}
	automount, set, err := unstructured.NestedBool(u.Object, append(podSpec(u.GetKind()), "automountServiceAccountToken")...)
	if err != nil {
		return err
	}
	if set {
		w.Automount = &automount
	}
	k.Workloads = append(k.Workloads, w)
	return nil
}

// podSpec is where a workload of a kind has the specification of its pods.
func podSpec(kind string) []string {
	if strings.EqualFold(kind, "CronJob") {
		return []string{"spec", "jobTemplate", "spec", "template", "spec"}
	}
	return []string{"spec", "template", "spec"}
}

func typed[T any](u *unstructured.Unstructured) (*T, error) {
	var t T
	return &t, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &t)
}
