package migrate

import (
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
	// Requests counts what was asked: once for each identity, all that it may do.
	Requests int `json:"requests"`
	// Phases say the same of each phase by itself, so that one can stop after any of them.
	Phases []PhaseProof `json:"phases"`

	// Changes are the same by identity, for programs.
	Changes []access.IdentityDifference `json:"-"`
}

// PhaseProof says what one phase does.
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
func Compare(before, after *model.Snapshot) *Proof { return compare(answers(before), answers(after)) }

// answers prepares a snapshot for comparison: it is worked out once, however often it is compared.
func answers(s *model.Snapshot) *access.Access { return access.New(withCreator(s)) }

func compare(before, after *access.Access) *Proof {
	d := access.Diff(before, after)
	p := &Proof{Equal: len(d.Unknown) == 0, Gained: []access.Grant{}, Lost: []access.Grant{}, Unknown: []access.Grant{}, Witnesses: []string{}, Phases: []PhaseProof{}}
	for _, u := range d.Unknown {
		p.Unknown = append(p.Unknown, undecided(access.Identity{}, u))
	}
	var lost []string
	for _, one := range d.Identities {
		if id := one.Identity; id.Kind == access.KindIAMRole && onlyPods(before, id.ARN) && onlyPods(after, id.ARN) {
			continue // nobody has it but pods, which are compared themselves
		}
		p.Equal, p.Changes = false, append(p.Changes, one)
		for _, c := range one.Gained {
			p.Gained = append(p.Gained, grant(one.Identity, c))
			p.Witnesses = append(p.Witnesses, one.Identity.String()+": "+c.Witness.String())
		}
		for _, c := range one.Lost {
			p.Lost = append(p.Lost, grant(one.Identity, c))
			lost = append(lost, one.Identity.String()+": "+c.Witness.String())
		}
		for _, u := range one.Unknown {
			p.Unknown = append(p.Unknown, undecided(one.Identity, u))
		}
	}
	p.Witnesses = append(p.Witnesses, lost...)
	p.Requests = len(before.Identities())
	return p
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

func grant(id access.Identity, c access.Change) access.Grant {
	g := c.Grant
	g.Identity = id
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
			p.BackEqual = compare(known, answers(undone)).Equal
		}
		phases = append(phases, p)
		now, known = after, then
	}
	r.After = now
	r.Proof = compare(before, known)
	r.Proof.Phases = append(r.Proof.Phases, phases...)
	return nil
}
