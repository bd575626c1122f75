package diff

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/component-helpers/auth/rbac/validation"
	"pgregory.net/rapid"

	"drawbridge/internal/rbac"
)

// say writes a rule in one line: "get,list on pods of apps named a in x,y".
func say(r Rule) string {
	s := strings.Join(r.Verbs, ",") + " on "
	if len(r.NonResourceURLs) > 0 {
		return s + strings.Join(r.NonResourceURLs, ",")
	}
	s += strings.Join(r.Resources, ",")
	if g := strings.Join(r.APIGroups, ","); g != "" {
		s += " of " + g
	}
	if len(r.ResourceNames) > 0 {
		s += " named " + strings.Join(r.ResourceNames, ",")
	}
	if r.Namespaces != nil {
		s += " in " + strings.Join(r.Namespaces, ",")
	}
	return s
}

func sayAll(list []Excess) []string {
	var out []string
	for _, e := range list {
		s := say(e.Rule)
		for i, x := range e.Except {
			s += []string{" but ", " and "}[min(i, 1)] + say(x)
		}
		out = append(out, s+" ("+e.Witness.String()+")")
	}
	return out
}

// r reads a rule: verbs, resources, namespaces, names, all with commas; "-" for namespaces is the whole cluster.
func r(verbs, resources, namespaces string, names ...string) Rule {
	rule := Rule{PolicyRule: rbacv1.PolicyRule{Verbs: strings.Split(verbs, ","), APIGroups: []string{""}, Resources: strings.Split(resources, ","), ResourceNames: names}}
	if resources == "*" {
		rule.APIGroups = []string{"*"}
	}
	if strings.HasPrefix(resources, "/") {
		rule.PolicyRule = rbacv1.PolicyRule{Verbs: strings.Split(verbs, ","), NonResourceURLs: strings.Split(resources, ",")}
	}
	if namespaces != "-" {
		rule.Namespaces = strings.Split(namespaces, ",")
	}
	return rule
}

func TestRules(t *testing.T) {
	type rules = []Rule
	for name, tc := range map[string]struct {
		a, b rules
		want []string
	}{
		"nothing":               {nil, rules{r("get", "pods", "-")}, nil},
		"all of it":             {rules{r("get,list", "pods", "-")}, nil, []string{"get,list on pods (get pods)"}},
		"the same, split":       {rules{r("get,list", "pods,secrets", "-")}, rules{r("get", "secrets,pods", "-"), r("list", "pods", "-"), r("list", "secrets", "-")}, nil},
		"the same, twice":       {rules{r("get", "pods", "-"), r("get", "pods", "-")}, rules{r("get", "pods", "-")}, nil},
		"some verbs":            {rules{r("get,list,watch", "pods", "-")}, rules{r("get", "pods", "-")}, []string{"list,watch on pods (list pods)"}},
		"joined again":          {rules{r("get", "pods", "-"), r("list", "pods", "-"), r("get,list", "secrets", "-")}, nil, []string{"get,list on pods,secrets (get secrets)"}},
		"a wildcard covers":     {rules{r("get", "pods/log", "a")}, rules{r("*", "*", "-")}, nil},
		"subresource wildcard":  {rules{r("get", "*/log", "-")}, rules{r("get", "pods/log", "-")}, []string{"get on */log but get on pods/log (get secrets/log)"}},
		"pods/* is no wildcard": {rules{r("get", "pods/log", "-")}, rules{r("get", "pods/*", "-")}, []string{"get on pods/log (get pods/log)"}},
		"a name":                {rules{r("get", "secrets", "-")}, rules{r("get", "secrets", "-", "a")}, []string{"get on secrets but get on secrets named a (get secrets)"}},
		"other names":           {rules{r("get", "secrets", "-", "a", "b")}, rules{r("get", "secrets", "-", "a")}, []string{"get on secrets named b (get secrets b)"}},
		"wider":                 {rules{r("*", "*", "-")}, rules{r("get", "pods", "a")}, []string{"* on * of * but get on pods in a (get secrets)"}},
		"cluster, not the sum of namespaces": {
			rules{r("get", "pods", "-")},
			rules{r("get", "pods", "a"), r("get", "pods", "b")},
			[]string{"get on pods but get on pods in a,b (get pods)"},
		},
		"some namespaces":        {rules{r("get", "pods", "a,b,c")}, rules{r("get", "pods", "b")}, []string{"get on pods in a,c (get pods in a)"}},
		"namespace pattern":      {rules{r("get", "pods", "dev-a")}, rules{r("get", "pods", "dev-*")}, nil},
		"pattern, not its known": {rules{r("get", "pods", "dev-*")}, rules{r("get", "pods", "dev-a,dev-b")}, []string{"get on pods in dev-* but get on pods in dev-a,dev-b (get pods in dev-)"}},
		"patterns that overlap":  {rules{r("get", "pods", "dev-*")}, rules{r("get", "pods", "*-a")}, []string{"get on pods in dev-* but get on pods in *-a (get pods in dev-)"}},
		"patterns that cover together": {
			rules{r("get", "pods", "a*b*")}, rules{r("get", "pods", "a*b"), r("get", "pods", "a*b*c*"), r("get", "pods", "a*")}, nil,
		},
		"every namespace is not the cluster": {rules{r("get", "pods", "-")}, rules{r("get", "pods", "*")}, []string{"get on pods but get on pods in * (get pods)"}},
		"URLs":                               {rules{r("get", "/healthz,/logs/*", "-")}, rules{r("get", "/logs/*", "-")}, []string{"get on /healthz (get /healthz)"}},
		"URL below a prefix":                 {rules{r("get", "/logs/*", "-")}, rules{r("get", "/logs/a*", "-")}, []string{"get on /logs/* but get on /logs/a* (get /logs/)"}},
		"URLs count in the cluster only":     {rules{r("get", "/healthz", "a")}, nil, nil},
		"/* is all":                          {rules{r("get", "/*", "-")}, rules{{PolicyRule: rbacv1.PolicyRule{Verbs: []string{"get"}, NonResourceURLs: []string{"*"}}}}, nil},
		"everything has URLs too":            {rules{r("*", "*", "-"), {PolicyRule: rbacv1.PolicyRule{Verbs: []string{"*"}, NonResourceURLs: []string{"*"}}}}, rules{r("*", "*", "-")}, []string{"* on * (get /metrics)"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Rules(tc.a, tc.b)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, sayAll(got)); d != "" {
				t.Error(d)
			}
		})
	}
}

func allowedBy(rules []Rule, q rbac.Request) bool {
	return slices.ContainsFunc(rules, func(r Rule) bool { return r.Allows(q) })
}

func genRule(t *rapid.T) Rule {
	list := func(label string, most int, from ...string) []string {
		return rapid.SliceOfN(rapid.SampledFrom(from), 0, most).Draw(t, label)
	}
	rule := Rule{PolicyRule: rbacv1.PolicyRule{Verbs: list("verbs", 3, "get", "list", "create", "*")}}
	if rapid.Bool().Draw(t, "in namespaces") {
		rule.Namespaces = append([]string{}, list("namespaces", 3, "a", "b", "dev-a", "dev-b", "dev-*", "*-a", "*", "*v*", "d*a", "")...)
	}
	if rapid.IntRange(0, 4).Draw(t, "about URLs") == 0 {
		rule.NonResourceURLs = list("urls", 3, "/a", "/a/*", "/a*", "/a/b", "/a/b**", "*", "/*", "/", "**", "a*", "/a/*/b")
		return rule
	}
	rule.APIGroups = list("groups", 2, "", "apps", "*")
	rule.Resources = list("resources", 3, "pods", "pods/log", "*/log", "*/exec", "nodes/log", "*", "pods/*", "pods/", "*/", "nodes", "a/b/c", "*/b/c")
	rule.ResourceNames = list("names", 2, "x", "y", "", "*")
	return rule
}

func genRequest(t *rapid.T) rbac.Request {
	one := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
	if one("about", "resources", "resources", "resources", "URLs") == "URLs" {
		return rbac.Request{Verb: one("verb", "get", "list", "patch"), NonResourceURL: one("url", "/a", "/a/b", "/a/bc", "/a/c", "/ab", "/", "/b", "/a/*/b", "/a/b*")}
	}
	return rbac.Request{
		Verb: one("verb", "get", "list", "create", "patch"), APIGroup: one("group", "", "apps", "batch"), Resource: one("resource", "pods", "nodes", "jobs", "a"),
		Subresource: one("sub", "", "", "log", "exec", "scale", "*", "b/c"), Name: one("name", "", "x", "y", "z", "*"),
		Namespace: one("namespace", "", "a", "b", "c", "dev-a", "dev-b", "dev-c", "dev-", "x-a", "d-a", "dvda"),
	}
}

// The difference is exact: a request is in it if and only if one side allows it and the other does not.
func TestRulesAgreeWithRequests(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOfN(rapid.Custom(genRule), 0, 4).Draw(t, "a"), rapid.SliceOfN(rapid.Custom(genRule), 0, 4).Draw(t, "b")
		only, err := Rules(a, b)
		if err != nil {
			t.Fatal(err)
		}
		for range 60 {
			q := genRequest(t)
			want := allowedBy(a, q) && !allowedBy(b, q)
			if got := slices.ContainsFunc(only, func(e Excess) bool { return e.Allows(q) }); got != want {
				t.Fatalf("%s: in the difference %v, want %v\n%s", q, got, want, strings.Join(sayAll(only), "\n"))
			}
		}
		for _, e := range only {
			if !allowedBy(a, e.Witness) || allowedBy(b, e.Witness) || !e.Allows(e.Witness) {
				t.Fatalf("%s is no witness of %s", e.Witness, say(e.Rule))
			}
		}
		if same, _ := Rules(a, a); len(same) > 0 {
			t.Fatalf("a without itself is %s", sayAll(same))
		}
		if wider, _ := Rules(a, append(slices.Clone(a), b...)); len(wider) > 0 {
			t.Fatalf("a without more than itself is %s", sayAll(wider))
		}
	})
}

// Where Kubernetes says that rules cover others, nothing is left of these. The reverse need not hold: Kubernetes asks of
// each rule alone, verb by verb.
func TestRulesAgreeWithCovers(t *testing.T) {
	clusterwide := func(rules []Rule) (out []rbacv1.PolicyRule) {
		for i := range rules {
			rules[i].Namespaces = nil
			rules[i].NonResourceURLs = slices.DeleteFunc(rules[i].NonResourceURLs, func(u string) bool { return strings.Count(u, "*") > 1 })
			out = append(out, rules[i].PolicyRule)
		}
		return out
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOfN(rapid.Custom(genRule), 0, 3).Draw(t, "a"), rapid.SliceOfN(rapid.Custom(genRule), 0, 3).Draw(t, "b")
		covers, _ := validation.Covers(clusterwide(b), clusterwide(a))
		only, err := Rules(a, b)
		if err != nil {
			t.Fatal(err)
		}
		if covers && len(only) > 0 {
			t.Fatalf("covered, and yet left: %s", sayAll(only))
		}
	})
}

// Many namespaces beside a pattern are no trouble.
func TestManyNamespaces(t *testing.T) {
	all := make([]string, 2000)
	for i := range all {
		all[i] = fmt.Sprintf("team-%d-namespace", i)
	}
	a := []Rule{r("get", "pods", strings.Join(all, ","))}
	if only, err := Rules(a, []Rule{r("get", "pods", "team-*-namespace")}); err != nil || len(only) > 0 {
		t.Errorf("%v %v", sayAll(only), err)
	}
	only, err := Rules(append(a, r("get", "pods", "team-1*")), a)
	if err != nil || len(only) != 1 || len(only[0].Except) != 1 {
		t.Errorf("%v %v", sayAll(only), err)
	}
}

func TestEntangled(t *testing.T) {
	var a, b []Rule
	for c := 'a'; c <= 'z'; c++ {
		a = append(a, r("get", "pods", fmt.Sprintf("*%c*", c)))
		b = append(b, r("get", "pods", fmt.Sprintf("*%c", c)))
	}
	if _, err := Rules(a, b); !errors.Is(err, ErrEntangled) {
		t.Errorf("got %v", err)
	}
}
