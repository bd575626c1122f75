package rbac

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQuestion(t *testing.T) {
	t.Parallel()
	exec, none := "exec", ""
	for n, tc := range map[string]struct {
		q     Question
		want  Request
		notes string // in the notes, joined
		err   string
	}{
		"plain":                       {Question{Verb: "get", Resource: "secrets"}, Request{Verb: "get", Resource: "secrets", Namespace: "default"}, "", ""},
		"namespace":                   {Question{Verb: "get", Resource: "secrets", Namespace: "a"}, Request{Verb: "get", Resource: "secrets", Namespace: "a"}, "", ""},
		"all namespaces":              {Question{Verb: "get", Resource: "secrets", All: true}, Request{Verb: "get", Resource: "secrets"}, "", ""},
		"short":                       {Question{Verb: "get", Resource: "po"}, Request{Verb: "get", Resource: "pods", Namespace: "default"}, "po is taken for pods in the core group", ""},
		"singular of a group":         {Question{Verb: "get", Resource: "deployment"}, Request{Verb: "get", APIGroup: "apps", Resource: "deployments", Namespace: "default"}, "deployment is taken for deployments in group apps", ""},
		"other letters":               {Question{Verb: "get", Resource: "ConfigMaps"}, Request{Verb: "get", Resource: "configmaps", Namespace: "default"}, "taken for configmaps", ""},
		"with its group":              {Question{Verb: "get", Resource: "deployments.apps"}, Request{Verb: "get", APIGroup: "apps", Resource: "deployments", Namespace: "default"}, "", ""},
		"with version and group":      {Question{Verb: "get", Resource: "deploy.v1.apps"}, Request{Verb: "get", APIGroup: "apps", Resource: "deployments", Namespace: "default"}, "taken for deployments", ""},
		"one name in two groups":      {Question{Verb: "get", Resource: "events"}, Request{Verb: "get", Resource: "events", Namespace: "default"}, "", ""},
		"the other group":             {Question{Verb: "get", Resource: "ev.events.k8s.io"}, Request{Verb: "get", APIGroup: "events.k8s.io", Resource: "events", Namespace: "default"}, "group events.k8s.io", ""},
		"metrics, not nodes":          {Question{Verb: "get", Resource: "nodes.metrics.k8s.io"}, Request{Verb: "get", APIGroup: "metrics.k8s.io", Resource: "nodes"}, "", ""},
		"unknown":                     {Question{Verb: "get", Resource: "Widgets.example.com"}, Request{Verb: "get", APIGroup: "example.com", Resource: "Widgets", Namespace: "default"}, "does not know Widgets.example.com; taken as it is written, in group example.com", ""},
		"known in another group":      {Question{Verb: "get", Resource: "secrets.example.com"}, Request{Verb: "get", APIGroup: "example.com", Resource: "secrets", Namespace: "default"}, "does not know", ""},
		"everything":                  {Question{Verb: "*", Resource: "*"}, Request{Verb: "*", APIGroup: "*", Resource: "*"}, "", ""},
		"everything of a group":       {Question{Verb: "*", Resource: "*.apps", Namespace: "a"}, Request{Verb: "*", APIGroup: "apps", Resource: "*", Namespace: "a"}, "", ""},
		"name":                        {Question{Verb: "get", Resource: "secret/db"}, Request{Verb: "get", Resource: "secrets", Name: "db", Namespace: "default"}, "taken for secrets", ""},
		"subresource":                 {Question{Verb: "create", Resource: "pods/exec"}, Request{Verb: "create", Resource: "pods", Subresource: "exec", Namespace: "default"}, "exec is taken for the subresource", ""},
		"name and subresource":        {Question{Verb: "create", Resource: "pods/web/exec"}, Request{Verb: "create", Resource: "pods", Name: "web", Subresource: "exec", Namespace: "default"}, "", ""},
		"subresource by flag":         {Question{Verb: "create", Resource: "pods/log", Subresource: &exec}, Request{Verb: "create", Resource: "pods", Name: "log", Subresource: "exec", Namespace: "default"}, "", ""},
		"a pod called exec":           {Question{Verb: "get", Resource: "pods/exec", Subresource: &none}, Request{Verb: "get", Resource: "pods", Name: "exec", Namespace: "default"}, "", ""},
		"a Secret called status":      {Question{Verb: "get", Resource: "secrets/status"}, Request{Verb: "get", Resource: "secrets", Name: "status", Namespace: "default"}, "", ""},
		"cluster-scoped":              {Question{Verb: "get", Resource: "nodes"}, Request{Verb: "get", Resource: "nodes"}, "", ""},
		"cluster-scoped, a namespace": {Question{Verb: "get", Resource: "nodes", Namespace: "a"}, Request{Verb: "get", Resource: "nodes"}, "nodes are of no namespace; a does not count", ""},
		"a Namespace is in itself":    {Question{Verb: "get", Resource: "ns/a"}, Request{Verb: "get", Resource: "namespaces", Name: "a", Namespace: "a"}, "taken for namespaces", ""},
		"URL":                         {Question{Verb: "get", Resource: "/metrics"}, Request{Verb: "get", NonResourceURL: "/metrics"}, "", ""},
		"impersonation":               {Question{Verb: "impersonate", Resource: "users/jane"}, Request{Verb: "impersonate", Resource: "users", Name: "jane"}, "", ""},
		"constrained impersonation":   {Question{Verb: "impersonate:user-info", Resource: "users.authentication.k8s.io"}, Request{Verb: "impersonate:user-info", APIGroup: "authentication.k8s.io", Resource: "users"}, "", ""},
		"strange verb":                {Question{Verb: "GET", Resource: "pods"}, Request{Verb: "GET", Resource: "pods", Namespace: "default"}, "GET is no verb of Kubernetes", ""},

		"URL in a namespace":  {Question{Verb: "get", Resource: "/metrics", Namespace: "a"}, Request{}, "", "of no namespace"},
		"no resource":         {Question{Verb: "get"}, Request{}, "", "needs a verb and a resource"},
		"no verb":             {Question{Resource: "pods"}, Request{}, "", "needs a verb and a resource"},
		"both":                {Question{Verb: "get", Resource: "pods", Namespace: "a", All: true}, Request{}, "", "at once"},
		"too much":            {Question{Verb: "get", Resource: "pods/a/b/c"}, Request{}, "", "is not RESOURCE"},
		"nothing between":     {Question{Verb: "get", Resource: "pods//exec"}, Request{}, "", "is not RESOURCE"},
		"nothing behind":      {Question{Verb: "get", Resource: "pods/"}, Request{}, "", "is not RESOURCE"},
		"two subresources":    {Question{Verb: "get", Resource: "pods/a/log", Subresource: &exec}, Request{}, "", "given twice"},
		"nothing but a group": {Question{Verb: "get", Resource: ".apps"}, Request{}, "", "is not RESOURCE"},
	} {
		t.Run(n, func(t *testing.T) {
			t.Parallel()
			got, notes, err := tc.q.Parse()
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("error %v, want %q", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if said := strings.Join(notes, "\n"); !strings.Contains(said, tc.notes) || tc.notes == "" && said != "" {
				t.Errorf("notes %q, want %q", said, tc.notes)
			}
		})
	}
}

// TestResources: the table reads, and no name of a group means two of its resources.
func TestResources(t *testing.T) {
	t.Parallel()
	for n, list := range byName() {
		groups := map[string]string{}
		for _, r := range list {
			if groups[r.Group] != "" && groups[r.Group] != r.Name || r.Name == "" {
				t.Errorf("%s of %q means %q and %q", n, r.Group, r.Name, groups[r.Group])
			}
			groups[r.Group] = r.Name
		}
	}
	if r, ok := FindResource("pods", ""); !ok || !r.Namespaced || !r.HasSubresource("exec") || r.HasSubresource("status ") {
		t.Errorf("pods: %+v", r)
	}
}

func FuzzQuestion(f *testing.F) {
	f.Add("get", "pods/exec", "", false, "")
	f.Add("get", "deploy.v1.apps/x/scale", "a", false, "x")
	f.Add("*", "*.*", "", true, "")
	f.Fuzz(func(t *testing.T, verb, resource, namespace string, all bool, sub string) {
		q := Question{Verb: verb, Resource: resource, Namespace: namespace, All: all}
		if sub != "" {
			q.Subresource = &sub
		}
		r, _, err := q.Parse()
		if err == nil && (r.Verb != verb || r.Resource == "" && r.NonResourceURL == "") {
			t.Errorf("%+v is read as %+v", q, r)
		}
	})
}
