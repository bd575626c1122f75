package migrate

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"
)

// TestQuestions asks for what the names of an entry are bound to, and for nothing that depends on the session.
func TestQuestions(t *testing.T) {
	s := synthetic("aws", model.ModeAPIConfigMap, nil)
	c := s.Clusters[0]
	c.ClusterRoles = []*model.Role{{Meta: model.Meta{Name: "r"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"pods/log"}, Verbs: []string{"*"}, ResourceNames: []string{"a"}}}}}
	bind := func(name, namespace, kind, to string) *model.Binding {
		b := &model.Binding{RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "r"}, Subjects: []rbacv1.Subject{{Kind: kind, Name: to}}}
		b.Name, b.Namespace = name, namespace
		return b
	}
	c.RoleBindings = []*model.Binding{bind("devs", "shop", "Group", "devs"), bind("jane", "shop", "User", "x:jane")}
	entry := func(username string, groups ...string) plan.Change {
		return plan.CreateAccessEntry{Cluster: c.ID(), PrincipalARN: role("dev"), Username: username, Groups: groups}
	}
	ask := rbac.Request{Verb: "get", Resource: "pods", Subresource: "log", Name: "a", Namespace: "shop"}
	jane, devs := ask, ask
	jane.User = "x:jane"
	devs.Groups = []string{"devs"}
	got := Questions(s, plan.Plan{entry("x:jane"), entry("x:{{SessionName}}", "devs"), entry("x:{{SessionName}}"), entry("nobody", "others")})
	if diff := cmp.Diff(map[int][]rbac.Request{1: {jane}, 2: {devs}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
