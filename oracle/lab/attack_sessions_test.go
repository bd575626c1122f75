package oracle

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	sigsyaml "sigs.k8s.io/yaml"
)

// enter begins a command in a pod: as old clients do it, with SPDY, or as new ones, with WebSocket.
func enter(pod, subresource, method, upgrade, query string, want ...string) func(*act) []string {
	return func(a *act) []string {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(a.kube.CA)
		u, err := url.Parse(a.kube.URL)
		a.must(err)
		conn, err := tls.Dial("tcp", u.Host, &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}})
		a.must(err)
		defer conn.Close()
		header := "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
		if upgrade == "websocket" {
			header = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bGFiIGxhYiBsYWIgbGFiIQ==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n"
		}
		fmt.Fprintf(conn, "%s /api/v1/namespaces/shop/pods/%s/%s?%s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: Upgrade\r\n%s\r\n",
			method, pod, subresource, query, u.Host, a.cfg.BearerToken, header)
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		a.must(err)
		answer.Body.Close()
		if answer.StatusCode != http.StatusSwitchingProtocols {
			a.Fatalf("answered %s", answer.Status)
		}
		return append(want, "shop/"+pod)
	}
}

// debug puts an ephemeral container into a pod of the shop.
func (a *act) debug(pod, container, how string) []string {
	container = strings.ReplaceAll(container, "ID", a.id)
	var fields map[string]any
	a.must(sigsyaml.Unmarshal([]byte(container), &fields))
	pods := a.client().CoreV1().Pods("shop")
	p, err := pods.Get(a.Context(), pod, metav1.GetOptions{})
	a.must(err)
	body := func(v any) []byte {
		b, err := json.Marshal(v)
		a.must(err)
		return b
	}
	switch how {
	case "update":
		a.must(json.Unmarshal(body([]any{fields}), &p.Spec.EphemeralContainers))
		old, err := pods.Get(a.Context(), pod, metav1.GetOptions{})
		a.must(err)
		p.Spec.EphemeralContainers = append(old.Spec.EphemeralContainers, p.Spec.EphemeralContainers...)
		_, err = pods.UpdateEphemeralContainers(a.Context(), pod, p, metav1.UpdateOptions{})
		a.must(err)
	case "strategic merge patch":
		_, err = pods.Patch(a.Context(), pod, types.StrategicMergePatchType, body(map[string]any{"spec": map[string]any{"ephemeralContainers": []any{fields}}}), metav1.PatchOptions{}, "ephemeralcontainers")
		a.must(err)
	case "JSON patch":
		op := map[string]any{"op": "add", "path": "/spec/ephemeralContainers/-", "value": fields}
		if len(p.Spec.EphemeralContainers) == 0 {
			op["path"], op["value"] = "/spec/ephemeralContainers", []any{fields}
		}
		_, err = pods.Patch(a.Context(), pod, types.JSONPatchType, body([]any{op}), metav1.PatchOptions{}, "ephemeralcontainers")
		a.must(err)
	}
	return []string{"shop/" + pod}
}

func debugging(pod, how string, want ...string) way {
	return way{name: pod + ", " + how, do: func(a *act) []string {
		return append(a.debug(pod, `{name: ID, image: busybox}`, how), want...)
	}}
}

// Records of CloudTrail: synthetic.

func (a *act) told(format string, args ...any) {
	a.trail = append(a.trail, fmt.Sprintf(format, args...))
}

// policyGranted is AssociateAccessPolicy for a role.
func (a *act) policyGranted(role, by string) {
	a.told(`{"eventVersion":"1.11","eventID":"trail-policy-%[1]s","eventTime":%[2]q,"eventSource":"eks.amazonaws.com","eventName":"AssociateAccessPolicy","awsRegion":%[3]q,"recipientAccountId":%[4]q,`+
		`"userIdentity":{"type":"AssumedRole","principalId":"AROASYNTHETIC:%[5]s","arn":"arn:aws:sts::%[4]s:assumed-role/Platform/%[5]s","accountId":%[4]q,"accessKeyId":"ASIASYNTHETIC%[1]s","sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::%[4]s:role/Platform","accountId":%[4]q,"userName":"Platform"}}},`+
		`"requestParameters":{"name":%[6]q,"principalArn":"arn%%3Aaws%%3Aiam%%3A%%3A%[4]s%%3Arole%%2F%[7]s","policyArn":"arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy","accessScope":{"type":"cluster"}}}`,
		a.id, time.Now().Add(-time.Minute).UTC().Format(time.RFC3339), region, home, by, cluster, role)
}

// keyIssued is AssumeRole by EKS for a pod: the access key of a session goes to it.
func (a *act) keyIssued(role, session, pod string) {
	p, err := client(a, a.admin()).CoreV1().Pods("shop").Get(a.Context(), pod, metav1.GetOptions{})
	a.must(err)
	a.told(`{"eventVersion":"1.11","eventID":"trail-key-%[1]s","eventTime":%[2]q,"eventSource":"sts.amazonaws.com","eventName":"AssumeRole","awsRegion":%[3]q,"recipientAccountId":%[4]q,`+
		`"userIdentity":{"type":"AWSService","invokedBy":"pods.eks.amazonaws.com"},"sourceIPAddress":"pods.eks.amazonaws.com","userAgent":"pods.eks.amazonaws.com",`+
		`"requestParameters":{"roleArn":"arn:aws:iam::%[4]s:role/%[5]s","roleSessionName":%[6]q,"tags":[{"key":"eks-cluster-arn","value":%[7]q},{"key":"eks-cluster-name","value":%[8]q},{"key":"kubernetes-namespace","value":"shop"},{"key":"kubernetes-service-account","value":%[9]q},{"key":"kubernetes-pod-name","value":%[9]q},{"key":"kubernetes-pod-uid","value":%[10]q}]},`+
		`"responseElements":{"credentials":{"accessKeyId":%[11]q}}}`,
		a.id, time.Now().Add(-time.Minute).UTC().Format(time.RFC3339), region, home, role, session, clusterARN, cluster, pod, p.UID, a.accessKey(role, session))
}

var sessionAttacks = []attack{
	{detection: "exec-into-aws-bearing-pod", severity: "high", ways: []way{
		{name: "Pod Identity, WebSocket", do: enter("web", "exec", "GET", "websocket", "command=sh&container=app&stdin=true&stdout=true", "Pod Identity")},
		{name: "Pod Identity, SPDY", do: enter("web", "exec", "POST", "SPDY/3.1", "command=sh&container=app&stdin=true&stdout=true", "Pod Identity")},
		{name: "IRSA, WebSocket", do: enter("cart", "exec", "GET", "websocket", "command=env&stdout=true", "role/cart")},
		{name: "IRSA, attach", do: enter("cart", "attach", "POST", "SPDY/3.1", "stdin=true&stdout=true", "role/cart")},
		{name: "no role, but it reaches for the node's", do: enter("plain", "exec", "GET", "websocket", "command=curl&command=http%3A%2F%2F169.254.169.254%2Flatest%2Fmeta-data%2F&stdout=true", "169.254.169.254")},
	}},
	{detection: "ephemeral-container-in-aws-bearing-pod", severity: "high", ways: []way{
		debugging("web", "update", "Pod Identity"), debugging("web", "strategic merge patch", "Pod Identity"), debugging("web", "JSON patch", "Pod Identity"), debugging("cart", "strategic merge patch", "role/cart"),
	}},
	{detection: "first-admin-use-of-access-policy", severity: "informational", ways: []way{
		{name: "granted lately", severity: "high", do: func(a *act) []string {
			a.be("Lead")
			a.who = "role/Lead"
			a.policyGranted("Lead", "mallory")
			_, err := a.client().CoreV1().Nodes().List(a.Context(), metav1.ListOptions{})
			a.must(err)
			return []string{"AmazonEKSClusterAdminPolicy", "mallory"}
		}},
		{name: "granted before the log begins", do: func(a *act) []string {
			a.be("Watch")
			a.who = "role/Watch"
			_, err := a.client().CoreV1().Nodes().List(a.Context(), metav1.ListOptions{})
			a.must(err)
			return []string{"AmazonEKSClusterAdminPolicy"}
		}},
	}},
	{detection: "workload-key-used-as-cluster-user", severity: "high", ways: []way{
		{name: "a pod's key", do: func(a *act) []string {
			a.be("ShopWeb")
			_, err := a.client().CoreV1().Pods("shop").List(a.Context(), metav1.ListOptions{})
			a.must(err)
			a.keyIssued("ShopWeb", a.who, "web")
			return []string{a.accessKey("ShopWeb", a.who), "shop/web"}
		}},
		{name: "a node's role from elsewhere", severity: "medium", do: func(a *act) []string {
			a.cfg, a.who = a.kubelet(a, 1), "system:node:"+a.nodes[1]
			a.fromAddress("10.99.0.7")
			_, err := a.client().CoreV1().Pods("").List(a.Context(), metav1.ListOptions{FieldSelector: "spec.nodeName=" + a.nodes[1]})
			a.must(err)
			return []string{"10.99.0.7"}
		}},
	}},
	{detection: "grant-then-secrets", severity: "high", ways: []way{{name: "a policy, then all Secrets", do: func(a *act) []string {
		a.be("Lead")
		a.policyGranted("Lead", "mallory")
		_, err := a.client().CoreV1().Secrets("bank").List(a.Context(), metav1.ListOptions{})
		a.must(err)
		return nil
	}}}},
}

// fromAddress lets the requests that follow say that they came through a proxy from an address: the API server writes it
// down before the peer's.
func (a *act) fromAddress(addresses ...string) {
	cfg := rest.CopyConfig(a.cfg)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context())
			r.Header.Set("X-Forwarded-For", strings.Join(addresses, ", "))
			return next.RoundTrip(r)
		})
	})
	a.cfg = cfg
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
