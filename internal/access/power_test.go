package access

import (
	"slices"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

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
