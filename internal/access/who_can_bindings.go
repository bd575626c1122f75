package access

import (
	"cmp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/rbac"
)

// hit is a binding that allows the request, or whose role is missing.
type hit struct {
	role                   *rbac.Role // nil where it is missing
	binding, subject, rule int32
	before                 int32 // the hit of the same subject before this one
	// narrow says that the rule is for certain names only.
	narrow bool
}

// findBindings files every binding that bears on the request under its subjects.
func (q *query) findBindings() {
	index := q.c.RBAC()
	q.all = make([]hit, 1, len(index.Bindings())+1)
	q.accounts, q.users, q.groups = map[name]int32{}, map[string]int32{}, map[string]int32{}
	for i := range index.Bindings() {
		b := &index.Bindings()[i]
		if b.Namespace != "" && (q.r.NonResourceURL != "" || !q.anywhere && b.Namespace != q.r.Namespace) {
			continue
		}
		role := index.Role(b)
		if role == nil {
			q.file(b, hit{binding: int32(i)})
			continue
		}
		q.rules(role, func(h hit) {
			h.binding, h.role = int32(i), role //nolint:gosec // no cluster has two thousand million bindings
			q.file(b, h)
		})
	}
}

// rules are the first rule of a role that allows the request, or, if the request names no object, those that allow it for
// certain names.
func (q *query) rules(role *rbac.Role, found func(hit)) {
	named := false
	for i := range role.Rules {
		rule := &role.Rules[i]
		named = named || len(rule.ResourceNames) > 0
		if rbac.Allows(*rule, q.r) {
			found(hit{rule: int32(i)})
			return
		}
	}
	if !named || q.r.Name != "" || q.r.NonResourceURL != "" {
		return
	}
	for i := range role.Rules {
		if rule := &role.Rules[i]; len(rule.ResourceNames) > 0 {
			named := q.r
			named.Name = rule.ResourceNames[0]
			if rbac.Allows(*rule, named) {
				found(hit{rule: int32(i), narrow: true})
			}
		}
	}
}

// file puts a hit under each subject of its binding.
func (q *query) file(b *rbac.Binding, h hit) {
	for i, s := range b.Subjects {
		h.subject = int32(i)
		n := int32(len(q.all)) //nolint:gosec // as above
		switch s.Kind {
		case rbacv1.GroupKind:
			h.before, q.groups[s.Name] = q.groups[s.Name], n
		case rbacv1.UserKind, rbacv1.ServiceAccountKind:
			sa, user := subjectAccount(s, b.Namespace)
			switch {
			case sa.name != "":
				if h.before = q.accounts[sa]; h.before == 0 {
					q.bound = append(q.bound, sa)
				}
				q.accounts[sa] = n
			case user != "" || s.Kind == rbacv1.UserKind:
				h.before, q.users[user] = q.users[user], n
			default:
				continue
			}
		default:
			continue
		}
		q.all = append(q.all, h)
	}
}

// subjectAccount is the service account that a subject stands for, by its kind or by its username, or else the username.
func subjectAccount(s rbacv1.Subject, namespace string) (name, string) {
	if s.Kind == rbacv1.ServiceAccountKind {
		if s.Namespace != "" {
			namespace = s.Namespace
		}
		if namespace != "" && s.Name != "" && !strings.Contains(namespace, ":") && !strings.Contains(s.Name, ":") {
			return name{namespace, s.Name}, ""
		}
	}
	user, _ := rbac.Names(s, namespace)
	return accountOf(user), user
}

// accountOf is the service account of a username, or nothing.
func accountOf(user string) name {
	if id := IdentityOfUser(user); id.Kind == KindServiceAccount {
		return name{id.Namespace, id.Name}
	}
	return name{}
}

// hits are those of a username and groups.
func (q *query) hits(h rbac.Holder) []hit {
	first := q.users[h.User]
	if sa := accountOf(h.User); sa.name != "" {
		first = q.accounts[sa]
	}
	return q.collect(nil, first, h.Groups...)
}

// collect adds to a list the hits that one leads to, and those of groups.
func (q *query) collect(list []hit, first int32, groups ...string) []hit {
	for i := first; i != 0; i = q.all[i].before {
		list = append(list, q.all[i])
	}
	for _, g := range groups {
		for i := q.groups[g]; i != 0; i = q.all[i].before {
			list = append(list, q.all[i])
		}
	}
	return list
}

// held turns hits into what is held in each place, leaving out what something else covers.
func (q *query) held(hits []hit) []found {
	if len(hits) == 0 {
		return nil
	}
	bindings := q.c.RBAC().Bindings()
	slices.SortFunc(hits, func(a, b hit) int {
		return cmp.Or(cmp.Compare(bindings[a.binding].Namespace, bindings[b.binding].Namespace), cmp.Compare(rank(a), rank(b)),
			cmp.Compare(a.binding, b.binding), cmp.Compare(a.rule, b.rule), cmp.Compare(a.subject, b.subject))
	})
	var all []found
	whole, here, last := false, "", -1
	for i, h := range hits {
		b := &bindings[h.binding]
		if last < 0 || b.Namespace != here {
			here, last = b.Namespace, -1
		}
		// What is allowed without limits covers the rest of its place, and in the whole cluster everything.
		if whole || last == 0 || i > 0 && hits[i-1].binding == h.binding && hits[i-1].rule == h.rule { // by another subject
			continue
		}
		last = rank(h)
		whole = here == "" && last == 0
		all = append(all, q.found(b, h))
	}
	return all
}

// rank orders hits of one place: what allows, what allows for some names, what is unknown.
func rank(h hit) int {
	switch {
	case h.role == nil:
		return 2
	case h.narrow:
		return 1
	}
	return 0
}

func (q *query) found(b *rbac.Binding, h hit) found {
	if h.role == nil {
		return found{verdict: Unknown, namespace: q.place(b.Namespace), open: []string{q.c.missingRole(b)}}
	}
	f := found{verdict: Allowed, namespace: q.place(b.Namespace), chain: q.c.Chain(rbac.Grant{Binding: b, Subject: int(h.subject), Role: h.role, Rule: int(h.rule)}), assumed: q.c.doubtRole(h.role)}
	if h.narrow {
		f.rule = &h.role.Rules[h.rule]
	}
	return f
}
