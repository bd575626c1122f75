package rbac

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Role is a Role or, without namespace, a ClusterRole.
type Role struct {
	Namespace   string                  `json:"namespace,omitempty"`
	Name        string                  `json:"name"`
	Labels      map[string]string       `json:"labels,omitempty"`
	Rules       []rbacv1.PolicyRule     `json:"rules,omitempty"`
	Aggregation *rbacv1.AggregationRule `json:"aggregationRule,omitempty"` // of ClusterRoles only
}

// Binding is a RoleBinding or, without namespace, a ClusterRoleBinding.
type Binding struct {
	Namespace string           `json:"namespace,omitempty"`
	Name      string           `json:"name"`
	RoleRef   rbacv1.RoleRef   `json:"roleRef"`
	Subjects  []rbacv1.Subject `json:"subjects,omitempty"`
}

// Kind returns "Role" or "ClusterRole".
func (r *Role) Kind() string {
	if r.Namespace == "" {
		return "ClusterRole"
	}
	return "Role"
}

// Kind returns "RoleBinding" or "ClusterRoleBinding".
func (b *Binding) Kind() string {
	if b.Namespace == "" {
		return "ClusterRoleBinding"
	}
	return "RoleBinding"
}

// Aggregate returns the roles with the rules of aggregated ClusterRoles computed from the ClusterRoles that
// their selectors choose, as the controller in a cluster would in the end. Roles read from a live cluster are already
// so; roles from manifests are not. The input is not changed.
//
// The rules an aggregated ClusterRole was written with count for nothing, since the controller overwrites them. Where
// aggregated ClusterRoles choose each other in a circle, all of them get what the others in it choose outside.
// A selector that is not valid stops the controller, so that ClusterRole keeps its rules.
func Aggregate(roles []Role) []Role {
	a := aggregator{byName: map[string]*Role{}, chosen: map[string][]*Role{}}
	for i := range roles {
		if roles[i].Namespace == "" {
			a.byName[roles[i].Name] = &roles[i]
		}
	}
	out := slices.Clone(roles)
	for i := range out {
		if r := &out[i]; r.Namespace == "" && r.Aggregation != nil {
			r.Rules = a.rules(r)
		}
	}
	return out
}

type aggregator struct {
	byName map[string]*Role
	chosen map[string][]*Role // ClusterRoles that an aggregated one selects, in the controller's order
}

// rules collects what the ClusterRoles reachable from r hold, each ClusterRole once.
func (a *aggregator) rules(r *Role) []rbacv1.PolicyRule {
	var out []rbacv1.PolicyRule
	seen := map[string]bool{r.Name: true}
	var visit func(*Role)
	visit = func(from *Role) {
		for _, to := range a.choose(from) {
			if seen[to.Name] {
				continue
			}
			seen[to.Name] = true
			if a.aggregates(to) {
				visit(to)
				continue
			}
			for _, rule := range to.Rules {
				if !slices.ContainsFunc(out, func(o rbacv1.PolicyRule) bool { return sameRule(o, rule) }) {
					out = append(out, rule)
				}
			}
		}
	}
	if !a.aggregates(r) {
		return r.Rules
	}
	visit(r)
	return out
}

// aggregates reports whether the controller manages the rules of the ClusterRole.
func (a *aggregator) aggregates(r *Role) bool {
	if r.Aggregation == nil {
		return false
	}
	for i := range r.Aggregation.ClusterRoleSelectors {
		if _, err := metav1.LabelSelectorAsSelector(&r.Aggregation.ClusterRoleSelectors[i]); err != nil {
			return false
		}
	}
	return true
}

func (a *aggregator) choose(r *Role) []*Role {
	if list, ok := a.chosen[r.Name]; ok {
		return list
	}
	var list []*Role
	for i := range r.Aggregation.ClusterRoleSelectors {
		s, err := metav1.LabelSelectorAsSelector(&r.Aggregation.ClusterRoleSelectors[i])
		if err != nil {
			continue
		}
		var matched []*Role
		for _, c := range a.byName {
			if s.Matches(labels.Set(c.Labels)) {
				matched = append(matched, c)
			}
		}
		slices.SortFunc(matched, func(x, y *Role) int { return strings.Compare(x.Name, y.Name) })
		list = append(list, matched...)
	}
	a.chosen[r.Name] = list
	return list
}

// sameRule compares rules with nil and empty lists equal.
func sameRule(a, b rbacv1.PolicyRule) bool {
	return slices.Equal(a.Verbs, b.Verbs) && slices.Equal(a.APIGroups, b.APIGroups) && slices.Equal(a.Resources, b.Resources) &&
		slices.Equal(a.ResourceNames, b.ResourceNames) && slices.Equal(a.NonResourceURLs, b.NonResourceURLs)
}
