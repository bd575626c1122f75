package model

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
)

// Sort puts the items of every area in the order of their names, so that what is concluded from a snapshot does not
// depend on which source read it, or in which order.
func (s *Snapshot) Sort() {
	slices.SortStableFunc(s.Clusters, func(a, b *Cluster) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ARN, b.ARN)) })
	slices.SortStableFunc(s.Accounts, func(a, b *Account) int { return strings.Compare(a.ID, b.ID) })
	for _, a := range Areas {
		for _, c := range s.Clusters {
			if !a.OfAccount {
				sortField(a.ofCluster(c))
			}
		}
		for _, acct := range s.Accounts {
			if a.OfAccount {
				sortField(a.ofAccount(acct))
			}
		}
	}
	SortGaps(s.Gaps)
}

// sortField sorts the slice behind field; a single item has no order.
func sortField(field any) {
	v := reflect.ValueOf(field).Elem()
	if v.Kind() != reflect.Slice || v.Len() < 2 {
		return
	}
	type keyed struct {
		key  string
		item reflect.Value
	}
	items := make([]keyed, v.Len())
	sorted := true
	for i := range items {
		items[i] = keyed{sortKey(v.Index(i).Interface()), v.Index(i)}
		sorted = sorted && (i == 0 || items[i-1].key <= items[i].key)
	}
	if sorted {
		return
	}
	slices.SortStableFunc(items, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	for i, k := range items {
		out.Index(i).Set(k.item)
	}
	v.Set(out)
}

// sortKey is the name of an item with its parts in order.
func sortKey(item any) string {
	switch v := item.(type) {
	case *PolicyAssociation:
		return v.PrincipalARN + "\x00" + v.PolicyARN
	case *LaunchTemplate:
		return v.ID + "\x00" + v.Version
	case *Instance:
		return v.ID
	case *MutatingWebhook:
		return v.Name + "\x00" + v.Webhook
	case *NodeClass:
		return v.Kind + "\x00" + v.Name
	case *AdmissionPolicy:
		return v.Name
	case *AdmissionPolicyUse:
		return v.Name
	case *PodIdentityAssociation:
		return v.Namespace + "\x00" + v.ServiceAccount + "\x00" + v.ID
	case Object:
		s := v.Subject()
		return s.Namespace + "\x00" + s.Name + "\x00" + s.ARN
	}
	return ""
}
