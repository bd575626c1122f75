package access

import (
	"cmp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/diff"
	"drawbridge/internal/iam"
	"drawbridge/internal/rbac"
)

// holding is what one side gives an identity in a cluster.
type holding struct {
	cluster *Cluster
	id      Identity
	as      KubernetesIdentity
	sources []source
	key     string // the same for what is the same as far as putting it in order tells
}

// holdings are nothing where the cluster is not in the input.
func holdings(c *Cluster, id Identity) *holding {
	h := &holding{cluster: c, id: id, as: KubernetesIdentity{Verdict: Denied}}
	if c == nil {
		h.key = h.spell()
		return h
	}
	h.as = c.Kubernetes(id)
	h.sources = c.sources(&h.as)
	h.key = h.spell()
	return h
}

func (h *holding) spell() string {
	places := make([]string, 0, len(h.sources))
	for i := range h.sources {
		places = append(places, h.sources[i].place()+"\x05"+h.sources[i].session)
	}
	slices.Sort(places)
	verdict := h.as.Verdict
	if verdict == Denied || verdict == Allowed && len(places) == 0 && len(h.as.Open) == 0 {
		verdict = Denied // lets it in, and gives it nothing
	}
	open := slices.Sorted(slices.Values(h.as.Open))
	return string(verdict) + "\x07" + strings.Join(slices.Compact(places), "\x06") + "\x07" + strings.Join(open, "\x06")
}

// ruleDifference is what rules of one side allow and those of the other do not, in both directions.
type ruleDifference struct {
	gained, lost []diff.Excess
	err          error
}

func (d *differ) ruleDifference(before, after *holding) *ruleDifference {
	key := [2]string{before.key, after.key}
	if r := d.rules[key]; r != nil {
		return r
	}
	r := &ruleDifference{}
	b, a := diffRules(before.sources), diffRules(after.sources)
	if r.gained, r.err = diff.Rules(a, b); r.err == nil {
		r.lost, r.err = diff.Rules(b, a)
	}
	d.rules[key] = r
	return r
}

// kubernetes compares what an identity can do in one cluster.
func (d *differ) kubernetes(one *IdentityDifference, p *identityPair, c *clusterPair) {
	if d.untouched(p) {
		return
	}
	before, after := holdings(c.before, p.before), holdings(c.after, p.after)
	if before.key == after.key {
		return
	}
	if names := sessionNames(before, after); len(names) > 0 {
		d.bySession(one, before, after, names, c)
	} else {
		d.holdings(one, before, after, c.label)
	}
	if !slices.ContainsFunc(one.Unknown, func(u Undecided) bool { return u.Cluster == c.label }) {
		d.powerChanges(one, before, after, c.label)
	}
}

// holdings compares what an identity holds on both sides.
func (d *differ) holdings(one *IdentityDifference, before, after *holding, label string) {
	undecided := func(side, scope, what, reason string) {
		u := Undecided{Side: side, Cluster: label, Scope: scope, What: what, Reason: reason}
		if !slices.Contains(one.Unknown, u) {
			one.Unknown = append(one.Unknown, u)
		}
	}
	for _, s := range onlyIn(after, before) {
		undecided(SideGained, s.scope(), "", s.unknown)
	}
	for _, s := range onlyIn(before, after) {
		undecided(SideLost, s.scope(), "", s.unknown)
	}
	for _, reason := range except(after.as.Open, before.as.Open) {
		undecided(SideGained, "", "", reason)
	}
	for _, reason := range except(before.as.Open, after.as.Open) {
		undecided(SideLost, "", "", reason)
	}
	r := d.ruleDifference(before, after)
	if r.err != nil {
		undecided("", "", "", r.err.Error())
		return
	}
	for _, way := range []struct {
		side        string
		excess      []diff.Excess
		has, hasNot *holding
		to          *[]Change
	}{{SideGained, r.gained, after, before, &one.Gained}, {SideLost, r.lost, before, after, &one.Lost}} {
		for i := range way.excess {
			for _, change := range way.has.changes(&way.excess[i], label) {
				reason, unless := unproven(way.has, way.hasNot, change.Witness)
				if reason != "" {
					undecided(way.side, change.Scope, change.What(), reason)
					continue
				}
				change.Conditions = append(slices.Clip(change.Conditions), unless...)
				change.Strong = d.after.danger(&change.Grant) > 1
				*way.to = append(*way.to, change)
			}
		}
	}
}

// sessionNames are the names that make sessions of a role somebody, on either side. Where AWS has a say in the names there are
// none: such sessions are kubelets, which are compared as one.
func sessionNames(before, after *holding) []string {
	role, err := iam.ParseARN(after.id.ARN)
	if err != nil || !role.IsRole() {
		return nil
	}
	var names []string
	for _, h := range []*holding{before, after} {
		if len(h.as.maybe) > 0 || strings.Contains(h.as.Template, "{{EC2PrivateDNSName}}") {
			return nil
		}
		for _, s := range h.as.Sessions {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// bySession compares the sessions of a role: those that are nobody in particular, and then each that is somebody by its name.
// What the role could do before under one name and can do now under any is news to those who do not choose theirs, such as the
// users of IAM Identity Center.
func (d *differ) bySession(one *IdentityDifference, before, after *holding, names []string, c *clusterPair) {
	role, _ := iam.ParseARN(after.id.ARN)
	other := "any-other-name"
	for slices.Contains(names, other) {
		other += "-"
	}
	id := Identity{Kind: KindIAMRole, ARN: sessionARN(role, other)}
	gained, lost := len(one.Gained), len(one.Lost)
	d.holdings(one, before.unnamed(id), after.unnamed(id), c.label)
	butNamed(one.Gained[gained:], c.before, role, names, "could before")
	butNamed(one.Lost[lost:], c.after, role, names, "still can")
	for _, n := range names {
		id.ARN = sessionARN(role, n)
		b, a := holdings(c.before, id), holdings(c.after, id)
		if b.key == a.key {
			continue
		}
		var of IdentityDifference
		d.holdings(&of, b, a, c.label)
		one.Gained = appendUncovered(one.Gained, of.Gained, a.condition(n))
		one.Lost = appendUncovered(one.Lost, of.Lost, b.condition(n))
		for _, u := range of.Unknown {
			if !slices.Contains(one.Unknown, u) {
				one.Unknown = append(one.Unknown, u)
			}
		}
	}
}

// butNamed adds to changes of all sessions but named ones that some of those are on the other side what it says they are.
func butNamed(changes []Change, otherSide *Cluster, role iam.ARN, names []string, can string) {
	if otherSide == nil {
		return
	}
	for i := range changes {
		c := &changes[i]
		if c.Rule == nil {
			continue
		}
		var able []string
		for _, n := range names {
			if otherSide.Check(Identity{Kind: KindIAMRole, ARN: sessionARN(role, n)}, c.Witness.request()).Verdict != Denied {
				able = append(able, n)
			}
		}
		if len(able) > 0 {
			c.Conditions = append(slices.Clip(c.Conditions), "the session has another name than "+strings.Join(able, ", ")+", which "+can)
		}
	}
}

// unnamed is what sessions hold that are nobody in particular; one of them stands for all.
func (h *holding) unnamed(session Identity) *holding {
	of := &holding{cluster: h.cluster, id: session, as: h.as}
	if h.cluster != nil {
		of.as.Sessions = nil
		of.sources = h.cluster.sources(&of.as)
	}
	of.key = of.spell()
	return of
}

// condition is that of a change which only the session of a name sees.
func (h *holding) condition(name string) string {
	return isNamed(Session{name, h.as.Holder})
}

// appendUncovered adds changes under a condition, but those whose witness is part of what changed for everybody.
func appendUncovered(all, more []Change, condition string) []Change {
	forAll := func(c Change) bool {
		return !slices.ContainsFunc(c.Conditions, func(s string) bool { return strings.HasPrefix(s, sessionNamed) })
	}
	for _, c := range more {
		if slices.ContainsFunc(all, func(other Change) bool { return forAll(other) && other.includes(c.Witness.request()) }) {
			continue
		}
		c.Conditions = append(slices.Clip(c.Conditions), condition)
		all = append(all, c)
	}
	return all
}

// includes says whether a change is about a request.
func (c *Change) includes(r rbac.Request) bool {
	in := func(scope string, rule rbacv1.PolicyRule) bool {
		of := diff.Rule{PolicyRule: rule}
		if scope != ScopeCluster {
			for _, s := range strings.Split(scope, ", ") {
				of.Namespaces = append(of.Namespaces, strings.TrimPrefix(s, "namespace/"))
			}
		}
		return of.Allows(r)
	}
	return c.Rule != nil && in(c.Scope, *c.Rule) && !slices.ContainsFunc(c.Except, func(x ScopedRule) bool { return in(x.Scope, x.Rule) })
}

// powerKey is what powers depend on.
type powerKey struct {
	cluster *Cluster
	held    string
}

func (d *differ) powersOf(h *holding) []NamedPower {
	if h.cluster == nil || h.as.Verdict == Denied {
		return nil
	}
	key := powerKey{h.cluster, h.key}
	powers, known := d.powers[key]
	if !known {
		powers = h.cluster.powersOfSources(h.id, &h.as, h.sources)
		d.powers[key] = powers
	}
	return powers
}

// powerChanges names the powers that one side gives and the other does not, where both are certain.
func (d *differ) powerChanges(one *IdentityDifference, before, after *holding, label string) {
	only := func(has, hasNot []NamedPower) []NamedPower {
		var all []NamedPower
		for _, p := range has {
			if slices.ContainsFunc(hasNot, func(q NamedPower) bool {
				return q.ID == p.ID && (len(q.Names) == 0 || slices.Equal(q.Names, p.Names)) && (q.Scope == p.Scope || q.Scope == ScopeCluster)
			}) {
				continue
			}
			p.Chain, p.Conditions, p.Cluster = nil, nil, label
			all = append(all, p)
		}
		return all
	}
	b, a := d.powersOf(before), d.powersOf(after)
	one.Powers.Gained = append(one.Powers.Gained, only(a, b)...)
	one.Powers.Lost = append(one.Powers.Lost, only(b, a)...)
}

// scope is where a source counts, for people.
func (s *source) scope() string {
	if s.namespaces == nil {
		return ScopeCluster
	}
	scopes := make([]string, len(s.namespaces))
	for i, n := range s.namespaces {
		scopes[i] = ScopeOf(n)
	}
	return strings.Join(scopes, ", ")
}

// onlyIn are the sources of rules that are not known and that the other side has not.
func onlyIn(h, other *holding) []*source {
	have := map[string]bool{}
	for i := range other.sources {
		have[other.sources[i].place()] = true
	}
	var all []*source
	for i := range h.sources {
		if s := &h.sources[i]; s.unknown != "" && !have[s.place()] {
			all = append(all, s)
		}
	}
	return all
}

// except is a list without what stands in another.
func except(list, from []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(from, s) })
}

// changes turns an excess into changes, one for each place.
func (h *holding) changes(e *diff.Excess, label string) []Change {
	scopes := []string{""}
	if e.Namespaces != nil {
		scopes = e.Namespaces
	}
	rule := e.PolicyRule
	var except []ScopedRule
	for _, x := range e.Except {
		where := ScopeCluster
		if x.Namespaces != nil {
			where = (&source{namespaces: x.Namespaces}).scope()
		}
		except = append(except, ScopedRule{where, x.PolicyRule})
	}
	var all []Change
	for _, n := range scopes {
		q := e.Witness
		if there := e.Witness; n != "" && !strings.Contains(n, "*") {
			if there.Namespace = n; e.Allows(there) {
				q = there
			}
		}
		c := Change{Grant: Grant{Verdict: Allowed, Cluster: label, Scope: ScopeOf(n), Rule: &rule}, Except: except, Witness: witnessOf(q)}
		c.Chain, c.Conditions = h.as.Chain, h.as.Assumed
		for i := range h.sources {
			s := &h.sources[i]
			if j := slices.IndexFunc(diffRules([]source{*s}), func(r diff.Rule) bool { return r.Allows(q) }); j >= 0 {
				c.Chain, c.Conditions = slices.Concat(h.as.Chain, s.chain(j)), slices.Concat(h.as.Assumed, s.assumed)
				break
			}
		}
		all = append(all, c)
	}
	return all
}

// unproven asks both sides for a witness, and says why it proves nothing, or "". What is open on both sides alike makes no
// difference between them. What of that is about the identity is a condition of the change: if it holds, nothing changed.
// Areas that neither side read go without saying.
func unproven(has, hasNot *holding, w Witness) (reason string, unless []string) {
	alike := has.alike(hasNot)
	unread := inBoth(has.unread(w.Namespace), hasNot.unread(w.Namespace))
	var reasons []string
	weigh := func(g Grant, want Verdict, otherwise string) {
		if g.Verdict == want {
			return
		}
		rest := except(except(g.Conditions, alike), unread)
		if g.Verdict != Unknown || len(rest) > 0 {
			reasons = append(reasons, cmp.Or(describe(rest), otherwise))
		}
		for _, open := range inBoth(g.Conditions, alike) {
			unless = appendNew(unless, "nothing that is open on both sides gives it that anyway: "+open)
		}
	}
	weigh(has.cluster.Check(has.id, w.request()), Allowed, "it cannot be shown on the one side")
	if hasNot.cluster != nil {
		weigh(hasNot.cluster.Check(hasNot.id, w.request()), Denied, "the other side allows "+w.String()+" in another way")
	}
	slices.Sort(reasons)
	return describe(slices.Compact(reasons)), unless
}

// alike is what is open of an identity on both sides.
func (h *holding) alike(other *holding) []string {
	open := func(h *holding) []string {
		all := slices.Clone(h.as.Open)
		for i := range h.sources {
			if u := h.sources[i].unknown; u != "" {
				all = append(all, u)
			}
		}
		return all
	}
	return inBoth(open(h), open(other))
}

// unread are the areas of bindings that were not read and bear on a namespace.
func (h *holding) unread(namespace string) []string {
	if h.cluster == nil {
		return nil
	}
	return h.cluster.unreadBindings(namespace)
}

func inBoth(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return !slices.Contains(b, s) })
}
