package access

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/diff"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// source is where somebody has rules from: a binding, an access policy, or what Kubernetes itself gives.
type source struct {
	rules []rbacv1.PolicyRule
	// namespaces are where the rules count, as diff.Rule has them.
	namespaces []string
	// key is the same for the same rules.
	key string
	// unknown says why there may be rules that are not known; there are none then.
	unknown string
	// assumed is what is taken for granted, and session the name that a session has to have.
	assumed []string
	session string
	// chain leads to the i-th rule, or to what is unknown with -1.
	chain func(i int) []finding.Evidence
}

// sessionNamed begins the condition that a session has a certain name.
const sessionNamed = "the session is named "

// isNamed is the condition that a session of a role is the one that its name makes somebody.
func isNamed(s Session) string {
	return fmt.Sprintf("%s%s, which makes it %s%s", sessionNamed, s.Name, nameOr(s.Holder.User, `""`), inGroups(s.Holder.Groups))
}

// sources returns everything that may give somebody rules in the cluster. What is held by two ways stands twice.
func (c *Cluster) sources(k *KubernetesIdentity) []source {
	if k.Verdict == Denied {
		return nil
	}
	h := k.Holder
	if k.various {
		h.User = c.nobody()
	}
	all := c.sourcesOf(h, k.Template)
	for _, p := range k.Policies {
		all = append(all, c.sourceOfPolicy(p))
	}
	have := map[string]bool{}
	for i := range all {
		have[all[i].place()] = true
	}
	for _, s := range k.Sessions {
		for _, of := range c.sourcesOf(s.Holder, "") {
			if !have[of.place()] {
				of.session = s.Name
				of.assumed = append(of.assumed, isNamed(s))
				all = append(all, of)
			}
		}
	}
	for _, h := range k.maybe {
		for _, of := range c.sourcesOf(h, "") {
			if !have[of.place()] {
				of.unknown, of.rules = everIs(h), nil
				all = append(all, of)
			}
		}
	}
	return all
}

// place is the same for sources of the same rules in the same namespaces.
func (s *source) place() string {
	where := "\x00"
	if s.namespaces != nil {
		where = strings.Join(s.namespaces, "\x02")
	}
	return where + "\x01" + s.key + "\x01" + s.unknown
}

// sourcesOf are those of a username and groups.
func (c *Cluster) sourcesOf(h rbac.Holder, template string) []source {
	var all []source
	if slices.Contains(h.Groups, rbac.GroupMasters) {
		all = append(all, source{rules: clusterAdmin.Rules, key: "masters", chain: func(int) []finding.Evidence { return []finding.Evidence{mastersLink} }})
	}
	all = append(all, c.sourcesOfKubelet(h, template)...)
	grants, missing := c.RBAC().Grants(h)
	for len(grants) > 0 {
		n := 1
		for n < len(grants) && grants[n].Binding == grants[0].Binding {
			n++
		}
		all = append(all, c.sourceOfBinding(grants[:n]))
		grants = grants[n:]
	}
	for _, b := range missing {
		s := inNamespaceOf(b)
		s.unknown, s.chain = c.missingRole(b), func(int) []finding.Evidence { return nil }
		all = append(all, s)
	}
	return all
}

func inNamespaceOf(b *rbac.Binding) source {
	if b.Namespace == "" {
		return source{}
	}
	return source{namespaces: []string{b.Namespace}}
}

// sourceOfBinding is a binding, given a grant for each of its role's rules.
func (c *Cluster) sourceOfBinding(grants []rbac.Grant) source {
	role := grants[0].Role
	s := inNamespaceOf(grants[0].Binding)
	s.rules, s.key, s.assumed = role.Rules, c.keyOf(role), c.doubtRole(role)
	s.chain = func(i int) []finding.Evidence { return c.Chain(grants[max(i, 0)]) }
	return s
}

// keyOf is the same for roles with the same rules.
func (c *Cluster) keyOf(role *rbac.Role) string {
	if key, ok := c.roleKeys.Load(role); ok {
		return key.(string)
	}
	key := spellRules(role.Rules)
	c.roleKeys.Store(role, key)
	return key
}

// spellRules writes rules so that two lists that differ in order only read the same.
func spellRules(rules []rbacv1.PolicyRule) string {
	lines := make([]string, len(rules))
	for i := range rules {
		var b strings.Builder
		for _, list := range [][]string{rules[i].Verbs, rules[i].APIGroups, rules[i].Resources, rules[i].ResourceNames, rules[i].NonResourceURLs} {
			for _, word := range slices.Compact(slices.Sorted(slices.Values(list))) {
				b.WriteString(word)
				b.WriteByte(3)
			}
			b.WriteByte(4)
		}
		lines[i] = b.String()
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\x05")
}

// sourceOfPolicy is an access policy of an access entry.
func (c *Cluster) sourceOfPolicy(p *model.PolicyAssociation) source {
	s := source{key: "access policy " + p.PolicyName()}
	if p.Scope.Type != model.ScopeCluster {
		s.namespaces = append([]string{}, p.Scope.Namespaces...)
	}
	rules, published := PolicyRules(p.PolicyARN)
	if !published {
		s.unknown = "the rules of access policy " + p.PolicyName() + ", which AWS does not publish"
		s.chain = func(int) []finding.Evidence { return policyChain(p, "rules that are not published", 0)[:1] }
		return s
	}
	s.rules, s.assumed = rules, doubtPolicy(p)
	s.chain = func(i int) []finding.Evidence { return policyChain(p, ruleText(&rules[i]), i) }
	return s
}

// sourcesOfKubelet are the rules that the Node authorizer has for all kubelets, and for one about its own node. What the
// pods of the node refer to comes and goes with them, and is for Check to say.
func (c *Cluster) sourcesOfKubelet(h rbac.Holder, template string) []source {
	if !slices.Contains(h.Groups, groupNodes) {
		return nil
	}
	node, is := strings.CutPrefix(h.User, nodeUserPrefix)
	if any := strings.HasPrefix(template, nodeUserPrefix); any && !is {
		node = ""
	} else if !is || node == "" {
		return nil
	}
	chain := func(int) []finding.Evidence { return []finding.Evidence{nodeLink} }
	all := []source{{rules: c.kubeletRules(), chain: chain}, {rules: []rbacv1.PolicyRule{nodeRule("coordination.k8s.io", "leases", "create")}, namespaces: []string{nodeLeases}, chain: chain}}
	if node != "" {
		own := func(group, resource, verbs string) rbacv1.PolicyRule {
			r := nodeRule(group, resource, verbs)
			r.ResourceNames = []string{node}
			return r
		}
		all[0].rules = append(all[0].rules, own("storage.k8s.io", "csinodes", "get update patch delete"))
		if c.Minor() >= 32 || c.Minor() == 0 {
			all[0].rules = append(all[0].rules, own("", "nodes", "get list watch"))
		}
		all[1].rules = append(all[1].rules, own("coordination.k8s.io", "leases", "get update patch delete"))
	}
	for i := range all {
		all[i].key = spellRules(all[i].rules)
	}
	return all
}

// kubeletRules are the fixed rules of the Node authorizer in the cluster's version of Kubernetes, and where that is not
// known those that all versions have.
func (c *Cluster) kubeletRules() []rbacv1.PolicyRule {
	minor := c.Minor()
	limited := minor >= 32 || minor == 0
	rules := []rbacv1.PolicyRule{nodeRule("storage.k8s.io", "csinodes", "create"), nodeRule("resource.k8s.io", "resourceslices", "create")}
	for _, r := range nodeRules {
		if about := r.Resources[0]; limited && r.APIGroups[0] == "" && (about == "nodes" || about == "pods") {
			continue
		}
		rules = append(rules, r)
	}
	if limited {
		return append(rules, nodeRule("", "nodes", "create update patch"), nodeRule("", "pods", "create delete"))
	}
	return append(rules, nodeRule("resource.k8s.io", "resourceslices", "list watch deletecollection"))
}

// diffRules are the rules of sources as package diff compares them.
func diffRules(sources []source) []diff.Rule {
	var all []diff.Rule
	seen := map[string]bool{}
	for i := range sources {
		s := &sources[i]
		if s.unknown != "" || seen[s.place()] {
			continue
		}
		seen[s.place()] = true
		for _, r := range s.rules {
			all = append(all, diff.Rule{PolicyRule: r, Namespaces: s.namespaces})
		}
	}
	return all
}
