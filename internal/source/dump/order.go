package dump

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

type gapOf = finding.Gap

// put adds an object to the area of a cluster that its type belongs to.
func put(c *model.Cluster, v any) {
	switch v := v.(type) {
	case *model.Description:
		c.Description = v
	case *model.AccessEntry:
		c.AccessEntries = append(c.AccessEntries, v)
	case *model.PolicyAssociation:
		c.PolicyAssociations = append(c.PolicyAssociations, v)
	case *model.PodIdentityAssociation:
		c.PodIdentityAssociations = append(c.PodIdentityAssociations, v)
	case *model.Nodegroup:
		c.Nodegroups = append(c.Nodegroups, v)
	case *model.FargateProfile:
		c.FargateProfiles = append(c.FargateProfiles, v)
	case *model.Addon:
		c.Addons = append(c.Addons, v)
	case *model.Capability:
		c.Capabilities = append(c.Capabilities, v)
	case *model.IdentityProvider:
		c.IdentityProviders = append(c.IdentityProviders, v)
	case *model.AccessPolicy:
		c.AccessPolicies = append(c.AccessPolicies, v)
	case *model.LogGroup:
		c.LogGroup = v
	case *model.Instance:
		c.Instances = append(c.Instances, v)
	case *model.LaunchTemplate:
		c.LaunchTemplates = append(c.LaunchTemplates, v)
	default:
		putKube(c, v)
	}
}

func putKube(c *model.Cluster, v any) {
	switch v := v.(type) {
	case *model.Namespace:
		c.Namespaces = append(c.Namespaces, v)
	case *model.ServiceAccount:
		c.ServiceAccounts = append(c.ServiceAccounts, v)
	case *model.Pod:
		c.Pods = append(c.Pods, v)
	case *model.Workload:
		c.Workloads = append(c.Workloads, v)
	case *model.Role:
		if v.Namespace == "" {
			c.ClusterRoles = append(c.ClusterRoles, v)
		} else {
			c.Roles = append(c.Roles, v)
		}
	case *model.Binding:
		if v.Namespace == "" {
			c.ClusterRoleBindings = append(c.ClusterRoleBindings, v)
		} else {
			c.RoleBindings = append(c.RoleBindings, v)
		}
	case *model.AWSAuth:
		c.AWSAuth = v
	case *model.Node:
		c.Nodes = append(c.Nodes, v)
	case *model.NodeClass:
		c.NodeClasses = append(c.NodeClasses, v)
	case *model.MutatingWebhook:
		c.MutatingWebhooks = append(c.MutatingWebhooks, v)
	case *model.AdmissionPolicy:
		c.AdmissionPolicies = append(c.AdmissionPolicies, v)
	case *model.AdmissionPolicyUse:
		c.PolicyBindings = append(c.PolicyBindings, v)
	}
}

// keyed is an object and the key that it is ordered by, in which objects of one area that are the same agree.
type keyed struct {
	a, b, c string
	value   any
	loc     *finding.Location
}

func keyOfObject(v any) keyed {
	k := keyed{value: v, loc: atOf(v).Loc}
	switch v := v.(type) {
	case *model.MutatingWebhook:
		k.a, k.b = v.Name, v.Webhook
	case *model.AdmissionPolicy:
		k.a = v.Name
	case *model.AdmissionPolicyUse:
		k.a = v.Name
	case *model.NodeClass:
		k.a, k.b = v.Kind, v.Name
	case model.Object:
		s := v.Subject()
		k.a, k.b, k.c = s.Namespace, s.Name, s.Kind
	}
	return k
}

// compareKeyed orders by key, then by place, so that the order of files decides nothing.
func compareKeyed(x, y keyed) int {
	return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b), cmp.Compare(x.c, y.c), compareLoc(x.loc, y.loc))
}

func compareLoc(x, y *finding.Location) int {
	if x == nil || y == nil {
		return 0
	}
	return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line))
}

// distinct orders objects and keeps one of those with the same name. It says which have copies that differ.
func distinct(objects []any) (rows []any, twice []string) {
	ks := make([]keyed, len(objects))
	for i, v := range objects {
		ks[i] = keyOfObject(v)
	}
	slices.SortStableFunc(ks, compareKeyed)
	rows = make([]any, 0, len(ks))
	for i, k := range ks {
		if i > 0 && k.a == ks[i-1].a && k.b == ks[i-1].b && k.c == ks[i-1].c {
			if !same(rows[len(rows)-1], k.value) {
				twice = append(twice, differ(k.c+" "+k.a+"/"+k.b, atOf(rows[len(rows)-1]).Loc, k.loc))
			}
			continue
		}
		rows = append(rows, k.value)
	}
	return rows, twice
}

func differ(what string, x, y *finding.Location) string {
	return fmt.Sprintf("%s stands in %s and, with other content, in %s: the first is used", what, show(x), show(y))
}

func show(l *finding.Location) string {
	switch {
	case l == nil:
		return "a file"
	case l.Line > 0:
		return fmt.Sprintf("%s:%d", l.File, l.Line)
	}
	return l.File
}

// same compares two objects without their places.
func same(x, y any) bool {
	ax, ay := atOf(x), atOf(y)
	if ax == nil || ay == nil {
		return reflect.DeepEqual(x, y)
	}
	lx, ly := ax.Loc, ay.Loc
	ax.Loc, ay.Loc = nil, nil
	equal := reflect.DeepEqual(x, y)
	ax.Loc, ay.Loc = lx, ly
	return equal
}

// uniqueItems orders items by key and keeps one of those with the same key. It says which differ.
func uniqueItems(items []item) (kept []item, twice []string) {
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(x, y item) int {
		return cmp.Or(cmp.Compare(x.key, y.key), incomplete(x.value)-incomplete(y.value), compareLoc(x.loc, y.loc))
	})
	for i, it := range items {
		if i == 0 || it.key != items[i-1].key {
			kept = append(kept, it)
			continue
		}
		first := kept[len(kept)-1]
		if incomplete(first.value) == incomplete(it.value) && !same(first.value, it.value) {
			twice = append(twice, differ(it.key, first.loc, it.loc))
		}
	}
	return kept, twice
}

// incomplete is 1 for an answer that another command gives more of.
func incomplete(v any) int {
	if r, ok := v.(*model.IAMRole); ok && r.PoliciesUnknown {
		return 1
	}
	return 0
}
