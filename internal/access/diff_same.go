package access

import (
	"maps"
	"reflect"
	"slices"

	"drawbridge/internal/model"
)

// alikes finds what is the same on both sides, so that identities need not be asked of whom nothing changed.
func (d *differ) alikes() {
	before, after := d.before.snapshot, d.after.snapshot
	d.sameAccounts = sameOrganizations(before, after)
	d.trustChange, d.roleChange = map[string]bool{}, map[string]bool{}
	for arn, r := range d.after.roles {
		old := d.before.roles[arn]
		if old == r {
			continue
		}
		d.roleChange[arn] = true
		d.trustChange[arn] = old == nil || old.Trust != r.Trust
	}
	for arn := range d.before.roles {
		if d.after.roles[arn] == nil {
			d.trustChange[arn], d.roleChange[arn] = true, true
		}
	}
	maps.DeleteFunc(d.trustChange, func(_ string, changed bool) bool { return !changed })
	same := d.sameAccounts && before.Time.Equal(after.Time) && slices.EqualFunc(before.Accounts, after.Accounts, alikeAccounts)
	for _, c := range d.clusters {
		c.alike = same && c.before != nil && c.after != nil && c.before.label() == c.after.label() && alikeClusters(c.before.Cluster, c.after.Cluster)
	}
}

// alikeAccounts says whether two accounts are the same but for what roles may do and whom they let in.
func alikeAccounts(before, after *model.Account) bool {
	return slices.EqualFunc(before.Roles, after.Roles, func(r, q *model.IAMRole) bool {
		return r == q || r.ARN == q.ARN && r.ID == q.ID && r.Name == q.Name && slices.Equal(r.InstanceProfiles, q.InstanceProfiles)
	}) && sameButFor(before, after, "Roles")
}

// alikeClusters says whether two clusters are the same but for service accounts and associations.
func alikeClusters(before, after *model.Cluster) bool {
	return sameButFor(before, after, "ServiceAccounts", "PodIdentityAssociations")
}

// sameButFor says whether two structs are the same but for some fields. Lists are if they are one in memory, as they are where
// one snapshot was made from the other: it is for those that this saves work.
func sameButFor[T any](before, after *T, fields ...string) bool {
	b, a := reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem()
	for i := range b.NumField() {
		f, g := b.Field(i), a.Field(i)
		switch {
		case slices.Contains(fields, b.Type().Field(i).Name):
		case f.Kind() == reflect.Slice:
			if f.Len() != g.Len() || f.Len() > 0 && f.Pointer() != g.Pointer() {
				return false
			}
		case !reflect.DeepEqual(f.Interface(), g.Interface()):
			return false
		}
	}
	return true
}

// sameOrganizations says whether accounts stand alike in their organizations, and were read alike.
func sameOrganizations(before, after *model.Snapshot) bool {
	if len(before.Accounts) != len(after.Accounts) {
		return false
	}
	for _, b := range before.Accounts {
		a := after.Account(b.ID)
		if a == nil || !reflect.DeepEqual(a.Organization, b.Organization) || !maps.Equal(a.Read, b.Read) {
			return false
		}
	}
	return reflect.DeepEqual(before.Gaps, after.Gaps)
}

// untouched says that an identity of a cluster runs as the same on both sides: nothing that decides about it in the cluster
// differs, nor its association.
func (d *differ) untouched(p *identityPair) bool {
	if p.cluster == nil || !p.cluster.alike || p.before != p.after {
		return false
	}
	if p.after.Kind == KindUser || p.after.Kind == KindGroup {
		return true
	}
	sa := p.cluster.after.runsAs(p.after)
	if sa.name == "" {
		return false
	}
	b, a := p.cluster.before, p.cluster.after
	return b.accounts[sa] == a.accounts[sa] && b.podIdentity[sa] == a.podIdentity[sa]
}

// runsAs is the service account of an identity of the cluster, without a name where it is not known.
func (c *Cluster) runsAs(id Identity) name {
	switch id.Kind {
	case KindServiceAccount:
		return name{id.Namespace, id.Name}
	case KindWorkload:
		if u := c.unitNames()[unitName(id.Namespace, id.Name)]; u != nil {
			return name{u.Namespace, u.ServiceAccount()}
		}
	case KindPod:
		if p := c.pod(id); p != nil {
			return name{p.Namespace, ServiceAccountName(&p.PodSpec)}
		}
	}
	return name{}
}

// sameSessions says that the roles of the sessions of an untouched identity are the same on both sides with all that they may
// do, so that so are its sessions.
func (d *differ) sameSessions(p *identityPair, after *awsSide) bool {
	if a := p.cluster.after.podIdentity[p.cluster.after.runsAs(p.after)]; a != nil && (d.roleChange[a.RoleARN] || d.roleChange[a.TargetRoleARN]) {
		return false
	}
	return !slices.ContainsFunc(after.holding(), func(s *AWSSession) bool { return d.roleChange[s.ARN] })
}
