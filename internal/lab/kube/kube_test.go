package kube

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

var lab = Shared{Options: Options{Controllers: IdentityControllers(), AuditPolicy: FullAudit}}

func TestMain(m *testing.M) { os.Exit(lab.Run(m)) }

func TestStart(t *testing.T) {
	c := lab.Cluster(t)
	t.Logf("ready after %s", c.Took.Round(time.Millisecond))
	v, err := c.Admin.Discovery().ServerVersion()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{Version, "1", "36"}, []string{v.GitVersion, v.Major, v.Minor}); diff != "" {
		t.Errorf("version (-want +got):\n%s", diff)
	}
}

func TestKubeconfig(t *testing.T) {
	c := lab.Cluster(t)
	path, err := c.WriteKubeconfig("alice", "dev", "ops")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	me, err := kubernetes.NewForConfigOrDie(cfg).AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := me.Status.UserInfo.Username; got != "alice" {
		t.Errorf("username %q, want alice", got)
	}
	slices.Sort(me.Status.UserInfo.Groups)
	if diff := cmp.Diff([]string{"dev", "ops", "system:authenticated"}, me.Status.UserInfo.Groups); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
}

func TestAuthorization(t *testing.T) {
	c := lab.Cluster(t)
	eve, err := c.Client("eve")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eve.CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a user without bindings lists secrets: error %v, want forbidden", err)
	}
	node, err := c.Client("system:node:ip-10-0-0-9.ec2.internal", "system:nodes")
	if err != nil {
		t.Fatal(err)
	}
	// The Node authorizer lets a node read a service account only when one of its pods runs as it.
	if _, err := node.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("a node mints a token for a pod it does not run: error %v, want forbidden", err)
	}
}

func TestAggregatedClusterRoles(t *testing.T) {
	c := lab.Cluster(t)
	for _, name := range []string{"admin", "edit", "view"} {
		r, err := c.Admin.RbacV1().ClusterRoles().Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Rules) == 0 {
			t.Errorf("ClusterRole %s has no rules", name)
		}
	}
}

func TestControllersLeftOut(t *testing.T) {
	c := New(t, Options{})
	t.Logf("ready after %s", c.Took.Round(time.Millisecond))
	r, err := c.Admin.RbacV1().ClusterRoles().Get(t.Context(), "view", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]rbacv1.PolicyRule(nil), r.Rules); diff != "" {
		t.Errorf("rules of view without controllers (-want +got):\n%s", diff)
	}
}

func TestAudit(t *testing.T) {
	c := lab.Cluster(t)
	_, err := c.Admin.CoreV1().ConfigMaps("kube-system").Create(t.Context(),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "aws-auth"}, Data: map[string]string{"mapRoles": "[]"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := c.AwaitAudit(t.Context(), func(e map[string]any) bool {
		ref, _ := e["objectRef"].(map[string]any)
		return e["verb"] == "create" && ref["name"] == "aws-auth"
	})
	if err != nil {
		t.Fatal(err)
	}
	user, _ := e["user"].(map[string]any)
	object, _ := e["requestObject"].(map[string]any)
	want := map[string]any{"user": "admin", "stage": "ResponseComplete", "data": map[string]any{"mapRoles": "[]"}}
	if diff := cmp.Diff(want, map[string]any{"user": user["username"], "stage": e["stage"], "data": object["data"]}); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
}

// TestEKSAudit holds the policy against what the EKS documentation says of aws-auth: its creation without a body.
func TestEKSAudit(t *testing.T) {
	c := New(t, Options{AuditPolicy: EKSAudit})
	cms := c.Admin.CoreV1().ConfigMaps("kube-system")
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "aws-auth"}, Data: map[string]string{"mapRoles": "[]"}}
	if _, err := cms.Create(t.Context(), cm, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := cms.Update(t.Context(), cm, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, verb := range []string{"create", "update"} {
		e, err := c.AwaitAudit(t.Context(), func(e map[string]any) bool {
			ref, _ := e["objectRef"].(map[string]any)
			return ref["name"] == "aws-auth" && e["verb"] == verb
		})
		if err != nil {
			t.Fatal(err)
		}
		got[verb], _ = e["level"].(string)
	}
	if diff := cmp.Diff(map[string]string{"create": "Metadata", "update": "RequestResponse"}, got); diff != "" {
		t.Errorf("levels (-want +got):\n%s", diff)
	}
}

func TestPrepare(t *testing.T) {
	Require(t)
	var url string
	c := New(t, Options{
		Issuer: "https://oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE",
		Prepare: func(_ context.Context, c *Cluster) ([]string, error) {
			url = c.URL
			_, err := os.Stat(c.Kubeconfig)
			return []string{"--feature-gates=ConstrainedImpersonation=false"}, err
		},
	})
	if url != c.URL {
		t.Errorf("URL %q when preparing, %q when ready", url, c.URL)
	}
	b, err := c.rest().Get().AbsPath("/.well-known/openid-configuration").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Issuer string }
	if err := json.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Issuer != c.options.Issuer {
		t.Errorf("issuer %q, want %q", doc.Issuer, c.options.Issuer)
	}
}

func TestStop(t *testing.T) {
	c := New(t, Options{})
	c.Stop()
	if _, err := os.Stat(c.Dir); !os.IsNotExist(err) {
		t.Errorf("the cluster's files are still there: %v", err)
	}
	if _, err := c.Admin.Discovery().ServerVersion(); err == nil {
		t.Error("the API server still answers")
	}
	c.Stop()
}

// TestStartTells checks that a server that refuses its flags makes Start fail with its own words, and at once.
func TestStartTells(t *testing.T) {
	Require(t)
	c, err := Start(t.Context(), Options{APIServerFlags: []string{"--no-such-flag"}})
	if err == nil {
		c.Stop()
		t.Fatal("started with a flag that does not exist")
	}
	if s := err.Error(); !strings.Contains(s, "kube-apiserver ended") || !strings.Contains(s, "no-such-flag") {
		t.Errorf("error does not tell why: %v", err)
	}
}
