package graph

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// holding is a power that whoever gets to a vertex has, in one way.
type holding struct {
	rbac.Held
	at        int32
	namespace string // "" is the whole cluster; for access policies it may hold wildcards
	rules     []rbacv1.PolicyRule
	source    string // of the rules, for evidence
	// grants are the rules with their bindings, where there are several of these.
	grants  []rbac.Grant
	cluster *cluster
}

// chain is where the power is written.
func (h *holding) chain() []finding.Evidence {
	if h.grants != nil {
		return h.cluster.chainOf(h)
	}
	var all []finding.Evidence
	last := -1
	for _, i := range h.Rules {
		if i != last {
			all = append(all, finding.Evidence{Text: access.RuleOf(&h.rules[i]), Source: fmt.Sprintf("%s rules[%d]", h.source, i)})
		}
		last = i
	}
	return all
}

// where says where the power counts.
func (h *holding) where() string {
	text := "in the whole cluster"
	if h.namespace != "" {
		text = "in namespace " + h.namespace
	}
	if len(h.Names) > 0 {
		text += ", named " + strings.Join(h.Names, ", ")
	}
	return text
}

// hold gathers what bindings give: from each subject to its binding, and from the binding to what its role gives there.
func (c *cluster) hold(b *builder) {
	for _, bind := range c.Bindings() {
		at := b.vertex(key{aBinding, c.n, bind.Namespace, bind.Name}, access.Identity{}, false)
		entry := at
		if len(bind.Subjects) > 1 {
			entry = b.vertex(key{aBinding, c.n, bind.Namespace, bind.Name + "/subjects"}, access.Identity{}, false)
			b.link(entry, at, 0, b.grant(len(bind.Subjects)+1, func() Removal { return removeBinding(c, bind) }))
		}
		strangers := access.Strangers(bind)
		for i := range bind.Subjects {
			s := &bind.Subjects[i]
			user, group := rbac.Names(*s, bind.Namespace)
			if v := b.holder(c, user, group); v >= 0 {
				b.link(v, entry, b.with(func() Fact { return Fact{Evidence: []finding.Evidence{boundBy(bind, s)}} }),
					b.grant(costSubject, func() Removal { return removeSubject(c, bind, i) }))
				if s.Kind == rbacv1.ServiceAccountKind && !slices.Contains(strangers, *s) {
					b.own[v] = true
				}
			}
		}
		if role := c.RoleOf(bind); role != nil {
			b.link(at, c.roleBound(b, role, bind.Namespace), 0, 0)
		}
	}
}

// roleBound is what a role gives in a namespace, or in the whole cluster.
func (c *cluster) roleBound(b *builder, role *model.Role, namespace string) int32 {
	return c.rulesBound(b, role.Subject().String(), role.Rules, namespace)
}

// rulesBound is what rules of one source give in a namespace, or in the whole cluster.
// Everything in the whole cluster is told as that alone.
func (c *cluster) rulesBound(b *builder, source string, rules []rbacv1.PolicyRule, namespace string) int32 {
	k := key{aRoleBound, c.n, namespace, source}
	if v, ok := b.keys[k]; ok {
		return v
	}
	at := b.vertex(k, access.Identity{Kind: KindAny, Cluster: c.label, Namespace: namespace, Name: source}, true)
	held := c.WaysOf(rules, namespace)
	if namespace == "" {
		if i := slices.IndexFunc(held, func(h rbac.Held) bool { return h.Power.ID == "everything" && len(h.Names) == 0 }); i >= 0 {
			held = held[i : i+1]
		}
	}
	for _, h := range held {
		c.holdings[h.Power.ID] = append(c.holdings[h.Power.ID], holding{Held: h, at: at, namespace: namespace, rules: rules, source: source})
	}
	return at
}

func boundBy(bind *model.Binding, s *rbacv1.Subject) finding.Evidence {
	return finding.Evidence{Text: fmt.Sprintf("binds %s to %s %s", access.SubjectText(*s), bind.RoleRef.Kind, bind.RoleRef.Name), Source: bind.Subject().String()}
}

// reach draws steps from whoever holds a power to what it reaches in each namespace where it counts, once for each: certain
// ones first.
func (b *builder) reach(power string, to func(c *cluster, h *holding, namespace string, draw func(int32, access.Answer, ...string))) {
	type pair struct{ from, to int32 }
	for _, c := range b.clusters {
		seen := map[pair]bool{}
		for _, pass := range []access.Answer{access.Yes, access.Maybe} {
			for i := range c.holdings[power] {
				h := &c.holdings[power][i]
				doubts := c.doubts(h)
				for _, namespace := range c.scope(h.namespace) {
					to(c, h, namespace, func(v int32, answer access.Answer, conditions ...string) {
						if answer == access.Yes && len(doubts) > 0 {
							answer = access.Maybe
						}
						if answer != pass || seen[pair{h.at, v}] {
							return
						}
						seen[pair{h.at, v}] = true
						b.step(h.at, v, answer, b.with(func() Fact {
							return Fact{Text: h.Power.Title + " " + h.where(), Evidence: h.chain(), If: slices.Concat(doubts, conditions)}
						}), 0)
					})
				}
			}
		}
	}
}

// doubts says what a way depends on where the version of Kubernetes is not known.
func (c *cluster) doubts(h *holding) []string {
	if c.Minor() != 0 {
		return nil
	}
	switch {
	case h.Way.Before > 0:
		return []string{fmt.Sprintf("if the cluster's Kubernetes is older than 1.%d, which was not read", h.Way.Before)}
	case h.Way.Since > 0:
		return []string{fmt.Sprintf("if the cluster's Kubernetes is 1.%d or newer, which was not read", h.Way.Since)}
	}
	return nil
}
