package migrate

import (
	"fmt"
	"reflect"
	"slices"

	"drawbridge/internal/access"
	"drawbridge/internal/model"
)

// Proof says what a migration does to everybody's effective access, in clusters and in AWS: nothing, or exactly these gains
// and losses. It is worked out by the algebra of rules and statements, not by sampling.
type Proof struct {
	Equal   bool           `json:"equal"`
	Gained  []access.Grant `json:"gained"`
	Lost    []access.Grant `json:"lost"`
	Unknown []access.Grant `json:"unknown"`
	// Witnesses are requests, one for each gain and then for each loss, that are allowed on one side only.
	Witnesses []string `json:"witnesses"`
	// Alike are the identities besides the one that a grant names, of which the same is true: a grant names such a list by its id.
	Alike []Alike `json:"alike,omitempty"`
	// Requests counts what was asked: once for each identity, all that it may do.
	Requests int `json:"requests"`
	// Phases say the same of each phase by itself, so that one can stop after any of them.
	Phases []PhaseProof `json:"phases"`

	// Changes are the same by identity, for programs.
	Changes []access.IdentityDifference `json:"-"`
	Shared  []access.SharedDifference   `json:"-"`
}

// Alike are identities that gain or lose the same as another one.
type Alike struct {
	ID         string            `json:"id"`
	Identities []access.Identity `json:"identities"`
}

// PhaseProof says what one phase does. Counts are of grants as the proof lists them: once for all identities alike.
type PhaseProof struct {
	ID      string `json:"id"`
	Cluster string `json:"cluster"`
	Equal   bool   `json:"equal"`
	Gained  int    `json:"gained"`
	Lost    int    `json:"lost"`
	Unknown int    `json:"unknown"`
	// BackEqual says that undoing the phase restores the access from before it; false for what cannot be undone.
	BackEqual bool `json:"backEqual"`
}

// Phase is what is proven of a phase, and false for one that changes nothing.
func (p *Proof) Phase(id string) (PhaseProof, bool) {
	i := slices.IndexFunc(p.Phases, func(one PhaseProof) bool { return one.ID == id })
	if i < 0 {
		return PhaseProof{}, false
	}
	return p.Phases[i], true
}

// Compare compares everybody's access in two snapshots. The snapshots must not change afterwards.
func Compare(before, after *model.Snapshot) *Proof {
	from := answers(before)
	p := compare(from, answers(after))
	p.Requests = len(from.Identities())
	return p
}

// answers prepares a snapshot for comparison: it is worked out once, however often it is compared.
func answers(s *model.Snapshot) *access.Access { return access.New(withCreator(s)) }

func compare(before, after *access.Access) *Proof {
	d := access.DiffShared(before, after)
	p := &Proof{Equal: len(d.Unknown) == 0, Gained: []access.Grant{}, Lost: []access.Grant{}, Unknown: []access.Grant{}, Witnesses: []string{}, Phases: []PhaseProof{}}
	for _, u := range d.Unknown {
		p.Unknown = append(p.Unknown, undecided(access.Identity{}, u))
	}
	var lost []string
	tell := func(id access.Identity, alike string, gains, losses []access.Change, unknown []access.Undecided) {
		p.Equal = false
		for _, c := range gains {
			p.Gained = append(p.Gained, grant(id, alike, c))
			p.Witnesses = append(p.Witnesses, id.String()+": "+c.Witness.String())
		}
		for _, c := range losses {
			p.Lost = append(p.Lost, grant(id, alike, c))
			lost = append(lost, id.String()+": "+c.Witness.String())
		}
		for _, u := range unknown {
			g := undecided(id, u)
			g.Alike = alike
			p.Unknown = append(p.Unknown, g)
		}
	}
	for i := range d.Identities {
		one := &d.Identities[i]
		if id := one.Identity; id.Kind == access.KindIAMRole && onlyPods(before, id.ARN) && onlyPods(after, id.ARN) {
			continue // nobody has it but pods, which are compared themselves
		}
		p.Changes = append(p.Changes, *one)
		tell(one.Identity, "", one.Gained, one.Lost, one.Unknown)
	}
	for i := range d.Shared {
		of := &d.Shared[i]
		alike := Alike{ID: fmt.Sprint("alike-", i+1), Identities: of.Identities[1:]}
		p.Alike, p.Shared = append(p.Alike, alike), append(p.Shared, *of)
		tell(of.Identities[0], alike.ID, of.Gained, of.Lost, of.Unknown)
	}
	p.Witnesses = append(p.Witnesses, lost...)
	return p
}

// Of says whether a grant of the proof is about an identity: in its own name, or as one of those alike.
func (p *Proof) Of(g access.Grant, id access.Identity) bool {
	return g.Identity == id || slices.Contains(p.AlikeIn(g), id)
}

// AlikeIn are the identities besides the one that a grant names, of which the same is true.
func (p *Proof) AlikeIn(g access.Grant) []access.Identity {
	if g.Alike == "" {
		return nil
	}
	i := slices.IndexFunc(p.Alike, func(a Alike) bool { return a.ID == g.Alike })
	if i < 0 {
		return nil
	}
	return p.Alike[i].Identities
}

// withCreator leaves aside who created the clusters in mode CONFIG_MAP: that principal is in system:masters, no API names it, and
// EKS makes an access entry for it with AmazonEKSClusterAdminPolicy when entries begin to count (EKS User Guide, "Change
// authentication mode to use access entries", 2026-11). It neither gains nor loses; for everybody else the two modes are one
// as long as there are no entries, and in CONFIG_MAP there are none.
func withCreator(s *model.Snapshot) *model.Snapshot {
	out := *s
	out.Clusters = slices.Clone(s.Clusters)
	for i, c := range out.Clusters {
		if c.AuthenticationMode() == model.ModeConfigMap {
			cluster, d := *c, *c.Description
			d.AuthenticationMode = model.ModeAPIConfigMap
			cluster.Description = &d
			out.Clusters[i] = &cluster
		}
	}
	return &out
}

func grant(id access.Identity, alike string, c access.Change) access.Grant {
	g := c.Grant
	g.Identity, g.Alike = id, alike
	return g
}

func undecided(id access.Identity, u access.Undecided) access.Grant {
	g := access.Grant{Identity: id, Verdict: access.Unknown, Cluster: u.Cluster, Scope: u.Scope, Conditions: []string{u.Reason}}
	if u.What != "" {
		g.Conditions = append(g.Conditions, u.What)
	}
	return g
}

// prove works out where the steps lead, and proves it: the whole, then each phase by itself, there and back.
func (r *Result) prove() error {
	now, known := r.Before, answers(r.Before)
	first, before := 0, known
	var phases []PhaseProof
	for _, phase := range r.Phases {
		changes := r.Changes[first : first+len(phase.Steps)]
		first += len(phase.Steps)
		if len(changes) == 0 {
			continue
		}
		after, err := changes.Simulate(now)
		if err != nil {
			return err
		}
		then := answers(after)
		one := compare(known, then)
		p := PhaseProof{ID: phase.ID, Cluster: phase.Cluster, Equal: one.Equal, Gained: len(one.Gained), Lost: len(one.Lost), Unknown: len(one.Unknown)}
		if back, err := changes.Inverse(now); err == nil {
			undone, err := back.Simulate(after)
			if err != nil {
				return err
			}
			p.BackEqual = same(now, undone) || compare(known, answers(undone)).Equal
		}
		phases = append(phases, p)
		now, known = after, then
	}
	r.After = now
	r.Proof = compare(before, known)
	r.Proof.Requests = len(before.Identities())
	r.Proof.Phases = append(r.Proof.Phases, phases...)
	return nil
}

// same says whether two snapshots hold the same, in the same order: then so is everybody's access.
func same(a, b *model.Snapshot) bool { return reflect.DeepEqual(a, b) }
