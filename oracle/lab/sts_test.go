package oracle

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// caller is somebody with AWS credentials, as STS tells who it is.
type caller struct {
	arn, account, userID string
	credentials          awssdk.Credentials
}

// callers is STS: it knows whose the access keys are and checks signatures, the cluster's name among what is signed.
type callers struct {
	mu    sync.Mutex
	byKey map[string]caller
}

// add gives out credentials.
func (s *callers) add(arn, account, userID string) caller {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := caller{arn: arn, account: account, userID: userID}
	c.credentials = awssdk.Credentials{AccessKeyID: fmt.Sprintf("ASIA%016d", len(s.byKey)), SecretAccessKey: "secret of " + arn, SessionToken: "session of " + arn}
	if s.byKey == nil {
		s.byKey = map[string]caller{}
	}
	s.byKey[c.credentials.AccessKeyID] = c
	return c
}

// ServeHTTP answers GetCallerIdentity to whoever replays a presigned call.
func (s *callers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	who, err := s.verify(r)
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusForbidden)
		_ = json.NewEncoder(w).Encode(map[string]any{"Error": map[string]any{"Code": "SignatureDoesNotMatch", "Message": err.Error(), "Type": "Sender"}})
		return
	}
	result := map[string]any{"Account": who.account, "Arn": who.arn, "UserId": who.userID}
	_ = json.NewEncoder(w).Encode(map[string]any{"GetCallerIdentityResponse": map[string]any{"GetCallerIdentityResult": result, "ResponseMetadata": map[string]any{"RequestId": "lab"}}})
}

func (s *callers) verify(r *http.Request) (caller, error) {
	q := r.URL.Query()
	scope := strings.Split(q.Get("X-Amz-Credential"), "/") // key, day, region, service, aws4_request
	at, err := time.Parse("20060102T150405Z", q.Get("X-Amz-Date"))
	if err != nil || len(scope) != 5 {
		return caller{}, fmt.Errorf("not presigned: %s", r.URL.Redacted())
	}
	s.mu.Lock()
	who, known := s.byKey[scope[0]]
	s.mu.Unlock()
	if !known {
		return caller{}, fmt.Errorf("no access key %s", scope[0])
	}
	plain := url.Values{}
	for _, keep := range []string{"Action", "Version", "X-Amz-Expires"} {
		plain.Set(keep, q.Get(keep))
	}
	again := &http.Request{Method: http.MethodGet, Host: r.Host, Header: http.Header{}, URL: &url.URL{Scheme: "https", Host: r.Host, Path: "/", RawQuery: plain.Encode()}}
	for _, name := range strings.Split(q.Get("X-Amz-SignedHeaders"), ";") {
		if name != "host" {
			again.Header.Set(name, r.Header.Get(name))
		}
	}
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of no body
	signed, _, err := v4.NewSigner().PresignHTTP(r.Context(), who.credentials, again, empty, scope[3], scope[2], at)
	if err != nil {
		return caller{}, err
	}
	if u, err := url.Parse(signed); err != nil || u.Query().Get("X-Amz-Signature") != q.Get("X-Amz-Signature") {
		return caller{}, fmt.Errorf("signed otherwise: %s", r.URL.Redacted())
	}
	return who, nil
}

// token is what `aws eks get-token` makes: a presigned call that names the cluster.
func (c caller) token(ctx context.Context, cluster string) (string, error) {
	client := sts.New(sts.Options{Region: region, Credentials: awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
		return c.credentials, nil
	})})
	req, err := sts.NewPresignClient(client).PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, func(o *sts.Options) {
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("x-k8s-aws-id", cluster), smithyhttp.SetHeaderValue("X-Amz-Expires", "60"))
		})
	})
	if err != nil {
		return "", fmt.Errorf("make a token for %s: %w", c.arn, err)
	}
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(req.URL)), nil
}
