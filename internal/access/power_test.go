package access

import (
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

func ids(held []HeldPower) []string {
	var out []string
	for _, h := range held {
		out = append(out, h.Power.ID+"@"+h.Namespace)
	}
	return out
}

func bound(namespace, role, user string) *model.Binding {
	kind := "ClusterRole"
	return &model.Binding{
		Meta: model.Meta{Namespace: namespace, Name: role + "-" + user}, RoleRef: rbacv1.RoleRef{Kind: kind, Name: role},
		Subjects: []rbacv1.Subject{{Kind: "User", Name: user}},
	}
}

func TestPowersOf(t *testing.T) {
	role := func(name string, verbs, groups, resources []string) *model.Role {
		return &model.Role{Meta: model.Meta{Name: name}, Rules: []rbacv1.PolicyRule{{Verbs: verbs, APIGroups: groups, Resources: resources}}}
	}
	c := &model.Cluster{
		Name: "lab", Description: &model.Description{KubernetesVersion: "1.36"},
		ClusterRoles: []*model.Role{
			role("secrets", []string{"get"}, []string{""}, []string{"secrets"}),
			role("exec-by-get", []string{"get"}, []string{""}, []string{"pods/exec"}),
			role("proxy", []string{"get"}, []string{""}, []string{"nodes/proxy"}),
			role("configmaps", []string{"update"}, []string{""}, []string{"configmaps"}),
		},
		ClusterRoleBindings: []*model.Binding{bound("", "secrets", "everywhere"), bound("", "gone", "lost"), bound("", "exec-by-get", "old")},
		RoleBindings: []*model.Binding{
			bound("a", "secrets", "here"), bound("a", "secrets", "everywhere"), bound("a", "proxy", "here"),
			bound("a", "configmaps", "here"), bound("kube-system", "configmaps", "mapper"),
		},
	}
	k := New(&model.Snapshot{Clusters: []*model.Cluster{c}}).Cluster(c)
	for user, want := range map[string][]string{
		"everywhere": {"read-secrets@"},
		"here":       {"read-secrets@a", "write-configmaps@a"}, // nodes are of no namespace
		"mapper":     {"write-configmaps@kube-system", "write-aws-auth@kube-system"},
		"old":        nil, // exec by get alone ended with 1.35
		"nobody":     nil,
	} {
		held, _ := k.PowersOf(rbac.Holder{User: user})
		if got := ids(held); !slices.Equal(got, want) {
			t.Errorf("%s holds %v, want %v", user, got, want)
		}
	}
	if _, missing := k.PowersOf(rbac.Holder{User: "lost"}); len(missing) != 1 {
		t.Errorf("a binding to a missing role: %v", missing)
	}
	c.Description.KubernetesVersion = "1.34"
	if held, _ := k.PowersOf(rbac.Holder{User: "old"}); !slices.Equal(ids(held), []string{"enter-pods@"}) {
		t.Errorf("in 1.34 get is enough for exec: %v", ids(held))
	}
}

func TestPowersOfAssociation(t *testing.T) {
	c := &model.Cluster{Name: "lab"}
	k := New(&model.Snapshot{Clusters: []*model.Cluster{c}}).Cluster(c)
	arn := func(name string) string { return "arn:aws:eks::aws:cluster-access-policy/" + name }
	view, known := k.PowersOfAssociation(&model.PolicyAssociation{PolicyARN: arn("AmazonEKSViewPolicy"), Scope: model.AccessScope{Type: "cluster"}})
	if len(view) > 0 || !known {
		t.Errorf("view: %v, known %v", ids(view), known)
	}
	adminView, _ := k.PowersOfAssociation(&model.PolicyAssociation{PolicyARN: arn("AmazonEKSAdminViewPolicy"), Scope: model.AccessScope{Type: "cluster"}})
	if !slices.Contains(ids(adminView), "read-secrets@") || !slices.Contains(ids(adminView), "reach-kubelets@") {
		t.Errorf("admin view: %v", ids(adminView))
	}
	edit, _ := k.PowersOfAssociation(&model.PolicyAssociation{PolicyARN: arn("AmazonEKSEditPolicy"), Scope: model.AccessScope{Type: "namespace", Namespaces: []string{"b", "a"}}})
	if !slices.Contains(ids(edit), "read-secrets@a") || !slices.Contains(ids(edit), "run-pods@b") {
		t.Errorf("edit: %v", ids(edit))
	}
	if _, known := k.PowersOfAssociation(&model.PolicyAssociation{PolicyARN: arn("AmazonEKSACKPolicy"), Scope: model.AccessScope{Type: "cluster"}}); known {
		t.Error("a policy without published rules counts as known")
	}
}

// TestAggregatedManifest gives aggregated ClusterRoles of manifests the rules that the controller would give them.
func TestAggregatedManifest(t *testing.T) {
	part := &model.Role{
		Meta:  model.Meta{Name: "part", Labels: map[string]string{"to": "whole"}},
		Rules: []rbacv1.PolicyRule{{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"secrets"}}},
	}
	whole := &model.Role{
		Meta:        model.Meta{Name: "whole"},
		Aggregation: &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{{MatchLabels: map[string]string{"to": "whole"}}}},
	}
	c := &model.Cluster{Name: "lab", ClusterRoles: []*model.Role{whole, part}, ClusterRoleBindings: []*model.Binding{bound("", "whole", "eve")}}
	k := New(&model.Snapshot{Clusters: []*model.Cluster{c}}).Cluster(c)
	if held, _ := k.PowersOf(rbac.Holder{User: "eve"}); !slices.Equal(ids(held), []string{"read-secrets@"}) {
		t.Errorf("eve holds %v", ids(held))
	}
	if held, _ := k.BindingPowers(c.ClusterRoleBindings[0]); !slices.Equal(ids(held), []string{"read-secrets@"}) {
		t.Errorf("the binding gives %v", ids(held))
	}
	if len(whole.Rules) > 0 {
		t.Error("the snapshot was changed")
	}
}

func TestPowersOfAssociationUnderWildcards(t *testing.T) {
	c := &model.Cluster{Name: "lab", Description: &model.Description{KubernetesVersion: "1.36"}}
	k := New(&model.Snapshot{Clusters: []*model.Cluster{c}}).Cluster(c)
	for pattern, want := range map[string]bool{"kube-*": true, "*": true, "kube-system": true, "shop-*": false} {
		held, _ := k.PowersOfAssociation(&model.PolicyAssociation{
			PolicyARN: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy",
			Scope:     model.AccessScope{Type: model.ScopeNamespace, Namespaces: []string{pattern}},
		})
		if got := slices.Contains(ids(held), "write-aws-auth@"+pattern); got != want {
			t.Errorf("writes aws-auth on %s: %v, want %v", pattern, got, want)
		}
	}
}
