package access

import (
	"slices"
	"strings"

	"drawbridge/internal/diff"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// AreasOfGrants are the areas of a snapshot that GrantsOf looks at.
func AreasOfGrants() []model.Area {
	return slices.Concat(areasRBAC, areasDoor, []model.Area{
		model.AreaServiceAccounts, model.AreaPods, model.AreaWorkloads, model.AreaNodes, model.AreaPodIdentityAssociations, model.AreaNodegroups,
		model.AreaFargateProfiles, model.AreaNodeClasses, model.AreaLaunchTemplates, model.AreaIAMGroups, model.AreaIAMPolicies, model.AreaOIDCProviders,
	})
}

// GrantsOf returns everything that an identity can do: in every cluster that lets it in, and in AWS with each of its
// sessions. See the methods of Cluster and Access that it is made of.
func (a *Access) GrantsOf(id Identity) []Grant {
	var all []Grant
	for _, c := range a.Clusters() {
		if id.Cluster == "" || id.Cluster == c.label() {
			all = append(all, c.GrantsOf(id)...)
		}
	}
	return append(all, a.AWSGrantsOf(id)...)
}

// GrantsOf returns what an identity can do in the cluster: one grant for each rule and place, with its chain. What may
// give it rules that are not known is unknown and has no rule. Where it has nothing there is one grant, denied, that says
// why. Sessions of an IAM role count with the name that makes them somebody; the conditions tell it.
func (c *Cluster) GrantsOf(id Identity) []Grant {
	k := c.Kubernetes(id)
	base := Grant{Identity: id, Verdict: k.Verdict, Cluster: c.label(), Chain: k.Chain}
	if id.OfKubernetes() {
		base.Identity.Cluster = base.Cluster
	}
	var all []Grant
	for _, s := range c.sources(&k) {
		all = append(all, s.grants(&base, &k)...)
	}
	switch {
	case k.Verdict == Denied:
		base.Scope = ScopeCluster
		return []Grant{base}
	case k.Verdict == Unknown && len(all) == 0:
		base.Scope, base.Conditions = ScopeCluster, k.Open
		return []Grant{base}
	case len(all) == 0:
		base.Verdict, base.Scope, base.Chain = Denied, ScopeCluster, append(slices.Clip(base.Chain), finding.Evidence{Text: "no binding or access policy gives it anything", Source: "RBAC and access policies"})
		return []Grant{base}
	}
	return all
}

// grants turns a source into grants.
func (s *source) grants(base *Grant, k *KubernetesIdentity) []Grant {
	scopes := []string{ScopeCluster}
	if s.namespaces != nil {
		scopes = nil
		for _, n := range s.namespaces {
			scopes = append(scopes, ScopeOf(n))
		}
	}
	var all []Grant
	for _, scope := range scopes {
		g := *base
		g.Scope = scope
		if s.unknown != "" {
			g.Verdict, g.Conditions = Unknown, append(slices.Clone(k.Open), s.unknown)
			g.Chain = append(slices.Clip(base.Chain), s.chain(-1)...)
			all = append(all, g)
			continue
		}
		g.Conditions = slices.Concat(k.Assumed, s.assumed)
		if g.Verdict == Unknown {
			g.Conditions = slices.Concat(k.Open, g.Conditions)
		}
		for i := range s.rules {
			g.Rule, g.Chain = &s.rules[i], append(slices.Clip(base.Chain), s.chain(i)...)
			if len(g.Rule.NonResourceURLs) == 0 || scope == ScopeCluster { // a RoleBinding gives no URLs
				all = append(all, g)
			}
		}
	}
	return all
}

// AWSGrantsOf returns what an identity can do in AWS: one grant for each statement of its identity policies that allows
// something, in each of its sessions, and one for each role that it can go on into. Conditions name what limits the
// statement: boundary, session policy, service control policies, and denials that bear on it. Where it has nothing there is
// one grant, denied, that says why.
func (a *Access) AWSGrantsOf(id Identity) []Grant {
	var all []Grant
	for _, s := range a.AWSSessions(id) {
		all = append(all, a.grantsOfSession(id, &s)...)
	}
	some := slices.DeleteFunc(slices.Clone(all), func(g Grant) bool { return g.Verdict == Denied })
	if len(some) == 0 {
		return all
	}
	return some
}

func (a *Access) grantsOfSession(id Identity, s *AWSSession) []Grant {
	base := Grant{Identity: id, Verdict: s.Verdict, Cluster: s.Cluster, Chain: s.Chain, Conditions: s.Conditions}
	if id.OfKubernetes() {
		base.Identity.Cluster = s.Cluster
	}
	if s.Verdict == Denied || s.ARN == "" {
		return []Grant{base}
	}
	if s.Principal.Kind == iam.RootUser {
		base.Scope, base.Statement = "*", &Statement{Actions: []string{"*"}, Resources: []string{"*"}}
		return []Grant{base}
	}
	d := decision{session: s}
	var all []Grant
	for _, named := range s.Policies.Identity {
		for i := range named.Policy.Statements {
			if statement := &named.Policy.Statements[i]; statement.Effect == iam.Allow {
				all = append(all, d.grantOf(base, named, statement)...)
			}
		}
	}
	for _, what := range s.Unread {
		g := base
		g.Verdict, g.Scope, g.Conditions = Unknown, "*", append(slices.Clip(s.Conditions), what+" (not read)")
		all = append(all, g)
	}
	for _, h := range a.Hops(*s) {
		g := base
		g.Scope, g.Statement = h.Role.ARN, &Statement{Actions: []string{assumeRole}, Resources: []string{h.Role.ARN}}
		g.Chain, g.Conditions = append(slices.Clip(s.Chain), h.Chain...), append(slices.Clip(s.Conditions), h.Conditions...)
		if h.Verdict == Unknown {
			g.Verdict = Unknown
		}
		all = append(all, g)
	}
	if len(all) == 0 {
		base.Verdict, base.Chain = Denied, append(slices.Clip(base.Chain), finding.Evidence{Text: "no identity policy allows it anything", Source: s.ARN})
		return []Grant{base}
	}
	return all
}

// grantOf is what one statement allows, or nothing where it cannot apply to the session.
func (d *decision) grantOf(g Grant, named iam.Named, s *iam.Statement) []Grant {
	r := iam.Request{Principal: d.session.Principal, Context: d.session.Context}
	if s.MeetsConditions(&r) == iam.False {
		return nil
	}
	g.Statement = statementOf(s, &r)
	g.Scope = strings.Join(s.Resource, ", ")
	if s.NotResource != nil {
		g.Scope = "all but " + strings.Join(s.NotResource, ", ")
	}
	g.Chain = append(slices.Clip(g.Chain), d.evidence(iam.Match{Layer: iam.IdentityPolicy, Policy: named.Name, Statement: s}))
	limits, counts := limitsOn(s, &d.session.Policies, &r)
	if !counts {
		return nil
	}
	g.Conditions = append(slices.Clip(g.Conditions), limits...)
	if len(s.Unknown) > 0 || len(named.Policy.Unknown) > 0 {
		g.Verdict = Unknown
		g.Conditions = append(g.Conditions, slices.Concat(named.Policy.Unknown, s.Unknown)...)
	}
	return []Grant{g}
}

// statementOf is a statement as answers show it, without the conditions that are known to hold.
func statementOf(s *iam.Statement, r *iam.Request) *Statement {
	of := &Statement{Actions: s.Action, NotActions: s.NotAction, Resources: s.Resource, NotResources: s.NotResource}
	for i := range s.Conditions {
		if s.Conditions[i].Test(r) != iam.True {
			of.Conditions = append(of.Conditions, s.Conditions[i].String())
		}
	}
	return of
}

// limitsOn says what stands in the way of a statement: denials that bear on it, and policies that must allow too. It
// returns false where nothing is left of it.
func limitsOn(s *iam.Statement, p *iam.Policies, r *iam.Request) (limits []string, counts bool) {
	deny := func(l iam.Layer, policies []iam.Named) {
		for _, named := range policies {
			for i := range named.Policy.Statements {
				if d := &named.Policy.Statements[i]; d.Effect == iam.Deny && d.MeetsConditions(r) != iam.False && diff.Meets(s, d, r) {
					limits = appendNew(limits, "unless denied by "+strings.TrimSpace(l.String()+" "+named.Name)+", "+d.Name()+": "+shortened(d.String()))
				}
			}
		}
	}
	counts = true
	within := func(l iam.Layer, policies []iam.Named) {
		all, some := false, false
		var names []string
		for _, named := range policies {
			for i := range named.Policy.Statements {
				if y := &named.Policy.Statements[i]; y.Effect != iam.Deny && y.MeetsConditions(r) != iam.False && diff.Meets(s, y, r) {
					some = true
					all = all || len(y.Conditions) == 0 && slices.Equal(y.Action, []string{"*"}) && slices.Equal(y.Resource, []string{"*"})
				}
			}
			names = append(names, named.Name)
		}
		counts = counts && some
		if some && !all {
			limits = appendNew(limits, "within "+l.String()+" "+strings.Join(names, ", "))
		}
	}
	deny(iam.IdentityPolicy, p.Identity)
	if p.Boundary != nil {
		deny(iam.Boundary, []iam.Named{*p.Boundary})
		within(iam.Boundary, []iam.Named{*p.Boundary})
	}
	if p.Session != nil {
		deny(iam.SessionPolicy, p.Session)
		within(iam.SessionPolicy, p.Session)
	}
	for _, level := range p.SCP {
		deny(iam.SCP, level)
		within(iam.SCP, level)
	}
	return limits, counts
}
