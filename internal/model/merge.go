package model

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"drawbridge/internal/finding"
)

// Merge combines snapshots of different areas or clusters into one. Clusters are the same if their ARNs are, or, where
// one of them has none, their names; accounts if their ids are. Items of both are kept, the same object (kind,
// namespace, name, ARN) once, the later snapshot's. A gap stays only as long as no snapshot read the area without one.
// The order of the arguments decides nothing but which of two differing copies of an object wins.
func Merge(snapshots ...*Snapshot) *Snapshot {
	out := &Snapshot{}
	clean := map[finding.Gap]bool{} // area, cluster and account that some snapshot read without a gap
	for _, s := range snapshots {
		if s.Time.After(out.Time) {
			out.Time = s.Time
		}
		out.Tool = cmp.Or(out.Tool, s.Tool)
		for _, c := range s.Clusters {
			into := out.sameCluster(c)
			for _, a := range Areas {
				if a.OfAccount || !c.Read[a.Area] && !holds(a.ofCluster(c)) {
					continue
				}
				if len(s.GapsFor(c, a.Area)) == 0 {
					clean[finding.Gap{Area: string(a.Area), Cluster: s.Label(c)}] = true
				}
				into.MarkRead(a.Area)
				mergeField(a.ofCluster(into), a.ofCluster(c))
			}
		}
		for _, acct := range s.Accounts {
			into := out.sameAccount(acct)
			for _, a := range Areas {
				if !a.OfAccount || !acct.Read[a.Area] && !holds(a.ofAccount(acct)) {
					continue
				}
				if !slices.ContainsFunc(s.Gaps, func(g finding.Gap) bool { return g.Area == string(a.Area) && g.Account == acct.ID }) {
					clean[finding.Gap{Area: string(a.Area), Account: acct.ID}] = true
				}
				into.MarkRead(a.Area)
				mergeField(a.ofAccount(into), a.ofAccount(acct))
			}
		}
	}
	seen := map[finding.Gap]bool{}
	for _, s := range snapshots {
		for _, g := range s.Gaps {
			if !seen[g] && !clean[finding.Gap{Area: g.Area, Cluster: g.Cluster, Account: g.Account}] {
				seen[g] = true
				out.Gaps = append(out.Gaps, g)
			}
		}
	}
	SortGaps(out.Gaps)
	slices.SortStableFunc(out.Clusters, func(a, b *Cluster) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ARN, b.ARN)) })
	slices.SortStableFunc(out.Accounts, func(a, b *Account) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// SortGaps orders gaps by cluster, account, area, action and reason.
func SortGaps(gaps []finding.Gap) {
	slices.SortFunc(gaps, func(a, b finding.Gap) int {
		return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.Account, b.Account),
			strings.Compare(a.Area, b.Area), strings.Compare(a.Action, b.Action), strings.Compare(a.Reason, b.Reason))
	})
}

// sameCluster finds the cluster that c is, or adds it.
func (s *Snapshot) sameCluster(c *Cluster) *Cluster {
	for _, have := range s.Clusters {
		if have.ARN == c.ARN && have.Name == c.Name || have.Name == c.Name && (have.ARN == "" || c.ARN == "") {
			have.ARN = cmp.Or(have.ARN, c.ARN)
			have.Account = cmp.Or(have.Account, c.Account)
			have.Region = cmp.Or(have.Region, c.Region)
			have.Partition = cmp.Or(have.Partition, c.Partition)
			return have
		}
	}
	added := &Cluster{Name: c.Name, ARN: c.ARN, Account: c.Account, Region: c.Region, Partition: c.Partition}
	s.Clusters = append(s.Clusters, added)
	return added
}

// sameAccount finds the account that a is, or adds it.
func (s *Snapshot) sameAccount(a *Account) *Account {
	if have := s.Account(a.ID); have != nil {
		have.Partition = cmp.Or(have.Partition, a.Partition)
		have.AllClustersOf = slices.Compact(slices.Sorted(slices.Values(slices.Concat(have.AllClustersOf, a.AllClustersOf))))
		return have
	}
	added := &Account{ID: a.ID, Partition: a.Partition, AllClustersOf: a.AllClustersOf}
	s.Accounts = append(s.Accounts, added)
	return added
}

// mergeField adds the items behind from to those behind into; both point to a slice or to a single pointer.
func mergeField(into, from any) {
	dst, src := reflect.ValueOf(into).Elem(), reflect.ValueOf(from).Elem()
	if dst.Kind() == reflect.Pointer {
		if !src.IsNil() && !fuller(dst.Interface(), src.Interface()) {
			dst.Set(src)
		}
		return
	}
	if dst.Len() == 0 {
		dst.Set(reflect.AppendSlice(dst, src))
		return
	}
	at := make(map[any]int, dst.Len())
	for i := range dst.Len() {
		at[identity(dst.Index(i).Interface())] = i
	}
	for i := range src.Len() {
		item := src.Index(i)
		key := identity(item.Interface())
		if j, ok := at[key]; ok {
			dst.Index(j).Set(item)
			continue
		}
		at[key] = dst.Len()
		dst.Set(reflect.Append(dst, item))
	}
}

// fuller says whether the first of two copies of a single item, which may be nil, holds more than the second.
func fuller(a, b any) bool {
	x, ok := a.(*Organization)
	y, _ := b.(*Organization)
	return ok && x != nil && x.ID == y.ID && x.unread() < y.unread()
}

// identity is what makes two items the same object.
func identity(item any) any {
	switch v := item.(type) {
	case *PolicyAssociation:
		return [2]string{v.PrincipalARN, v.PolicyARN}
	case *LaunchTemplate:
		return [3]string{v.ID, v.Version}
	case *Instance:
		return v.ID
	case *MutatingWebhook:
		return [2]string{v.Name, v.Webhook}
	case *NodeClass:
		return [2]string{v.Kind, v.Name}
	case *AdmissionPolicyUse:
		return v.Name
	case *AdmissionPolicy:
		return v.Name
	case Object:
		s := v.Subject()
		return finding.Subject{Kind: s.Kind, Namespace: s.Namespace, Name: s.Name}
	}
	return item
}
