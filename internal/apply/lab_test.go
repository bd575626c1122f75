package apply

import (
	"errors"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/lab/kube"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"
)

var real = kube.Shared{}

func TestMain(m *testing.M) { os.Exit(real.Run(m)) }

// The real API server takes the changes of Kubernetes objects, keeps what they are not about, and refuses what was edited
// between reading and writing.
func TestRealKubernetes(t *testing.T) {
	c := real.Cluster(t)
	core := c.Admin.CoreV1()
	_, err := core.Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	no := false
	sa := &corev1.ServiceAccount{
		ObjectMeta:                   metav1.ObjectMeta{Name: "api", Annotations: map[string]string{"eks.amazonaws.com/role-arn": role("app"), "note": "not ours"}, Labels: map[string]string{"a": "b"}},
		AutomountServiceAccountToken: &no, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}},
	}
	if _, err := core.ServiceAccounts("shop").Create(t.Context(), sa, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	auth := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "aws-auth", Annotations: map[string]string{"note": "not ours"}}, Data: map[string]string{"mapRoles": mapRoles, "note": "not ours"}}
	if _, err := core.ConfigMaps("kube-system").Create(t.Context(), auth, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, "API_AND_CONFIG_MAP", lab.Options{}, "dev", "ops")
	config, err := c.Config("admin", "system:masters")
	if err != nil {
		t.Fatal(err)
	}
	client, err := NewKubernetes(config)
	if err != nil {
		t.Fatal(err)
	}
	options := func() Options {
		o := w.options()
		o.Clients.Kubernetes = client
		return o
	}
	p := append(rows(),
		plan.UnannotateServiceAccount{Cluster: clusterARN, Namespace: "shop", Name: "api", Key: "eks.amazonaws.com/role-arn"},
		plan.SetAutomount{Cluster: clusterARN, Kind: "ServiceAccount", Namespace: "shop", Name: "api"},
		plan.CreateServiceAccount{Cluster: clusterARN, Namespace: "shop", Name: "new"},
		plan.CreateBinding{Cluster: clusterARN, Namespace: "shop", Name: "b", RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "jane"}}},
		plan.AddSubject{Cluster: clusterARN, Namespace: "shop", Name: "b", Index: 0, Subject: rbacv1.Subject{Kind: "Group", Name: "ops"}},
		plan.RemoveSubject{Cluster: clusterARN, Namespace: "shop", Name: "b", Index: 1, Subject: rbacv1.Subject{Kind: "User", Name: "jane"}},
		plan.PutAWSAuth{Cluster: clusterARN, After: map[string]string{"mapUsers": "[]"}},
	)
	before := stateWith(t, options(), p)
	s, err := Run(t.Context(), p, options())
	if err != nil || !s.Finished() {
		t.Fatal(err)
	}
	equal(t, "after the run", simulated(t, p, before), stateWith(t, options(), p))
	after, err := core.ServiceAccounts("shop").Get(t.Context(), "api", metav1.GetOptions{})
	if err != nil || after.Annotations["note"] != "not ours" || len(after.ImagePullSecrets) != 1 || after.Labels["a"] != "b" || after.AutomountServiceAccountToken != nil {
		t.Errorf("service account: %+v, %v", after, err)
	}
	// The real authorizer is asked with groups alone, and refuses who may not ask.
	q := rbac.Request{Groups: []string{"auditors"}, Verb: "get", Resource: "pods", Namespace: "shop"}
	if allowed, err := client.Allowed(t.Context(), q); err != nil || allowed {
		t.Errorf("nobody bound: %v, %v", allowed, err)
	}
	q.Groups = []string{"system:masters"}
	if allowed, err := client.Allowed(t.Context(), q); err != nil || !allowed {
		t.Errorf("masters: %v, %v", allowed, err)
	}
	if config, err = c.Config("nobody"); err != nil {
		t.Fatal(err)
	}
	poor, err := NewKubernetes(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := poor.Allowed(t.Context(), q); !apierrors.IsForbidden(err) {
		t.Errorf("without the right to ask: %v", err)
	}
	if s, err = Undo(t.Context(), options()); err != nil || !s.Finished() {
		t.Fatal(err)
	}
	equal(t, "after undoing", before, stateWith(t, options(), p))
	cm, err := core.ConfigMaps("kube-system").Get(t.Context(), "aws-auth", metav1.GetOptions{})
	if err != nil || cm.Data["mapRoles"] != mapRoles || cm.Data["note"] != "not ours" || cm.Annotations["note"] != "not ours" {
		t.Errorf("aws-auth: %+v, %v", cm, err)
	}
	if sa, err = core.ServiceAccounts("shop").Get(t.Context(), "api", metav1.GetOptions{}); err != nil || sa.AutomountServiceAccountToken == nil || *sa.AutomountServiceAccountToken {
		t.Errorf("automountServiceAccountToken: false is gone: %+v, %v", sa, err)
	}

	// An edit between reading and writing: the write is refused, and the next look tells.
	o := options()
	o.Journal += "2"
	edited := false
	o.Progress = func(e Event) {
		if e.Stage == Calling && !edited {
			edited = true
			text := `{"data":{"mapRoles":` + quoted(strings.Replace(mapRoles, "who builds", "who ships", 1)+"- rolearn: x\n") + `}}`
			if _, err := core.ConfigMaps("kube-system").Patch(t.Context(), "aws-auth", types.MergePatchType, []byte(text), metav1.PatchOptions{}); err != nil {
				t.Error(err)
			}
		}
	}
	_, err = Run(t.Context(), plan.Plan{plan.PutAWSAuth{Cluster: clusterARN, Before: map[string]string{"mapRoles": mapRoles}, After: map[string]string{"mapRoles": "[]"}}}, o)
	if unmet, ok := errors.AsType[*plan.Unmet](err); !ok {
		t.Errorf("written over an edit: %v, %v", unmet, err)
	}
	if s, err = Undo(t.Context(), o); err != nil || !s.Finished() {
		t.Errorf("nothing was written, and undoing that: %+v, %v", s, err)
	}
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, "\n", `\n`) + `"` }

func stateWith(t *testing.T, o Options, p plan.Plan) *model.Snapshot {
	t.Helper()
	r, err := reachOfAll(p)
	if err != nil {
		t.Fatal(err)
	}
	v, err := o.Clients.read(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return v.Snapshot
}
