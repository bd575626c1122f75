package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	lab "drawbridge/internal/lab/kube"
	"drawbridge/internal/model"
)

// real is one API server for the tests that do not mind what others put into it: each has a namespace of its own.
var real = lab.Shared{Options: lab.Options{AuditPolicy: lab.FullAudit}}

func TestMain(m *testing.M) { os.Exit(real.Run(m)) }

// apply creates the objects of a file of testdata.
func apply(t testing.TB, c *lab.Cluster, file string) {
	t.Helper()
	config, err := c.Config("admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for d := yaml.NewYAMLOrJSONDecoder(f, 4096); ; {
		var u unstructured.Unstructured
		if err := d.Decode(&u.Object); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
		gvr := u.GroupVersionKind().GroupVersion().WithResource(plural(u.GetKind()))
		if _, err := client.Resource(gvr).Namespace(u.GetNamespace()).Create(t.Context(), &u, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func plural(kind string) string {
	switch kind = strings.ToLower(kind); {
	case strings.HasSuffix(kind, "class"):
		return kind + "es"
	case strings.HasSuffix(kind, "policy"):
		return strings.TrimSuffix(kind, "y") + "ies"
	}
	return kind + "s"
}

// grant binds a user to a ClusterRole with these rules. Together with [awaitGrants] it does not wait.
func grant(t *testing.T, c *lab.Cluster, user string, rules []rbacv1.PolicyRule) {
	t.Helper()
	r := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: user}, Rules: rules}
	if _, err := c.Admin.RbacV1().ClusterRoles().Create(t.Context(), r, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	b := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
	}
	if _, err := c.Admin.RbacV1().ClusterRoleBindings().Create(t.Context(), b, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// awaitGrants waits until the authorizer knows a grant made now, and with it all that were made before.
func awaitGrants(t *testing.T, c *lab.Cluster) {
	t.Helper()
	grant(t, c, "last", []rbacv1.PolicyRule{{APIGroups: []string{"last"}, Resources: []string{"last"}, Verbs: []string{"get"}}})
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User:               "last",
		ResourceAttributes: &authorizationv1.ResourceAttributes{Group: "last", Resource: "last", Verb: "get"},
	}}
	err := wait.PollUntilContextTimeout(t.Context(), 10*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		r, err := c.Admin.AuthorizationV1().SubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		return err == nil && r.Status.Allowed, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func configOf(t testing.TB, c *lab.Cluster, user string, groups ...string) *rest.Config {
	t.Helper()
	config, err := c.Config(user, groups...)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// TestLab reads one object of every kind from a real API server.
func TestLab(t *testing.T) {
	c := lab.New(t, lab.Options{})
	apply(t, c, "definitions.yaml")
	awaitDefinitions(t, c)
	apply(t, c, "objects.yaml")
	got, gaps, err := Collect(t.Context(), configOf(t, c, "admin", "system:masters"), Options{Cluster: "lab"})
	if err != nil {
		t.Fatal(err)
	}
	if len(gaps) > 0 {
		t.Errorf("gaps: %v", gaps)
	}
	if diff := cmp.Diff(allAreas(), got.Read); diff != "" {
		t.Errorf("areas read (-want +got):\n%s", diff)
	}
	var names []string
	add := func(kind string, m model.Meta) {
		if m.Namespace == "shop" || m.Labels["app"] == "shop" || kind == "AWSAuth" {
			names = append(names, kind+" "+m.Name)
		}
	}
	each(got, add)
	want := []string{
		"Pod web-0", "ServiceAccount web",
		"Deployment web", "DaemonSet agent", "StatefulSet db", "ReplicaSet alone", "ReplicationController old", "Job once", "CronJob nightly",
		"Role reader", "ClusterRole shop", "RoleBinding reader", "ClusterRoleBinding shop", "Namespace shop", "Node ip-10-0-0-1", "AWSAuth aws-auth",
		"EC2NodeClass default", "AWSNodeTemplate default", "NodeClass default", "MutatingWebhook shop", "AdmissionPolicy shop", "PolicyBinding shop",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	b, err := json.Marshal([]any{got.Pods, got.Workloads, got.AWSAuth, got.ServiceAccounts, got.NodeClasses})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "hidden") {
		t.Errorf("a secret is in %s", b)
	}
	for _, want := range []string{"arn:aws:iam::111122223333:role/web", "pods.eks.amazonaws.com", "system:nodes", "secret/db/password"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is missing in %s", want, b)
		}
	}
}

// each calls add for every object, in the order of the table.
func each(c *model.Cluster, add func(kind string, m model.Meta)) {
	for _, o := range c.Pods {
		add("Pod", o.Meta)
	}
	for _, o := range c.ServiceAccounts {
		add("ServiceAccount", o.Meta)
	}
	for _, o := range c.Workloads {
		add(o.Kind, o.Meta)
	}
	for _, o := range c.Roles {
		add("Role", o.Meta)
	}
	for _, o := range c.ClusterRoles {
		add("ClusterRole", o.Meta)
	}
	for _, o := range c.RoleBindings {
		add("RoleBinding", o.Meta)
	}
	for _, o := range c.ClusterRoleBindings {
		add("ClusterRoleBinding", o.Meta)
	}
	for _, o := range c.Namespaces {
		add("Namespace", o.Meta)
	}
	for _, o := range c.Nodes {
		add("Node", o.Meta)
	}
	if c.AWSAuth != nil {
		add("AWSAuth", c.AWSAuth.Meta)
	}
	for _, o := range c.NodeClasses {
		add(o.Kind, o.Meta)
	}
	for _, o := range c.MutatingWebhooks {
		add("MutatingWebhook", o.Meta)
	}
	for _, o := range c.AdmissionPolicies {
		add("AdmissionPolicy", o.Meta)
	}
	for _, o := range c.PolicyBindings {
		add("PolicyBinding", o.Meta)
	}
}

// awaitDefinitions waits until the custom resources of testdata are served.
func awaitDefinitions(t *testing.T, c *lab.Cluster) {
	t.Helper()
	client, err := newClient(configOf(t, c, "admin", "system:masters"))
	if err != nil {
		t.Fatal(err)
	}
	for _, gvr := range []schema.GroupVersionResource{
		{Group: "karpenter.k8s.aws", Version: "v1", Resource: "ec2nodeclasses"},
		{Group: "karpenter.k8s.aws", Version: "v1alpha1", Resource: "awsnodetemplates"},
		{Group: "eks.amazonaws.com", Version: "v1", Resource: "nodeclasses"},
	} {
		err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
			_, err := client.dynamic.Resource(gvr).List(ctx, metav1.ListOptions{})
			return err == nil && client.serves(ctx, gvr), nil
		})
		if err != nil {
			t.Fatalf("wait for %s: %v", gvr, err)
		}
	}
}

// TestClusterRole proves with the real authorizer that ClusterRole is enough, and that none of its rules is too much.
func TestClusterRole(t *testing.T) {
	c := lab.New(t, lab.Options{})
	apply(t, c, "definitions.yaml")
	awaitDefinitions(t, c)
	rules := ClusterRole().Rules
	grant(t, c, "all", rules)
	for i := range rules {
		grant(t, c, fmt.Sprint("without-", i), slices.Delete(slices.Clone(rules), i, i+1))
	}
	awaitGrants(t, c)
	got, gaps, err := Collect(t.Context(), configOf(t, c, "all"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(gaps) > 0 {
		t.Errorf("gaps with the whole ClusterRole: %v", gaps)
	}
	if diff := cmp.Diff(allAreas(), got.Read); diff != "" {
		t.Errorf("areas read (-want +got):\n%s", diff)
	}
	for i, rule := range rules {
		t.Run(rule.APIGroups[0]+" "+strings.Join(rule.Resources, ","), func(t *testing.T) {
			var want, got []string
			for _, r := range resources {
				if r.Group == rule.APIGroups[0] && slices.Contains(rule.Resources, r.Resource) {
					want = append(want, string(r.area)+": "+r.action())
				}
			}
			_, gaps, err := Collect(t.Context(), configOf(t, c, fmt.Sprint("without-", i)), Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range gaps {
				got = append(got, g.Area+": "+g.Action)
				if !strings.Contains(g.Reason, "forbidden") || !strings.Contains(g.Reason, "without-") {
					t.Errorf("reason %q", g.Reason)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNoDefinitions: where Karpenter is not installed, nobody needs to be allowed to list what it would have.
func TestNoDefinitions(t *testing.T) {
	c := real.Cluster(t)
	grant(t, c, "karpenterless", slices.DeleteFunc(ClusterRole().Rules, func(r rbacv1.PolicyRule) bool {
		return strings.HasSuffix(r.APIGroups[0], "aws") || r.APIGroups[0] == "eks.amazonaws.com"
	}))
	awaitGrants(t, c)
	got, gaps, err := Collect(t.Context(), configOf(t, c, "karpenterless"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(gaps) > 0 || !got.Read[model.AreaNodeClasses] {
		t.Errorf("node classes read: %t, gaps: %v", got.Read[model.AreaNodeClasses], gaps)
	}
}

// TestVerbs reads the API server's own record of what Collect did.
func TestVerbs(t *testing.T) {
	c := real.Cluster(t)
	config := configOf(t, c, "recorded", "system:masters")
	if _, _, err := Collect(t.Context(), config, Options{}); err != nil {
		t.Fatal(err)
	}
	type event struct {
		Verb      string
		User      struct{ Username string }
		ObjectRef struct{ Resource, Name string }
	}
	seen := map[string]int{}
	// The events of one user are in the file in the order of their ends; the last may still be on its way.
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		clear(seen)
		raw, err := c.AuditEvents()
		for _, line := range raw {
			var e event
			if err := json.Unmarshal(line, &e); err != nil {
				return false, err
			}
			if e.User.Username == "recorded" {
				seen[e.Verb+" "+strings.TrimSpace(e.ObjectRef.Resource+" "+e.ObjectRef.Name)]++
			}
		}
		return len(seen) >= len(resources), err
	})
	if err != nil {
		t.Fatalf("%v; seen so far: %v", err, seen)
	}
	for what := range seen {
		if verb, resource, _ := strings.Cut(what, " "); verb != "list" && what != "get configmaps aws-auth" || resource == "secrets" {
			t.Errorf("did %s", what)
		}
	}
}

func TestAWSAuthAbsent(t *testing.T) {
	c := real.Cluster(t)
	got, gaps, err := Collect(t.Context(), configOf(t, c, "admin", "system:masters"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got.AWSAuth != nil || !got.Read[model.AreaAWSAuth] || len(gaps) > 0 {
		t.Errorf("aws-auth %v, read %t, gaps %v; want none, read, none", got.AWSAuth, got.Read[model.AreaAWSAuth], gaps)
	}
}
