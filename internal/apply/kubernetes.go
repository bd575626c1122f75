package apply

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"drawbridge/internal/rbac"
)

// Kubernetes is what is called of a Kubernetes API: one object at a time.
type Kubernetes interface {
	Get(ctx context.Context, of schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error)
	Create(ctx context.Context, of schema.GroupVersionResource, object *unstructured.Unstructured) error
	// Patch sends a JSON merge patch. It names the uid and resourceVersion that the object must still have.
	Patch(ctx context.Context, of schema.GroupVersionResource, namespace, name string, patch []byte) error
	// Delete deletes the object if it still has this uid and resourceVersion.
	Delete(ctx context.Context, of schema.GroupVersionResource, namespace, name string, uid types.UID, version string) error
	// Allowed asks the authorizer about the user and the groups of a request. It changes nothing.
	Allowed(ctx context.Context, r rbac.Request) (bool, error)
}

// NewKubernetes returns a client for a Kubernetes API. What it writes is owned by the field manager "drawbridge".
func NewKubernetes(config *rest.Config) (Kubernetes, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // no limit: one call is made at a time
	config.RateLimiter = nil
	config.WarningHandler = rest.NoWarnings{}
	if config.UserAgent == "" {
		config.UserAgent = manager
	}
	c, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a Kubernetes client: %w", err)
	}
	return kubernetes{c}, nil
}

const manager = "drawbridge"

type kubernetes struct{ api dynamic.Interface }

func (k kubernetes) Get(ctx context.Context, of schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error) {
	return k.api.Resource(of).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
}

func (k kubernetes) Create(ctx context.Context, of schema.GroupVersionResource, object *unstructured.Unstructured) error {
	_, err := k.api.Resource(of).Namespace(object.GetNamespace()).Create(ctx, object, metav1.CreateOptions{FieldManager: manager})
	return err
}

func (k kubernetes) Patch(ctx context.Context, of schema.GroupVersionResource, namespace, name string, patch []byte) error {
	_, err := k.api.Resource(of).Namespace(namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: manager})
	return err
}

func (k kubernetes) Delete(ctx context.Context, of schema.GroupVersionResource, namespace, name string, uid types.UID, version string) error {
	return k.api.Resource(of).Namespace(namespace).Delete(ctx, name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}})
}
