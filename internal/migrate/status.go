package migrate

import (
	"fmt"
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
	// Next is the next phase to access entries: a phase's id, "done", or "unknown" where too little was read.
	Next string `json:"next"`
	// Blockers are what somebody has to decide first.
	Blockers []string `json:"blockers"`
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

// The words of ClusterStatus.Next that are no phases.
const (
	NextDone    = "done"
	NextUnknown = "unknown"
)

// NewStatus looks at every cluster of a snapshot. Tool and time are left to the caller.
func NewStatus(s *model.Snapshot, a *access.Access, o Options) *Status {
	out := &Status{Version: finding.Version, Kind: KindStatus, Clusters: []ClusterStatus{}, Gaps: append([]finding.Gap{}, s.Gaps...)}
	for _, c := range a.Clusters() {
		out.Clusters = append(out.Clusters, clusterStatus(s, c, AccessEntries(s, a, c, o)))
	}
	return out
}

func clusterStatus(s *model.Snapshot, c *access.Cluster, m *Migration) ClusterStatus {
	st := ClusterStatus{Cluster: c.Facts(), Label: s.Label(c.Cluster), Rows: map[Outcome]int{}, Blockers: append([]string{}, m.Blockers...)}
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
	switch {
	case c.AuthenticationMode() == model.ModeAPI:
		st.Next = NextDone
	case m.Unread || len(m.Phases) == 0:
		st.Next = NextUnknown
	default:
		st.Next = m.Phases[0].ID
	}
	return st
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
