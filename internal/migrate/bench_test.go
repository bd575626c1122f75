package migrate

import (
	"fmt"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
)

// large is a cluster in mode CONFIG_MAP with 500 rows, 300 groups and 5,000 bindings.
func large() *model.Snapshot {
	var rows strings.Builder
	var principals []string
	for i := range 500 {
		name := fmt.Sprintf("team-%d", i)
		principals = append(principals, role("teams/"+name))
		fmt.Fprintf(&rows, "- {rolearn: %q, username: %q, groups: [group-%d, group-%d]}\n", role(name), name, i%300, (i*7+1)%300)
	}
	s := synthetic("aws", model.ModeConfigMap, map[string]string{"mapRoles": rows.String()}, principals...)
	c := s.Clusters[0]
	for i := range 200 {
		c.ClusterRoles = append(c.ClusterRoles, &model.Role{Meta: model.Meta{Name: fmt.Sprintf("role-%d", i)}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"apps"}, Resources: []string{"deployments", fmt.Sprintf("kind-%d", i)}, Verbs: []string{"get", "list", "watch", "update"}},
			{APIGroups: []string{""}, Resources: []string{"pods", "configmaps"}, Verbs: []string{"get", "list"}},
		}})
	}
	for i := range 5000 {
		b := &model.Binding{RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: fmt.Sprintf("role-%d", i%200)}, Subjects: []rbacv1.Subject{{Kind: "Group", Name: fmt.Sprintf("group-%d", i%300)}}}
		b.Namespace, b.Name = fmt.Sprintf("ns-%d", i%250), fmt.Sprintf("binding-%d", i)
		c.RoleBindings = append(c.RoleBindings, b)
	}
	return s
}

// BenchmarkAccessEntries plans a migration and proves it.
func BenchmarkAccessEntries(b *testing.B) {
	s := large()
	for b.Loop() {
		a := access.New(s)
		r, err := NewResult("access-entries", s, []*Migration{AccessEntries(s, a, a.Clusters()[0], Options{})})
		if err != nil {
			b.Fatal(err)
		}
		if !r.Proof.Equal || len(r.Changes) != 1002 {
			b.Fatalf("%d changes, equal %v: %v %v", len(r.Changes), r.Proof.Equal, r.Proof.Lost[:min(3, len(r.Proof.Lost))], r.Proof.Unknown[:min(3, len(r.Proof.Unknown))])
		}
	}
}
