package migrate

import (
	"fmt"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"pgregory.net/rapid"

	"drawbridge/internal/access"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// draw makes a cluster with a random aws-auth, adversarial in what migrations trip over, and random bindings.
func draw(t *rapid.T) *model.Snapshot {
	pick := func(name string, from ...string) string { return rapid.SampledFrom(from).Draw(t, name) }
	groups := []string{"dev", "ops", "system:masters", "readers", "system:nodes", "a b", ""}
	var rows strings.Builder
	for range rapid.IntRange(1, 6).Draw(t, "rows") {
		name := pick("role", "dev", "DEV", "ops", "gone", "node", "sso", "team/dev")
		account := pick("account", own, own, own, own, other)
		username := pick("username", "jane", "a:{{SessionName}}", "{{SessionName}}", "system:node:{{EC2PrivateDNSName}}", "eks:x", "arn:aws:sts::"+own+":assumed-role/dev/{{SessionName}}", "")
		var in []string
		for range rapid.IntRange(0, 3).Draw(t, "groups") {
			in = append(in, fmt.Sprintf("%q", rapid.SampledFrom(groups).Draw(t, "group")))
		}
		fmt.Fprintf(&rows, "- {rolearn: %q, username: %q, groups: [%s]}\n", "arn:aws:iam::"+account+":role/"+name, username, strings.Join(in, ", "))
	}
	mode := pick("mode", model.ModeConfigMap, model.ModeAPIConfigMap)
	s := synthetic("aws", mode, map[string]string{"mapRoles": rows.String(), "mapUsers": pick("users", "", `[{userarn: "arn:aws:iam::`+own+`:user/jane", username: jane, groups: [dev]}]`)},
		role("team/dev"), role("ops"), role("node"), role("sso"), "arn:aws:iam::"+own+":user/jane")
	c := s.Clusters[0]
	if mode == model.ModeAPIConfigMap && rapid.Bool().Draw(t, "entry") {
		c.AccessEntries = []*model.AccessEntry{{PrincipalARN: role("ops"), Type: model.EntryStandard, Username: "ops", Groups: []string{pick("entry group", "dev", "other")}}}
	}
	for i := range 3 {
		c.ClusterRoles = append(c.ClusterRoles, &model.Role{Meta: model.Meta{Name: fmt.Sprint("role-", i)}, Rules: []rbacv1.PolicyRule{{
			APIGroups: []string{pick("group of", "", "apps", "*")}, Resources: []string{pick("resource", "pods", "secrets", "*")}, Verbs: []string{pick("verb", "get", "create", "*")},
		}}})
	}
	for i := range rapid.IntRange(0, 5).Draw(t, "bindings") {
		b := &model.Binding{RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: pick("bound", "role-0", "role-1", "role-2")}}
		b.Name = fmt.Sprint("binding-", i)
		if rapid.Bool().Draw(t, "user") {
			b.Subjects = []rbacv1.Subject{{Kind: "User", Name: pick("subject", "jane", "a:bob", "ops", "arn:aws:sts::"+own+":assumed-role/dev/bob", "bob")}}
		} else {
			b.Subjects = []rbacv1.Subject{{Kind: "Group", Name: pick("subject", groups[:5]...)}}
		}
		if b.Namespace = pick("namespace", "", "shop", "kube-system"); b.Namespace == "" {
			c.ClusterRoleBindings = append(c.ClusterRoleBindings, b)
		} else {
			c.RoleBindings = append(c.RoleBindings, b)
		}
	}
	return s
}

// TestProofHolds asks, of random clusters, single requests before and after each phase: whatever decision differs was announced
// by the proof, for that identity and that request. What answers single requests is held to the real API server and the real
// authenticator by oracle/lab.
func TestProofHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := draw(t)
		a := access.New(s)
		r, err := NewResult("access-entries", s, []*Migration{AccessEntries(s, a, a.Clusters()[0], Options{})})
		if err != nil {
			t.Fatal(err)
		}
		before, after := access.New(withCreator(r.Before)).Clusters()[0], access.New(withCreator(r.After)).Clusters()[0]
		unknown := map[string]bool{}
		for _, g := range r.Proof.Unknown {
			unknown[g.Identity.ARN] = true
		}
		for _, arn := range []string{role("team/dev"), role("ops"), role("node"), role("sso"), role("gone"), "arn:aws:iam::" + own + ":user/jane", "arn:aws:sts::" + own + ":assumed-role/dev/bob"} {
			parsed, err := iam.ParseARN(arn)
			if err != nil {
				t.Fatal(err)
			}
			id := access.IdentityOfARN(parsed)
			for _, namespace := range []string{"", "shop", "elsewhere"} {
				for _, q := range []rbac.Request{{Verb: "get", Resource: "pods"}, {Verb: "create", Resource: "secrets"}, {Verb: "delete", APIGroup: "apps", Resource: "deployments"}} {
					q.Namespace = namespace
					old, now := before.Check(id, q), after.Check(id, q)
					if old.Verdict == now.Verdict || old.Verdict == access.Unknown || now.Verdict == access.Unknown || unknown[arn] || parsed.IsAssumedRole() && !r.Proof.Equal {
						continue
					}
					if side := map[bool][]access.Grant{true: r.Proof.Gained, false: r.Proof.Lost}[now.Verdict == access.Allowed]; !announced(side, arn, q) {
						t.Fatalf("%s may %s: %s before, %s after, and the proof (equal: %v) does not say so\n%v\n%v", arn, q, old.Verdict, now.Verdict, r.Proof.Equal, old.Chain, now.Chain)
					}
				}
			}
		}
		for _, p := range r.Proof.Phases {
			if p.ID != PhaseEnable && p.ID != PhaseAPIOnly && !p.BackEqual {
				t.Fatalf("phase %s has no way back", p.ID)
			}
		}
	})
}

// announced says whether a request is part of what is said to be gained or lost.
func announced(grants []access.Grant, arn string, q rbac.Request) bool {
	for _, g := range grants {
		if g.Identity.ARN == arn && g.Rule != nil && (g.Scope == access.ScopeCluster || g.Scope == access.ScopeOf(q.Namespace)) && rbac.Allows(*g.Rule, q) {
			return true
		}
	}
	return false
}
