package detect

import (
	"slices"
	"strings"
	"sync"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// reach says how far a power goes: no place, namespaces of their owners, a namespace from which the whole cluster can be
// taken, the whole cluster, and everything in it.
type reach uint8

const (
	reachNone reach = iota
	reachNamespace
	reachSystem
	reachCluster
	reachEverything
)

func (r reach) String() string {
	return [...]string{"", "namespace", "system namespace", "cluster", "everything"}[r]
}

// privilege is what a change of an access entry gives its principal.
type privilege struct {
	// admin is how far it goes with powers by which their holder becomes somebody else, or anybody; secrets how far Secrets
	// can be read.
	admin, secrets reach
	// does is what the strongest power of the two lets it do, and where; secretsDo the same of Secrets.
	does, secretsDo string
	// unknown is what it also gives and nobody can say from what is known.
	unknown string
}

// unread is a cluster of which nothing is known but that it runs a Kubernetes of today (1.36, 2026-11): what the rules of
// access policies let one do there is the least they do anywhere.
var unread = sync.OnceValue(func() *access.Cluster {
	return access.New(&model.Snapshot{Clusters: []*model.Cluster{{Description: &model.Description{KubernetesVersion: "1.36"}}}}).Clusters()[0]
})

// cluster is the snapshot's, or one of which nothing is known.
func (l *look) cluster() *access.Cluster {
	if c := l.snapshotCluster(); c != nil {
		return c
	}
	return unread()
}

// privilege is what the call gives: by the published rules of an access policy, or by what RBAC gives the groups and the
// username. It is decided by what rules allow, never by their names.
func (l *look) privilege() privilege {
	var p privilege
	switch e := l.change(); e.Action {
	case "AssociateAccessPolicy":
		p.ofPolicy(l.cluster(), &e)
	case "CreateAccessEntry", "UpdateAccessEntry":
		// Of an update counts what it asks for: the rest was so before.
		e.Groups = l.texts(pathEntryGroups)
		if e.Action == "UpdateAccessEntry" {
			e.Username = l.first(pathEntryUsername)
		}
		if !isNodeType(e.Type) {
			p.ofIdentity(l.snapshotCluster(), &e)
		}
	}
	return p
}

func (p *privilege) ofPolicy(c *access.Cluster, e *entryChange) {
	held, published := c.PowersOfAssociation(&model.PolicyAssociation{PrincipalARN: e.Entry, PolicyARN: e.Policy, Scope: e.scope()})
	if !published {
		p.unknown = "what " + policyName(e.Policy) + " allows: AWS publishes no rules of it"
		return
	}
	for i := range held {
		p.add(c, &held[i], policyName(e.Policy))
	}
}

func (p *privilege) ofIdentity(c *access.Cluster, e *entryChange) {
	if slices.Contains(e.Groups, rbac.GroupMasters) {
		p.admin, p.secrets = reachEverything, reachEverything
		p.does, p.secretsDo = "group system:masters lets it do everything", "group system:masters lets it do everything"
		return
	}
	if c == nil {
		if len(e.Groups) > 0 {
			p.unknown = "what RBAC gives " + groupsText(e.Groups) + ": there is no snapshot of the cluster"
		}
		return
	}
	for _, area := range []model.Area{model.AreaClusterRoleBindings, model.AreaClusterRoles, model.AreaRoleBindings, model.AreaRoles} {
		if len(e.Groups) > 0 && !c.Complete(area) {
			p.unknown = "what RBAC gives " + groupsText(e.Groups) + ": the snapshot lacks " + string(area)
		}
	}
	everybody, _ := c.PowersOf(rbac.Authenticated(""))
	for _, h := range c.EntryHolders(&model.AccessEntry{PrincipalARN: e.Entry, Type: e.Type, Username: e.Username, Groups: e.Groups}) {
		held, missing := c.PowersOf(h)
		for i := range held {
			if !slices.ContainsFunc(everybody, func(o access.HeldPower) bool { return o.Power == held[i].Power && o.Namespace == held[i].Namespace }) {
				p.add(c, &held[i], "RBAC of "+holderText(h))
			}
		}
		if len(missing) > 0 {
			p.unknown = "what role " + missing[0].RoleRef.Name + " allows: it is not in the snapshot"
		}
	}
}

// add takes a power that the change gives.
func (p *privilege) add(c *access.Cluster, h *access.HeldPower, through string) {
	if !h.Strong() {
		return
	}
	r := reachOf(c, h)
	text := through + " lets it " + h.Power.Title + " " + h.Where()
	if reads := h.Power.ID == "read-secrets"; (reads || h.Power.ID == "everything") && r > p.secrets {
		p.secrets, p.secretsDo = r, text
		if reads {
			return
		}
	}
	if h.Power.ID != "read-secrets" && r > p.admin {
		p.admin, p.does = r, text
	}
}

// reachOf is how far a power goes. In the namespaces of the system, and in those whose service accounts are strong
// themselves, it goes as far as the cluster does.
func reachOf(c *access.Cluster, h *access.HeldPower) reach {
	switch {
	case h.Namespace == "" && h.Power.ID == "everything":
		return reachEverything
	case h.Namespace == "":
		return reachCluster
	}
	in := model.AccessScope{Type: model.ScopeNamespace, Namespaces: []string{h.Namespace}} // it may hold wildcards
	if slices.ContainsFunc(access.SystemNamespaces, in.Covers) {
		return reachSystem
	}
	for n := range c.PrivilegedNamespaces() {
		if in.Covers(n) {
			return reachSystem
		}
	}
	return reachNamespace
}

func policyName(arn string) string {
	if i := strings.LastIndexByte(arn, '/'); i >= 0 {
		return arn[i+1:]
	}
	return arn
}

func groupsText(groups []string) string {
	if len(groups) == 1 {
		return "group " + groups[0]
	}
	return "groups " + strings.Join(groups, ", ")
}

func holderText(h rbac.Holder) string {
	groups := slices.DeleteFunc(slices.Clone(h.Groups), func(g string) bool { return g == rbac.GroupAuthenticated })
	switch {
	case h.User == "":
		return groupsText(groups)
	case len(groups) == 0:
		return "username " + h.User
	}
	return groupsText(groups) + " and username " + h.User
}

// privilegeFields are about what a change of an access entry gives.
var privilegeFields = []enrichment{
	{
		Name: "drawbridge.grant.admin", Planes: onCloudTrail, Snapshot: true,
		Text: "how far the access that the call gives goes, where it is as good as an administrator's: `everything`, `cluster`, `system namespace`, `namespace`; from an access policy's published rules, or from the RBAC of the groups and the username",
		Of:   func(l *look) []string { return some(l.privilege().admin.String()) },
	},
	{
		Name: "drawbridge.grant.secrets", Planes: onCloudTrail, Snapshot: true,
		Text: "how far the call lets its principal read Secrets, in the same words",
		Of:   func(l *look) []string { return some(l.privilege().secrets.String()) },
	},
	{
		Name: "drawbridge.grant.why", Planes: onCloudTrail, Snapshot: true, Text: "what makes it an administrator's, in words",
		Of: func(l *look) []string { return some(l.privilege().does) },
	},
	{
		Name: "drawbridge.grant.secrets_why", Planes: onCloudTrail, Snapshot: true, Text: "what lets it read Secrets, in words",
		Of: func(l *look) []string { return some(l.privilege().secretsDo) },
	},
	{
		Name: "drawbridge.grant.unknown", Planes: onCloudTrail, Snapshot: true, Text: "what the call gives and is not known, in words",
		Of: func(l *look) []string { return some(l.privilege().unknown) },
	},
	{
		Name: "drawbridge.grant.reserved", Planes: onCloudTrail, Text: "whether the access policy is one that AWS reserves to its own service-linked roles, or the principal is such a role",
		Of: func(l *look) []string { return yes(l.reservedGrant()) },
	},
}
