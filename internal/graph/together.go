package graph

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// Some powers need several rights, and several bindings may give these to one holder. Only those holders are looked at as a
// whole whose bindings have all rights of such a power between them.

// rights is a set of single rights of powers that need several.
type rights uint64

// several are the powers that need several rights, each as the set of them, and what each right is.
var several = sync.OnceValues(func() (needs []rights, each []func(*rbacv1.PolicyRule) bool) {
	right := func(allows func(*rbacv1.PolicyRule) bool) rights {
		each = append(each, allows)
		return 1 << (len(each) - 1)
	}
	request := func(r rbac.Request) rights {
		return right(func(rule *rbacv1.PolicyRule) bool {
			open := *rule
			open.ResourceNames = nil
			r.Name = ""
			return rbac.Allows(open, r)
		})
	}
	for _, p := range rbac.Powers() {
		for _, w := range p.Ways {
			var all rights
			for _, r := range w.Needs {
				all |= request(r)
			}
			if w.On != "" {
				prefix := "impersonate-on:" + w.On + ":"
				all |= right(func(rule *rbacv1.PolicyRule) bool {
					return slices.ContainsFunc(rule.Verbs, func(v string) bool { return v == "*" || strings.HasPrefix(v, prefix) })
				})
			}
			if len(w.Needs) > 1 || w.On != "" {
				needs = append(needs, all)
			} else {
				each = each[:len(each)-1]
			}
		}
	}
	pods := request(rbac.Request{Verb: "create", Resource: "pods"})
	service := request(rbac.Request{Verb: "create", Resource: "serviceaccounts"})
	if len(each) > 64 {
		panic("more rights than a set holds")
	}
	return append(needs, pods|service), each // see makeServiceAccount
})

// rightsOf is which of the rights a role gives, once for each role.
func (c *cluster) rightsOf(role *model.Role) rights {
	if r, known := c.rights[role]; known {
		return r
	}
	_, each := several()
	var r rights
	for i, allows := range each {
		for j := range role.Rules {
			if allows(&role.Rules[j]) {
				r |= 1 << i
				break
			}
		}
	}
	c.rights[role] = r
	return r
}

// together gathers what holders have through several bindings and through none of these alone.
func (c *cluster) together(b *builder) {
	of := map[[2]string][]rights{} // by user and group
	for _, bind := range c.Bindings() {
		role := c.RoleOf(bind)
		if role == nil || c.rightsOf(role) == 0 {
			continue
		}
		for _, s := range bind.Subjects {
			user, group := rbac.Names(s, bind.Namespace)
			of[[2]string{user, group}] = append(of[[2]string{user, group}], c.rightsOf(role))
		}
	}
	if len(of) == 0 {
		return
	}
	try := func(at int32, h rbac.Holder) {
		all := of[[2]string{h.User, ""}]
		for _, g := range h.Groups {
			all = append(all[:len(all):len(all)], of[[2]string{"", g}]...)
		}
		if completes(all) {
			c.holdTogether(b, at, h)
		}
	}
	for _, namespace := range c.namespaces {
		for _, sa := range c.accounts[namespace] {
			if of[[2]string{rbac.ServiceAccountUsername(namespace, sa), ""}] != nil {
				try(b.serviceAccount(c, namespace, sa), rbac.ServiceAccount(namespace, sa))
			}
		}
	}
	for _, u := range append([]int32(nil), c.users...) {
		try(u, rbac.Authenticated(b.vertices[u].id.Name))
	}
	for _, e := range c.AccessEntries {
		for _, h := range c.EntryHolders(e) {
			try(b.comer(c, "entry "+e.PrincipalARN, e.Username), rbac.Authenticated(h.User, h.Groups...))
		}
	}
	for _, m := range c.Mappings() {
		for _, h := range c.MappingHolders(m) {
			try(b.rowComer(c, m), rbac.Authenticated(h.User, h.Groups...))
		}
	}
}

// completes says whether sets have all rights of some power between them, and none of them alone.
func completes(all []rights) bool {
	var union rights
	for _, r := range all {
		union |= r
	}
	needs, _ := several()
	return slices.ContainsFunc(needs, func(need rights) bool {
		return union&need == need && !slices.ContainsFunc(all, func(r rights) bool { return r&need == need })
	})
}

// holdTogether adds what a holder has through several bindings, in each namespace and in the whole cluster.
func (c *cluster) holdTogether(b *builder, from int32, h rbac.Holder) {
	grants, _ := c.RBAC().Grants(h)
	spaces := []string{""}
	for _, g := range grants {
		if g.Binding.Namespace != "" && !slices.Contains(spaces, g.Binding.Namespace) {
			spaces = append(spaces, g.Binding.Namespace)
		}
	}
	slices.Sort(spaces)
	for _, namespace := range spaces {
		var here []rbac.Grant
		var rules []rbacv1.PolicyRule
		for _, g := range grants {
			if g.Binding.Namespace == "" || g.Binding.Namespace == namespace {
				here, rules = append(here, g), append(rules, *g.PolicyRule())
			}
		}
		at := int32(-1)
		for _, held := range c.WaysOf(rules, namespace) {
			bindings := bindingsOf(here, held.Rules)
			if len(bindings) < 2 && held.Power.ID != "run-pods" && held.Power.ID != "write-service-accounts" {
				continue
			}
			if at < 0 {
				at = b.vertex(key{aTogether, c.n, namespace, b.nameOf(from)}, access.Identity{}, false)
				b.link(from, at, 0, b.grant(costSubject, func() Removal { return removeOneOf(c, bindings) }))
			}
			c.holdings[held.Power.ID] = append(c.holdings[held.Power.ID], holding{Held: held, at: at, namespace: namespace, rules: rules, grants: here, cluster: c})
		}
	}
}

func bindingsOf(grants []rbac.Grant, rules []int) []*rbac.Binding {
	var all []*rbac.Binding
	for _, i := range rules {
		if !slices.Contains(all, grants[i].Binding) {
			all = append(all, grants[i].Binding)
		}
	}
	return all
}

func removeOneOf(c *cluster, bindings []*rbac.Binding) Removal {
	var names []string
	for _, b := range bindings {
		names = append(names, c.BindingObject(b).Subject().String())
	}
	return Removal{Object: c.BindingObject(bindings[0]).Subject(), Text: fmt.Sprintf("take apart what %s give together: delete one of them, or take the subject out", strings.Join(names, " and "))}
}

// chainOf is where a power is written that several bindings give.
func (c *cluster) chainOf(h *holding) []finding.Evidence {
	var all []finding.Evidence
	for _, i := range h.Rules {
		all = append(all, c.Chain(h.grants[i])...)
	}
	return all
}
