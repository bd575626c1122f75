package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// fake answers like an API server without objects and without custom resources, except where a handler is given for a
// path.
type fake map[string]http.HandlerFunc

func (f fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h, ok := f[r.URL.Path]; ok {
		h(w, r)
		return
	}
	switch {
	case strings.Contains(r.URL.Path, "karpenter") || strings.Contains(r.URL.Path, "eks.amazonaws.com"):
		http.Error(w, "404 page not found", http.StatusNotFound)
	case strings.HasSuffix(r.URL.Path, "/aws-auth"):
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, `configmaps "aws-auth" not found`)
	default:
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		group := strings.Join(parts[1:len(parts)-1], "/")
		answer(w, map[string]any{"apiVersion": group, "kind": kinds[parts[len(parts)-1]], "items": []any{}})
	}
}

// kinds are the kinds of the lists that are read.
var kinds = map[string]string{
	"pods": "PodList", "serviceaccounts": "ServiceAccountList", "namespaces": "NamespaceList", "nodes": "NodeList",
	"deployments": "DeploymentList", "daemonsets": "DaemonSetList", "statefulsets": "StatefulSetList", "replicasets": "ReplicaSetList",
	"replicationcontrollers": "ReplicationControllerList", "jobs": "JobList", "cronjobs": "CronJobList",
	"roles": "RoleList", "clusterroles": "ClusterRoleList", "rolebindings": "RoleBindingList", "clusterrolebindings": "ClusterRoleBindingList",
	"mutatingwebhookconfigurations": "MutatingWebhookConfigurationList", "validatingadmissionpolicies": "ValidatingAdmissionPolicyList",
	"validatingadmissionpolicybindings": "ValidatingAdmissionPolicyBindingList",
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, code int, why metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Code: int32(code), Reason: why, Message: message,
	})
}

func forbidden(w http.ResponseWriter, r *http.Request) {
	refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden, "no "+r.URL.Path)
}

func serve(t *testing.T, h http.Handler) *rest.Config {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &rest.Config{Host: s.URL}
}

// allAreas are the areas that Collect is for.
func allAreas() map[model.Area]bool {
	all := map[model.Area]bool{}
	for _, r := range resources {
		all[r.area] = true
	}
	return all
}

func TestAreas(t *testing.T) {
	// The Kubernetes areas stand between these two in model.Areas.
	from := slices.IndexFunc(model.Areas, func(a model.AreaInfo) bool { return a.Area == model.AreaNamespaces })
	to := slices.IndexFunc(model.Areas, func(a model.AreaInfo) bool { return a.Area == model.AreaPolicyBindings })
	actions := map[model.Area][]string{}
	for _, r := range resources {
		actions[r.area] = append(actions[r.area], r.action())
	}
	for _, info := range model.Areas[from : to+1] {
		if len(actions[info.Area]) == 0 {
			t.Errorf("area %s is not read", info.Area)
		}
		if len(actions[info.Area]) == 1 && actions[info.Area][0] != info.Action {
			t.Errorf("area %s needs %q, the model says %q", info.Area, actions[info.Area][0], info.Action)
		}
		delete(actions, info.Area)
	}
	if len(actions) > 0 {
		t.Errorf("read, but not of Kubernetes: %v", actions)
	}
}

func TestEmptyCluster(t *testing.T) {
	var told []string
	c, gaps, err := Collect(t.Context(), serve(t, fake{}), Options{Cluster: "prod", Progress: func(done, total int, what string) {
		if total != len(resources) || done != len(told)+1 {
			t.Errorf("progress %d of %d after %d calls", done, total, len(told))
		}
		told = append(told, what)
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&model.Cluster{Name: "prod", Read: allAreas()}, c); diff != "" {
		t.Errorf("cluster (-want +got):\n%s", diff)
	}
	if len(gaps) > 0 {
		t.Errorf("gaps: %v", gaps)
	}
	if len(told) != len(resources) || !slices.Contains(told, "list pods") {
		t.Errorf("progress told of %v", told)
	}
}

// paged serves pods in pages of two, and asks do what to answer for the n-th request.
func paged(names []string, do func(n int, w http.ResponseWriter, r *http.Request) bool) http.HandlerFunc {
	n := 0
	return func(w http.ResponseWriter, r *http.Request) {
		n++
		if do != nil && do(n, w, r) {
			return
		}
		rest := names
		if token := r.URL.Query().Get("continue"); token != "" {
			rest = names[slices.Index(names, token):]
		}
		l := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
		for i, name := range rest {
			if i == 2 && r.URL.Query().Get("limit") == "500" {
				l.Continue = name
				break
			}
			l.Items = append(l.Items, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}})
		}
		answer(w, l)
	}
}

func TestPages(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e"}
	expired := func(w http.ResponseWriter) bool {
		refuse(w, http.StatusGone, metav1.StatusReasonExpired, "too old")
		return true
	}
	for name, tt := range map[string]struct {
		do       func(n int, w http.ResponseWriter, r *http.Request) bool
		requests int
		gap      string
	}{
		"three pages": {requests: 3},
		"expired once, on the third page": {requests: 6, do: func(n int, w http.ResponseWriter, r *http.Request) bool {
			return n == 3 && expired(w)
		}},
		"always expired: whole in the end": {requests: 2*restarts + 1, do: func(_ int, w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Query().Has("continue") && expired(w)
		}},
		"expired without a token": {requests: 1, gap: "too old", do: func(n int, w http.ResponseWriter, _ *http.Request) bool {
			return expired(w)
		}},
		"denied on the second page": {requests: 2, gap: "no /api/v1/pods", do: func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n == 2 {
				forbidden(w, r)
			}
			return n == 2
		}},
		"the same page for ever": {requests: 2, gap: "the API server repeats a page", do: func(n int, w http.ResponseWriter, _ *http.Request) bool {
			answer(w, corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, ListMeta: metav1.ListMeta{Continue: "x"}})
			return true
		}},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			c, gaps, err := Collect(t.Context(), serve(t, fake{"/api/v1/pods": paged(names, func(n int, w http.ResponseWriter, r *http.Request) bool {
				requests = n
				return tt.do != nil && tt.do(n, w, r)
			})}), Options{})
			if err != nil {
				t.Fatal(err)
			}
			if requests != tt.requests {
				t.Errorf("%d requests, want %d", requests, tt.requests)
			}
			var got, want []string
			for _, p := range c.Pods {
				got = append(got, p.Name)
			}
			var wantGaps []finding.Gap
			if tt.gap == "" {
				want = names
			} else {
				wantGaps = []finding.Gap{{Area: "pods", Action: "list pods", Reason: tt.gap}}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("pods (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantGaps, gaps); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
			if c.Read[model.AreaPods] != (tt.gap == "") {
				t.Errorf("pods marked as read: %t", c.Read[model.AreaPods])
			}
		})
	}
}

func TestDeniedKindOfWorkload(t *testing.T) {
	c, gaps, err := Collect(t.Context(), serve(t, fake{
		"/apis/batch/v1/cronjobs": forbidden,
		"/apis/apps/v1/deployments": func(w http.ResponseWriter, _ *http.Request) {
			answer(w, map[string]any{"apiVersion": "apps/v1", "kind": "DeploymentList", "items": []any{map[string]any{"metadata": map[string]any{"name": "web"}}}})
		},
	}), Options{Cluster: "prod"})
	if err != nil {
		t.Fatal(err)
	}
	want := []finding.Gap{{Area: "workloads", Action: "list cronjobs.batch", Reason: "no /apis/batch/v1/cronjobs", Cluster: "prod"}}
	if diff := cmp.Diff(want, gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	if len(c.Workloads) != 1 || c.Read[model.AreaWorkloads] {
		t.Errorf("%d workloads, area read: %t; want 1, false", len(c.Workloads), c.Read[model.AreaWorkloads])
	}
}

func TestNodeClasses(t *testing.T) {
	classes := func(version, kind string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			answer(w, map[string]any{"apiVersion": version, "kind": kind + "List", "items": []any{map[string]any{
				"apiVersion": version, "kind": kind, "metadata": map[string]any{"name": "default"}, "spec": map[string]any{"role": "nodes"},
			}}})
		}
	}
	const v1, v1beta1 = "/apis/karpenter.k8s.aws/v1", "/apis/karpenter.k8s.aws/v1beta1"
	discovery := func(resources ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			l := metav1.APIResourceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "APIResourceList"}}
			for _, r := range resources {
				l.APIResources = append(l.APIResources, metav1.APIResource{Name: r})
			}
			answer(w, l)
		}
	}
	gap := []string{"list ec2nodeclasses.karpenter.k8s.aws"}
	for name, tt := range map[string]struct {
		server fake
		kinds  []string
		gaps   []string
	}{
		"none":                              {server: fake{}},
		"v1":                                {server: fake{v1 + "/ec2nodeclasses": classes("karpenter.k8s.aws/v1", "EC2NodeClass")}, kinds: []string{"EC2NodeClass"}},
		"v1beta1 only":                      {server: fake{v1beta1 + "/ec2nodeclasses": classes("karpenter.k8s.aws/v1beta1", "EC2NodeClass")}, kinds: []string{"EC2NodeClass"}},
		"both versions are the same object": {server: fake{v1 + "/ec2nodeclasses": classes("karpenter.k8s.aws/v1", "EC2NodeClass"), v1beta1 + "/ec2nodeclasses": classes("karpenter.k8s.aws/v1beta1", "EC2NodeClass")}, kinds: []string{"EC2NodeClass"}},
		"all kinds": {server: fake{
			v1 + "/ec2nodeclasses":                              classes("karpenter.k8s.aws/v1", "EC2NodeClass"),
			"/apis/karpenter.k8s.aws/v1alpha1/awsnodetemplates": classes("karpenter.k8s.aws/v1alpha1", "AWSNodeTemplate"),
			"/apis/eks.amazonaws.com/v1/nodeclasses":            classes("eks.amazonaws.com/v1", "NodeClass"),
		}, kinds: []string{"EC2NodeClass", "AWSNodeTemplate", "NodeClass"}},
		"denied, and not there":         {server: fake{v1 + "/ec2nodeclasses": forbidden, v1beta1 + "/ec2nodeclasses": forbidden}},
		"denied, and there":             {server: fake{v1 + "/ec2nodeclasses": forbidden, v1: discovery("ec2nodeclasses")}, gaps: gap},
		"denied, and only another kind": {server: fake{v1 + "/ec2nodeclasses": forbidden, v1: discovery("others")}},
		"denied, and only v1beta1":      {server: fake{v1 + "/ec2nodeclasses": forbidden, v1beta1 + "/ec2nodeclasses": forbidden, v1beta1: discovery("ec2nodeclasses")}, gaps: gap},
		"denied with discovery":         {server: fake{v1 + "/ec2nodeclasses": forbidden, v1: forbidden}, gaps: gap},
	} {
		t.Run(name, func(t *testing.T) {
			c, gaps, err := Collect(t.Context(), serve(t, tt.server), Options{})
			if err != nil {
				t.Fatal(err)
			}
			var kinds, actions []string
			for _, n := range c.NodeClasses {
				kinds = append(kinds, n.Kind)
				if n.Role != "nodes" {
					t.Errorf("%s has role %q", n.Kind, n.Role)
				}
			}
			for _, g := range gaps {
				actions = append(actions, g.Action)
			}
			if diff := cmp.Diff(tt.kinds, kinds); diff != "" {
				t.Errorf("kinds (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.gaps, actions); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
			if c.Read[model.AreaNodeClasses] != (len(tt.gaps) == 0) {
				t.Errorf("area read: %t", c.Read[model.AreaNodeClasses])
			}
		})
	}
}

// TestOldServer has an API server without ValidatingAdmissionPolicies: it has none, and that is no gap.
func TestOldServer(t *testing.T) {
	missing := func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "404 page not found", http.StatusNotFound)
	}
	c, gaps, err := Collect(t.Context(), serve(t, fake{
		"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies":       missing,
		"/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings": missing,
		"/api/v1/nodes": missing,
	}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(gaps) != 1 || gaps[0].Area != "nodes" {
		t.Errorf("gaps %v, want one of nodes", gaps)
	}
	if !c.Read[model.AreaAdmissionPolicies] || !c.Read[model.AreaPolicyBindings] {
		t.Errorf("areas read: %v", c.Read)
	}
}

func TestUnreachable(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, tt := range map[string]struct {
		config *rest.Config
		want   []string
	}{
		"nobody listens":          {&rest.Config{Host: closed.URL}, []string{closed.URL, "connection refused", "kubectl get --raw /version"}},
		"no such host":            {&rest.Config{Host: "https://cluster.invalid"}, []string{"cluster.invalid", "private endpoint"}},
		"not a Kubernetes server": {serve(t, http.NotFoundHandler()), []string{"no Kubernetes API server"}},
		"a page for everything":   {serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })), []string{"read the Kubernetes API"}},
		"unauthorized": {serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")
		})), []string{"Unauthorized", "access entry"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Collect(t.Context(), tt.config, Options{})
			if _, ok := errors.AsType[*Unreachable](err); !ok {
				t.Fatalf("error %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not in: %v", want, err)
				}
			}
		})
	}
	s := httptest.NewUnstartedServer(fake{})
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	if _, _, err := Collect(t.Context(), &rest.Config{Host: s.URL}, Options{}); err == nil || !strings.Contains(err.Error(), "update-kubeconfig") {
		t.Errorf("a server with another authority's certificate: error %v", err)
	}
}

func TestEverythingDenied(t *testing.T) {
	_, gaps, err := Collect(t.Context(), serve(t, http.HandlerFunc(forbidden)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(gaps) != len(resources) {
		t.Errorf("%d gaps, want one for each of %d resources", len(gaps), len(resources))
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := Collect(ctx, serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done() // the request hangs until the client goes away
	})), Options{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestReadOnly sends what the package never would.
func TestReadOnly(t *testing.T) {
	var mu sync.Mutex
	var seen []string
	c, err := newClient(serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Method+" "+r.URL.Path)
		fake{}.ServeHTTP(w, r)
	})))
	if err != nil {
		t.Fatal(err)
	}
	core := c.typed[corev1.SchemeGroupVersion]
	for name, request := range map[string]*rest.Request{
		"create": core.Post().Resource("pods").Namespace("default").Body([]byte("{}")),
		"update": core.Put().Resource("pods").Namespace("default").Name("x").Body([]byte("{}")),
		"delete": core.Delete().Resource("pods").Namespace("default").Name("x"),
		"watch":  core.Get().Resource("pods").VersionedParams(&metav1.ListOptions{Watch: true}, parameters),
	} {
		if err := request.Do(t.Context()).Error(); err == nil || !strings.Contains(err.Error(), "only reads") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if len(seen) > 0 {
		t.Errorf("the server saw %v", seen)
	}
}

// TestNoSecrets checks what is asked for, not what is kept: nothing but the table's resources.
func TestNoSecrets(t *testing.T) {
	var mu sync.Mutex
	var paths []string
	_, _, err := Collect(t.Context(), serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		paths = append(paths, r.URL.Path)
		mu.Unlock()
		fake{}.ServeHTTP(w, r)
	})), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		if strings.HasSuffix(p, "/secrets") || strings.Contains(p, "configmaps") && p != "/api/v1/namespaces/kube-system/configmaps/aws-auth" {
			t.Errorf("asked for %s", p)
		}
	}
	if len(paths) < len(resources) {
		t.Errorf("only %d requests", len(paths))
	}
}
