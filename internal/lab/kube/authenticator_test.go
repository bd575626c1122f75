package kube

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// TestAuthenticator sends tokens through the real aws-iam-authenticator: mapped by an access entry, by aws-auth, by nobody.
func TestAuthenticator(t *testing.T) {
	if testing.Short() {
		t.Skip("a second control plane")
	}
	const account, session = "111122223333", "arn:aws:sts::111122223333:assumed-role/"
	callers := map[string][2]string{ // by access key: ARN and unique id
		"ASIAENTRY":     {session + "Dev/jane@example.com", "AROADEV:jane@example.com"},
		"ASIARECREATED": {session + "Dev/jane@example.com", "AROAOTHER:jane@example.com"},
		"ASIAROW":       {session + "Ops/bob", "AROAOPS:bob"},
	}
	stsHandler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, known := callers[stsKey(r)]
		if !known || r.Header.Get("X-K8s-Aws-Id") != "prod" {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		result := map[string]any{"Account": account, "Arn": who[0], "UserId": who[1]}
		if err := json.NewEncoder(w).Encode(map[string]any{"GetCallerIdentityResponse": map[string]any{"GetCallerIdentityResult": result}}); err != nil {
			t.Error(err)
		}
	})
	c := New(t, Options{Authenticator: &Authenticator{
		Cluster: "prod", Mode: "API_AND_CONFIG_MAP", STS: stsHandler,
		Entries: []MappedPrincipal{{ARN: "arn:aws:iam::111122223333:role/team/Dev", UniqueID: "AROADEV", Username: "dev:{{SessionName}}", Groups: []string{"devs"}}},
	}})
	err := c.Apply(t.Context(), `
apiVersion: v1
kind: ConfigMap
metadata: {name: aws-auth, namespace: kube-system}
data: {mapRoles: '[{"rolearn": "arn:aws:iam::111122223333:role/Ops", "username": "ops", "groups": ["ops", "all"]}]'}
`)
	if err != nil {
		t.Fatal(err)
	}
	await := func(key, want string) authenticationv1.UserInfo {
		t.Helper()
		var got authenticationv1.UserInfo
		err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
			got = whoami(ctx, c, presign(t, key))
			return got.Username == want, nil
		})
		if err != nil {
			t.Fatalf("%s is %+v, want %s", key, got, want)
		}
		return got
	}
	if diff := cmp.Diff([]string{"ops", "all", "system:authenticated"}, await("ASIAROW", "ops").Groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	jane := await("ASIAENTRY", "dev:jane-example.com")
	if diff := cmp.Diff([]string{"aws-iam-authenticator:111122223333:AROADEV", "AROADEV"}, []string{jane.UID, jane.Extra["principalId"][0]}); diff != "" {
		t.Errorf("unique id (-want +got):\n%s", diff)
	}
	for _, key := range []string{"ASIARECREATED", "ASIANOBODY"} {
		if u := whoami(t.Context(), c, presign(t, key)); u.Username != "" {
			t.Errorf("%s is %s, want nobody", key, u.Username)
		}
	}
	for _, address := range []string{"127.0.0.1:21363", "[::1]:21363"} {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			conn.Close()
			t.Errorf("somebody listens on %s", address)
		}
	}
}

// stsKey is the access key that a presigned call names.
func stsKey(r *http.Request) string {
	key, _, _ := strings.Cut(r.URL.Query().Get("X-Amz-Credential"), "/")
	return key
}

// presign makes a token for cluster prod as `aws eks get-token` does.
func presign(t *testing.T, key string) string {
	t.Helper()
	client := sts.New(sts.Options{Region: "us-east-1", Credentials: awssdk.NewCredentialsCache(credentials.NewStaticCredentialsProvider(key, "secret", ""))})
	req, err := sts.NewPresignClient(client).PresignGetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, func(o *sts.Options) {
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("x-k8s-aws-id", "prod"), smithyhttp.SetHeaderValue("X-Amz-Expires", "60"))
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(req.URL))
}

// whoami asks the API server who a token is from; an empty answer is nobody.
func whoami(ctx context.Context, c *Cluster, token string) authenticationv1.UserInfo {
	client := kubernetes.NewForConfigOrDie(&rest.Config{Host: c.URL, TLSClientConfig: rest.TLSClientConfig{CAData: c.CA}, BearerToken: token})
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}
	}
	return review.Status.UserInfo
}
