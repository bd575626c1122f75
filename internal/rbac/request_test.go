package rbac

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/component-helpers/auth/rbac/validation"
	"pgregory.net/rapid"
)

// rule makes a rule on the core group; names are optional.
func rule(verbs, resources []string, names ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: verbs, APIGroups: []string{""}, Resources: resources, ResourceNames: names}
}

func l(s ...string) []string { return s }

func TestAllows(t *testing.T) {
	get := func(resource, sub, name string) Request {
		return Request{Verb: "get", Resource: resource, Subresource: sub, Name: name}
	}
	url := func(verb, path string) Request { return Request{Verb: verb, NonResourceURL: path} }
	urls := func(verb string, paths ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{Verbs: l(verb), NonResourceURLs: paths}
	}
	for name, tc := range map[string]struct {
		rule rbacv1.PolicyRule
		req  Request
		want bool
	}{
		"exact":                           {rule(l("get"), l("pods")), get("pods", "", "a"), true},
		"other verb":                      {rule(l("list"), l("pods")), get("pods", "", "a"), false},
		"any verb":                        {rule(l("*"), l("pods")), get("pods", "", "a"), true},
		"verbs are case-sensitive":        {rule(l("GET"), l("pods")), get("pods", "", "a"), false},
		"other group":                     {rule(l("get"), l("pods")), Request{Verb: "get", APIGroup: "apps", Resource: "pods"}, false},
		"any group":                       {rbacv1.PolicyRule{Verbs: l("get"), APIGroups: l("*"), Resources: l("pods")}, Request{Verb: "get", APIGroup: "apps", Resource: "pods"}, true},
		"no group":                        {rbacv1.PolicyRule{Verbs: l("get"), Resources: l("pods")}, get("pods", "", ""), false},
		"subresource is not its parent":   {rule(l("get"), l("pods")), get("pods", "log", "a"), false},
		"parent is not its subresource":   {rule(l("get"), l("pods/log")), get("pods", "", "a"), false},
		"subresource":                     {rule(l("get"), l("pods/log")), get("pods", "log", "a"), true},
		"any resource and subresource":    {rule(l("get"), l("*")), get("pods", "exec", "a"), true},
		"subresource of any resource":     {rule(l("get"), l("*/log")), get("pods", "log", "a"), true},
		"not of a longer one":             {rule(l("get"), l("*/log")), get("pods", "xlog", "a"), false},
		"not of a shorter one":            {rule(l("get"), l("*/xlog")), get("pods", "log", "a"), false},
		"not without subresource":         {rule(l("get"), l("*/")), get("pods", "", "a"), false},
		"a trailing slash is no resource": {rule(l("get"), l("pods/")), get("pods", "", "a"), false},
		"pods/* matches nothing real":     {rule(l("get"), l("pods/*")), get("pods", "log", "a"), false},
		"pods/* matches its own spelling": {rule(l("get"), l("pods/*")), get("pods", "*", "a"), true},
		"po* matches nothing real":        {rule(l("get"), l("po*")), get("pods", "", "a"), false},
		"name":                            {rule(l("get"), l("pods"), "a"), get("pods", "", "a"), true},
		"other name":                      {rule(l("get"), l("pods"), "a"), get("pods", "", "b"), false},
		"a name limits list":              {rule(l("get"), l("pods"), "a"), get("pods", "", ""), false},
		"names have no wildcard":          {rule(l("get"), l("pods"), "*"), get("pods", "", "a"), false},
		"URL":                             {urls("get", "/healthz"), url("get", "/healthz"), true},
		"URL below":                       {urls("get", "/healthz"), url("get", "/healthz/x"), false},
		"URL prefix":                      {urls("get", "/healthz/*"), url("get", "/healthz/x"), true},
		"URL prefix without slash":        {urls("get", "/healthz/*"), url("get", "/healthz"), false},
		"every URL":                       {urls("get", "*"), url("get", "/x"), true},
		"asterisk inside":                 {urls("get", "/a/*/b"), url("get", "/a/x/b"), false},
		"several asterisks at the end":    {urls("get", "/a**"), url("get", "/ab"), true},
		"URL needs the verb":              {urls("get", "*"), url("post", "/x"), false},
		"a resource rule allows no URL":   {rule(l("*"), l("*")), url("get", "/x"), false},
		"a URL rule allows no resource":   {urls("*", "*"), get("pods", "", ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Allows(tc.rule, tc.req); got != tc.want {
				t.Errorf("%s by %v: %v", tc.req, tc.rule, got)
			}
		})
	}
}

func TestRequestString(t *testing.T) {
	for want, r := range map[string]Request{
		"get /healthz":                      {Verb: "get", NonResourceURL: "/healthz"},
		"create pods/exec web in shop":      {Verb: "create", Resource: "pods", Subresource: "exec", Name: "web", Namespace: "shop"},
		"list deployments.apps":             {Verb: "list", Resource: "deployments", APIGroup: "apps"},
		"update deployments/scale.apps web": {Verb: "update", Resource: "deployments", Subresource: "scale", APIGroup: "apps", Name: "web"},
	} {
		if got := r.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// genRule draws small rules that often meet each other. As the API server demands, a rule is about resources or
// about URLs.
func genRule(t *rapid.T) rbacv1.PolicyRule {
	list := func(label string, from ...string) []string {
		return rapid.SliceOfN(rapid.SampledFrom(from), 0, 2).Draw(t, label)
	}
	verbs := list("verbs", "get", "list", "*")
	if rapid.Bool().Draw(t, "about URLs") {
		return rbacv1.PolicyRule{Verbs: verbs, NonResourceURLs: list("urls", "/a", "/a/*", "*")}
	}
	return rbacv1.PolicyRule{
		Verbs: verbs, APIGroups: list("groups", "", "apps", "*"),
		Resources: list("resources", "pods", "pods/log", "*/log", "*"), ResourceNames: list("names", "a", "b"),
	}
}

func genRequest(t *rapid.T) Request {
	one := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	return Request{
		Verb: one("verb", "get", "list"), APIGroup: one("group", "", "apps"), Resource: one("resource", "pods", "nodes"),
		Subresource: one("sub", "", "log"), Name: one("name", "", "a"), NonResourceURL: one("url", "", "", "/a", "/a/b"),
	}
}

func allowedBy(rules []rbacv1.PolicyRule, r Request) bool {
	for _, p := range rules {
		if Allows(p, r) {
			return true
		}
	}
	return false
}

// What covers, as the API server's escalation check decides it, allows all that is covered.
func TestCoveredIsAllowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, r := []rbacv1.PolicyRule{genRule(t), genRule(t)}, []rbacv1.PolicyRule{genRule(t)}, genRequest(t)
		if covered, _ := validation.Covers(a, b); covered && allowedBy(b, r) && !allowedBy(a, r) {
			t.Fatalf("%v covers %v, but %s is allowed by the latter only", a, b, r)
		}
	})
}
