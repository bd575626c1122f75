package access

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// rules is the RBAC side of a cluster.
type rules struct {
	index    *rbac.Index
	roles    map[name]*model.Role
	bindings map[name]*model.Binding
	users    []string // the usernames that bindings name, sorted
	groups   []string // the groups that bindings name, sorted
	// partial are aggregated ClusterRoles that were written without rules, so that a ClusterRole that was not read may add some.
	partial map[string]bool
}

func (c *Cluster) newRules() *rules {
	r := &rules{roles: map[name]*model.Role{}, bindings: map[name]*model.Binding{}, partial: map[string]bool{}}
	var roles []rbac.Role
	if !c.Complete(model.AreaClusterRoles) && !slices.ContainsFunc(c.ClusterRoles, func(m *model.Role) bool { return m.Name == clusterAdmin.Name }) {
		r.roles[name{"", clusterAdmin.Name}] = clusterAdmin
		roles = append(roles, rbac.Role{Name: clusterAdmin.Name, Rules: clusterAdmin.Rules})
	}
	for _, list := range [][]*model.Role{c.ClusterRoles, c.Roles} {
		for _, m := range list {
			r.roles[name{m.Namespace, m.Name}] = m
			roles = append(roles, rbac.Role{Namespace: m.Namespace, Name: m.Name, Labels: m.Labels, Rules: m.Rules, Aggregation: m.Aggregation})
		}
	}
	r.aggregate(roles)
	var bindings []rbac.Binding
	for _, list := range [][]*model.Binding{c.ClusterRoleBindings, c.RoleBindings} {
		for _, m := range list {
			r.bindings[name{m.Namespace, m.Name}] = m
			for _, s := range m.Subjects {
				switch user, group := rbac.Names(s, m.Namespace); {
				case user != "":
					r.users = append(r.users, user)
				case group != "":
					r.groups = append(r.groups, group)
				}
			}
			bindings = append(bindings, rbac.Binding{Namespace: m.Namespace, Name: m.Name, RoleRef: m.RoleRef, Subjects: m.Subjects})
		}
	}
	slices.Sort(r.users)
	r.users = slices.Compact(r.users)
	slices.Sort(r.groups)
	r.groups = slices.Compact(r.groups)
	r.index = rbac.NewIndex(roles, bindings)
	return r
}

// aggregate fills in aggregated ClusterRoles that were written without rules, as manifests are; those of a live cluster
// are filled in by its controller already.
func (r *rules) aggregate(roles []rbac.Role) {
	empty := func(role rbac.Role) bool { return role.Aggregation != nil && len(role.Rules) == 0 }
	if !slices.ContainsFunc(roles, empty) {
		return
	}
	for i, full := range rbac.Aggregate(roles) {
		if !empty(roles[i]) {
			continue
		}
		r.partial[full.Name] = true
		if len(full.Rules) > 0 {
			roles[i].Rules = full.Rules
			filled := *r.roles[name{"", full.Name}]
			filled.Rules = full.Rules
			r.roles[name{"", full.Name}] = &filled
		}
	}
}

// clusterAdmin is known without being read: every API server restores it when it starts, and manifests bind it without
// holding it (Kubernetes documentation, "Using RBAC Authorization", auto-reconciliation, 2026-11).
var clusterAdmin = &model.Role{
	Meta: model.Meta{Name: "cluster-admin"},
	Rules: []rbacv1.PolicyRule{
		{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}},
		{Verbs: []string{"*"}, NonResourceURLs: []string{"*"}},
	},
}

// RBAC is the index over the cluster's roles and bindings.
func (c *Cluster) RBAC() *rbac.Index { return c.rbac().index }

// BindingObject returns the snapshot's object of a binding that the index speaks of.
func (c *Cluster) BindingObject(b *rbac.Binding) *model.Binding {
	return c.rbac().bindings[name{b.Namespace, b.Name}]
}

// RoleObject returns the snapshot's object of a Role or ClusterRole that the index speaks of.
func (c *Cluster) RoleObject(r *rbac.Role) *model.Role {
	return c.rbac().roles[name{r.Namespace, r.Name}]
}

// Chain is the way a grant goes, as evidence: from the subject over the binding to the role and its rule.
func (c *Cluster) Chain(g rbac.Grant) []finding.Evidence {
	if g.Binding == nil || g.Role == nil {
		return nil
	}
	binding := g.Binding.Kind() + " " + qualified(g.Binding.Namespace, g.Binding.Name)
	role := g.Role.Kind() + " " + qualified(g.Role.Namespace, g.Role.Name)
	s := g.SubjectOf()
	return []finding.Evidence{
		{Text: fmt.Sprintf("binds %s %s to %s", s.Kind, qualified(s.Namespace, s.Name), role), Source: binding},
		{Text: RuleText(g), Source: fmt.Sprintf("%s rules[%d]", role, g.Rule)},
	}
}

// RuleText is a rule in one line: "get, list on secrets".
func RuleText(g rbac.Grant) string { return ruleText(g.PolicyRule()) }

// RuleOf is a rule in one line: "get, list on secrets".
func RuleOf(r *rbacv1.PolicyRule) string { return ruleText(r) }

func ruleText(r *rbacv1.PolicyRule) string {
	if len(r.NonResourceURLs) > 0 {
		return strings.Join(r.Verbs, ", ") + " on " + strings.Join(r.NonResourceURLs, ", ")
	}
	text := strings.Join(r.Verbs, ", ") + " on " + strings.Join(r.Resources, ", ")
	if groups := slices.DeleteFunc(slices.Clone(r.APIGroups), func(g string) bool { return g == "" }); len(groups) > 0 {
		text += " of " + strings.Join(groups, ", ")
	}
	if len(r.ResourceNames) > 0 {
		text += " named " + strings.Join(r.ResourceNames, ", ")
	}
	return text
}

func qualified(namespace, n string) string {
	if namespace == "" {
		return n
	}
	return namespace + "/" + n
}
