package access

import (
	"cmp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// Portrait is what `drawbridge access of` answers about one identity: its grants, and what they come to.
type Portrait struct {
	Result
	Powers []NamedPower `json:"powers"`
}

// NamedPower is something worth knowing that an identity can do.
type NamedPower struct {
	ID string `json:"id"`
	// Title completes "can …".
	Title string `json:"title"`
	// Strong says that with it one becomes somebody else, or reads what is secret.
	Strong  bool    `json:"strong"`
	Verdict Verdict `json:"verdict"`
	// Cluster and Scope are as in Grant; Cluster is empty for a power in AWS.
	Cluster string `json:"cluster,omitempty"`
	Scope   string `json:"scope,omitempty"`
	// Names are the objects that it is limited to; none is no limit.
	Names      []string           `json:"names,omitempty"`
	Chain      []finding.Evidence `json:"chain"`
	Conditions []string           `json:"conditions,omitempty"`
}

// PortraitOf is everything about one identity: its grants, the most dangerous first, and its powers. Tool and time are left
// to the caller.
func (a *Access) PortraitOf(id Identity) *Portrait {
	answers := a.GrantsOf(id)
	dangerous := make(map[*Grant]int, len(answers))
	order := make([]*Grant, len(answers))
	for i := range answers {
		order[i] = &answers[i]
		dangerous[order[i]] = a.danger(order[i])
	}
	slices.SortStableFunc(order, func(g, h *Grant) int {
		return cmp.Or(cmp.Compare(boolean(g.Cluster == ""), boolean(h.Cluster == "")), cmp.Compare(g.Cluster, h.Cluster), g.Verdict.rank()-h.Verdict.rank(), dangerous[h]-dangerous[g])
	})
	sorted := make([]Grant, len(order))
	for i, g := range order {
		sorted[i] = *g
	}
	p := &Portrait{Result: *a.Result("What can "+id.String()+" do?", sorted, AreasOfGrants()...), Powers: []NamedPower{}}
	for _, c := range a.Clusters() {
		if id.Cluster == "" || id.Cluster == c.label() {
			p.Powers = append(p.Powers, c.powersOfIdentity(id)...)
		}
	}
	p.Powers = append(p.Powers, a.awsPowers(id)...)
	slices.SortStableFunc(p.Powers, func(a, b NamedPower) int {
		return cmp.Or(boolean(b.Strong)-boolean(a.Strong), a.Verdict.rank()-b.Verdict.rank())
	})
	return p
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// danger ranks a grant: strong powers before others, these before none.
func (a *Access) danger(g *Grant) int {
	switch {
	case g.Rule != nil:
		worst := 0
		for _, h := range a.powersOf([]rbacv1.PolicyRule{*g.Rule}) {
			worst = max(worst, 1+boolean(strong[h.Power.ID] && len(h.Names) == 0))
		}
		return worst
	case g.Statement != nil:
		switch s := g.Statement; {
		case slices.Contains(s.Actions, "*") || len(s.NotActions) > 0:
			return 3
		case slices.ContainsFunc(s.Actions, func(action string) bool { return oneOf(action, assumeRole, "iam:*", "sts:*") }):
			return 2
		case slices.Contains(s.Resources, "*"):
			return 1
		}
	}
	return 0
}

// everybodys are the rules that Kubernetes gives to everybody who signs in, and the URLs that it opens to everybody (default
// ClusterRoles system:basic-user, system:discovery, system:public-info-viewer and system:service-account-issuer-discovery of
// Kubernetes v1.36.3).
var (
	everybodysResources = map[string]string{
		"selfsubjectaccessreviews": "authorization.k8s.io", "selfsubjectrulesreviews": "authorization.k8s.io", "selfsubjectreviews": "authentication.k8s.io",
	}
	everybodysURLs = strings.Fields(`/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/
		/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/`)
)

// Everybodys says that what is granted is what Kubernetes gives to everybody who signs in, and tells nothing of an identity.
func (g *Grant) Everybodys() bool {
	r := g.Rule
	switch {
	case r == nil || g.Verdict != Allowed:
		return false
	case len(r.NonResourceURLs) > 0:
		return slices.Equal(r.Verbs, []string{"get"}) && !slices.ContainsFunc(r.NonResourceURLs, func(u string) bool { return !slices.Contains(everybodysURLs, u) })
	}
	return slices.Equal(r.Verbs, []string{"create"}) && len(r.APIGroups) == 1 && !slices.ContainsFunc(r.Resources, func(n string) bool {
		group, known := everybodysResources[n]
		return !known || group != r.APIGroups[0]
	})
}

// powersOfIdentity are the powers that an identity has in the cluster, each once for every place where it counts.
func (c *Cluster) powersOfIdentity(id Identity) []NamedPower {
	k := c.Kubernetes(id)
	return c.powersOfSources(id, &k, c.sources(&k))
}

func (c *Cluster) powersOfSources(id Identity, k *KubernetesIdentity, sources []source) []NamedPower {
	byPlace := map[string][]place{}
	for _, s := range sources {
		namespaces := s.namespaces
		if namespaces == nil {
			namespaces = []string{""}
		}
		var provided []finding.Evidence
		for _, assumed := range s.assumed {
			provided = append(provided, finding.Evidence{Text: "provided that " + assumed, Source: id.String()})
		}
		for i := range s.rules {
			for _, n := range namespaces {
				byPlace[n] = append(byPlace[n], place{s.rules[i], slices.Concat(provided, s.chain(i))})
			}
		}
	}
	names := make([]string, 0, len(byPlace))
	for n := range byPlace {
		names = append(names, n)
	}
	slices.Sort(names)
	var all []NamedPower
	everywhere := map[string]bool{}
	for _, n := range names {
		list := byPlace[n]
		if n != "" {
			list = append(slices.Clip(list), byPlace[""]...) // what counts everywhere may complete a power
		}
		rules := make([]rbacv1.PolicyRule, len(list))
		for i := range list {
			rules[i] = list[i].rule
		}
		for _, h := range c.powers(rules, n, func(i int) []finding.Evidence { return list[i].chain }) {
			if everywhere[h.Power.ID] {
				continue
			}
			if n == "" && len(h.Names) == 0 {
				everywhere[h.Power.ID] = true
			}
			all = append(all, NamedPower{
				ID: h.Power.ID, Title: h.Power.Title, Strong: h.Strong(), Verdict: k.Verdict, Cluster: c.label(), Scope: ScopeOf(n), Names: h.Names,
				Chain: slices.Concat(k.Chain, h.Chain), Conditions: slices.Concat(k.Open, k.Assumed),
			})
		}
	}
	return all
}

// place is a rule where it counts.
type place struct {
	rule  rbacv1.PolicyRule
	chain []finding.Evidence
}

// awsPowers are what makes the principals of an identity's sessions privileged.
func (a *Access) awsPowers(id Identity) []NamedPower {
	var all []NamedPower
	for _, s := range a.AWSSessions(id) {
		var p *IAMPrincipal
		switch o := s.principal.(type) {
		case *model.IAMRole:
			p = a.IAMRole(o)
		case *model.IAMUser:
			p = a.IAMUser(o)
		}
		if p == nil || s.Verdict == Denied {
			continue
		}
		for _, held := range p.Privileges(a.homeRegion(s.Principal.Account)) {
			power := NamedPower{
				ID: held.ID, Title: held.Title, Strong: held.Kind != ReadsAll || held.Answer == Yes, Verdict: s.Verdict, Scope: s.ARN,
				Chain: append(slices.Clip(s.Chain), held.Why...), Conditions: append(slices.Clip(s.Conditions), held.If...),
			}
			if held.Answer != Yes {
				power.Verdict = Unknown
			}
			if s.Policies.Session != nil {
				power.Verdict, power.Conditions = Unknown, append(power.Conditions, "within the session policy")
			}
			all = append(all, power)
		}
	}
	return all
}
