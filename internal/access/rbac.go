package access

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// rules is the RBAC side of a cluster.
type rules struct {
	index *rbac.Index
	// partial are aggregated ClusterRoles that were written without rules, so that a ClusterRole that was not read may add some.
	partial map[string]bool
	// assumed says that cluster-admin is there without having been read.
	assumed bool
	// What not every question needs is worked out when it is first asked for.
	roles    func() map[name]*model.Role
	bindings func() map[name]*model.Binding
	subjects func() subjectNames
}

// subjectNames are the usernames and groups that bindings name, sorted.
type subjectNames struct{ users, groups []string }

func (c *Cluster) newRules() *rules {
	r := &rules{partial: map[string]bool{}}
	roles := make([]rbac.Role, 0, 1+len(c.ClusterRoles)+len(c.Roles))
	objects := make([]*model.Role, 0, cap(roles))
	add := func(m *model.Role) {
		objects = append(objects, m)
		roles = append(roles, rbac.Role{Namespace: m.Namespace, Name: m.Name, Labels: m.Labels, Rules: m.Rules, Aggregation: m.Aggregation})
	}
	if !c.Complete(model.AreaClusterRoles) && !slices.ContainsFunc(c.ClusterRoles, func(m *model.Role) bool { return m.Name == clusterAdmin.Name }) {
		r.assumed = true
		add(clusterAdmin)
	}
	for _, list := range [][]*model.Role{c.ClusterRoles, c.Roles} {
		for _, m := range list {
			add(m)
		}
	}
	r.aggregate(roles, objects)
	bindings := make([]rbac.Binding, 0, len(c.ClusterRoleBindings)+len(c.RoleBindings))
	for _, list := range [][]*model.Binding{c.ClusterRoleBindings, c.RoleBindings} {
		for _, m := range list {
			bindings = append(bindings, rbac.Binding{Namespace: m.Namespace, Name: m.Name, RoleRef: m.RoleRef, Subjects: m.Subjects})
		}
	}
	r.index = rbac.NewIndex(roles, bindings)
	r.roles = sync.OnceValue(func() map[name]*model.Role {
		by := make(map[name]*model.Role, len(objects))
		for _, m := range objects {
			by[name{m.Namespace, m.Name}] = m
		}
		return by
	})
	r.bindings = sync.OnceValue(func() map[name]*model.Binding {
		by := make(map[name]*model.Binding, len(bindings))
		for _, m := range c.Bindings() {
			by[name{m.Namespace, m.Name}] = m
		}
		return by
	})
	r.subjects = sync.OnceValue(func() subjectNames { return namesOfSubjects(bindings) })
	return r
}

func namesOfSubjects(bindings []rbac.Binding) subjectNames {
	var n subjectNames
	for i := range bindings {
		for _, s := range bindings[i].Subjects {
			switch user, group := rbac.Names(s, bindings[i].Namespace); {
			case user != "":
				n.users = append(n.users, user)
			case group != "":
				n.groups = append(n.groups, group)
			}
		}
	}
	slices.Sort(n.users)
	n.users = slices.Compact(n.users)
	slices.Sort(n.groups)
	n.groups = slices.Compact(n.groups)
	return n
}

// aggregate fills in aggregated ClusterRoles that were written without rules, as manifests are; those of a live cluster
// are filled in by its controller already.
func (r *rules) aggregate(roles []rbac.Role, objects []*model.Role) {
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
			filled := *objects[i]
			filled.Rules = full.Rules
			objects[i] = &filled
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
	return c.rbac().bindings()[name{b.Namespace, b.Name}]
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
		{Text: "binds " + s.Kind + " " + qualified(s.Namespace, s.Name) + " to " + role, Source: binding},
		{Text: RuleText(g), Source: role + " rules[" + strconv.Itoa(g.Rule) + "]"},
	}
}

// RuleText is a rule in one line: "get, list on secrets".
func RuleText(g rbac.Grant) string { return ruleText(g.PolicyRule()) }

// RuleOf is a rule in one line: "get, list on secrets".
func RuleOf(r *rbacv1.PolicyRule) string { return ruleText(r) }

func ruleText(r *rbacv1.PolicyRule) string {
	var b strings.Builder
	list := func(before string, words []string) {
		for _, w := range words {
			if w == "" { // the core group goes without saying
				continue
			}
			b.WriteString(before)
			b.WriteString(w)
			before = ", "
		}
	}
	list("", r.Verbs)
	if len(r.NonResourceURLs) > 0 {
		list(" on ", r.NonResourceURLs)
		return b.String()
	}
	list(" on ", r.Resources)
	list(" of ", r.APIGroups)
	list(" named ", r.ResourceNames)
	return b.String()
}

func qualified(namespace, n string) string {
	if namespace == "" {
		return n
	}
	return namespace + "/" + n
}
