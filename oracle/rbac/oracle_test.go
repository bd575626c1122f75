package oracle

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	rbacregistry "k8s.io/kubernetes/pkg/registry/rbac/validation"
	realrbac "k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"

	"drawbridge/internal/rbac"
)

var (
	requests = flag.Int("requests", 200_000, "requests to compare")
	seed     = flag.Uint64("seed", 1, "seed of the generator")
)

const perWorld = 20

func TestAgainstTheRealAuthorizer(t *testing.T) {
	count := map[string]int{}
	bad := 0
	for n := 0; n < *requests; n += perWorld {
		g := gen{rand.New(rand.NewPCG(*seed, uint64(n)))}
		w := g.world()
		resolver, static := rbacregistry.NewTestRuleResolver(w.real.roles, w.real.roleBindings, w.real.clusterRoles, w.real.clusterRoleBindings)
		real := realrbac.New(static, static, static, static)
		index := rbac.NewIndex(w.roles, w.bindings)
		for range perWorld {
			r := g.request(w)
			want, got := realAnswer(real, r), ourAnswer(index, r)
			count[want.decision]++
			if r.NonResourceURL != "" {
				count["URL"]++
			}
			if d := cmp.Diff(want, got, cmp.AllowUnexported(answer{})); d != "" {
				t.Errorf("request %+v (-real +ours):\n%s", r, d)
				bad++
			}
			bad += compareHolders(t, real, index, r)
		}
		bad += compareRules(t, g, resolver, index)
		if bad > 20 {
			t.Fatal("too many mismatches")
		}
	}
	t.Logf("%d mismatches in %d requests: %v", bad, *requests, count)
	for _, d := range []rbac.Decision{rbac.Allowed, rbac.NotAllowed, rbac.Unknown} {
		if *requests >= 1000 && count[string(d)] < *requests/100 {
			t.Errorf("the generator hardly makes requests that are %s: %v", d, count)
		}
	}
}

// answer is the common form of both sides' results.
type answer struct{ decision, chain string }

func realAnswer(a *realrbac.RBACAuthorizer, r rbac.Request) answer {
	d, reason, _ := a.Authorize(context.Background(), attributes(r))
	switch {
	case d == authorizer.DecisionAllow:
		return answer{string(rbac.Allowed), reason}
	case reason != "": // a binding's role was not found
		return answer{string(rbac.Unknown), ""}
	}
	return answer{string(rbac.NotAllowed), ""}
}

func attributes(r rbac.Request) authorizer.Attributes {
	return authorizer.AttributesRecord{
		User: &user.DefaultInfo{Name: r.User, Groups: r.Groups}, Verb: r.Verb, Namespace: r.Namespace, APIGroup: r.APIGroup,
		Resource: r.Resource, Subresource: r.Subresource, Name: r.Name, Path: r.NonResourceURL, ResourceRequest: r.NonResourceURL == "",
	}
}

// ourAnswer renders the chain in the authorizer's words.
func ourAnswer(x *rbac.Index, r rbac.Request) answer {
	d, g := x.Authorize(r)
	if d != rbac.Allowed {
		return answer{string(d), ""}
	}
	name, subject := g.Binding.Name, g.SubjectOf()
	who := subject.Name
	if g.Binding.Namespace != "" {
		name += "/" + g.Binding.Namespace
	}
	if subject.Kind == rbacv1.ServiceAccountKind {
		ns := subject.Namespace
		if ns == "" {
			ns = g.Binding.Namespace
		}
		who += "/" + ns
	}
	return answer{string(d), fmt.Sprintf("RBAC: allowed by %s %q of %s %q to %s %q", g.Binding.Kind(), name, g.Binding.RoleRef.Kind, g.Binding.RoleRef.Name, subject.Kind, who)}
}

// compareHolders asks the real authorizer about every user and group alone.
func compareHolders(t *testing.T, real *realrbac.RBACAuthorizer, x *rbac.Index, r rbac.Request) int {
	hasUser, hasGroup := map[string]bool{}, map[string]bool{}
	for _, g := range x.Holders(r) {
		if u, group := rbac.Names(*g.SubjectOf(), g.Binding.Namespace); group != "" {
			hasGroup[group] = true
		} else {
			hasUser[u] = true
		}
	}
	bad := 0
	for _, u := range users {
		if u == "" {
			continue // nobody authenticates with an empty name and no group
		}
		r.User, r.Groups = u, nil
		if want := realAnswer(real, r).decision == string(rbac.Allowed); want != hasUser[u] {
			t.Errorf("%s by user %q: really %v, a holder %v", r, u, want, hasUser[u])
			bad++
		}
	}
	for _, group := range groups {
		if group == "" {
			continue
		}
		r.User, r.Groups = "nobody", []string{group}
		if want := realAnswer(real, r).decision == string(rbac.Allowed); want != hasGroup[group] {
			t.Errorf("%s by group %q: really %v, a holder %v", r, group, want, hasGroup[group])
			bad++
		}
	}
	return bad
}

// compareRules compares all that somebody holds in a namespace, in order.
func compareRules(t *testing.T, g gen, real rbacregistry.AuthorizationRuleResolver, x *rbac.Index) int {
	h, namespace := g.holder(), pick(g, "", "shop", "bank")
	want, err := real.RulesFor(context.Background(), &user.DefaultInfo{Name: h.User, Groups: h.Groups}, namespace)
	grants, missing := x.GrantsIn(h, namespace)
	var got []rbacv1.PolicyRule
	for _, gr := range grants {
		got = append(got, *gr.PolicyRule())
	}
	if d := cmp.Diff(want, got); d != "" || (err != nil) != (len(missing) > 0) {
		t.Errorf("rules of %+v in %q: missing %d, really %v (-real +ours):\n%s", h, namespace, len(missing), err, d)
		return 1
	}
	return 0
}

// TestMastersAreAllowedFirst stands beside the oracle: in a real server another authorizer
// allows system:masters before RBAC is asked, bindings or not.
func TestMastersAreAllowedFirst(t *testing.T) {
	r := rbac.Request{User: "eve", Groups: []string{rbac.GroupMasters}, Verb: "delete", Resource: "nodes"}
	w := &world{}
	w.bootstrap()
	_, static := rbacregistry.NewTestRuleResolver(nil, nil, w.real.clusterRoles, w.real.clusterRoleBindings)
	if got := realAnswer(realrbac.New(static, static, static, static), r); got.decision != string(rbac.Allowed) {
		t.Errorf("bootstrap bindings: %v", got)
	}
	for name, x := range map[string]*rbac.Index{"bootstrap": rbac.NewIndex(w.roles, w.bindings), "empty": rbac.NewIndex(nil, nil)} {
		if d, _ := x.Authorize(r); d != rbac.Allowed {
			t.Errorf("%s: %s", name, d)
		}
	}
	if !slices.ContainsFunc(rbac.NewIndex(w.roles, w.bindings).Holders(r), func(g rbac.Grant) bool { return g.Binding.Name == "cluster-admin" }) {
		t.Error("the binding cluster-admin is not among the holders")
	}
}

func BenchmarkRealAuthorize(b *testing.B) {
	g := gen{rand.New(rand.NewPCG(1, 1))}
	w := g.world()
	_, static := rbacregistry.NewTestRuleResolver(w.real.roles, w.real.roleBindings, w.real.clusterRoles, w.real.clusterRoleBindings)
	real, r := realrbac.New(static, static, static, static), g.request(w)
	for b.Loop() {
		realAnswer(real, r)
	}
}
