package oracle

import (
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

const (
	workloadBefore = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: own-ID, namespace: shop}, spec: {selector: {matchLabels: {app: ID}}, template: {metadata: {labels: {app: ID}}, spec: {serviceAccountName: cart, containers: [{name: c, image: "registry.example.com/cart:1"}]}}}}`
	workloadAfter  = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: own-ID, namespace: shop}, spec: {selector: {matchLabels: {app: ID}}, template: {metadata: {labels: {app: ID}}, spec: {serviceAccountName: cart, containers: [{name: c, image: "elsewhere.example.com/ID:1"}]}}}}`
	podOfTheirs    = `{apiVersion: v1, kind: Pod, metadata: {name: own-ID, namespace: shop}, spec: {serviceAccountName: cart, containers: [{name: c, image: "elsewhere.example.com/ID:1"}]}}`
)

// useToken has a token made and does something with it.
func useToken(namespace, name string) func(*act) []string {
	return func(a *act) []string {
		r, err := a.client().CoreV1().ServiceAccounts(namespace).CreateToken(a.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		a.must(err)
		cfg := &rest.Config{Host: a.kube.URL, TLSClientConfig: rest.TLSClientConfig{CAData: a.kube.CA}, BearerToken: r.Status.Token, QPS: -1}
		_, _ = client(a, cfg).CoreV1().ConfigMaps("shop").List(a.Context(), metav1.ListOptions{}) // whether it may or not
		return []string{namespace + "/" + name}
	}
}

// everlasting makes a Secret, by one request or two, and waits for the token that Kubernetes puts into it.
func everlasting(namespace, name, verb string) func(*act) []string {
	return func(a *act) []string {
		secrets := a.client().CoreV1().Secrets(namespace)
		s := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "t-" + a.id, Annotations: map[string]string{"kubernetes.io/service-account.name": name}}, Type: corev1.SecretTypeServiceAccountToken,
		}
		if verb == "patch" {
			body := `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"t-` + a.id + `","annotations":{"kubernetes.io/service-account.name":"` + name + `"}},"type":"kubernetes.io/service-account-token"}`
			_, err := secrets.Patch(a.Context(), s.Name, types.ApplyPatchType, []byte(body), metav1.PatchOptions{FieldManager: "kubectl"})
			a.must(err)
		} else {
			_, err := secrets.Create(a.Context(), s, metav1.CreateOptions{})
			a.must(err)
		}
		a.await(a.T, "the token", func() bool {
			now, err := client(a, a.admin()).CoreV1().Secrets(namespace).Get(a.Context(), s.Name, metav1.GetOptions{})
			return err == nil && len(now.Data["token"]) > 0
		})
		return []string{namespace + "/t-" + a.id}
	}
}

var identityAttacks = []attack{
	{detection: "minted-token-used", severity: "high", ways: []way{
		{name: "a controller's", do: useToken("kube-system", "generic-garbage-collector")},
		{name: "a workload's", severity: "medium", do: useToken("shop", "plain")},
	}},
	{detection: "cluster-admin-bound", severity: "high", ways: []way{{name: "with a controller's token that somebody had made", do: func(a *act) []string {
		r, err := a.client().CoreV1().ServiceAccounts("kube-system").CreateToken(a.Context(), "clusterrole-aggregation-controller", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		a.must(err)
		a.prepare("rbac.authorization.k8s.io/v1/clusterrolebindings", `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: binder-ID}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{kind: ServiceAccount, name: clusterrole-aggregation-controller, namespace: kube-system}]}`)
		a.cfg = &rest.Config{Host: a.kube.URL, TLSClientConfig: rest.TLSClientConfig{CAData: a.kube.CA}, BearerToken: r.Status.Token, QPS: -1}
		a.who = "system:serviceaccount:kube-system:clusterrole-aggregation-controller"
		a.await(a.T, "the controller's rights", func() bool {
			_, err := a.client().CoreV1().Secrets("shop").List(a.Context(), metav1.ListOptions{})
			return err == nil
		})
		o := a.object(`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: bound-ID}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: ID}]}`)
		_, err = a.resource(a.cfg, "rbac.authorization.k8s.io/v1/clusterrolebindings", "").Create(a.Context(), o, metav1.CreateOptions{})
		a.must(err)
		return naming(o)
	}}}},
	{detection: "service-account-token-secret-made", severity: "medium", ways: []way{
		{name: "create", do: everlasting("shop", "plain", "create")},
		{name: "server-side apply that creates", do: everlasting("shop", "plain", "patch")},
		{name: "in kube-system", severity: "high", do: everlasting("kube-system", "generic-garbage-collector", "create")},
	}},
	{detection: "workload-identity-borrowed", severity: "high", ways: slices.Concat(
		changed("apps/v1/deployments", workloadBefore, workloadAfter, "spec", "shop/cart", "elsewhere.example.com/"),
		made("v1/pods", podOfTheirs, "shop/cart", "elsewhere.example.com/"),
		[]way{{name: "image of a running pod", do: func(a *act) []string {
			a.prepare("apps/v1/deployments", workloadBefore) // so that somebody else is known to write
			_, err := a.client().CoreV1().Pods("shop").Patch(a.Context(), "cart", types.StrategicMergePatchType, []byte(`{"spec":{"containers":[{"name":"app","image":"elsewhere.example.com/`+a.id+`:1"}]}}`), metav1.PatchOptions{})
			a.must(err)
			return []string{"shop/cart", "elsewhere.example.com/" + a.id}
		}}},
	)},
}
