package oracle

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// get asks for a path, with what the answer may look like.
func get(path, accept string) func(*act) []string {
	return func(a *act) []string {
		a.must(a.client().CoreV1().RESTClient().Get().AbsPath(path).SetHeader("Accept", accept).Do(a.Context()).Error())
		return nil
	}
}

var secretAttacks = []attack{
	{detection: "secrets-listed-everywhere", severity: "high", ways: []way{
		{name: "list", do: get("/api/v1/secrets", "application/json")},
		{name: "list in protobuf", do: get("/api/v1/secrets", "application/vnd.kubernetes.protobuf")},
		{name: "list as kubectl prints it", do: get("/api/v1/secrets", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")},
		{name: "list in pages", do: func(a *act) []string {
			_, err := a.client().CoreV1().Secrets("").List(a.Context(), metav1.ListOptions{Limit: 1})
			a.must(err)
			return nil
		}},
		{name: "watch", do: func(a *act) []string {
			seconds := int64(1)
			w, err := a.client().CoreV1().Secrets("").Watch(a.Context(), metav1.ListOptions{TimeoutSeconds: &seconds})
			a.must(err)
			w.Stop()
			return nil
		}},
		{name: "the old watch", do: func(a *act) []string {
			body, err := a.client().CoreV1().RESTClient().Get().AbsPath("/api/v1/watch/secrets").Param("timeoutSeconds", "1").Stream(a.Context())
			a.must(err)
			a.must(body.Close())
			return nil
		}},
		{name: "list of kube-system", severity: "medium", do: get("/api/v1/namespaces/kube-system/secrets", "application/json")},
		{name: "by a workload", severity: "low", do: func(a *act) []string {
			a.prepare("v1/serviceaccounts", account)
			a.prepare("rbac.authorization.k8s.io/v1/clusterrolebindings", `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: reader-ID}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{kind: ServiceAccount, name: ID, namespace: shop}]}`)
			a.cfg, a.who = a.asServiceAccount("shop", a.id), "system:serviceaccount:shop:"+a.id
			a.await(a.T, "the service account's rights", func() bool {
				_, err := a.client().CoreV1().Secrets("").List(a.Context(), metav1.ListOptions{})
				return err == nil
			})
			return nil
		}},
	}},
	{detection: "secrets-enumerated", severity: "medium", ways: []way{
		{name: "by guessing names", do: func(a *act) []string {
			for i := range 15 {
				if _, err := a.client().CoreV1().Secrets("shop").Get(a.Context(), fmt.Sprintf("password-%d", i), metav1.GetOptions{}); !apierrors.IsNotFound(err) {
					a.Fatalf("a Secret that is not there: %v", err)
				}
			}
			return nil
		}},
		{name: "by reading one after the other", do: func(a *act) []string {
			for i := range 15 {
				_, err := client(a, a.admin()).CoreV1().Secrets("shop").Create(a.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s-%d", a.id, i)}}, metav1.CreateOptions{})
				a.must(err)
				_, err = a.client().CoreV1().Secrets("shop").Get(a.Context(), fmt.Sprintf("%s-%d", a.id, i), metav1.GetOptions{})
				a.must(err)
			}
			return nil
		}},
		{name: "each as another session", do: func(a *act) []string {
			for i := range 15 {
				c := client(a, a.session(a, a.role, fmt.Sprintf("%s-%d", a.who, i)))
				if _, err := c.CoreV1().Secrets("shop").Get(a.Context(), fmt.Sprintf("key-%d", i), metav1.GetOptions{}); !apierrors.IsNotFound(err) {
					a.Fatalf("a Secret that is not there: %v", err)
				}
			}
			return nil
		}},
		{name: "namespace by namespace", do: func(a *act) []string {
			for _, n := range []string{"shop", "bank", "default", "kube-public", "kube-node-lease"} {
				_, err := a.client().CoreV1().Secrets(n).List(a.Context(), metav1.ListOptions{})
				a.must(err)
			}
			return nil
		}},
		{name: "by name with a selector", do: func(a *act) []string {
			for i := range 15 {
				_, err := a.client().CoreV1().Secrets("shop").List(a.Context(), metav1.ListOptions{FieldSelector: fmt.Sprintf("metadata.name=%s-%d", a.id, i)})
				a.must(err)
			}
			return nil
		}},
	}},
}
