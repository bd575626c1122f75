package access

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"pgregory.net/rapid"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// drawWorld makes a small cluster in which few names meet often: who is bound to what, and how principals get in.
func drawWorld(t *rapid.T) *world {
	w := newWorld()
	pick := func(label string, of ...string) string { return rapid.SampledFrom(of).Draw(t, label) }
	some := func(label string, most int, do func(i int)) {
		for i := range rapid.IntRange(0, most).Draw(t, label) {
			do(i)
		}
	}
	w.c.Description.AuthenticationMode = pick("mode", model.ModeConfigMap, model.ModeAPI, model.ModeAPIConfigMap, model.ModeAPIConfigMap, "")
	w.c.Description.KubernetesVersion = pick("version", "1.31", "1.33", "1.36", "")
	for i, n := range []string{"r0", "r1", "r2", "cluster-admin"} {
		if pick("exists", "yes", "yes", "no") == "no" {
			continue
		}
		role := &model.Role{Meta: model.Meta{Name: n, Labels: map[string]string{"n": n}}}
		if n == clusterAdmin.Name { // no API server is without its rules for long
			own := *clusterAdmin
			role = &own
		} else if i == 2 && pick("aggregated", "yes", "no") == "yes" {
			role.Aggregation = &rbacv1.AggregationRule{}
			role.Aggregation.ClusterRoleSelectors = append(role.Aggregation.ClusterRoleSelectors, selector("n", pick("of", "r0", "r1")))
		} else {
			some("rules", 2, func(int) {
				r := rule(pick("verb", "get", "create", "*"), pick("resource", "secrets", "pods/exec", "*", "secrets/status"))
				if pick("named", "yes", "no", "no") == "yes" {
					r.ResourceNames = []string{pick("name", "x", "y")}
				}
				role.Rules = append(role.Rules, r)
			})
		}
		if i == 1 && pick("namespaced", "yes", "no") == "yes" {
			role.Namespace = "a"
			w.c.Roles = append(w.c.Roles, role)
		} else {
			w.c.ClusterRoles = append(w.c.ClusterRoles, role)
		}
	}
	subjects := []rbacv1.Subject{
		user("u"), user(session("dev", "jane")), user("system:node:n1"), user("x:jane"), user("system:serviceaccount:a:s"), user("arn:aws:iam::" + foreign + ":user/f"), user(""),
		group("devs"), group("jane"), group("system:authenticated"), group("system:serviceaccounts"), group("system:serviceaccounts:a"), group("system:nodes"), group("system:masters"),
		sa("a", "s"), sa("", "default"),
		{Kind: "Strange", Name: "u"},
	}
	some("bindings", 4, func(i int) {
		b := &model.Binding{Meta: model.Meta{Name: fmt.Sprint("b", i), Namespace: pick("namespace", "", "a", "b")}}
		b.RoleRef = rbacv1.RoleRef{Kind: "ClusterRole", Name: pick("ref", "r0", "r1", "r2", "cluster-admin")}
		if b.Namespace != "" && b.RoleRef.Name == "r1" {
			b.RoleRef.Kind = pick("kind", "Role", "ClusterRole")
		}
		some("subjects", 2, func(int) { b.Subjects = append(b.Subjects, rapid.SampledFrom(subjects).Draw(t, "subject")) })
		if b.Namespace == "" {
			w.c.ClusterRoleBindings = append(w.c.ClusterRoleBindings, b)
		} else {
			w.c.RoleBindings = append(w.c.RoleBindings, b)
		}
	})
	w.drawPrincipals(t, pick, some)
	some("pods", 2, func(i int) {
		p := &model.Pod{Meta: model.Meta{Namespace: pick("in", "a", "b"), Name: fmt.Sprint("p", i)}}
		p.ServiceAccount, p.NodeName = pick("as", "s", ""), pick("on", "n1", "n2", "")
		if pick("refers", "yes", "no") == "yes" {
			p.Volumes = []model.Volume{{Name: "v", Secret: "x"}}
		}
		w.c.Pods = append(w.c.Pods, p)
	})
	some("accounts", 1, func(int) {
		w.c.ServiceAccounts = append(w.c.ServiceAccounts, &model.ServiceAccount{Meta: model.Meta{Namespace: "a", Name: "s"}})
	})
	return w
}

func (w *world) drawPrincipals(t *rapid.T, pick func(string, ...string) string, some func(string, int, func(int))) {
	for _, n := range []string{"dev", "node"} {
		switch pick("role", "old", "old", "new", "none") {
		case "old":
			w.role(n, longAgo)
		case "new":
			w.role(n, lately.Add(1000))
		}
	}
	if w.c.Description.AuthenticationMode != model.ModeConfigMap && w.c.Description.AuthenticationMode != "" || pick("entries", "yes", "no") == "yes" && w.c.Description.AuthenticationMode == "" {
		if pick("dev entry", "yes", "no") == "yes" {
			w.entry(roleARN("dev"), pick("username", session("dev", "{{SessionName}}"), "u", "x:{{SessionName}}", "system:u"), pick("group", "devs", "{{SessionName}}"))
		}
		if pick("node entry", "yes", "no") == "yes" {
			w.entry(roleARN("node"), "system:node:{{EC2PrivateDNSName}}", "system:nodes").Type = model.EntryEC2Linux
		}
		some("policies", 2, func(int) {
			policy := pick("policy", "AmazonEKSClusterAdminPolicy", "AmazonEKSAdminViewPolicy", "AmazonEKSEditPolicy", "AmazonEKSComputePolicy", "Mine")
			if w.policy(roleARN("dev"), policy); pick("scoped", "yes", "no") == "yes" {
				w.c.PolicyAssociations[len(w.c.PolicyAssociations)-1].Scope = model.AccessScope{Type: model.ScopeNamespace, Namespaces: []string{pick("scope", "a", "b*", "*")}}
			}
		})
	}
	data := map[string]string{}
	some("rows", 2, func(int) {
		data["mapRoles"] += "- rolearn: " + roleARN(pick("rolearn", "dev", "DEV", "node")) + "\n  username: '" + pick("row username", "u", "x:{{SessionName}}", "") + "'\n  groups: ['" + pick("row group", "devs", "system:masters", "system:{{SessionName}}") + "']\n"
	})
	if pick("mapAccounts", "yes", "no") == "yes" {
		data["mapAccounts"] = "['" + foreign + "', '" + home + "']"
	}
	if pick("awsAuth", "yes", "no") == "yes" {
		w.awsAuth(data)
	}
	some("instances", 1, func(int) {
		w.c.Instances = append(w.c.Instances, &model.Instance{ID: "i-0123456789abcdef0", PrivateDNS: "n1"})
	})
}

var someIdentities = []string{
	roleARN("dev"), roleARN("node"), session("dev", "jane"), session("dev", "joe"), session("dev", "masters"), session("node", "i-0123456789abcdef0"), userARN("u"),
	"arn:aws:iam::" + foreign + ":user/f", "arn:aws:iam::" + home + ":root", "user:u", "user:", "user:system:node:n1", "user:system:node:n2", "group:devs", "group:jane",
	"group:system:authenticated", "group:system:nodes", "group:system:masters", "sa/a/s", "sa/b/default", "pod/a/p0", "pod/b/p1", "deploy/a/none",
}

func drawIdentity(t *rapid.T) Identity {
	s := rapid.SampledFrom(someIdentities).Draw(t, "identity")
	if s == "user:" {
		return Identity{Kind: KindUser}
	}
	id, err := ParseIdentity(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func drawRequest(t *rapid.T) rbac.Request {
	return rapid.SampledFrom([]rbac.Request{
		{Verb: "get", Resource: "secrets", Namespace: "a"},
		{Verb: "get", Resource: "secrets", Namespace: "b"},
		{Verb: "get", Resource: "secrets"},
		{Verb: "get", Resource: "secrets", Namespace: "a", Name: "x"},
		{Verb: "create", Resource: "pods", Subresource: "exec", Namespace: "a"},
		{Verb: "get", Resource: "secrets", Subresource: "status", Namespace: "a"},
		{Verb: "list", Resource: "services", Namespace: "a"},
		{Verb: "get", NonResourceURL: "/metrics"},
		{Verb: "get", Resource: "nodes", Name: "n1"},
		{Verb: "create", Resource: "serviceaccounts", Subresource: "token", Name: "s", Namespace: "a"},
		{Verb: "get", Resource: "pods", Namespace: "a", Name: "p0"},
		{Verb: "*", APIGroup: "*", Resource: "*"},
	}).Draw(t, "request")
}

// TestNotReadingDecidesNothing: an answer that is definite without some areas is the same with them.
func TestNotReadingDecidesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w, id, r := drawWorld(t), drawIdentity(t), drawRequest(t)
		full := w.access().Check(id, r)
		var failed []string
		for _, a := range rapid.SliceOfNDistinct(rapid.SampledFrom([]model.Area{
			model.AreaCluster, model.AreaAccessEntries, model.AreaPolicyAssociations, model.AreaAWSAuth, model.AreaRoles, model.AreaClusterRoles, model.AreaRoleBindings,
			model.AreaClusterRoleBindings, model.AreaIAMRoles, model.AreaIAMUsers, model.AreaPods, model.AreaServiceAccounts, model.AreaInstances,
		}), 1, 4, func(a model.Area) model.Area { return a }).Draw(t, "areas") {
			failed = append(failed, string(a))
			if rapid.Bool().Draw(t, "in part") {
				w.Gaps = append(w.Gaps, finding.Gap{Area: string(a), Cluster: "prod"}, finding.Gap{Area: string(a), Account: home})
			} else {
				w.fail(a)
			}
		}
		less := w.access().Check(id, r)
		if less.Verdict != Unknown && less.Verdict != full.Verdict && !slices.Contains(less.Conditions, clusterAdminAssumed) || full.Verdict == Denied && less.Verdict == Allowed {
			t.Fatalf("%s %s: %s; without %v: %s\nbefore %v %q\nafter %v %q", id, r, full.Verdict, failed, less.Verdict, full.Chain, full.Conditions, less.Chain, less.Conditions)
		}
	})
}

// TestRemovingAGrantAddsNothing: whoever was not allowed before is not after a grant is taken away.
func TestRemovingAGrantAddsNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w, id, r := drawWorld(t), drawIdentity(t), drawRequest(t)
		before := w.access().Check(id, r)
		what := w.removeGrant(t)
		if after := w.access().Check(id, r); before.Verdict != Allowed && after.Verdict == Allowed {
			t.Fatalf("%s %s: %s; without %s: %s\nbefore %v %q\nafter %v %q", id, r, before.Verdict, what, after.Verdict, before.Chain, before.Conditions, after.Chain, after.Conditions)
		}
	})
}

// removeGrant takes away a binding, a subject, a rule, a policy association or a group. Access entries are none: without one,
// a row of aws-auth may count.
func (w *world) removeGrant(t *rapid.T) string {
	c := w.c
	at := func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "which") }
	switch kind := rapid.SampledFrom([]string{"cluster binding", "binding", "subject", "rule", "policy", "group"}).Draw(t, "grant"); {
	case kind == "cluster binding" && len(c.ClusterRoleBindings) > 0:
		i := at(len(c.ClusterRoleBindings))
		c.ClusterRoleBindings = slices.Delete(c.ClusterRoleBindings, i, i+1)
		return kind
	case kind == "binding" && len(c.RoleBindings) > 0:
		i := at(len(c.RoleBindings))
		c.RoleBindings = slices.Delete(c.RoleBindings, i, i+1)
		return kind
	case kind == "subject" && len(c.RoleBindings) > 0:
		b := c.RoleBindings[at(len(c.RoleBindings))]
		b.Subjects = b.Subjects[:len(b.Subjects)/2]
		return kind
	case kind == "rule" && len(c.ClusterRoles) > 0:
		role := c.ClusterRoles[at(len(c.ClusterRoles))]
		role.Rules = role.Rules[:len(role.Rules)/2]
		return kind
	case kind == "policy" && len(c.PolicyAssociations) > 0:
		i := at(len(c.PolicyAssociations))
		c.PolicyAssociations = slices.Delete(c.PolicyAssociations, i, i+1)
		return kind
	case kind == "group" && len(c.AccessEntries) > 0:
		c.AccessEntries[at(len(c.AccessEntries))].Groups = nil
		return kind
	}
	return "nothing"
}

// TestWhoCanAgreesWithCheck: who-can lists exactly whom check allows, and nobody whom it denies.
func TestWhoCanAgreesWithCheck(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w, r, anywhere := drawWorld(t), drawRequest(t), rapid.Bool().Draw(t, "anywhere")
		c := w.access()
		grants := c.WhoCan(r, anywhere)
		listed := map[string]Verdict{}
		for _, g := range grants {
			asked := r
			if g.Rule != nil && len(g.Rule.ResourceNames) > 0 {
				asked.Name = g.Rule.ResourceNames[0]
			}
			if anywhere {
				asked.Namespace = strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(g.Scope, "namespace/"), ScopeCluster), "*", "")
			}
			// A scope of access policies may be empty of namespaces: "*" without the star.
			if g.Scope == "namespace/*" {
				asked.Namespace = "any"
			}
			got := c.Check(g.Identity, asked)
			if got.Verdict != g.Verdict && !(g.Verdict == Unknown && got.Verdict == Allowed) {
				t.Fatalf("%s can %s in %s: %s through %v; check says %s through %v %q", g.Identity, r, g.Scope, g.Verdict, g.Chain, got.Verdict, got.Chain, got.Conditions)
			}
			id := g.Identity
			id.Cluster = ""
			if g.Rule == nil && g.Verdict == Allowed {
				listed[strings.ToLower(id.String())+" "+g.Scope] = Allowed // of roles not in the account the row's spelling is all there is
			}
		}
		for _, s := range someIdentities {
			if anywhere || s == "user:" {
				continue
			}
			id, _ := ParseIdentity(s)
			got := c.Check(id, r)
			bySession := slices.ContainsFunc(got.Conditions, func(s string) bool { return strings.HasPrefix(s, "the session is named") })
			if got.Verdict != Allowed || bySession || id.Kind == KindUser || id.Kind == KindGroup || strings.Contains(id.ARN, ":assumed-role/") || id.Kind == KindRoot {
				continue
			}
			if (id.Kind == KindServiceAccount || id.Kind == KindPod) && !c.exists(id) {
				continue
			}
			if chain := fmt.Sprint(got.Chain, got.Conditions); strings.Contains(chain, "mapAccounts} {binds Group") && (id.Kind == KindIAMUser || strings.Contains(chain, "now: it counts")) {
				// mapAccounts lets in whoever there will be
				continue
			}
			if listed[strings.ToLower(id.String())+" "+ScopeOf(r.Namespace)] != Allowed {
				t.Fatalf("%s can %s through %v %q, and is not among %v", id, r, got.Chain, got.Conditions, listed)
			}
		}
	})
}

func (c *Cluster) exists(id Identity) bool {
	if id.Kind == KindPod {
		return c.pod(id) != nil
	}
	_, presence := c.ServiceAccount(id.Namespace, id.Name)
	return presence == Present
}
