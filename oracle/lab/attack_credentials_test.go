package oracle

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

const (
	account      = "{apiVersion: v1, kind: ServiceAccount, metadata: {name: ID, namespace: shop}}"
	accountWith  = `{apiVersion: v1, kind: ServiceAccount, metadata: {name: ID, namespace: shop, annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/ID"}}}`
	cloudVolume  = `volumes: [{name: t, projected: {sources: [{serviceAccountToken: {audience: pods.eks.amazonaws.com, path: token}}]}}]`
	cloudVolume2 = `volumes: [{name: aws-iam-token, projected: {sources: [{serviceAccountToken: {audience: sts.amazonaws.com, path: token}}]}}]`
)

// mint asks for a token of the shop's cart.
func mint(audience string, bound *authenticationv1.BoundObjectReference) func(*act) []string {
	return func(a *act) []string {
		request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{audience}, BoundObjectRef: bound}}
		_, err := a.client().CoreV1().ServiceAccounts("shop").CreateToken(a.Context(), "cart", request, metav1.CreateOptions{})
		a.must(err)
		return []string{"shop/cart", audience}
	}
}

// asServiceAccount is the configuration of a service account, by a token that the API server made of it for a pod.
func (a *act) asServiceAccount(namespace, name string) *rest.Config {
	r, err := client(a, a.admin()).CoreV1().ServiceAccounts(namespace).CreateToken(a.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	a.must(err)
	return &rest.Config{Host: a.kube.URL, TLSClientConfig: rest.TLSClientConfig{CAData: a.kube.CA}, BearerToken: r.Status.Token, QPS: -1}
}

var credentialAttacks = []attack{
	{detection: "cloud-token-minted", severity: "high", ways: []way{
		{name: "for IRSA", do: mint("sts.amazonaws.com", nil)},
		{name: "for IRSA in a region", do: mint("sts.eu-west-1.amazonaws.com", nil)},
		{name: "for Pod Identity", do: mint("pods.eks.amazonaws.com", nil)},
		{name: "bound to a pod", do: mint("pods.eks.amazonaws.com", &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: "cart"})},
		{name: "by a service account", do: func(a *act) []string {
			a.prepare("v1/serviceaccounts", account)
			a.prepare("rbac.authorization.k8s.io/v1/clusterrolebindings", `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: minter-ID}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{kind: ServiceAccount, name: ID, namespace: shop}]}`)
			a.cfg, a.who = a.asServiceAccount("shop", a.id), "system:serviceaccount:shop:"+a.id
			a.await(a.T, "the service account's rights", func() bool {
				_, err := a.client().CoreV1().ServiceAccounts("shop").Get(a.Context(), "cart", metav1.GetOptions{})
				return err == nil
			})
			return mint("sts.amazonaws.com", nil)(a)
		}},
	}},
	{detection: "service-account-token-minted", severity: "high", ways: []way{{name: "of kube-system", do: func(a *act) []string {
		_, err := a.client().CoreV1().ServiceAccounts("kube-system").CreateToken(a.Context(), "generic-garbage-collector", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
		a.must(err)
		return []string{"kube-system/generic-garbage-collector"}
	}}}},
	{detection: "cloud-token-projected-by-hand", severity: "medium", ways: slices.Concat(
		projected(calledIt("pod", made("v1/pods", podWith("name: c", cloudVolume), "pods.eks.amazonaws.com"))),
		projected(calledIt("pod under the webhook's name", made("v1/pods", podWith("name: c", cloudVolume2), "sts.amazonaws.com"))),
		projected(calledIt("deployment", made("apps/v1/deployments", deploymentWith("name: c", cloudVolume), "pods.eks.amazonaws.com"))),
		projected(calledIt("cron job", made("batch/v1/cronjobs", cronJobWith("name: c", cloudVolume), "pods.eks.amazonaws.com"))),
		projected(calledIt("deployment", changed("apps/v1/deployments", deploymentWith("name: c", ""), deploymentWith("name: c", cloudVolume), "spec", "pods.eks.amazonaws.com"))),
	)},
	{detection: "service-account-role-annotation-changed", severity: "medium", ways: slices.Concat(
		changed("v1/serviceaccounts", account, accountWith, "metadata", "role/m"),
		raised("low", made("v1/serviceaccounts", accountWith, "role/m")),
		[]way{{name: "JSON patch of the annotation alone", do: func(a *act) []string {
			o := a.prepare("v1/serviceaccounts", `{apiVersion: v1, kind: ServiceAccount, metadata: {name: ID, namespace: shop, annotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/before"}}}`)
			body := `[{"op":"replace","path":"/metadata/annotations/eks.amazonaws.com~1role-arn","value":"arn:aws:iam::111122223333:role/other"}]`
			_, err := a.client().CoreV1().ServiceAccounts("shop").Patch(a.Context(), a.id, types.JSONPatchType, []byte(body), metav1.PatchOptions{})
			a.must(err)
			return naming(o, "role/other", "role/before")
		}}},
	)},
	{detection: "csr-approved", severity: "high", ways: []way{
		{name: "control plane's name", severity: "critical", do: approve(pkix.Name{CommonName: "system:kube-controller-manager"}, "update")},
		{name: "EKS' name, by patch", severity: "critical", do: approve(pkix.Name{CommonName: "eks:addon-manager"}, "patch")},
		{name: "somebody's name", do: approve(pkix.Name{CommonName: "jane", Organization: []string{"ops"}}, "update")},
	}},
}

// projected names the object only: what made it is not in the message of this detection.
func projected(ways []way) []way {
	for i := range ways {
		do := ways[i].do
		ways[i].do = func(a *act) []string {
			a.who = ""
			return do(a)
		}
	}
	return ways
}

// approve asks for a client certificate and approves it.
func approve(subject pkix.Name, verb string) func(*act) []string {
	return func(a *act) []string {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		a.must(err)
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
		a.must(err)
		csrs := a.client().CertificatesV1().CertificateSigningRequests()
		csr, err := csrs.Create(a.Context(), &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: a.id}, Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), SignerName: certificatesv1.KubeAPIServerClientSignerName, Usages: []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
		}}, metav1.CreateOptions{})
		a.must(err)
		if verb == "update" {
			csr.Status.Conditions = append(csr.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Lab"})
			_, err = csrs.UpdateApproval(a.Context(), a.id, csr, metav1.UpdateOptions{})
		} else {
			_, err = csrs.Patch(a.Context(), a.id, types.JSONPatchType, []byte(`[{"op":"add","path":"/status/conditions","value":[{"type":"Approved","status":"True","reason":"Lab"}]}]`), metav1.PatchOptions{}, "approval")
		}
		a.must(err)
		return []string{subject.CommonName}
	}
}
