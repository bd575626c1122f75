package rbac

import (
	"cmp"
	"slices"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Groups that Kubernetes itself gives (Kubernetes documentation, "Using RBAC Authorization", 2026-11).
const (
	GroupMasters         = "system:masters"
	GroupAuthenticated   = "system:authenticated"
	GroupUnauthenticated = "system:unauthenticated"
	GroupServiceAccounts = "system:serviceaccounts"
)

// Holder is who makes requests: a username and Kubernetes groups.
type Holder struct {
	User   string
	Groups []string
}

// Authenticated returns a user with its groups and the one that every authenticated user has.
func Authenticated(user string, groups ...string) Holder {
	if !slices.Contains(groups, GroupAuthenticated) {
		groups = append(slices.Clone(groups), GroupAuthenticated)
	}
	return Holder{user, groups}
}

// ServiceAccount returns a service account as the API server sees it, with the groups it gives it.
func ServiceAccount(namespace, name string) Holder {
	return Holder{
		ServiceAccountUsername(namespace, name),
		[]string{GroupServiceAccounts, GroupServiceAccounts + ":" + namespace, GroupAuthenticated},
	}
}

// ServiceAccountUsername returns the username of a service account.
func ServiceAccountUsername(namespace, name string) string {
	return "system:serviceaccount:" + namespace + ":" + name
}

// Index answers questions about one set of roles and bindings. It keeps pointers into the slices it was
// made of, which must not change afterwards. It is safe for concurrent use.
type Index struct {
	roles    map[roleKey]*Role
	bindings []Binding
	// What is costly is worked out when it is first asked for.
	bySubject func() subjects
	byRole    func() map[*Role][]int // bindings in order, of roles that are there
}

type roleKey struct{ namespace, name string }

// subjects are the ways in which users and groups come into bindings.
type subjects struct{ users, groups map[string][]through }

// through is one way into a binding: the first of its subjects that names the user or group.
type through struct{ binding, subject int32 }

// NewIndex indexes roles and bindings. Rules are taken as they stand: see Aggregate for roles
// that were not read from a live cluster.
func NewIndex(roles []Role, bindings []Binding) *Index {
	x := &Index{roles: make(map[roleKey]*Role, len(roles)), bindings: bindings}
	for i := range roles {
		x.roles[roleKey{roles[i].Namespace, roles[i].Name}] = &roles[i]
	}
	x.bySubject = sync.OnceValue(x.fileSubjects)
	x.byRole = sync.OnceValue(func() map[*Role][]int {
		by := map[*Role][]int{}
		for i := range bindings {
			if role := x.Role(&bindings[i]); role != nil {
				by[role] = append(by[role], i)
			}
		}
		return by
	})
	return x
}

func (x *Index) fileSubjects() subjects {
	f := subjects{map[string][]through{}, map[string][]through{}}
	for i := range x.bindings {
		b := &x.bindings[i]
		for j, s := range b.Subjects {
			switch user, group := Names(s, b.Namespace); {
			case user != "" || s.Kind == rbacv1.UserKind:
				f.users[user] = enter(f.users[user], i, j)
			case group != "" || s.Kind == rbacv1.GroupKind:
				f.groups[group] = enter(f.groups[group], i, j)
			}
		}
	}
	return f
}

func enter(list []through, binding, subject int) []through {
	if n := len(list); n > 0 && list[n-1].binding == int32(binding) { //nolint:gosec // no cluster has two thousand million bindings
		return list
	}
	return append(list, through{int32(binding), int32(subject)}) //nolint:gosec // as above
}

// Names returns the username or the group that a subject of a binding in the namespace ("" for a
// ClusterRoleBinding) stands for, as Kubernetes reads it: by kind alone, whatever its API group, and a service
// account without namespace is one of the binding's. Both are empty if the subject stands for nobody.
func Names(s rbacv1.Subject, namespace string) (user, group string) {
	switch s.Kind {
	case rbacv1.UserKind:
		return s.Name, ""
	case rbacv1.GroupKind:
		return "", s.Name
	case rbacv1.ServiceAccountKind:
		if s.Namespace != "" {
			namespace = s.Namespace
		}
		if namespace != "" {
			return ServiceAccountUsername(namespace, s.Name), ""
		}
	}
	return "", ""
}

// Role returns the role that a binding refers to, or nil if there is none. The reference's
// API group is not looked at, as the authorizer does not.
func (x *Index) Role(b *Binding) *Role {
	switch b.RoleRef.Kind {
	case "ClusterRole":
		return x.roles[roleKey{"", b.RoleRef.Name}]
	case "Role":
		if b.Namespace != "" {
			return x.roles[roleKey{b.Namespace, b.RoleRef.Name}]
		}
	}
	return nil
}

// Grant is a rule that somebody holds, and the chain through which.
type Grant struct {
	Binding *Binding
	Subject int // index in Binding.Subjects
	Role    *Role
	Rule    int // index in Role.Rules
}

// PolicyRule returns the rule that the chain ends in.
func (g Grant) PolicyRule() *rbacv1.PolicyRule { return &g.Role.Rules[g.Rule] }

// SubjectOf returns the subject that the chain begins with.
func (g Grant) SubjectOf() *rbacv1.Subject { return &g.Binding.Subjects[g.Subject] }

// Grants returns all rules that somebody holds, wherever: those of a grant whose binding has a namespace count in that
// namespace only. Bindings whose role is missing are returned besides.
func (x *Index) Grants(h Holder) (grants []Grant, missing []*Binding) {
	return x.collect(h, func(string) bool { return true })
}

// GrantsIn returns the rules that somebody holds in a namespace, cluster-wide ones included, or with
// namespace "" the cluster-wide ones alone.
func (x *Index) GrantsIn(h Holder, namespace string) (grants []Grant, missing []*Binding) {
	return x.collect(h, func(ns string) bool { return ns == "" || ns == namespace })
}

func (x *Index) collect(h Holder, in func(namespace string) bool) (grants []Grant, missing []*Binding) {
	for _, t := range x.bound(h) {
		b := &x.bindings[t.binding]
		if !in(b.Namespace) {
			continue
		}
		role := x.Role(b)
		if role == nil {
			missing = append(missing, b)
			continue
		}
		for i := range role.Rules {
			grants = append(grants, Grant{b, int(t.subject), role, i})
		}
	}
	return grants, missing
}

// BoundIn lists the bindings that name the user or one of the groups and count in a namespace, cluster-wide ones
// included, or with namespace "" these alone. Their roles need not be there.
func (x *Index) BoundIn(h Holder, namespace string) []*Binding {
	var list []*Binding
	for _, t := range x.bound(h) {
		if b := &x.bindings[t.binding]; b.Namespace == "" || b.Namespace == namespace {
			list = append(list, b)
		}
	}
	return list
}

// bound lists the bindings that name the user or one of the groups, each once with its first subject that
// does, in the bindings' order.
func (x *Index) bound(h Holder) []through {
	by := x.bySubject()
	list := slices.Clone(by.users[h.User])
	for _, g := range h.Groups {
		list = append(list, by.groups[g]...)
	}
	slices.SortFunc(list, func(a, b through) int {
		return cmp.Or(cmp.Compare(a.binding, b.binding), cmp.Compare(a.subject, b.subject))
	})
	return slices.CompactFunc(list, func(a, b through) bool { return a.binding == b.binding })
}

// Decision is the answer to a request.
type Decision string

// The decisions.
const (
	Allowed    Decision = "allowed"
	NotAllowed Decision = "not-allowed" // RBAC has no opinion; another authorizer may allow
	Unknown    Decision = "unknown"     // a binding of the user refers to a role that is missing
)

// Authorize decides a request and returns the first chain that allows it. Members of system:masters are allowed
// everything before RBAC is asked; the chain is then empty.
func (x *Index) Authorize(r Request) (Decision, Grant) {
	if slices.Contains(r.Groups, GroupMasters) {
		return Allowed, Grant{}
	}
	decision := NotAllowed
	for _, t := range x.bound(Holder{r.User, r.Groups}) {
		b := &x.bindings[t.binding]
		if b.Namespace != "" && b.Namespace != r.Namespace {
			continue
		}
		role := x.Role(b)
		if role == nil {
			decision = Unknown
			continue
		}
		for i := range role.Rules {
			if allows(&role.Rules[i], &r) {
				return Allowed, Grant{b, int(t.subject), role, i}
			}
		}
	}
	return decision, Grant{}
}

// Holders returns everybody who holds the request in its namespace: one grant per subject of each
// binding, with the first rule that allows. User and Groups of the request are not looked at. Members
// of system:masters, who are allowed everything, are not listed unless a binding names the group.
func (x *Index) Holders(r Request) []Grant {
	return x.holders(r, func(ns string) bool { return ns == "" || ns == r.Namespace })
}

// HoldersAnywhere is Holders for every namespace at once: the namespace of a grant's binding says
// where it counts.
func (x *Index) HoldersAnywhere(r Request) []Grant {
	return x.holders(r, func(string) bool { return true })
}

func (x *Index) holders(r Request, in func(namespace string) bool) []Grant {
	type hit struct{ binding, rule int }
	var hits []hit
	for role, bindings := range x.byRole() {
		rule := slices.IndexFunc(role.Rules, func(p rbacv1.PolicyRule) bool { return allows(&p, &r) })
		if rule < 0 {
			continue
		}
		for _, b := range bindings {
			if in(x.bindings[b].Namespace) {
				hits = append(hits, hit{b, rule})
			}
		}
	}
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(a.binding, b.binding) })
	var grants []Grant
	for _, h := range hits {
		b := &x.bindings[h.binding]
		for s, subject := range b.Subjects {
			if user, group := Names(subject, b.Namespace); user != "" || group != "" {
				grants = append(grants, Grant{b, s, x.Role(b), h.rule})
			}
		}
	}
	return grants
}

// Bindings returns all bindings, in the order in which the index was given them. The caller must not change them.
func (x *Index) Bindings() []Binding { return x.bindings }
