package apply

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// callKubernetes writes one object. What is there is patched from what was read to what should stand, no more, and only if it
// is still in the version that was read.
func (c Clients) callKubernetes(ctx context.Context, change plan.Change, before *view, want *model.Snapshot) error {
	r, err := reachOf(change)
	if err != nil {
		return err
	}
	p, was, is := r.parts[len(r.parts)-1], before.cluster(), want.Clusters[0]
	switch change.(type) {
	case plan.CreateBinding:
		return c.create(ctx, p, bindingObject(p, is))
	case plan.CreateServiceAccount:
		return c.create(ctx, p, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: p.name}})
	case plan.DeleteBinding:
		return c.delete(ctx, p, before)
	case plan.DeleteServiceAccount:
		if u := before.objects[p]; u != nil && (len(list(u, "secrets")) > 0 || len(list(u, "imagePullSecrets")) > 0) {
			return errors.New("it has Secrets or image pull secrets, which nothing would bring back")
		}
		return c.delete(ctx, p, before)
	case plan.RemoveAWSAuthRow, plan.PutAWSAuth:
		return c.patch(ctx, p, before, map[string]any{"data": differences(was.AWSAuth.Data, is.AWSAuth.Data)})
	case plan.AddSubject, plan.RemoveSubject:
		return c.patch(ctx, p, before, map[string]any{"subjects": subjects(binding(is))})
	case plan.PutRoleRules:
		return c.patch(ctx, p, before, map[string]any{"rules": rules(is)})
	case plan.AnnotateServiceAccount, plan.UnannotateServiceAccount:
		annotations := differences(was.ServiceAccounts[0].Annotations, is.ServiceAccounts[0].Annotations)
		return c.patch(ctx, p, before, map[string]any{"metadata": map[string]any{"annotations": annotations}})
	case plan.SetAutomount:
		if p.kind == partServiceAccount {
			return c.patch(ctx, p, before, map[string]any{automount: is.ServiceAccounts[0].Automount})
		}
		var patch any = map[string]any{automount: is.Workloads[0].Automount}
		path := podSpec(string(p.kind))
		for i := len(path) - 1; i >= 0; i-- {
			patch = map[string]any{path[i]: patch}
		}
		return c.patch(ctx, p, before, patch.(map[string]any))
	}
	return fmt.Errorf("%s: drawbridge cannot carry this out", reflect.TypeOf(change).Name())
}

const automount = "automountServiceAccountToken"

func (c Clients) create(ctx context.Context, p part, object runtime.Object) error {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return err
	}
	u := &unstructured.Unstructured{Object: fields}
	u.SetGroupVersionKind(resources[p.kind].GroupVersion().WithKind(string(p.kind)))
	return c.Kubernetes.Create(ctx, resources[p.kind], u)
}

// patch adds to a patch the object that it is for: where another one has its name, or another version, the API server refuses.
func (c Clients) patch(ctx context.Context, p part, before *view, patch map[string]any) error {
	u := before.objects[p]
	meta, _ := patch["metadata"].(map[string]any)
	if meta == nil {
		meta = map[string]any{}
	}
	meta["uid"], meta["resourceVersion"] = u.GetUID(), u.GetResourceVersion()
	patch["metadata"] = meta
	text, err := json.Marshal(patch, json.Deterministic(true))
	if err != nil {
		return fmt.Errorf("encode patch: %w", err)
	}
	return c.Kubernetes.Patch(ctx, resources[p.kind], p.namespace, p.name, text)
}

func (c Clients) delete(ctx context.Context, p part, before *view) error {
	u := before.objects[p]
	return c.Kubernetes.Delete(ctx, resources[p.kind], p.namespace, p.name, u.GetUID(), u.GetResourceVersion())
}

// differences is a merge patch from one map to another: nil takes a key away (RFC 7386).
func differences(before, after map[string]string) map[string]any {
	patch := map[string]any{}
	for key := range before {
		if _, stays := after[key]; !stays {
			patch[key] = nil
		}
	}
	for key, value := range after {
		if old, there := before[key]; !there || old != value {
			patch[key] = value
		}
	}
	return patch
}

// binding is the one binding of a view.
func binding(k *model.Cluster) *model.Binding {
	if len(k.RoleBindings) > 0 {
		return k.RoleBindings[0]
	}
	return k.ClusterRoleBindings[0]
}

func rules(k *model.Cluster) []rbacv1.PolicyRule {
	if len(k.Roles) > 0 {
		return k.Roles[0].Rules
	}
	return k.ClusterRoles[0].Rules
}

func bindingObject(p part, k *model.Cluster) runtime.Object {
	b := binding(k)
	meta := metav1.ObjectMeta{Namespace: b.Namespace, Name: b.Name, Labels: b.Labels, Annotations: b.Annotations}
	if p.kind == partRoleBinding {
		return &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: roleRef(b.RoleRef), Subjects: subjects(b)}
	}
	return &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: roleRef(b.RoleRef), Subjects: subjects(b)}
}

// subjects are those of a binding as the API server stores them: with their API group, which manifests may leave out
// (Kubernetes API reference, Subject, 2026-11).
func subjects(b *model.Binding) []rbacv1.Subject {
	out := make([]rbacv1.Subject, len(b.Subjects))
	for i, s := range b.Subjects {
		out[i] = subject(s)
	}
	return out
}

func subject(s rbacv1.Subject) rbacv1.Subject {
	if s.APIGroup == "" && (s.Kind == rbacv1.UserKind || s.Kind == rbacv1.GroupKind) {
		s.APIGroup = rbacv1.GroupName
	}
	return s
}

func roleRef(r rbacv1.RoleRef) rbacv1.RoleRef {
	if r.APIGroup == "" {
		r.APIGroup = rbacv1.GroupName
	}
	return r
}

func list(u *unstructured.Unstructured, field string) []any {
	items, _, err := unstructured.NestedSlice(u.Object, field)
	if err != nil {
		return []any{err} // what is not a list is not nothing
	}
	return items
}
