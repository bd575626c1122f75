package access

import (
	"slices"
	"strings"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// Identities lists all identities of the snapshot, in the order of Compare: the IAM roles and users of its accounts and
// those that clusters name, and of each cluster the usernames and groups that bindings name, the service accounts that exist
// or that something is given to, workloads, and pods without one. AWS's own service-linked roles are listed where a cluster
// names them.
func (a *Access) Identities() []Identity {
	seen := map[Identity]bool{}
	var all []Identity
	add := func(id Identity) {
		if !seen[id] {
			seen[id] = true
			all = append(all, id)
		}
	}
	a.awsIdentities(add)
	for _, c := range a.Clusters() {
		label := c.label()
		c.inside(func(id Identity, _ string) {
			id.Cluster = label
			add(id)
		})
	}
	slices.SortFunc(all, Identity.Compare)
	return all
}

// awsIdentities are the IAM principals among the identities; some are told more than once.
func (a *Access) awsIdentities(add func(Identity)) {
	for _, acct := range a.snapshot.Accounts {
		for _, p := range a.IAMPrincipals(acct) {
			add(identityOf(p.ARN))
		}
	}
	for _, c := range a.Clusters() {
		c.principals(func(arn string) { add(identityOf(arn)) })
	}
}

func identityOf(arn string) Identity {
	parsed, err := iam.ParseARN(arn)
	if err != nil {
		return Identity{Kind: KindPrincipal, ARN: arn}
	}
	return IdentityOfARN(parsed)
}

// principals are the IAM principals that the cluster names: those it may let in, and those that its pods and nodes hold.
func (c *Cluster) principals(add func(arn string)) {
	for _, e := range c.AccessEntries {
		add(e.PrincipalARN)
	}
	for _, m := range c.Mappings() {
		arn, err := iam.ParseARN(m.Read.ARN)
		if err != nil || !m.CanMap() {
			continue
		}
		if role, _ := c.all.RoleByName(arn.Account, arn.RoleName()); role != nil && arn.IsRole() {
			add(role.ARN)
		} else {
			add(arn.String())
		}
	}
	for _, sa := range c.AWSServiceAccounts() {
		if _, err := iam.ParseARN(sa.RoleARN); err == nil {
			add(sa.RoleARN)
		}
	}
	for _, p := range c.PodIdentityAssociations {
		if _, err := iam.ParseARN(p.TargetRoleARN); err == nil {
			add(p.TargetRoleARN)
		}
	}
	for _, n := range c.Nodegroups {
		if _, err := iam.ParseARN(n.NodeRoleARN); err == nil {
			add(n.NodeRoleARN)
		}
	}
}

// inside are the identities of the cluster itself; some are told more than once. Pods come with the controller that names
// them, if any.
func (c *Cluster) inside(add func(id Identity, owner string)) {
	for _, b := range c.Bindings() {
		for _, s := range b.Subjects {
			switch user, group := rbac.Names(s, b.Namespace); {
			case group != "":
				add(Identity{Kind: KindGroup, Name: group}, "")
			case user != "":
				add(IdentityOfUser(user), "")
			}
		}
	}
	for _, sa := range c.accountNames() {
		add(Identity{Kind: KindServiceAccount, Namespace: sa.namespace, Name: sa.name}, "")
	}
	for _, u := range c.Units() {
		owner := ""
		if p, ok := u.Object.(*model.Pod); ok {
			owner = p.Owner
		}
		add(u.identity(), owner)
	}
}

// identity is the workload, or the pod where there is none.
func (u *Unit) identity() Identity {
	if w, ok := u.Object.(*model.Workload); ok {
		return Identity{Kind: KindWorkload, Namespace: w.Namespace, Name: strings.ToLower(w.Kind) + "/" + w.Name}
	}
	return Identity{Kind: KindPod, Namespace: u.Namespace, Name: u.Object.Subject().Name}
}
