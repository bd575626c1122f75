package kube

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// parallel is how many objects are written at once; more does not help an API server on two cores.
const parallel = 16

// Load creates the objects, typed or unstructured, as the administrator: namespaces and custom resource definitions
// first, pods last, and within each of these steps many at once. It stops at the first error; an object that exists
// already is one.
//
// There is no kubelet, so what it would do is done here: where an object comes with a status, the status is written
// too, and spec.nodeName of a pod is kept as given. Without the service account controller, the default service account
// of each namespace that is loaded or that gets a pod is made as well.
func (c *Cluster) Load(ctx context.Context, objects ...runtime.Object) error {
	return c.write(ctx, objects, func(ctx context.Context, r dynamic.ResourceInterface, u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		return r.Create(ctx, u, metav1.CreateOptions{})
	})
}

// Apply applies the objects of a YAML stream by server-side apply, in the order of [Cluster.Load]; it can be repeated.
func (c *Cluster) Apply(ctx context.Context, text string) error {
	objects, err := Parse(text)
	if err != nil {
		return err
	}
	return c.apply(ctx, objects)
}

func (c *Cluster) apply(ctx context.Context, objects []runtime.Object) error {
	return c.write(ctx, objects, func(ctx context.Context, r dynamic.ResourceInterface, u *unstructured.Unstructured) (*unstructured.Unstructured, error) {
		u.SetManagedFields(nil)
		return r.Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: "drawbridge-lab", Force: true})
	})
}

// As is the same cluster to write objects into as somebody else: [Cluster.Load], [Cluster.Apply] and [Cluster.InstallEKS] of
// it use the configuration.
func (c *Cluster) As(cfg *rest.Config) *Cluster {
	other := *c
	other.as = cfg
	return &other
}

// Parse reads the objects of a YAML or JSON stream.
func Parse(text string) ([]runtime.Object, error) {
	var objects []runtime.Object
	d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(text)), 4096)
	for {
		u := &unstructured.Unstructured{}
		err := d.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read object %d of a manifest: %w", len(objects)+1, err)
		}
		if len(u.Object) > 0 {
			objects = append(objects, u)
		}
	}
}

// writer puts one object into the cluster and returns it as stored.
type writer func(context.Context, dynamic.ResourceInterface, *unstructured.Unstructured) (*unstructured.Unstructured, error)

// step tells when an object is written: the objects of a step may need those of the steps before.
func step(u *unstructured.Unstructured) int {
	switch u.GetKind() {
	case "Namespace", "CustomResourceDefinition":
		return 0
	case "Pod":
		return 2
	}
	return 1
}

func (c *Cluster) write(ctx context.Context, objects []runtime.Object, put writer) error {
	cfg := c.as
	if cfg == nil {
		var err error
		if cfg, err = c.Config("admin", "system:masters"); err != nil {
			return err
		}
	}
	client, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return err
	}
	dc, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return err
	}
	l := &loader{client: client, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(dc)), put: put}

	var steps [3][]*unstructured.Unstructured
	for _, o := range objects {
		u, err := toUnstructured(o)
		if err != nil {
			return err
		}
		steps[step(u)] = append(steps[step(u)], u)
	}
	for i, us := range steps {
		if err := l.all(ctx, us); err != nil {
			return err
		}
		if i == 0 {
			if err := l.established(ctx, us); err != nil {
				return err
			}
			if err := c.defaultServiceAccounts(ctx, slices.Concat(us, steps[2])); err != nil {
				return err
			}
		}
	}
	return nil
}

type loader struct {
	client *dynamic.DynamicClient
	mapper *restmapper.DeferredDiscoveryRESTMapper
	put    writer
}

func (l *loader) all(ctx context.Context, us []*unstructured.Unstructured) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, u := range us {
		g.Go(func() error {
			if err := l.one(ctx, u); err != nil {
				return fmt.Errorf("load %s %s/%s: %w", u.GetKind(), u.GetNamespace(), u.GetName(), err)
			}
			return nil
		})
	}
	return g.Wait()
}

func (l *loader) one(ctx context.Context, u *unstructured.Unstructured) error {
	gvk := u.GroupVersionKind()
	m, err := l.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return err
	}
	var r dynamic.ResourceInterface = l.client.Resource(m.Resource)
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		r = l.client.Resource(m.Resource).Namespace(cmp.Or(u.GetNamespace(), metav1.NamespaceDefault))
	}
	status, _, _ := unstructured.NestedMap(u.Object, "status")
	delete(u.Object, "status")
	stored, err := l.put(ctx, r, u)
	if err != nil || len(status) == 0 {
		return err
	}
	// Onto what the server set itself: fields such as a pod's qosClass may not change.
	now, _, _ := unstructured.NestedMap(stored.Object, "status")
	want := maps.Clone(now)
	if want == nil {
		want = map[string]any{}
	}
	maps.Copy(want, status)
	if reflect.DeepEqual(now, want) {
		return nil
	}
	stored.Object["status"] = want
	_, err = r.UpdateStatus(ctx, stored, metav1.UpdateOptions{})
	return err
}

// established waits until the API server serves the resources of the definitions among the objects.
func (l *loader) established(ctx context.Context, us []*unstructured.Unstructured) error {
	for _, u := range us {
		if u.GetKind() != "CustomResourceDefinition" {
			continue
		}
		crds := l.client.Resource(u.GroupVersionKind().GroupVersion().WithResource("customresourcedefinitions"))
		err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
			got, err := crds.Get(ctx, u.GetName(), metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			conditions, _, _ := unstructured.NestedSlice(got.Object, "status", "conditions")
			return slices.ContainsFunc(conditions, func(c any) bool {
				m, _ := c.(map[string]any)
				return m["type"] == "Established" && m["status"] == "True"
			}), nil
		})
		if err != nil {
			return fmt.Errorf("wait for the definition %s: %w", u.GetName(), err)
		}
		l.mapper.Reset()
	}
	return nil
}

// defaultServiceAccounts does what the service account controller does where that does not run.
func (c *Cluster) defaultServiceAccounts(ctx context.Context, us []*unstructured.Unstructured) error {
	if slices.Contains(c.options.Controllers, "serviceaccount-controller") {
		return nil
	}
	namespaces := map[string]bool{}
	for _, u := range us {
		switch u.GetKind() {
		case "Namespace":
			namespaces[u.GetName()] = true
		case "Pod":
			namespaces[cmp.Or(u.GetNamespace(), metav1.NamespaceDefault)] = true
		}
	}
	for ns := range namespaces {
		sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
		if _, err := c.Admin.CoreV1().ServiceAccounts(ns).Create(ctx, sa, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("make the default service account of %s: %w", ns, err)
		}
	}
	return nil
}

// toUnstructured returns a copy of the object with its kind filled in.
func toUnstructured(o runtime.Object) (*unstructured.Unstructured, error) {
	if u, ok := o.(*unstructured.Unstructured); ok {
		return u.DeepCopy(), nil
	}
	kinds, _, err := scheme.Scheme.ObjectKinds(o)
	if err != nil {
		return nil, err
	}
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, fmt.Errorf("convert a %s: %w", kinds[0].Kind, err)
	}
	u := &unstructured.Unstructured{Object: m}
	u.SetGroupVersionKind(kinds[0])
	return u, nil
}
