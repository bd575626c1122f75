package plan

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/model"
)

// Equal says whether two snapshots hold the same, aside from what AWS and Kubernetes set themselves and from the order of
// lists that have none: ARNs, ids and times of access entries, policy associations and Pod Identity associations; usernames and
// groups of node entries; ids, times and resource versions of Kubernetes objects that can be made again; and the places of all these in files. So a plan that was
// undone compares equal to what was there before it.
func Equal(a, b *model.Snapshot) (bool, error) {
	var texts [2]bytes.Buffer
	for i, s := range []*model.Snapshot{a, b} {
		settled := settle(s)
		settled.Sort()
		if err := model.Write(&texts[i], settled); err != nil {
			return false, fmt.Errorf("compare snapshots: %w", err)
		}
	}
	return bytes.Equal(texts[0].Bytes(), texts[1].Bytes()), nil
}

// settle returns the snapshot without what AWS and Kubernetes set themselves.
func settle(s *model.Snapshot) *model.Snapshot {
	out := fork(s)
	out.Gaps = slices.Clone(s.Gaps)
	for _, c := range out.Clusters {
		c.AccessEntries = each(c.AccessEntries, settleEntry)
		c.PolicyAssociations = each(c.PolicyAssociations, func(a *model.PolicyAssociation) {
			a.Associated, a.Modified, a.Loc = time.Time{}, time.Time{}, nil
		})
		c.PodIdentityAssociations = each(c.PodIdentityAssociations, func(a *model.PodIdentityAssociation) {
			a.ID, a.ARN, a.ExternalID, a.Created, a.Modified, a.Loc = "", "", "", time.Time{}, time.Time{}, nil
		})
		c.ServiceAccounts = each(c.ServiceAccounts, func(sa *model.ServiceAccount) { settleMeta(&sa.Meta) })
		c.RoleBindings = each(c.RoleBindings, func(b *model.Binding) { settleMeta(&b.Meta) })
		c.ClusterRoleBindings = each(c.ClusterRoleBindings, func(b *model.Binding) { settleMeta(&b.Meta) })
		if c.AWSAuth != nil {
			a := *c.AWSAuth
			a.ResourceVersion = ""
			c.AWSAuth = &a
		}
		if c.Description != nil {
			d := *c.Description
			d.EnabledLogs = slices.Compact(slices.Sorted(slices.Values(d.EnabledLogs)))
			c.Description = &d
		}
	}
	for _, a := range out.Accounts {
		a.Roles = each(a.Roles, func(r *model.IAMRole) { r.Attached, r.Inline = settlePolicies(r.Attached, r.Inline) })
		a.Users = each(a.Users, func(u *model.IAMUser) { u.Attached, u.Inline = settlePolicies(u.Attached, u.Inline) })
	}
	return out
}

func settleEntry(e *model.AccessEntry) {
	e.ARN, e.Created, e.Modified = "", time.Time{}, time.Time{}
	e.Type = cmp.Or(e.Type, model.EntryStandard)
	if e.IsNode() {
		e.Username, e.Groups = "", nil
	} else if e.Username == "" {
		e.Username, _ = authenticator.DefaultUsername(e.Type, e.PrincipalARN)
	}
	e.Loc = nil
}

func settleMeta(m *model.Meta) { m.UID, m.Created, m.Loc = "", time.Time{}, nil }

func settlePolicies(attached []string, inline []model.InlinePolicy) ([]string, []model.InlinePolicy) {
	return slices.Sorted(slices.Values(attached)), slices.SortedFunc(slices.Values(inline), func(a, b model.InlinePolicy) int { return strings.Compare(a.Name, b.Name) })
}

// each copies the items of a list and changes the copies.
func each[T any](items []*T, change func(*T)) []*T {
	out := slices.Clone(items)
	for i, item := range out {
		v := *item
		change(&v)
		out[i] = &v
	}
	return out
}
