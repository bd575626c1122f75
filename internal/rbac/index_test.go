package rbac

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

var (
	readPods    = rule(l("get", "list"), l("pods"))
	readSecrets = rule(l("get"), l("secrets"))
)

func user(name string) rbacv1.Subject  { return rbacv1.Subject{Kind: "User", Name: name} }
func group(name string) rbacv1.Subject { return rbacv1.Subject{Kind: "Group", Name: name} }
func sa(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: "ServiceAccount", Namespace: namespace, Name: name}
}

func binding(namespace, name, kind, role string, subjects ...rbacv1.Subject) Binding {
	return Binding{namespace, name, rbacv1.RoleRef{Kind: kind, Name: role}, subjects}
}

// world is a small cluster for the tables.
func world() *Index {
	return NewIndex([]Role{
		{Name: "pods", Rules: []rbacv1.PolicyRule{readPods}},
		{Name: "secrets", Rules: []rbacv1.PolicyRule{readPods, readSecrets}},
		{Namespace: "shop", Name: "local", Rules: []rbacv1.PolicyRule{readSecrets}},
	}, []Binding{
		binding("", "all-pods", "ClusterRole", "pods", user("ann"), group("team")),
		binding("shop", "shop-secrets", "ClusterRole", "secrets", sa("", "web"), sa("bank", "web")),
		binding("shop", "shop-local", "Role", "local", group("system:serviceaccounts:bank")),
		binding("", "no-namespace", "ClusterRole", "secrets", sa("", "web")),
		binding("", "not-a-role", "Role", "local", user("ann")),
		binding("", "named-like-a-cluster-role", "Role", "pods", user("cat")),
		binding("", "twice", "ClusterRole", "pods", user("dan"), user("dan")),
		binding("bank", "gone", "ClusterRole", "gone", user("bob")),
		binding("shop", "odd", "ClusterRole", "secrets", rbacv1.Subject{Kind: "user", Name: "ann"}),
	})
}

// chain renders a grant for comparison.
func chain(x Grant) string {
	if x.Binding == nil {
		return ""
	}
	s := x.SubjectOf()
	return fmt.Sprintf("%s %s → %s %s → %s %s #%d", s.Kind, s.Name, x.Binding.Kind(), x.Binding.Name, x.Role.Kind(), x.Role.Name, x.Rule)
}

func chains(grants []Grant) []string {
	var out []string
	for _, g := range grants {
		out = append(out, chain(g))
	}
	return out
}

func TestAuthorize(t *testing.T) {
	req := func(h Holder, namespace, resource string) Request {
		return Request{User: h.User, Groups: h.Groups, Verb: "get", Namespace: namespace, Resource: resource}
	}
	for name, tc := range map[string]struct {
		req   Request
		want  Decision
		chain string
	}{
		"user cluster-wide":                          {req(Authenticated("ann"), "", "pods"), Allowed, "User ann → ClusterRoleBinding all-pods → ClusterRole pods #0"},
		"a ClusterRoleBinding counts in a namespace": {req(Authenticated("ann"), "shop", "pods"), Allowed, "User ann → ClusterRoleBinding all-pods → ClusterRole pods #0"},
		"group":                         {req(Authenticated("zoe", "team"), "", "pods"), Allowed, "Group team → ClusterRoleBinding all-pods → ClusterRole pods #0"},
		"user names are case-sensitive": {req(Authenticated("Ann"), "", "pods"), NotAllowed, ""},
		"service account of the binding's namespace": {
			req(ServiceAccount("shop", "web"), "shop", "secrets"), Allowed,
			"ServiceAccount web → RoleBinding shop-secrets → ClusterRole secrets #1",
		},
		"a RoleBinding counts nowhere else": {req(ServiceAccount("shop", "web"), "bank", "secrets"), NotAllowed, ""},
		"nor cluster-wide":                  {req(ServiceAccount("shop", "web"), "", "secrets"), NotAllowed, ""},
		"service account of another namespace": {
			req(ServiceAccount("bank", "web"), "shop", "pods"), Allowed,
			"ServiceAccount web → RoleBinding shop-secrets → ClusterRole secrets #0",
		},
		"group of service accounts": {
			req(ServiceAccount("bank", "job"), "shop", "secrets"), Allowed,
			"Group system:serviceaccounts:bank → RoleBinding shop-local → Role local #0",
		},
		"service account by its username": {
			req(Holder{User: "system:serviceaccount:shop:web"}, "shop", "secrets"), Allowed,
			"ServiceAccount web → RoleBinding shop-secrets → ClusterRole secrets #1",
		},
		"missing role":                   {req(Authenticated("bob"), "bank", "pods"), Unknown, ""},
		"missing role elsewhere":         {req(Authenticated("bob"), "shop", "pods"), NotAllowed, ""},
		"a ClusterRoleBinding to a Role": {req(Authenticated("ann"), "shop", "secrets"), Unknown, ""},
		"a ClusterRole is no Role":       {req(Authenticated("cat"), "", "pods"), Unknown, ""},
		"masters":                        {req(Authenticated("eve", GroupMasters), "", "anything"), Allowed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, g := world().Authorize(tc.req)
			if got != tc.want || chain(g) != tc.chain {
				t.Errorf("%s: %s by %q, want %s by %q", tc.req, got, chain(g), tc.want, tc.chain)
			}
		})
	}
}

func TestHolders(t *testing.T) {
	for name, tc := range map[string]struct {
		got  []Grant
		want []string
	}{
		"in a namespace": {world().Holders(Request{Verb: "get", Resource: "secrets", Namespace: "shop"}), []string{
			"ServiceAccount web → RoleBinding shop-secrets → ClusterRole secrets #1",
			"ServiceAccount web → RoleBinding shop-secrets → ClusterRole secrets #1",
			"Group system:serviceaccounts:bank → RoleBinding shop-local → Role local #0",
		}},
		"cluster-wide": {world().Holders(Request{Verb: "get", Resource: "pods"}), []string{
			"User ann → ClusterRoleBinding all-pods → ClusterRole pods #0",
			"Group team → ClusterRoleBinding all-pods → ClusterRole pods #0",
			"User dan → ClusterRoleBinding twice → ClusterRole pods #0",
			"User dan → ClusterRoleBinding twice → ClusterRole pods #0",
		}},
		"anywhere": {world().HoldersAnywhere(Request{Verb: "list", Resource: "pods"}), []string{
			"User ann → ClusterRoleBinding all-pods → ClusterRole pods #0",
			"Group team → ClusterRoleBinding all-pods → ClusterRole pods #0",
			"ServiceAccount web → RoleBinding shop-secrets → ClusterRole secrets #0",
			"ServiceAccount web → RoleBinding shop-secrets → ClusterRole secrets #0",
			"User dan → ClusterRoleBinding twice → ClusterRole pods #0",
			"User dan → ClusterRoleBinding twice → ClusterRole pods #0",
		}},
		"nobody": {world().HoldersAnywhere(Request{Verb: "delete", Resource: "pods"}), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, chains(tc.got)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestGrants(t *testing.T) {
	x := world()
	grants, missing := x.Grants(Authenticated("ann", "team"))
	want := []string{"User ann → ClusterRoleBinding all-pods → ClusterRole pods #0"}
	if d := cmp.Diff(want, chains(grants)); d != "" || len(missing) != 1 || missing[0].Name != "not-a-role" {
		t.Errorf("everywhere: %s missing %v", d, missing)
	}
	grants, missing = x.GrantsIn(ServiceAccount("shop", "web"), "shop")
	want = []string{"ServiceAccount web → RoleBinding shop-secrets → ClusterRole secrets #0", "ServiceAccount web → RoleBinding shop-secrets → ClusterRole secrets #1"}
	if d := cmp.Diff(want, chains(grants)); d != "" || missing != nil {
		t.Errorf("in shop: %s missing %v", d, missing)
	}
	grants, _ = x.Grants(Authenticated("dan"))
	if d := cmp.Diff([]string{"User dan → ClusterRoleBinding twice → ClusterRole pods #0"}, chains(grants)); d != "" {
		t.Errorf("a subject that stands twice: %s", d)
	}
	if grants, missing = x.GrantsIn(ServiceAccount("shop", "web"), ""); grants != nil || missing != nil {
		t.Errorf("cluster-wide: %v missing %v", chains(grants), missing)
	}
}

func TestAggregate(t *testing.T) {
	choose := func(label string) *rbacv1.AggregationRule {
		return &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{label: "true"}}}}
	}
	on := func(labels ...string) map[string]string {
		m := map[string]string{}
		for _, k := range labels {
			m[k] = "true"
		}
		return m
	}
	x, y, z := rule(l("x"), l("x")), rule(l("y"), l("y")), rule(l("z"), l("z"))
	bad := &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}}}
	every := &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{}}}
	rules := func(r ...rbacv1.PolicyRule) []rbacv1.PolicyRule { return r }
	for name, tc := range map[string]struct {
		roles []Role
		want  []rbacv1.PolicyRule // of the first role
	}{
		"its own rules count for nothing": {[]Role{{Name: "a", Aggregation: choose("k"), Rules: rules(z)}, {Name: "b", Labels: on("k"), Rules: rules(x)}}, rules(x)},
		"by name, each rule once":         {[]Role{{Name: "a", Aggregation: choose("k")}, {Name: "c", Labels: on("k"), Rules: rules(y, x)}, {Name: "b", Labels: on("k"), Rules: rules(x)}}, rules(x, y)},
		"aggregates of aggregates":        {[]Role{{Name: "a", Aggregation: choose("k")}, {Name: "b", Labels: on("k"), Aggregation: choose("m")}, {Name: "c", Labels: on("m"), Rules: rules(x)}}, rules(x)},
		"a circle":                        {[]Role{{Name: "a", Labels: on("m"), Aggregation: choose("k")}, {Name: "b", Labels: on("k"), Aggregation: choose("m")}, {Name: "c", Labels: on("m"), Rules: rules(x)}}, rules(x)},
		"itself":                          {[]Role{{Name: "a", Labels: on("k"), Aggregation: choose("k"), Rules: rules(z)}}, nil},
		"an empty selector chooses all":   {[]Role{{Name: "a", Aggregation: every}, {Name: "b", Rules: rules(x)}}, rules(x)},
		"no selector chooses none":        {[]Role{{Name: "a", Aggregation: &rbacv1.AggregationRule{}}, {Name: "b", Rules: rules(x)}}, nil},
		"Roles are not chosen":            {[]Role{{Name: "a", Aggregation: every}, {Namespace: "n", Name: "b", Rules: rules(x)}}, nil},
		"a Role does not aggregate":       {[]Role{{Namespace: "n", Name: "a", Aggregation: every, Rules: rules(z)}, {Name: "b", Rules: rules(x)}}, rules(z)},
		"a selector that is not valid":    {[]Role{{Name: "a", Aggregation: bad, Rules: rules(z)}, {Name: "b", Rules: rules(x)}}, rules(z)},
	} {
		t.Run(name, func(t *testing.T) {
			before := fmt.Sprint(tc.roles)
			if d := cmp.Diff(tc.want, Aggregate(tc.roles)[0].Rules); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if fmt.Sprint(tc.roles) != before {
				t.Error("the input changed")
			}
		})
	}
}

// TestHoldersAgreeWithAuthorize asks both ways: every holder is allowed, and whoever is allowed is a holder.
func TestHoldersAgreeWithAuthorize(t *testing.T) {
	names := []string{"a", "b"}
	rapid.Check(t, func(t *rapid.T) {
		one := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
		var roles []Role
		for _, n := range names {
			roles = append(roles, Role{Name: n, Rules: []rbacv1.PolicyRule{genRule(t)}}, Role{Namespace: "n", Name: n, Rules: []rbacv1.PolicyRule{genRule(t), genRule(t)}})
		}
		var bindings []Binding
		for range rapid.IntRange(0, 4).Draw(t, "bindings") {
			bindings = append(bindings, binding(one("namespace", "", "n", "m"), "x", one("kind", "Role", "ClusterRole"), one("role", names...),
				user(one("user", names...)), group(one("group", names...)), sa(one("sa namespace", "", "n"), "a")))
		}
		r := genRequest(t)
		r.Namespace = one("in", "", "n", "m")
		x := NewIndex(roles, bindings)
		holders := x.Holders(r)
		for _, g := range holders {
			ask := r
			if u, group := Names(*g.SubjectOf(), g.Binding.Namespace); group != "" {
				ask.Groups = []string{group}
			} else {
				ask.User = u
			}
			if d, _ := x.Authorize(ask); d != Allowed {
				t.Fatalf("%s holds %s, but is %s", chain(g), ask, d)
			}
		}
		r.User = "a"
		if d, g := x.Authorize(r); d == Allowed {
			for _, h := range holders {
				if h == g {
					return
				}
			}
			t.Fatalf("%s is allowed by %s, which is not among the holders", r, chain(g))
		}
	})
}

// crowd is a cluster with many bindings.
func crowd(bindings int) ([]Role, []Binding) {
	var roles []Role
	for i := range bindings / 10 {
		roles = append(roles, Role{Name: fmt.Sprint("r", i), Rules: []rbacv1.PolicyRule{readPods, rule(l("get"), l("configmaps"), fmt.Sprint("c", i))}})
	}
	var list []Binding
	for i := range bindings {
		ns := fmt.Sprint("ns", i%200)
		list = append(list, binding(ns, fmt.Sprint("b", i), "ClusterRole", fmt.Sprint("r", i%len(roles)), sa(ns, fmt.Sprint("sa", i)), group(fmt.Sprint("g", i%500))))
	}
	return roles, list
}

func BenchmarkNewIndex20000(b *testing.B) {
	roles, bindings := crowd(20_000)
	for b.Loop() {
		NewIndex(roles, bindings)
	}
}

func BenchmarkAuthorize20000(b *testing.B) {
	x := NewIndex(crowd(20_000))
	h := ServiceAccount("ns7", "sa7")
	r := Request{User: h.User, Groups: append(h.Groups, "g7"), Verb: "get", Namespace: "ns7", Resource: "pods", Name: "x"}
	for b.Loop() {
		if d, _ := x.Authorize(r); d != Allowed {
			b.Fatal(d)
		}
	}
}

func BenchmarkHolders20000(b *testing.B) {
	x := NewIndex(crowd(20_000))
	for b.Loop() {
		if len(x.HoldersAnywhere(Request{Verb: "get", Resource: "configmaps", Name: "c5"})) == 0 {
			b.Fatal("nobody")
		}
	}
}
