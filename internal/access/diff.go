package access

import (
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/diff"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// KindDiff is the kind of a Difference.
const KindDiff = "AccessDiff"

// Difference is what `drawbridge access diff` answers: who gained and lost what between two inputs.
type Difference struct {
	Version string       `json:"version"`
	Kind    string       `json:"kind"`
	Tool    finding.Tool `json:"tool"`
	Time    time.Time    `json:"time"`
	// Before and After name the two inputs.
	Before string `json:"before"`
	After  string `json:"after"`
	// Clusters are those of the input after, and those that it lacks.
	Clusters []finding.Cluster `json:"clusters"`
	// Equal says that nobody gained or lost anything, and that nothing is unknown.
	Equal      bool                 `json:"equal"`
	Identities []IdentityDifference `json:"identities"`
	// Shared is what several identities gained and lost alike, which is then not among Identities: only DiffShared tells it so.
	Shared []SharedDifference `json:"-"`
	// Unknown is what could not be compared whoever it is about.
	Unknown []Undecided `json:"unknown"`
	// Notes say what was taken for what.
	Notes []string      `json:"notes"`
	Gaps  []finding.Gap `json:"gaps"`
}

// IdentityDifference is what one identity gained and lost.
type IdentityDifference struct {
	Identity Identity    `json:"identity"`
	Gained   []Change    `json:"gained"`
	Lost     []Change    `json:"lost"`
	Unknown  []Undecided `json:"unknown"`
	// Powers are what the changes in clusters come to, by name.
	Powers PowerChanges `json:"powers,omitzero"`
}

// SharedDifference is what several identities gained and lost alike: the roles that they can go on into. Chains are those of
// the first.
type SharedDifference struct {
	Identities   []Identity
	Gained, Lost []Change
	Unknown      []Undecided
}

// PowerChanges are the powers that somebody gained and lost. Those that were only widened or narrowed are not among them.
type PowerChanges struct {
	Gained []NamedPower `json:"gained,omitempty"`
	Lost   []NamedPower `json:"lost,omitempty"`
}

// Change is a grant that one input has and the other has not, with a request that proves it. The chain is that of the
// witness.
type Change struct {
	Grant
	// Except is what the rule covers and the other input has too.
	Except []ScopedRule `json:"except,omitempty"`
	// Unless are the conditions under which the other input allows the statement too.
	Unless  []string `json:"unless,omitempty"`
	Witness Witness  `json:"witness"`
	// Strong says that with it alone one becomes somebody else, or reads what is secret.
	Strong bool `json:"strong,omitempty"`
}

// ScopedRule is a rule and where it counts.
type ScopedRule struct {
	Scope string            `json:"scope"`
	Rule  rbacv1.PolicyRule `json:"rule"`
}

// Witness is a request that one input allows and the other denies: one to a cluster, or one to AWS.
type Witness struct {
	Verb        string `json:"verb,omitempty"`
	Group       string `json:"group,omitempty"`
	Resource    string `json:"resource,omitempty"` // in AWS an ARN
	Subresource string `json:"subresource,omitempty"`
	Name        string `json:"name,omitempty"`
	Namespace   string `json:"namespace,omitempty"`
	URL         string `json:"url,omitempty"`
	Action      string `json:"action,omitempty"` // of AWS
	// Given are the condition keys with which a request to AWS must be made; none is a key that must be absent.
	Given map[string][]string `json:"given,omitempty"`
}

// String is the request in one line.
func (w Witness) String() string {
	if w.Action != "" {
		return w.Action + " on " + w.Resource
	}
	return w.request().String()
}

func (w Witness) request() rbac.Request {
	return rbac.Request{Verb: w.Verb, APIGroup: w.Group, Resource: w.Resource, Subresource: w.Subresource, Name: w.Name, Namespace: w.Namespace, NonResourceURL: w.URL}
}

func witnessOf(r rbac.Request) Witness {
	return Witness{Verb: r.Verb, Group: r.APIGroup, Resource: r.Resource, Subresource: r.Subresource, Name: r.Name, Namespace: r.Namespace, URL: r.NonResourceURL}
}

// Undecided is what may be a difference, with the reason why nobody can tell.
type Undecided struct {
	// Side says whose access it is that may be more: gained, lost, or "" for either.
	Side    string `json:"side,omitempty"`
	Cluster string `json:"cluster,omitempty"`
	Scope   string `json:"scope,omitempty"`
	// What is what may be allowed on one side only, where that can be said.
	What   string `json:"what,omitempty"`
	Reason string `json:"reason"`
}

// The sides of an Undecided.
const (
	SideGained = "gained"
	SideLost   = "lost"
)

// AreasOfDiff are the areas of a snapshot that Diff looks at.
func AreasOfDiff() []model.Area { return AreasOfGrants() }

// Diff compares what every identity can do in two inputs, into the clusters and out to AWS: by the algebra of rules and
// statements, so that it does not matter how a grant is named, split or scoped. Clusters are the same if their ARNs are, or
// their names; one cluster on each side is compared whatever it is called. Every change is proven by a request that is
// allowed on one side and denied on the other; what cannot be proven is unknown. Tool, time and the names of the inputs are
// left to the caller.
func Diff(before, after *Access) *Difference { return newDiffer(before, after).compare(false) }

// DiffShared is Diff, but says what several identities gain and lose alike on their way to other roles once, in Shared.
func DiffShared(before, after *Access) *Difference { return newDiffer(before, after).compare(true) }

func newDiffer(before, after *Access) *differ {
	d := &differ{
		before: before, after: after, aws: diff.NewAWS(), rules: map[[2]string]*ruleDifference{}, powers: map[powerKey][]NamedPower{}, statements: map[[2]string]*statementDifference{},
		hopSets: map[hopSetKey]*hopSet{}, joined: map[string]*hopSet{}, hopDifferences: map[string]*hopDifference{}, alike: map[hopPlace][]*identityPair{}, ways: map[*Access]*ways{},
	}
	d.result = &Difference{
		Version: finding.Version, Kind: KindDiff, Clusters: []finding.Cluster{}, Identities: []IdentityDifference{}, Unknown: []Undecided{}, Notes: []string{}, Gaps: []finding.Gap{},
	}
	return d
}

func (d *differ) compare(share bool) *Difference {
	d.pairClusters()
	d.unreadAreas()
	d.alikes()
	pairs := d.identities()
	for _, p := range pairs {
		for _, c := range d.clusters {
			if p.after.ARN != "" || p.cluster == c {
				d.kubernetes(&p.changed, p, c)
			}
		}
		d.sessions(&p.changed, p)
	}
	for _, p := range pairs {
		one := &p.changed
		if p.hops != nil {
			d.placeHops(one, p, share)
		}
		if len(one.Gained)+len(one.Lost)+len(one.Unknown) > 0 {
			one.Identity = p.shown()
			one.Gained, one.Lost, one.Unknown = append([]Change{}, one.Gained...), append([]Change{}, one.Lost...), append([]Undecided{}, one.Unknown...)
			d.result.Identities = append(d.result.Identities, *one)
		}
	}
	d.result.Equal = len(d.result.Identities)+len(d.result.Shared)+len(d.result.Unknown) == 0
	return d.result
}

// differ is one run of Diff.
type differ struct {
	before, after *Access
	clusters      []*clusterPair
	aws           *diff.AWS
	result        *Difference

	rules       map[[2]string]*ruleDifference // of what both sides hold, spelled
	powers      map[powerKey][]NamedPower
	statements  map[[2]string]*statementDifference
	trustChange map[string]bool // ARNs of roles whose trust policies differ
	roleChange  map[string]bool // ARNs of roles of which anything may differ
	// sameAccounts says that all that accounts lay on their principals is the same.
	sameAccounts bool

	hopSets        map[hopSetKey]*hopSet
	joined         map[string]*hopSet
	hopDifferences map[string]*hopDifference
	alike          map[hopPlace][]*identityPair // who has the same difference
	ways           map[*Access]*ways            // into the roles of trustChange

	work work
}

// work counts what a run has done.
type work struct {
	sides   int // identities whose sessions were opened, on either side
	hops    int // roles that sessions were asked for
	changes int // roles by which sets of them were compared
}

// clusterPair is one cluster in both inputs; one of the two may be nil.
type clusterPair struct {
	before, after *Cluster
	label         string
	alike         bool // but for service accounts and associations
}

// pairClusters finds the clusters of one input in the other.
func (d *differ) pairClusters() {
	var rest []*Cluster
	used := map[*Cluster]bool{}
	find := func(c *Cluster, same func(a, b *Cluster) bool) *Cluster {
		for _, b := range d.before.Clusters() {
			if !used[b] && same(b, c) {
				used[b] = true
				return b
			}
		}
		return nil
	}
	byARN := func(a, b *Cluster) bool { return a.ARN != "" && a.ARN == b.ARN }
	byName := func(a, b *Cluster) bool { return a.Name == b.Name && (a.ARN == "" || b.ARN == "") }
	pairs := map[*Cluster]*Cluster{}
	for _, same := range []func(a, b *Cluster) bool{byARN, byName} {
		for _, c := range d.after.Clusters() {
			if pairs[c] == nil {
				if b := find(c, same); b != nil {
					pairs[c] = b
				}
			}
		}
	}
	if all := d.after.Clusters(); len(all) == 1 && len(d.before.Clusters()) == 1 && pairs[all[0]] == nil {
		pairs[all[0]] = d.before.Clusters()[0]
		used[pairs[all[0]]] = true
		d.result.Notes = append(d.result.Notes, fmt.Sprintf("cluster %s before is compared with cluster %s after: they have different names", pairs[all[0]].ID(), all[0].ID()))
	}
	for _, c := range d.after.Clusters() {
		d.clusters = append(d.clusters, &clusterPair{before: pairs[c], after: c, label: c.label()})
		d.result.Clusters = append(d.result.Clusters, c.Facts())
		if pairs[c] == nil {
			d.result.Notes = append(d.result.Notes, fmt.Sprintf("cluster %s is in the input after only", c.label()))
		}
	}
	for _, c := range d.before.Clusters() {
		if !used[c] {
			rest = append(rest, c)
		}
	}
	for _, c := range rest {
		d.clusters = append(d.clusters, &clusterPair{before: c, label: c.label()})
		d.result.Clusters = append(d.result.Clusters, c.Facts())
		d.result.Notes = append(d.result.Notes, fmt.Sprintf("cluster %s is in the input before only", c.label()))
	}
}

// unreadAreas says what was read on one side only: what is missing there may hold anything.
func (d *differ) unreadAreas() {
	for _, p := range d.clusters {
		if p.before == nil || p.after == nil {
			continue
		}
		for _, area := range AreasOfDiff() {
			if b, a := p.before.Complete(area), p.after.Complete(area); b != a {
				info, _ := area.Info()
				d.result.Unknown = append(d.result.Unknown, Undecided{Cluster: p.label, Reason: fmt.Sprintf("%s (%s) was not read in full %s", area, info.Action, map[bool]string{true: "after", false: "before"}[b])})
			}
		}
	}
	for _, side := range []*Access{d.before, d.after} {
		for _, g := range side.snapshot.GapsIn("not in the input", AreasOfDiff()...) {
			if !slices.Contains(d.result.Gaps, g) {
				d.result.Gaps = append(d.result.Gaps, g)
			}
		}
	}
}

// identityPair is one identity in both inputs.
type identityPair struct {
	before, after Identity
	cluster       *clusterPair // nil for IAM principals

	changed IdentityDifference
	hops    *hopDifference // nil for none
	sides   [2]*awsSide    // with which hops was found: before, after
}

// shown is the identity as results name it.
func (p *identityPair) shown() Identity {
	id := p.after
	if p.cluster != nil {
		id.Cluster = p.cluster.label
		if p.cluster.after == nil {
			id = p.before
		}
	}
	return id
}

// identities lists the identities of both inputs, each once.
func (d *differ) identities() []*identityPair {
	type key struct {
		cluster *clusterPair
		id      Identity
		owner   string
	}
	byKey := map[key]*identityPair{}
	var all []*identityPair
	add := func(k key, id Identity, after bool) {
		p := byKey[k]
		if p == nil {
			p = &identityPair{before: id, after: id, cluster: k.cluster}
			byKey[k] = p
			all = append(all, p)
		}
		if after {
			p.after = id
		} else {
			p.before = id
		}
	}
	for _, side := range []struct {
		access *Access
		after  bool
		of     func(*clusterPair) *Cluster
	}{{d.after, true, func(p *clusterPair) *Cluster { return p.after }}, {d.before, false, func(p *clusterPair) *Cluster { return p.before }}} {
		side.access.awsIdentities(func(id Identity) { add(key{id: id}, id, side.after) })
		for _, pair := range d.clusters {
			c := side.of(pair)
			if c == nil {
				continue
			}
			label := c.label()
			c.inside(func(id Identity, owner string) {
				k := key{cluster: pair, id: id, owner: owner}
				if owner != "" { // pods that a controller names at random
					k.id = Identity{Kind: id.Kind, Namespace: id.Namespace}
				}
				id.Cluster = label
				add(k, id, side.after)
			})
		}
	}
	slices.SortFunc(all, func(p, q *identityPair) int { return p.shown().Compare(q.shown()) })
	return all
}

// describe sums up a list of things in a few words.
func describe(all []string) string { return strings.Join(all, ", and ") }
