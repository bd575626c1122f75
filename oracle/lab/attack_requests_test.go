package oracle

import (
	"fmt"
	"net/http"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"drawbridge/internal/lab/kube"
)

// asOther makes a request as somebody else.
func asOther(other rest.ImpersonationConfig, want ...string) func(*act) []string {
	return func(a *act) []string {
		cfg := rest.CopyConfig(a.cfg)
		cfg.Impersonate = other
		if _, err := client(a, cfg).CoreV1().ConfigMaps("shop").List(a.Context(), metav1.ListOptions{}); err != nil && !apierrors.IsForbidden(err) {
			a.Fatal(err)
		}
		return want
	}
}

// turnedAway carries out requests that are refused.
func turnedAway(n int, request func(c kubernetes.Interface, a *act, i int) error) func(*act) []string {
	return func(a *act) []string {
		a.be("Nobody")
		for i := range n {
			if err := request(a.client(), a, i); !apierrors.IsForbidden(err) {
				a.Fatalf("not refused: %v", err)
			}
		}
		return nil
	}
}

var worker = kube.Node(0, "").Name

// throughKubelet asks the node's kubelet for a path, through the API server.
func throughKubelet(method, path string, want ...string) func(*act) []string {
	return func(a *act) []string {
		a.must(a.client().CoreV1().RESTClient().Verb(method).RequestURI(path).Do(a.Context()).Error())
		return append(want, worker)
	}
}

var requestAttacks = []attack{
	{detection: "privileged-identity-impersonated", severity: "high", ways: []way{
		{name: "system:masters", do: asOther(rest.ImpersonationConfig{UserName: "jane", Groups: []string{"system:masters"}}, "system:masters")},
		{name: "the control plane", do: asOther(rest.ImpersonationConfig{UserName: "system:kube-controller-manager"}, "system:kube-controller-manager")},
		{name: "EKS", do: asOther(rest.ImpersonationConfig{UserName: "eks:addon-manager"}, "eks:addon-manager")},
		{name: "a controller", do: asOther(rest.ImpersonationConfig{UserName: "system:serviceaccount:kube-system:clusterrole-aggregation-controller"}, "kube-system")},
		{name: "nodes", do: asOther(rest.ImpersonationConfig{UserName: "jane", Groups: []string{"system:nodes"}}, "system:nodes")},
		{name: "constrained", do: func(a *act) []string {
			a.prepare(clusterRoles, clusterRole(`{apiGroups: [authentication.k8s.io], resources: [groups, users], verbs: ["impersonate:user-info"]}, {apiGroups: [""], resources: [configmaps], verbs: ["impersonate-on:user-info:list"]}`))
			a.prepare(bindings, binding("role-ID", `{kind: Group, apiGroup: rbac.authorization.k8s.io, name: nobody}`))
			a.be("Nobody")
			other := rest.CopyConfig(a.cfg)
			other.Impersonate = rest.ImpersonationConfig{UserName: "system:kube-scheduler"}
			a.await(a.T, "the impersonation", func() bool {
				_, err := client(a, other).CoreV1().ConfigMaps("shop").List(a.Context(), metav1.ListOptions{})
				return err == nil || apierrors.IsForbidden(err) // as whom it may do little
			})
			return []string{"system:kube-scheduler"}
		}},
		{name: "an identity that holds a role", severity: "medium", do: func(a *act) []string {
			a.prepare("v1/serviceaccounts", accountWith)
			return asOther(rest.ImpersonationConfig{UserName: "system:serviceaccount:shop:" + a.id}, "role/"+a.id)(a)
		}},
	}},
	{detection: "anonymous-request-allowed", severity: "high", ways: []way{
		{name: "objects", do: func(a *act) []string {
			a.cfg, a.who = anonymousAllowed(a, `{apiGroups: [""], resources: [pods], verbs: [list]}`), ""
			a.await(a.T, "the right of everybody", func() bool {
				_, err := a.client().CoreV1().Pods("shop").List(a.Context(), metav1.ListOptions{})
				return err == nil
			})
			return []string{"pods"}
		}},
		{name: "paths", severity: "medium", do: func(a *act) []string {
			a.cfg, a.who = anonymousAllowed(a, `{nonResourceURLs: [/metrics], verbs: [get]}`), ""
			a.await(a.T, "the right of everybody", func() bool {
				return a.client().CoreV1().RESTClient().Get().AbsPath("/metrics").Do(a.Context()).Error() == nil
			})
			return []string{"/metrics"}
		}},
	}},
	{detection: "denied-burst", severity: "low", ways: []way{
		{name: "the same again and again", do: turnedAway(20, func(c kubernetes.Interface, a *act, _ int) error {
			_, err := c.CoreV1().Secrets("shop").List(a.Context(), metav1.ListOptions{})
			return err
		})},
		{name: "many different things", severity: "medium", do: turnedAway(6, func(c kubernetes.Interface, a *act, i int) error {
			resource := []string{"pods", "services", "secrets", "nodes", "configmaps", "namespaces"}[i]
			return c.CoreV1().RESTClient().Get().AbsPath("/api/v1/" + resource).Do(a.Context()).Error()
		})},
		{name: "questions about oneself", do: func(a *act) []string {
			for i := range 20 {
				review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: fmt.Sprintf("thing-%d", i)}}}
				_, err := a.client().AuthorizationV1().SelfSubjectAccessReviews().Create(a.Context(), review, metav1.CreateOptions{})
				a.must(err)
			}
			return nil
		}},
	}},
	{detection: "nodes-proxy-used", severity: "medium", ways: []way{
		{name: "run", severity: "high", do: throughKubelet(http.MethodPost, "/api/v1/nodes/"+worker+"/proxy/run/shop/web/app?cmd=id", "/run/shop/web/app")},
		{name: "exec by get", severity: "high", do: throughKubelet(http.MethodGet, "/api/v1/nodes/"+worker+"/proxy/exec/shop/web/app?command=id", "/exec/shop/web/app")},
		{name: "percent-encoded", severity: "high", do: throughKubelet(http.MethodGet, "/api/v1/nodes/"+worker+"/proxy/%65xec/shop/web/app?command=id", "/exec/shop/web/app")},
		{name: "with scheme and port", severity: "high", do: throughKubelet(http.MethodGet, fmt.Sprintf("/api/v1/nodes/https:%s:%d/proxy/run/shop/web/app", worker, kubeletPort), "/run/shop/web/app")},
		{name: "pods", do: throughKubelet(http.MethodGet, "/api/v1/nodes/"+worker+"/proxy/pods", "/pods")},
	}},
}
