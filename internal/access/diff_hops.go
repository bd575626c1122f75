package access

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// hopSet are the roles that sessions can go on into, each by its best hop. Sets are shared by all who hold the same sessions.
type hopSet struct {
	id   string
	best map[string]sessionHop // by the ARN of the role
}

// sessionHop is a hop of a session, which is named by its key. Its chain begins where the session's ends.
type sessionHop struct {
	Hop
	from string
}

// hopKeys are keys of the sessions of a side: the same for sessions of whoever it may be that can go on into the same roles.
func (s *awsSide) hopKey(i int) string {
	if i >= len(s.sessions) {
		return s.shut[i-len(s.sessions)].hopKey("")
	}
	return s.sessions[i].hopKey(s.spelled[i])
}

// hopKey is the same for sessions that are spelled the same and that trust policies take for the same: what is known of their
// requests follows from the role, from how they were opened, and from their tags. A token is its holder's alone.
func (s *AWSSession) hopKey(spelled string) string {
	parts := []string{string(s.Via), s.Principal.String(), spelled, fmt.Sprint(s.fresh)}
	if s.tags != nil {
		parts = append(parts, fmt.Sprintf("%+v", *s.tags))
	}
	if s.token != nil {
		parts = append(parts, s.Holder.Cluster, s.Holder.String(), fmt.Sprintf("%+v", s.token.WebToken))
	}
	return strings.Join(parts, "\x0b")
}

// holding are the sessions of a side, and then those that it is denied and whose tokens other roles may let in all the same.
func (s *awsSide) holding() []*AWSSession {
	all := make([]*AWSSession, 0, len(s.sessions)+len(s.shut))
	for _, list := range [][]AWSSession{s.sessions, s.shut} {
		for i := range list {
			all = append(all, &list[i])
		}
	}
	return all
}

// hopsOf are the roles that the sessions of a side can go on into: all, or those whose trust policies differ between the sides.
func (d *differ) hopsOf(s *awsSide, all bool) *hopSet {
	var sets []*hopSet
	for i, session := range s.holding() {
		if session.ARN == "" {
			continue
		}
		set := d.hopsOfSession(s.access, session, s.hopKey(i), all)
		if len(set.best) > 0 && !slices.Contains(sets, set) {
			sets = append(sets, set)
		}
	}
	if len(sets) == 0 {
		return &hopSet{}
	}
	joined := sets[0]
	for _, set := range sets[1:] {
		joined = d.join(joined, set)
	}
	return joined
}

func (d *differ) hopsOfSession(a *Access, session *AWSSession, key string, all bool) *hopSet {
	index := hopSetKey{a, key, all}
	if set := d.hopSets[index]; set != nil {
		return set
	}
	set := &hopSet{id: fmt.Sprint(len(d.hopSets)), best: map[string]sessionHop{}}
	d.hopSets[index] = set
	ways := a.ways()
	if !all {
		ways = d.changedWays(a)
	}
	for _, role := range ways.candidates(session) {
		d.work.hops++
		h := a.hop(session, role)
		if h.Verdict == Denied {
			continue
		}
		if session.Verdict == Unknown && !h.ByToken {
			h.Verdict, h.Conditions = Unknown, append(slices.Clip(session.Conditions), h.Conditions...)
		}
		set.best[role.ARN] = sessionHop{h, key}
	}
	return set
}

// hopSetKey is what the hops of a session depend on.
type hopSetKey struct {
	access *Access
	key    string
	all    bool
}

// changedWays are the ways into the roles of a side whose trust policies are others on the other side.
func (d *differ) changedWays(a *Access) *ways {
	if w := d.ways[a]; w != nil {
		return w
	}
	var roles []*model.IAMRole
	for _, acct := range a.snapshot.Accounts {
		for _, r := range acct.Roles {
			if d.trustChange[r.ARN] {
				roles = append(roles, r)
			}
		}
	}
	d.ways[a] = a.newWays(roles)
	return d.ways[a]
}

// join has the best hop of two sets into each role: where they are as good, that of the first.
func (d *differ) join(a, b *hopSet) *hopSet {
	id := a.id + "+" + b.id
	if set := d.joined[id]; set != nil {
		return set
	}
	set := &hopSet{id: id, best: make(map[string]sessionHop, len(a.best))}
	for _, from := range []*hopSet{a, b} {
		for arn, h := range from.best {
			if have, ok := set.best[arn]; !ok || h.Verdict.rank() < have.Verdict.rank() {
				set.best[arn] = h
			}
		}
	}
	d.joined[id] = set
	return set
}

// hopDifference is which roles one side can go on into and the other cannot. It is shared by all who have the same hops.
type hopDifference struct {
	gained, lost []hopChange
	unknown      []Undecided
}

// hopChange is a change, of which the chain begins where the session's ends that is named.
type hopChange struct {
	Change
	from string // a key of a session; empty where the chain is whole
}

// hops compares which roles the sessions can go on into: all, or where the sessions are the same those whose trust differs.
func (d *differ) hops(p *identityPair, before, after *awsSide, all bool, label string) {
	b, a := d.hopsOf(before, all), d.hopsOf(after, all)
	if len(b.best)+len(a.best) == 0 {
		return
	}
	r := d.hopDifference(b, a, before, after)
	if len(r.gained)+len(r.lost)+len(r.unknown) == 0 {
		return
	}
	p.hops, p.sides = r, [2]*awsSide{before, after}
	place := hopPlace{r, label}
	d.alike[place] = append(d.alike[place], p)
}

// hopPlace is a difference and the cluster that it is told of.
type hopPlace struct {
	*hopDifference
	label string
}

func (d *differ) hopDifference(b, a *hopSet, before, after *awsSide) *hopDifference {
	key := fmt.Sprint(b.id, ">", a.id, before.doubtful(), after.doubtful())
	if r := d.hopDifferences[key]; r != nil {
		return r
	}
	r := &hopDifference{}
	d.hopDifferences[key] = r
	for _, way := range []struct {
		side       string
		has, other *hopSet
		otherSide  *awsSide
		to         *[]hopChange
	}{{SideGained, a, b, before, &r.gained}, {SideLost, b, a, after, &r.lost}} {
		for _, arn := range sortedARNs(way.has.best) {
			d.work.changes++
			h, there := way.has.best[arn], way.other.best[arn]
			if there.Role != nil && (there.Verdict == h.Verdict || there.Verdict == Allowed) {
				continue
			}
			what := Statement{Actions: []string{h.action()}, Resources: []string{arn}}
			if reason := h.unproven(&there.Hop, way.otherSide); reason != "" {
				r.unknown = append(r.unknown, Undecided{Side: way.side, Scope: arn, What: what.String(), Reason: reason})
				continue
			}
			c := hopChange{Change: Change{
				Grant:   Grant{Verdict: Allowed, Scope: arn, Statement: &what, Chain: append(slices.Clip(h.Chain), becomes(h.Role)), Conditions: h.Conditions},
				Witness: Witness{Action: h.action(), Resource: arn},
			}}
			if !h.ByToken {
				c.from = h.from
			}
			*way.to = append(*way.to, c)
		}
	}
	return r
}

// unproven says why a hop that the other side has not, or not for certain, shows no difference, or is "".
func (h *Hop) unproven(there *Hop, other *awsSide) string {
	switch _, presence := other.access.Role(h.Role.ARN); {
	case h.Verdict == Unknown:
		return describe(h.Conditions)
	case there.Role != nil:
		return "on the other side: " + describe(there.Conditions)
	case presence == Unread:
		return "the role was not read on the other side"
	case other.doubtful():
		return "which AWS identity it has on the other side is not certain"
	}
	return ""
}

// placeHops puts the roles that an identity can go on into on one side only where they are told: with the identity, or shared.
func (d *differ) placeHops(one *IdentityDifference, p *identityPair, share bool) {
	label := ""
	if p.cluster != nil {
		label = p.cluster.label
	}
	all := d.alike[hopPlace{p.hops, label}]
	if !share || len(all) == 1 {
		one.addHops(p, label)
		return
	}
	if all[0] != p {
		return
	}
	var first IdentityDifference
	first.addHops(p, label)
	shared := SharedDifference{Gained: first.Gained, Lost: first.Lost, Unknown: first.Unknown}
	for _, other := range all {
		shared.Identities = append(shared.Identities, other.shown())
	}
	d.result.Shared = append(d.result.Shared, shared)
}

// addHops adds to what changed for an identity the roles that it can go on into on one side only, each with the chain from the
// identity on.
func (one *IdentityDifference) addHops(p *identityPair, label string) {
	for _, way := range []struct {
		side    *awsSide
		changes []hopChange
		to      *[]Change
	}{{p.sides[1], p.hops.gained, &one.Gained}, {p.sides[0], p.hops.lost, &one.Lost}} {
		chains := map[string][]finding.Evidence{}
		for i, session := range way.side.holding() {
			if key := way.side.hopKey(i); chains[key] == nil {
				chains[key] = slices.Clip(session.Chain)
			}
		}
		for _, h := range way.changes {
			c := h.Change
			c.Cluster = label
			if h.from != "" {
				c.Chain = append(chains[h.from], c.Chain...)
			}
			*way.to = append(*way.to, c)
		}
	}
	for _, u := range p.hops.unknown {
		u.Cluster = label
		one.Unknown = append(one.Unknown, u)
	}
}

// action is the call of STS that the hop is.
func (h *Hop) action() string {
	if h.ByToken {
		return webIdentityAction
	}
	return assumeRole
}

func becomes(r *model.IAMRole) finding.Evidence {
	return finding.Evidence{Text: fmt.Sprintf("it can become %s, with all that this may do", r.Name), Source: r.Subject().String()}
}

func sortedARNs(m map[string]sessionHop) []string {
	all := make([]string, 0, len(m))
	for arn := range m {
		all = append(all, arn)
	}
	slices.Sort(all)
	return all
}
