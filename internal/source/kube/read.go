package kube

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"drawbridge/internal/model"
	"drawbridge/internal/projection"
)

const (
	pageSize = 500
	// restarts is how often a list begins anew after its continue token has expired, which is after about five minutes
	// or when etcd compacts. After that it is asked for whole.
	restarts = 3
)

// listOf is the type L of the lists of Kubernetes objects.
type listOf[L any] interface {
	*L
	runtime.Object
	metav1.ListInterface
}

// typed reads a resource of Kubernetes' own: keep appends what the snapshot keeps of an object. A page is dropped as
// soon as it is projected.
func typed[L, T, R any, PL listOf[L]](gvr schema.GroupVersionResource, items func(*L) []T, keep func([]R, *T) []R, at func(*model.Cluster) *[]R) reader {
	return func(ctx context.Context, c *client) (func(*model.Cluster), error) {
		var rows []R
		err := pages(ctx, func(ctx context.Context, o metav1.ListOptions) (string, error) {
			if o.Continue == "" {
				rows = nil
			}
			var list L
			err := c.typed[gvr.GroupVersion()].Get().Resource(gvr.Resource).VersionedParams(&o, parameters).Do(ctx).Into(PL(&list))
			if err != nil {
				return "", err
			}
			objects := items(&list)
			for i := range objects {
				rows = keep(rows, &objects[i])
			}
			return PL(&list).GetContinue(), nil
		})
		return func(m *model.Cluster) { *at(m) = append(*at(m), rows...) }, err
	}
}

// pages reads a list page by page; read is called with an empty continue token for the first and returns the next
// page's. When a token has expired the list begins anew.
func pages(ctx context.Context, read func(context.Context, metav1.ListOptions) (string, error)) error {
	for begun := 1; ; begun++ {
		o := metav1.ListOptions{Limit: pageSize}
		if begun > restarts {
			o.Limit = 0
		}
		for {
			token, err := read(ctx, o)
			if expired := apierrors.IsResourceExpired(err) || apierrors.IsGone(err); expired && o.Continue != "" {
				break
			}
			if err != nil || token == "" {
				return err
			}
			if token == o.Continue {
				return errors.New("the API server repeats a page")
			}
			o.Continue = token
		}
	}
}

// one keeps an object as one row.
func one[T, R any](project func(*T) *R) func([]*R, *T) []*R {
	return func(rows []*R, o *T) []*R { return append(rows, project(o)) }
}

// uncontrolled keeps a workload unless its owner, which is read too, has the same template.
func uncontrolled[T any](project func(*T) *model.Workload) func([]*model.Workload, *T) []*model.Workload {
	return func(rows []*model.Workload, o *T) []*model.Workload {
		if w := project(o); !projection.Controlled(w.Meta) {
			return append(rows, w)
		}
		return rows
	}
}

// awsAuth gets kube-system/aws-auth. A cluster without it is read, and has none.
func awsAuth(ctx context.Context, c *client) (func(*model.Cluster), error) {
	var cm corev1.ConfigMap
	err := c.typed[corev1.SchemeGroupVersion].Get().Namespace("kube-system").Resource("configmaps").Name("aws-auth").Do(ctx).Into(&cm)
	if apierrors.IsNotFound(err) && !foreign(err) {
		return nil, nil
	}
	return func(m *model.Cluster) { m.AWSAuth = projection.AWSAuth(&cm) }, err
}

// nodeClasses reads custom resources, in the first of the versions that is served. A cluster that does not have their
// definition is read, and has none; that is found out even where listing them is not allowed.
func nodeClasses(group, resource string, versions ...string) reader {
	return func(ctx context.Context, c *client) (func(*model.Cluster), error) {
		for _, version := range versions {
			gvr := schema.GroupVersionResource{Group: group, Version: version, Resource: resource}
			rows, err := c.nodeClasses(ctx, gvr)
			if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) && !c.serves(ctx, gvr) {
				continue
			}
			return func(m *model.Cluster) { m.NodeClasses = append(m.NodeClasses, rows...) }, err
		}
		return nil, nil
	}
}

func (c *client) nodeClasses(ctx context.Context, gvr schema.GroupVersionResource) ([]*model.NodeClass, error) {
	var rows []*model.NodeClass
	err := pages(ctx, func(ctx context.Context, o metav1.ListOptions) (string, error) {
		if o.Continue == "" {
			rows = nil
		}
		list, err := c.dynamic.Resource(gvr).List(ctx, o)
		if err != nil {
			return "", err
		}
		for i := range list.Items {
			if n := projection.NodeClass(&list.Items[i]); n != nil {
				rows = append(rows, n)
			}
		}
		return list.GetContinue(), nil
	})
	return rows, err
}

// serves says whether the API server has a resource, as far as its discovery documents tell: they are open to everyone
// who is authenticated. If they do not tell, it has.
func (c *client) serves(ctx context.Context, gvr schema.GroupVersionResource) bool {
	var served metav1.APIResourceList
	err := c.typed[corev1.SchemeGroupVersion].Get().AbsPath("/apis", gvr.Group, gvr.Version).Do(ctx).Into(&served)
	if err != nil {
		return !apierrors.IsNotFound(err)
	}
	for _, r := range served.APIResources {
		if r.Name == gvr.Resource {
			return true
		}
	}
	return false
}

// unlessServed reads a resource that an API server may be too old to have: then there is nothing of it.
func unlessServed(read reader) reader {
	return func(ctx context.Context, c *client) (func(*model.Cluster), error) {
		store, err := read(ctx, c)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return store, err
	}
}
