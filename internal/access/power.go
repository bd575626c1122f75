package access

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// HeldPower is a power that somebody holds in a cluster.
type HeldPower struct {
	Power *rbac.Power
	// Namespace is where it counts; "" is the whole cluster. For access policies it may hold wildcards.
	Namespace string
	// Names limits it to objects of these names; empty is no limit.
	Names []string
	// Chain is the way it is held, link by link.
	Chain []finding.Evidence

	// strongByName says that Names make it no weaker.
	strongByName bool
}

// Where says where the power counts, for messages: "in the whole cluster" or "in namespace x".
func (h HeldPower) Where() string {
	if h.Namespace == "" {
		return "in the whole cluster"
	}
	return "in namespace " + h.Namespace
}

// PowersOf returns the powers that RBAC gives somebody, each once for every place where it counts, and the bindings of
// theirs whose role is missing, which may give anything. A power held in the whole cluster is not repeated for namespaces.
func (c *Cluster) PowersOf(h rbac.Holder) (held []HeldPower, missing []*rbac.Binding) {
	grants, missing := c.RBAC().Grants(h)
	byNamespace := map[string][]rbac.Grant{}
	for _, g := range grants {
		byNamespace[g.Binding.Namespace] = append(byNamespace[g.Binding.Namespace], g)
	}
	everywhere := map[string]bool{}
	for _, p := range c.powersOfGrants(byNamespace[""], "") {
		everywhere[p.Power.ID] = everywhere[p.Power.ID] || len(p.Names) == 0
		held = append(held, p)
	}
	namespaces := []string{}
	for n := range byNamespace {
		if n != "" {
			namespaces = append(namespaces, n)
		}
	}
	slices.Sort(namespaces)
	for _, n := range namespaces {
		// What is held in the whole cluster counts here too, and may complete a way.
		for _, p := range c.powersOfGrants(slices.Concat(byNamespace[n], byNamespace[""]), n) {
			if !everywhere[p.Power.ID] {
				held = append(held, p)
			}
		}
	}
	return held, missing
}

// powersOfGrants returns the powers that grants give together, each power by its first way.
func (c *Cluster) powersOfGrants(grants []rbac.Grant, namespace string) []HeldPower {
	rules := make([]rbacv1.PolicyRule, len(grants))
	for i, g := range grants {
		rules[i] = *g.PolicyRule()
	}
	return c.powers(rules, namespace, func(i int) []finding.Evidence { return c.Chain(grants[i]) })
}

// powers finds what rules give, in the cluster's version of Kubernetes; chain tells where a rule comes from.
func (c *Cluster) powers(rules []rbacv1.PolicyRule, namespace string, chain func(int) []finding.Evidence) []HeldPower {
	var held []HeldPower
	seen := map[string]bool{}
	for _, h := range c.all.powersOf(rules) {
		key := h.Power.ID + "\x00" + strings.Join(h.Names, "\x00")
		if seen[key] || !c.open(h.Way) || !countsIn(h.Way, namespace) {
			continue
		}
		seen[key] = true
		p := HeldPower{Power: h.Power, Namespace: namespace, Names: h.Names, strongByName: len(h.Names) > 0 && c.strongByName(h)}
		for _, i := range slices.Compact(slices.Sorted(slices.Values(h.Rules))) {
			p.Chain = append(p.Chain, chain(i)...)
		}
		held = append(held, p)
	}
	return held
}

// open says whether a way is open in the cluster's version. An unknown version has all ways.
func (c *Cluster) open(w rbac.Way) bool {
	minor := c.Minor()
	return minor == 0 || minor >= w.Since && (w.Before == 0 || minor < w.Before)
}

// countsIn says whether rights in one namespace are enough for a way: some are about objects of the cluster, or of
// another namespace. The verb bind on ClusterRoles is asked for in the namespace of the RoleBinding that is made
// (Kubernetes v1.36.3, pkg/registry/rbac, BindingAuthorized).
func countsIn(w rbac.Way, namespace string) bool {
	if namespace == "" {
		return true
	}
	here := model.AccessScope{Type: model.ScopeNamespace, Namespaces: []string{namespace}} // an access policy's may hold wildcards
	for _, r := range w.Needs {
		if r.NonResourceURL != "" || r.Namespace != "" && !here.Covers(r.Namespace) || clusterScoped[r.Resource] && r.Verb != "bind" {
			return false
		}
	}
	return true
}

// clusterScoped are the resources of powers that no namespace holds, so that a RoleBinding cannot grant them.
var clusterScoped = map[string]bool{
	"nodes": true, "namespaces": true, "persistentvolumes": true, "clusterroles": true, "clusterrolebindings": true, "users": true,
	"certificatesigningrequests": true, "signers": true, "mutatingwebhookconfigurations": true, "validatingwebhookconfigurations": true,
	"mutatingadmissionpolicies": true, "mutatingadmissionpolicybindings": true, "resourcegraphdefinitions": true,
}

// Minor is the minor version of the cluster's Kubernetes, 36 for 1.36, or 0 where it is not known.
func (c *Cluster) Minor() int {
	if c.Description == nil {
		return 0
	}
	_, rest, _ := strings.Cut(c.Description.KubernetesVersion, ".")
	rest, _, _ = strings.Cut(rest, ".")
	n, err := strconv.Atoi(strings.TrimRight(rest, "+"))
	if err != nil {
		return 0
	}
	return n
}

// PowersOfAssociation returns the powers that an access policy gives through an access entry, once for each namespace of
// its scope, and false where AWS publishes no rules for it.
func (c *Cluster) PowersOfAssociation(a *model.PolicyAssociation) ([]HeldPower, bool) {
	rules, known := PolicyRules(a.PolicyARN)
	if !known {
		return nil, false
	}
	namespaces := []string{""}
	if a.Scope.Type != model.ScopeCluster {
		namespaces = a.Scope.Namespaces
	}
	var held []HeldPower
	for _, n := range namespaces {
		held = append(held, c.powers(rules, n, func(i int) []finding.Evidence {
			return []finding.Evidence{
				{Text: fmt.Sprintf("%s on %s", a.PolicyARN, a.Scope), Source: "AccessEntry " + a.PrincipalARN + " associatedAccessPolicies"},
				{Text: ruleText(&rules[i]), Source: "access policy " + a.PolicyName() + fmt.Sprintf(" rules[%d]", i)},
			}
		})...)
	}
	slices.SortStableFunc(held, func(a, b HeldPower) int { return cmp.Compare(a.Namespace, b.Namespace) })
	return held, true
}

// powersOf is rbac.PowersOf, worked out once for all roles with the same rules: in most clusters these are most.
func (a *Access) powersOf(rules []rbacv1.PolicyRule) []rbac.Held {
	var key strings.Builder
	for i := range rules {
		for _, list := range [][]string{rules[i].Verbs, rules[i].APIGroups, rules[i].Resources, rules[i].ResourceNames, rules[i].NonResourceURLs} {
			for _, s := range list {
				key.WriteString(s)
				key.WriteByte(0)
			}
			key.WriteByte(1)
		}
	}
	if held, ok := a.powers.Load(key.String()); ok {
		return held.([]rbac.Held)
	}
	held := rbac.PowersOf(rules)
	a.powers.Store(key.String(), held)
	return held
}
