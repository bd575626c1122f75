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

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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

// byPlatform is a call of EKS by somebody who gives access.
func (a *act) byPlatform(call, by, parameters string) {
	a.told(`{"eventVersion":"1.11","eventID":"trail-%[1]s-%[2]s","eventTime":%[3]q,"eventSource":"eks.amazonaws.com","eventName":%[2]q,"awsRegion":%[4]q,"recipientAccountId":%[5]q,`+
		`"userIdentity":{"type":"AssumedRole","principalId":"AROASYNTHETIC:%[6]s","arn":"arn:aws:sts::%[5]s:assumed-role/Platform/%[6]s","accountId":%[5]q,"accessKeyId":"ASIASYNTHETIC%[1]s","sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::%[5]s:role/Platform","accountId":%[5]q,"userName":"Platform"}}},`+
		`"requestParameters":{"name":%[7]q,%[8]s}}`,
		a.id, call, time.Now().Add(-time.Minute).UTC().Format(time.RFC3339), region, home, by, cluster, parameters)
}

// policyGranted is AssociateAccessPolicy for a role.
func (a *act) policyGranted(role, by string) {
	a.byPlatform("AssociateAccessPolicy", by, `"principalArn":"arn%3Aaws%3Aiam%3A%3A`+home+`%3Arole%2F`+role+`","policyArn":"`+policyPrefix+`AmazonEKSClusterAdminPolicy","accessScope":{"type":"cluster"}`)
}

// entryOfNodes is CreateAccessEntry for a role of nodes.
func (a *act) entryOfNodes(role string) {
	a.byPlatform("CreateAccessEntry", "terraform", `"principalArn":"arn:aws:iam::`+home+`:role/`+role+`","type":"EC2_LINUX"`)
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

// roleTaken is AssumeRoleWithWebIdentity for a service account of the shop, and a use of the key, from elsewhere.
func (a *act) roleTaken() {
	const provider = "oidc-provider/oidc.eks." + region + ".amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"
	now := time.Now().Add(time.Minute).UTC()
	a.told(`{"eventVersion":"1.11","eventID":"trail-web-%[1]s","eventTime":%[2]q,"eventSource":"sts.amazonaws.com","eventName":"AssumeRoleWithWebIdentity","awsRegion":%[3]q,"recipientAccountId":%[4]q,"sourceIPAddress":"198.51.100.99",`+
		`"userIdentity":{"type":"WebIdentityUser","principalId":"arn:aws:iam::%[4]s:%[5]s:sts.amazonaws.com:system:serviceaccount:shop:%[1]s","userName":"system:serviceaccount:shop:%[1]s","identityProvider":"arn:aws:iam::%[4]s:%[5]s"},`+
		`"requestParameters":{"roleArn":"arn:aws:iam::%[4]s:role/%[1]s","roleSessionName":"x"},"responseElements":{"credentials":{"accessKeyId":"ASIAWEB%[1]s"},"subjectFromWebIdentityToken":"system:serviceaccount:shop:%[1]s","audience":"sts.amazonaws.com","provider":"arn:aws:iam::%[4]s:%[5]s"}}`,
		a.id, now.Format(time.RFC3339), region, home, provider)
	a.told(`{"eventVersion":"1.11","eventID":"trail-use-%[1]s","eventTime":%[2]q,"eventSource":"s3.amazonaws.com","eventName":"ListBuckets","awsRegion":%[3]q,"recipientAccountId":%[4]q,"sourceIPAddress":"198.51.100.99",`+
		`"userIdentity":{"type":"AssumedRole","principalId":"AROASYNTHETIC%[1]s:x","arn":"arn:aws:sts::%[4]s:assumed-role/%[1]s/x","accountId":%[4]q,"accessKeyId":"ASIAWEB%[1]s","sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::%[4]s:role/%[1]s","accountId":%[4]q,"userName":%[1]q}}}}`,
		a.id, now.Add(time.Minute).Format(time.RFC3339), region, home)
}

var sessionAttacks = []attack{
	{detection: "token-then-role-then-cloud", severity: "high", ways: []way{{name: "IRSA", do: func(a *act) []string {
		o := a.prepare("v1/serviceaccounts", accountWith)
		request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"sts.amazonaws.com"}}}
		_, err := a.client().CoreV1().ServiceAccounts("shop").CreateToken(a.Context(), a.id, request, metav1.CreateOptions{})
		a.must(err)
		a.roleTaken()
		a.who = "" // by the finding's evidence; its message names what was taken
		return naming(o, "role/"+a.id, "198.51.100.99", "ListBuckets")
	}}}},
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
		{name: "a node's key, not as the node", do: func(a *act) []string {
			a.cfg, a.who = a.session(a, "NodeOps", instanceOf(2)), instanceOf(2)
			a.entryOfNodes("NodeOps")
			_, err := a.client().CoreV1().Pods("shop").List(a.Context(), metav1.ListOptions{})
			a.must(err)
			return []string{"role/NodeOps/" + instanceOf(2)}
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
