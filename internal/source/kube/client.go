package kube

import (
	"fmt"
	"net"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// The types that are read. It is a scheme of its own because client-go's brings all of Kubernetes into the binary.
var (
	scheme     = runtime.NewScheme()
	codecs     = serializer.NewCodecFactory(scheme)
	parameters = runtime.NewParameterCodec(scheme)
	groups     = []schema.GroupVersion{
		register(corev1.SchemeGroupVersion, corev1.AddToScheme),
		register(appsv1.SchemeGroupVersion, appsv1.AddToScheme),
		register(batchv1.SchemeGroupVersion, batchv1.AddToScheme),
		register(rbacv1.SchemeGroupVersion, rbacv1.AddToScheme),
		register(admissionv1.SchemeGroupVersion, admissionv1.AddToScheme),
	}
)

func register(gv schema.GroupVersion, add func(*runtime.Scheme) error) schema.GroupVersion {
	if err := add(scheme); err != nil {
		panic(fmt.Sprintf("register %s: %v", gv, err))
	}
	metav1.AddToGroupVersion(scheme, gv)
	return gv
}

// client speaks protobuf for Kubernetes' own types and JSON for custom resources, over one connection.
type client struct {
	typed   map[schema.GroupVersion]rest.Interface
	dynamic dynamic.Interface
}

// What is used where the configuration says nothing. The API server ends a request after 60 seconds (kube-apiserver
// --request-timeout, default, Kubernetes 1.36); a private endpoint seen from outside never answers to the dial.
const (
	requestTimeout = 90 * time.Second
	dialTimeout    = 10 * time.Second
)

func newClient(config *rest.Config) (*client, error) {
	c := rest.CopyConfig(config)
	c.QPS = -1 // no limit: the requests are few, for lists come in pages
	c.RateLimiter = nil
	c.WarningHandler = rest.NoWarnings{}
	c.ContentConfig = rest.ContentConfig{
		ContentType:        runtime.ContentTypeProtobuf,
		AcceptContentTypes: runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON,
	}
	if c.Timeout == 0 {
		c.Timeout = requestTimeout
	}
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	if c.UserAgent == "" {
		c.UserAgent = "drawbridge"
	}
	c.Wrap(func(next http.RoundTripper) http.RoundTripper { return readOnly{next} })
	h, err := rest.HTTPClientFor(c)
	if err != nil {
		return nil, err
	}
	k := &client{typed: make(map[schema.GroupVersion]rest.Interface, len(groups))}
	for _, gv := range groups {
		g := rest.CopyConfig(c)
		g.GroupVersion = &gv
		g.NegotiatedSerializer = codecs.WithoutConversion()
		g.APIPath = "/apis"
		if gv.Group == "" {
			g.APIPath = "/api"
		}
		if k.typed[gv], err = rest.RESTClientForConfigAndClient(g, h); err != nil {
			return nil, err
		}
	}
	k.dynamic, err = dynamic.NewForConfigAndClient(c, h)
	return k, err
}

// readOnly lets only GET pass, which is get and list; a watch is refused.
type readOnly struct{ next http.RoundTripper }

func (r readOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method != http.MethodGet || req.URL.Query().Has("watch") {
		return nil, fmt.Errorf("drawbridge only reads: refused %s %s", req.Method, req.URL.Path)
	}
	return r.next.RoundTrip(req)
}
