package migrate

import (
	"fmt"
	"slices"
	"time"

	"drawbridge/internal/access"
	"drawbridge/internal/authenticator"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// KindStatus is the kind of a Status.
const KindStatus = "MigrationStatus"

// Status says of every cluster how far its migrations are and what stops them.
type Status struct {
	Version  string          `json:"version"`
	Kind     string          `json:"kind"`
	Tool     finding.Tool    `json:"tool"`
	Time     time.Time       `json:"time"`
	Clusters []ClusterStatus `json:"clusters"`
	Gaps     []finding.Gap   `json:"gaps"`
	// Evidence is what audit logs tell about the rows of aws-auth, cluster by cluster, where they were read.
	Evidence []Evidence `json:"evidence,omitempty"`
}

// ClusterStatus is how far the migrations of one cluster are.
type ClusterStatus struct {
	finding.Cluster
	// Label names the cluster among the others.
	Label string `json:"label"`
	// AccessEntries counts the entries that are not nodes' or AWS's own.
	AccessEntries int `json:"accessEntries"`
	// Rows counts the rows of aws-auth that the mode lets count, by what becomes of them; Both are those whose principal has
	// an access entry already.
	Rows map[Outcome]int `json:"rows"`
	Both int             `json:"both"`
	// IRSA and PodIdentity count service accounts; Moving are those with both, which Pod Identity wins.
	IRSA        int `json:"irsa"`
	PodIdentity int `json:"podIdentity"`
	Moving      int `json:"moving"`
	// Next is the next phase to access entries: a phase's id, "done", "blocked" where somebody has to decide before anything
	// can be done, or "unknown" where too little was read.
	Next string `json:"next"`
	// PhasesDone is how many of the Phases to access entries are behind the cluster; 0 where that is not known.
	PhasesDone int `json:"phasesDone"`
	Phases     int `json:"phases"`
	// Blockers are what somebody has to decide before the move to access entries can be finished, PodIdentityBlockers before
	// that of the service accounts with IRSA.
	Blockers            []string `json:"blockers"`
	PodIdentityBlockers []string `json:"podIdentityBlockers"`
}

// Left counts the rows of aws-auth that still have to become something, blocked ones among them.
func (c *ClusterStatus) Left() int {
	left := 0
	for outcome, n := range c.Rows {
		if outcome != Nothing {
			left += n
		}
	}
	return left
}

// Decide counts what somebody has to decide, for both moves.
func (c *ClusterStatus) Decide() int { return len(c.Blockers) + len(c.PodIdentityBlockers) }

// accessEntryPhases are the phases to access entries, in order.
var accessEntryPhases = []string{PhaseEnable, PhaseCreate, PhaseWatch, PhaseEmpty, PhaseAPIOnly}

// statusAreas are what a status is told by.
var statusAreas = []model.Area{
	model.AreaCluster, model.AreaAccessEntries, model.AreaPolicyAssociations, model.AreaAWSAuth, model.AreaFargateProfiles, model.AreaIAMRoles,
	model.AreaIAMUsers, model.AreaPodIdentityAssociations, model.AreaServiceAccounts, model.AreaPods, model.AreaWorkloads,
}

// The words of ClusterStatus.Next that are no phases.
const (
	NextDone    = "done"
	NextBlocked = "blocked" // entries count beside aws-auth, and all that is left there waits for a decision
	NextUnknown = "unknown"
)

// NewStatus looks at every cluster of a snapshot. Tool and time are left to the caller.
func NewStatus(s *model.Snapshot, a *access.Access, o Options) *Status {
	out := &Status{Version: finding.Version, Kind: KindStatus, Clusters: []ClusterStatus{}, Gaps: append([]finding.Gap{}, s.GapsIn("not in the input", statusAreas...)...)}
	for _, c := range a.Clusters() {
		st := clusterStatus(s, c, AccessEntries(s, a, c, o))
		if st.IRSA+st.Moving > 0 {
			st.PodIdentityBlockers = append(st.PodIdentityBlockers, PodIdentity(s, a, c, o).Blockers...)
		}
		out.Clusters = append(out.Clusters, st)
	}
	return out
}

func clusterStatus(s *model.Snapshot, c *access.Cluster, m *Migration) ClusterStatus {
	st := ClusterStatus{Cluster: c.Facts(), Label: s.Label(c.Cluster), Rows: map[Outcome]int{}, Phases: len(accessEntryPhases), Blockers: append([]string{}, m.Blockers...), PodIdentityBlockers: []string{}}
	for _, e := range c.AccessEntries {
		if !e.IsNode() && c.ServiceOwned(e.PrincipalARN) == "" {
			st.AccessEntries++
		}
	}
	for i := range m.Rows {
		r := &m.Rows[i]
		st.Rows[r.Outcome]++
		if c.EntryOf(r.Mapping) != nil && r.Mapping.Effective.State == authenticator.Live {
			st.Both++
		}
	}
	byAccount := map[string]map[access.Via]bool{}
	for _, sa := range c.AWSServiceAccounts() {
		key := sa.Namespace + "/" + sa.Name
		if byAccount[key] == nil {
			byAccount[key] = map[access.Via]bool{}
		}
		byAccount[key][sa.Via] = true
	}
	for _, ways := range byAccount {
		switch {
		case ways[access.ViaIRSA] && ways[access.ViaPodIdentity]:
			st.Moving++
		case ways[access.ViaIRSA]:
			st.IRSA++
		default:
			st.PodIdentity++
		}
	}
	st.Next = next(c, m)
	switch st.Next {
	case NextDone:
		st.PhasesDone = len(accessEntryPhases)
	case NextBlocked:
		st.PhasesDone = slices.Index(accessEntryPhases, PhaseCreate)
	default:
		st.PhasesDone = max(0, slices.Index(accessEntryPhases, st.Next))
	}
	return st
}

// next is the phase that a cluster is at.
func next(c *access.Cluster, m *Migration) string {
	switch {
	case c.AuthenticationMode() == model.ModeAPI:
		return NextDone
	case m.Unread:
		return NextUnknown
	case len(m.Phases) == 0:
		return NextBlocked
	}
	return m.Phases[0].ID
}

// Sum is the line for a whole fleet: how many clusters are in which mode.
func (s *Status) Sum() string {
	modes := map[string]int{}
	for _, c := range s.Clusters {
		modes[c.AuthenticationMode]++
	}
	text := fmt.Sprintf("%d of %d clusters are done", modes[model.ModeAPI], len(s.Clusters))
	for _, mode := range []string{model.ModeAPIConfigMap, model.ModeConfigMap} {
		if modes[mode] > 0 {
			text += fmt.Sprintf(", %d in %s", modes[mode], mode)
		}
	}
	if modes[""] > 0 {
		text += fmt.Sprintf(", of %d the mode is not known", modes[""])
	}
	return text
}

// Totals are the numbers of a whole fleet.
type Totals struct {
	// Rows are those of aws-auth that are left, Blocked those among them that somebody has to decide about.
	Rows, Blocked int
	// Waiting counts the clusters in which somebody has to decide something.
	Waiting int
	// IRSA, PodIdentity and Moving count service accounts, as those of a ClusterStatus.
	IRSA, PodIdentity, Moving int
}

// Totals adds up all clusters.
func (s *Status) Totals() Totals {
	var t Totals
	for i := range s.Clusters {
		c := &s.Clusters[i]
		t.Rows += c.Left()
		t.Blocked += c.Rows[Blocked]
		if c.Decide() > 0 {
			t.Waiting++
		}
		t.IRSA += c.IRSA
		t.PodIdentity += c.PodIdentity
		t.Moving += c.Moving
	}
	return t
}
