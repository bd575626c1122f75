package apply

import (
	"context"
	"errors"
	"net/http"
	"os"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"drawbridge/internal/authenticator"
	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"
)

const mapRoles = `# kept by hand
- rolearn: arn:aws:iam::111122223333:role/ops
  username: ops
  groups: [ops]
- rolearn: arn:aws:iam::111122223333:role/dev
  username: dev   # who builds
  groups: [dev]
`

const podTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"shop"}}}]}`

const readBucket = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::shop/*"}]}`

// full is a world that has something for every change.
func full(t testing.TB) *world {
	t.Helper()
	w := newWorld(t, "API_AND_CONFIG_MAP", lab.Options{}, "ops", "dev", "old", "node", "team")
	a := w.Account(account, "aws")
	a.PutPolicy(lab.ManagedPolicy{PolicyName: "extra", Versions: []lab.PolicyVersion{{VersionID: "v1", Document: readBucket, IsDefaultVersion: true}}})
	a.PutPolicy(lab.ManagedPolicy{
		PolicyName: "AdministratorAccess", ARN: "arn:aws:iam::aws:policy/AdministratorAccess",
		Versions: []lab.PolicyVersion{{VersionID: "v1", Document: readBucket, IsDefaultVersion: true}},
	})
	a.PutRole(lab.Role{
		RoleName: "app", AssumeRolePolicyDocument: trust, AttachedPolicies: []string{"arn:aws:iam::aws:policy/AdministratorAccess"},
		InlinePolicies: []lab.InlinePolicy{{PolicyName: "own", PolicyDocument: readBucket}, {PolicyName: "wide", PolicyDocument: trust}},
	})
	a.PutUser(lab.User{UserName: "jane"})
	days := 30
	w.region.PutLogGroup(lab.LogGroup{LogGroupName: "/aws/eks/prod/cluster", RetentionInDays: &days})
	w.region.PutAccessEntry(lab.AccessEntry{ClusterName: "prod", PrincipalARN: role("team"), KubernetesGroups: []string{"a", "b"}, Tags: map[string]string{"aws:cloudformation:stack-name": "x", "owner": "team"}},
		lab.AssociatedAccessPolicy{PolicyARN: viewARN, AccessScope: lab.AccessScope{Type: "namespace", Namespaces: []string{"b", "a"}}})
	w.region.PutAccessEntry(lab.AccessEntry{ClusterName: "prod", PrincipalARN: role("old"), Username: "old", KubernetesGroups: []string{"z"}},
		lab.AssociatedAccessPolicy{PolicyARN: viewARN, AccessScope: lab.AccessScope{Type: "cluster"}},
		lab.AssociatedAccessPolicy{PolicyARN: adminARN, AccessScope: lab.AccessScope{Type: "cluster"}})
	for _, sa := range []string{"api", "web"} {
		w.region.PutPodIdentityAssociation(lab.PodIdentityAssociation{ClusterName: "prod", Namespace: "shop", ServiceAccount: sa, RoleARN: role("app"), Tags: map[string]string{"owner": "shop"}})
	}
	k := w.kube
	meta := func(name string) map[string]any { return map[string]any{"namespace": "shop", "name": name} }
	k.put("configmaps", map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"namespace": "kube-system", "name": "aws-auth"},
		"data": map[string]any{"mapRoles": mapRoles, "mapUsers": "[]", "note": "not ours"},
	})
	k.put("serviceaccounts", map[string]any{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{
		"namespace": "shop", "name": "api",
		"annotations": map[string]any{"eks.amazonaws.com/role-arn": role("app"), "note": "not ours"},
	}, "automountServiceAccountToken": true})
	k.put("deployments", map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("web"),
		"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{"name": "web"}}}}},
	})
	subjects := []any{map[string]any{"kind": "User", "name": "jane", "apiGroup": "rbac.authorization.k8s.io"}, map[string]any{"kind": "ServiceAccount", "name": "api", "namespace": "shop"}}
	ref := map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
	k.put("rolebindings", map[string]any{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta("readers"), "roleRef": ref, "subjects": subjects})
	k.put("clusterrolebindings", map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
		"metadata": map[string]any{"name": "all", "labels": map[string]any{"a": "b"}}, "roleRef": ref, "subjects": subjects,
	})
	k.put("clusterroles", map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": map[string]any{"name": "wide"},
		"rules": []any{map[string]any{"verbs": []any{"*"}, "apiGroups": []any{"*"}, "resources": []any{"*"}}},
	})
	return w
}

// everything is a plan for a full world that has every change of package plan, but those that cannot be undone.
func everything() plan.Plan {
	yes, no := true, false
	jane := rbacv1.Subject{Kind: "User", Name: "jane"}
	group := rbacv1.Subject{Kind: "Group", Name: "ops"}
	wide := []rbacv1.PolicyRule{{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}}
	return plan.Plan{
		plan.CreateAccessEntry{Cluster: clusterARN, PrincipalARN: role("node"), Type: "EC2_LINUX"},
		plan.CreateAccessEntry{Cluster: clusterARN, PrincipalARN: role("ops"), Username: "ops", Groups: []string{"z", "a"}, Tags: map[string]string{"owner": "ops"}},
		plan.AssociateAccessPolicy{Cluster: clusterARN, PrincipalARN: role("ops"), PolicyARN: adminARN, Scope: model.AccessScope{Type: model.ScopeNamespace, Namespaces: []string{"z", "a"}}},
		plan.UpdateAccessEntry{Cluster: clusterARN, PrincipalARN: role("team"), Groups: []string{}, Username: "team"},
		plan.AssociateAccessPolicy{Cluster: clusterARN, PrincipalARN: role("team"), PolicyARN: viewARN, Scope: model.AccessScope{Type: model.ScopeCluster}},
		plan.DisassociateAccessPolicy{Cluster: clusterARN, PrincipalARN: role("team"), PolicyARN: viewARN},
		plan.DeleteAccessEntry{Cluster: clusterARN, PrincipalARN: role("old")},
		plan.RemoveAWSAuthRow{Cluster: clusterARN, Kind: authenticator.KindRole, Index: 1, ARN: role("dev"), Username: "dev", Groups: []string{"dev"}},
		plan.RemoveAWSAuthRow{Cluster: clusterARN, Kind: authenticator.KindRole, Index: 0, ARN: role("ops"), Username: "ops", Groups: []string{"ops"}},
		plan.PutAWSAuth{Cluster: clusterARN, Before: map[string]string{"mapUsers": "[]"}, After: map[string]string{"mapAccounts": "[]"}},
		plan.UpdateClusterLogging{Cluster: clusterARN, Enable: []string{"audit", "authenticator"}},
		plan.SetLogRetention{Cluster: clusterARN, LogGroup: "/aws/eks/prod/cluster", Days: 0},
		plan.UpdateTrustPolicy{RoleARN: role("app"), Before: trust, After: podTrust},
		plan.CreatePodIdentityAssociation{Cluster: clusterARN, Namespace: "shop", ServiceAccount: "new", RoleARN: role("app"), Tags: map[string]string{"a": "b"}},
		plan.UpdatePodIdentityAssociation{Cluster: clusterARN, Namespace: "shop", ServiceAccount: "web", TargetRoleARN: "arn:aws:iam::444455556666:role/target"},
		plan.UpdatePodIdentityAssociation{Cluster: clusterARN, Namespace: "shop", ServiceAccount: "new", DisableSessionTags: &yes},
		plan.DeletePodIdentityAssociation{Cluster: clusterARN, Namespace: "shop", ServiceAccount: "api"},
		plan.UnannotateServiceAccount{Cluster: clusterARN, Namespace: "shop", Name: "api", Key: "eks.amazonaws.com/role-arn"},
		plan.AnnotateServiceAccount{Cluster: clusterARN, Namespace: "shop", Name: "api", Key: "eks.amazonaws.com/sts-regional-endpoints", Value: "true"},
		plan.SetAutomount{Cluster: clusterARN, Kind: "ServiceAccount", Namespace: "shop", Name: "api", Value: nil},
		plan.SetAutomount{Cluster: clusterARN, Kind: "Workload", Namespace: "shop", Name: "deployment/web", Value: &no},
		plan.CreateServiceAccount{Cluster: clusterARN, Namespace: "shop", Name: "new"},
		plan.CreateBinding{Cluster: clusterARN, Namespace: "shop", Name: "new", RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"}, Subjects: []rbacv1.Subject{jane}},
		plan.AddSubject{Cluster: clusterARN, Namespace: "shop", Name: "readers", Index: 1, Subject: group},
		plan.RemoveSubject{Cluster: clusterARN, Namespace: "shop", Name: "readers", Index: 0, Subject: jane},
		plan.DeleteBinding{Cluster: clusterARN, Name: "all"},
		plan.PutRoleRules{Cluster: clusterARN, Name: "wide", Before: wide, After: nil},
		plan.AttachPolicy{PrincipalARN: "arn:aws:iam::111122223333:user/jane", PolicyARN: "arn:aws:iam::111122223333:policy/extra"},
		plan.DetachPolicy{PrincipalARN: role("app"), PolicyARN: "arn:aws:iam::aws:policy/AdministratorAccess"},
		plan.PutInlinePolicy{PrincipalARN: role("app"), Name: "own", Before: readBucket, After: trust},
		plan.PutInlinePolicy{PrincipalARN: "arn:aws:iam::111122223333:user/jane", Name: "new", After: readBucket},
		plan.DeleteInlinePolicy{PrincipalARN: role("app"), Name: "wide"},
	}
}

// crash ends a process at its nth chance: from then on nothing of it reaches anything.
type crash struct {
	at, n int
	dead  bool
}

var errCrash = errors.New("the process is dead")

// hit is a chance to crash.
func (c *crash) hit() bool {
	if c.n++; c.n == c.at {
		c.dead = true
	}
	return c.dead
}

// options are those of a process that crashes: at every write of the journal, before and in the middle of it, and at every
// call that changed something, before its answer comes.
func (c *crash) options(w *world) Options {
	o := w.options()
	cfg := w.Config(account, region)
	cfg.HTTPClient = &http.Client{Transport: dying{c, w}}
	cfg.Retryer = func() awssdk.Retryer { return awssdk.NopRetryer{} }
	o.Clients = AWS(cfg)
	o.Clients.Kubernetes = dyingKube{c, w.kube}
	o.sink = func(f *os.File) sink { return dyingFile{c, f} }
	return o
}

type dying struct {
	*crash
	w *world
}

func (d dying) RoundTrip(r *http.Request) (*http.Response, error) {
	if d.dead {
		return nil, errCrash
	}
	before := len(d.w.Writes())
	resp, err := http.DefaultTransport.RoundTrip(r)
	if len(d.w.Writes()) > before && d.hit() {
		resp.Body.Close()
		return nil, errCrash
	}
	return resp, err
}

type dyingFile struct {
	*crash
	f *os.File
}

func (d dyingFile) Write(b []byte) (int, error) {
	if d.dead || d.hit() {
		return 0, errCrash
	}
	if d.hit() {
		n, _ := d.f.Write(b[:len(b)/2])
		return n, errCrash
	}
	return d.f.Write(b)
}

func (d dyingFile) Sync() error { return nil }

type dyingKube struct {
	*crash
	k *fakeKube
}

func (d dyingKube) Get(ctx context.Context, of schema.GroupVersionResource, namespace, name string) (*unstructured.Unstructured, error) {
	if d.dead {
		return nil, errCrash
	}
	return d.k.Get(ctx, of, namespace, name)
}

func (d dyingKube) write(call func() error) error {
	if d.dead {
		return errCrash
	}
	if err := call(); err != nil {
		return err
	}
	if d.hit() {
		return errCrash
	}
	return nil
}

func (d dyingKube) Create(ctx context.Context, of schema.GroupVersionResource, u *unstructured.Unstructured) error {
	return d.write(func() error { return d.k.Create(ctx, of, u) })
}

func (d dyingKube) Patch(ctx context.Context, of schema.GroupVersionResource, namespace, name string, patch []byte) error {
	return d.write(func() error { return d.k.Patch(ctx, of, namespace, name, patch) })
}

func (d dyingKube) Delete(ctx context.Context, of schema.GroupVersionResource, namespace, name string, uid types.UID, version string) error {
	return d.write(func() error { return d.k.Delete(ctx, of, namespace, name, uid, version) })
}

func (d dyingKube) Allowed(ctx context.Context, r rbac.Request) (bool, error) {
	if d.dead {
		return false, errCrash
	}
	return d.k.Allowed(ctx, r)
}
