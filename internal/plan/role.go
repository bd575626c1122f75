package plan

import (
	"reflect"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// PutRoleRules replaces the rules of a Role, or of a ClusterRole where the namespace is empty.
type PutRoleRules struct {
	Cluster   string `json:"cluster"`
	Namespace string `json:"namespace,omitzero"`
	Name      string `json:"name"`
	// Before is what the change expects to stand there.
	Before []rbacv1.PolicyRule `json:"before"`
	After  []rbacv1.PolicyRule `json:"after"`
}

// Apply writes the rules. Those of an aggregated ClusterRole are filled from others and cannot be written (Kubernetes
// documentation, "Aggregated ClusterRoles", 2026-11).
func (c PutRoleRules) Apply(s *model.Snapshot) error {
	list, i, err := c.find(s)
	if err != nil {
		return err
	}
	r := *(*list)[i]
	r.Rules = cloneRules(c.After)
	*list = replaced(*list, i, &r)
	return nil
}

func (c PutRoleRules) find(s *model.Snapshot) (*[]*model.Role, int, error) {
	k, err := cluster(s, c.Cluster)
	if err != nil {
		return nil, 0, err
	}
	list, object := &k.ClusterRoles, thing(roleKind(c.Namespace), c.Namespace, c.Name)
	if c.Namespace != "" {
		list = &k.Roles
	}
	i := slices.IndexFunc(*list, func(r *model.Role) bool { return r.Name == c.Name && r.Namespace == c.Namespace })
	switch {
	case i < 0:
		return nil, 0, &Unmet{object, "one", "none"}
	case (*list)[i].Aggregation != nil:
		return nil, 0, &Unmet{object, "rules of its own", "rules that are aggregated"}
	case !sameRules((*list)[i].Rules, c.Before):
		return nil, 0, &Unmet{object, "the rules that were read", "others"}
	case sameRules(c.Before, c.After):
		return nil, 0, &Unmet{object, "other rules", "those already"}
	}
	return list, i, nil
}

// Inverse writes the rules of before.
func (c PutRoleRules) Inverse(before *model.Snapshot) ([]Change, error) {
	if _, _, err := c.find(before); err != nil {
		return nil, err
	}
	return []Change{PutRoleRules{Cluster: c.Cluster, Namespace: c.Namespace, Name: c.Name, Before: c.After, After: c.Before}}, nil
}

func (c PutRoleRules) String() string {
	return "write the rules of " + thing(roleKind(c.Namespace), c.Namespace, c.Name)
}

func (c PutRoleRules) details() details {
	kind, after := roleKind(c.Namespace), c.After
	if after == nil {
		after = []rbacv1.PolicyRule{}
	}
	steps := []patchStep{{"add", "/rules", after}} // which replaces what is there
	if len(c.Before) > 0 {
		steps = slices.Insert(steps, 0, patchStep{"test", "/rules", c.Before})
	}
	return details{
		target:       finding.Target{Cluster: c.Cluster, Subject: finding.Subject{Kind: kind, Namespace: c.Namespace, Name: c.Name}},
		command:      patchJSON(kind, c.Namespace, c.Name, steps...),
		precondition: "the rules are as they were read", verify: kubectl("get", kind, c.Namespace, c.Name, "-o", "yaml"),
	}
}

func roleKind(namespace string) string {
	if namespace == "" {
		return "ClusterRole"
	}
	return "Role"
}

// sameRules compares rules; a list that is not there is one without items.
func sameRules(a, b []rbacv1.PolicyRule) bool {
	return slices.EqualFunc(a, b, func(a, b rbacv1.PolicyRule) bool {
		return reflect.DeepEqual(cloneRule(a), cloneRule(b))
	})
}

func cloneRules(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	out := make([]rbacv1.PolicyRule, len(rules))
	for i, r := range rules {
		out[i] = cloneRule(r)
	}
	return out
}

// cloneRule copies a rule; of its lists those without items become nil.
func cloneRule(r rbacv1.PolicyRule) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{
		Verbs: append([]string(nil), r.Verbs...), APIGroups: append([]string(nil), r.APIGroups...), Resources: append([]string(nil), r.Resources...),
		ResourceNames: append([]string(nil), r.ResourceNames...), NonResourceURLs: append([]string(nil), r.NonResourceURLs...),
	}
}
