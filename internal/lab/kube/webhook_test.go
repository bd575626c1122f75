package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// TestWebhooks puts an authentication and an authorization webhook in front of the API server, as EKS does, and reads the
// reason of the second in the audit log.
func TestWebhooks(t *testing.T) {
	const reason = `EKS Access Policy: allowed by ClusterRoleBinding "arn:aws:iam::111122223333:role/dev+arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"`
	authenticate := func(w http.ResponseWriter, r *http.Request) {
		var review authenticationv1.TokenReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Status = authenticationv1.TokenReviewStatus{Authenticated: review.Spec.Token == "k8s-aws-v1.jane", User: authenticationv1.UserInfo{Username: "jane"}}
		json.NewEncoder(w).Encode(review)
	}
	authorize := func(w http.ResponseWriter, r *http.Request) {
		var review authorizationv1.SubjectAccessReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a := review.Spec.ResourceAttributes
		review.Status = authorizationv1.SubjectAccessReviewStatus{}
		if review.Spec.User == "jane" && a != nil && a.Resource == "pods" && a.Verb == "list" {
			review.Status = authorizationv1.SubjectAccessReviewStatus{Allowed: true, Reason: reason}
		}
		json.NewEncoder(w).Encode(review)
	}
	c := New(t, Options{AuditPolicy: EKSAudit, Prepare: func(_ context.Context, c *Cluster) ([]string, error) {
		authn, err := c.ServeWebhook(http.HandlerFunc(authenticate))
		if err != nil {
			return nil, err
		}
		authz, err := c.ServeWebhook(http.HandlerFunc(authorize))
		if err != nil {
			return nil, err
		}
		config := fmt.Sprintf(`
apiVersion: apiserver.config.k8s.io/v1
kind: AuthorizationConfiguration
authorizers:
- {type: Node, name: node}
- {type: RBAC, name: rbac}
- type: Webhook
  name: access-policy
  webhook:
    timeout: 3s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: NoOpinion
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: %s}
`, authz)
		path := c.Dir + "/authorization.yaml"
		return []string{"--authentication-token-webhook-config-file=" + authn, "--authentication-token-webhook-version=v1", "--authorization-config=" + path}, os.WriteFile(path, []byte(config), 0o600)
	}})
	jane := func(token string) kubernetes.Interface {
		return kubernetes.NewForConfigOrDie(&rest.Config{Host: c.URL, TLSClientConfig: rest.TLSClientConfig{CAData: c.CA}, BearerToken: token})
	}
	if _, err := jane("k8s-aws-v1.jane").CoreV1().Pods("").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("list pods: %v", err)
	}
	if _, err := jane("k8s-aws-v1.jane").CoreV1().Secrets("").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("list secrets: error %v, want forbidden", err)
	}
	if _, err := jane("other").CoreV1().Pods("").List(t.Context(), metav1.ListOptions{}); !apierrors.IsUnauthorized(err) {
		t.Errorf("list pods with another token: error %v, want unauthorized", err)
	}
	e, err := c.AwaitAudit(t.Context(), func(e map[string]any) bool {
		user, _ := e["user"].(map[string]any)
		uri, _ := e["requestURI"].(string)
		return user["username"] == "jane" && strings.HasPrefix(uri, "/api/v1/pods")
	})
	if err != nil {
		t.Fatal(err)
	}
	annotations, _ := e["annotations"].(map[string]any)
	if diff := cmp.Diff(reason, annotations["authorization.k8s.io/reason"]); diff != "" {
		t.Errorf("reason (-want +got):\n%s", diff)
	}
}
