package aws

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// TestToken checks the form that aws-iam-authenticator v0.7.8 demands of a token (pkg/token, Verify).
func TestToken(t *testing.T) {
	cfg := awssdk.Config{Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret-key", "session-token")}
	text, err := Token(context.Background(), cfg, "prod")
	if err != nil {
		t.Fatal(err)
	}
	encoded, ok := strings.CutPrefix(text, "k8s-aws-v1.")
	if !ok || len(text) > 4096 {
		t.Fatalf("token of %d bytes begins %.12q", len(text), text)
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme != "https" || u.Host != "sts.eu-central-1.amazonaws.com" || u.Path != "/" {
		t.Errorf("the URL is %s://%s%s", u.Scheme, u.Host, u.Path)
	}
	q := u.Query()
	for key, want := range map[string]string{"Action": "GetCallerIdentity", "X-Amz-Expires": "60", "X-Amz-Security-Token": "session-token"} {
		if q.Get(key) != want {
			t.Errorf("%s is %q, want %q", key, q.Get(key), want)
		}
	}
	if !strings.Contains(q.Get("X-Amz-SignedHeaders"), "x-k8s-aws-id") {
		t.Errorf("the cluster's name is not signed: %q", q.Get("X-Amz-SignedHeaders"))
	}
	if strings.Contains(string(raw), "secret-key") {
		t.Error("the secret key is in the token")
	}
}
