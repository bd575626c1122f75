package apply

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"drawbridge/internal/rbac"
)

// fakeKube is a Kubernetes API of single objects, with versions and preconditions as the API server has them. The real one
// is asked in lab_test.go.
type fakeKube struct {
	mu      sync.Mutex
	version int
	objects map[string]*unstructured.Unstructured
	writes  int
	// asked are the questions to the authorizer, which answer answers; nil allows.
	asked  []rbac.Request
	answer func(rbac.Request) (bool, error)
}

func (k *fakeKube) Allowed(_ context.Context, r rbac.Request) (bool, error) {
	k.asked = append(k.asked, r)
	if k.answer != nil {
		return k.answer(r)
	}
	return true, nil
}

func newFakeKube() *fakeKube {
	k := &fakeKube{objects: map[string]*unstructured.Unstructured{}}
	for _, name := range []string{"kube-system", "shop"} {
		k.put("namespaces", map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}})
	}
	return k
}

func key(resource, namespace, name string) string { return resource + "/" + namespace + "/" + name }

func (k *fakeKube) put(resource string, object map[string]any) {
	u := &unstructured.Unstructured{Object: object}
	k.version++
	if u.GetUID() == "" {
		u.SetUID(types.UID("uid-" + strconv.Itoa(k.version)))
	}
	u.SetResourceVersion(strconv.Itoa(k.version))
	k.objects[key(resource, u.GetNamespace(), u.GetName())] = u
}

func (k *fakeKube) Get(_ context.Context, of schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if u, ok := k.objects[key(of.Resource, namespace, name)]; ok {
		return u.DeepCopy(), nil
	}
	return nil, apierrors.NewNotFound(of.GroupResource(), name)
}

func (k *fakeKube) Create(_ context.Context, of schema.GroupVersionResource, u *unstructured.Unstructured) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.objects[key(of.Resource, u.GetNamespace(), u.GetName())] != nil {
		return apierrors.NewAlreadyExists(of.GroupResource(), u.GetName())
	}
	k.writes++
	k.put(of.Resource, u.DeepCopy().Object)
	return nil
}

func (k *fakeKube) Patch(_ context.Context, of schema.GroupVersionResource, namespace, name string, patch []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	u := k.objects[key(of.Resource, namespace, name)]
	if u == nil {
		return apierrors.NewNotFound(of.GroupResource(), name)
	}
	var asked unstructured.Unstructured
	if err := json.Unmarshal(patch, &asked.Object); err != nil {
		return err
	}
	if asked.GetUID() != u.GetUID() || asked.GetResourceVersion() != u.GetResourceVersion() {
		return apierrors.NewConflict(of.GroupResource(), name, nil)
	}
	next := merged(u.DeepCopy().Object, asked.Object)
	k.writes++
	k.put(of.Resource, next)
	return nil
}

// merged is RFC 7386.
func merged(object, patch map[string]any) map[string]any {
	for key, value := range patch {
		inner, isMap := value.(map[string]any)
		switch {
		case value == nil:
			delete(object, key)
		case isMap:
			there, _ := object[key].(map[string]any)
			if there == nil {
				there = map[string]any{}
			}
			object[key] = merged(there, inner)
		default:
			object[key] = value
		}
	}
	return object
}

func (k *fakeKube) Delete(_ context.Context, of schema.GroupVersionResource, namespace, name string, uid types.UID, version string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	u := k.objects[key(of.Resource, namespace, name)]
	switch {
	case u == nil:
		return apierrors.NewNotFound(of.GroupResource(), name)
	case u.GetUID() != uid || u.GetResourceVersion() != version:
		return apierrors.NewConflict(of.GroupResource(), name, nil)
	}
	k.writes++
	delete(k.objects, key(of.Resource, namespace, name))
	return nil
}
