package migrate

import (
	"fmt"
	"slices"
	"time"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// KindPlan is the kind of a Result.
const KindPlan = "Plan"

// Result is a migration of one or several clusters as the command line gives it: what becomes of what, the steps in their
// phases, the proof, and what stands in the way.
type Result struct {
	Version   string       `json:"version"`
	Kind      string       `json:"kind"`
	Tool      finding.Tool `json:"tool"`
	Time      time.Time    `json:"time"`
	Migration string       `json:"migration"` // access-entries or pod-identity
	// RoleNames is the naming convention of roles that the user has.
	RoleNames string            `json:"roleNames,omitempty"`
	Clusters  []finding.Cluster `json:"clusters"`
	Items     []Item            `json:"items"`
	Phases    []PhaseResult     `json:"phases"`
	Steps     []Step            `json:"steps"`
	Proof     *Proof            `json:"proof"`
	Blockers  []string          `json:"blockers"`
	Warnings  []string          `json:"warnings"`
	Gaps      []finding.Gap     `json:"gaps"`
	// Evidence is what audit logs tell about the rows of aws-auth, cluster by cluster, where they were read.
	Evidence []Evidence `json:"evidence,omitempty"`

	// Before is the snapshot that the steps start from, After the one that they lead to, for those who write them in the
	// language of another tool.
	Before *model.Snapshot `json:"-"`
	After  *model.Snapshot `json:"-"`
	// Changes are the steps for programs, one for one.
	Changes plan.Plan `json:"-"`
}

// Item is something that is migrated: a row of aws-auth, or a service account.
type Item struct {
	Cluster string          `json:"cluster"`
	Subject finding.Subject `json:"subject"`
	// From is where the pods of a service account have their AWS credentials from now.
	From Source `json:"from,omitempty"`
	// Becomes is what becomes of it: see Outcome.
	Becomes Outcome `json:"becomes"`
	// Principal is the ARN that gets the access, with its path.
	Principal string   `json:"principal,omitempty"`
	Why       string   `json:"why,omitempty"`
	Notes     []string `json:"notes,omitempty"`
	Offers    []string `json:"offers,omitempty"`
}

// PhaseResult is a phase of a cluster's migration.
type PhaseResult struct {
	ID      string `json:"id"`
	Cluster string `json:"cluster"`
	Title   string `json:"title"`
	// Steps are the ids of its steps, in order.
	Steps []string `json:"steps"`
	// Wait says what has to be seen before the next phase.
	Wait string `json:"wait"`
}

// Step is one change of a migration.
type Step struct {
	Phase string `json:"phase"`
	// Account is the id of the account in which it is done; empty where it is not known.
	Account string `json:"account,omitempty"`
	finding.Step
}

// NewResult puts migrations of clusters of one snapshot together. Tool and time are left to the caller. The error is one of a
// plan that does not fit the snapshot it was made for.
func NewResult(kind string, s *model.Snapshot, migrations []*Migration) (*Result, error) {
	r := &Result{
		Version: finding.Version, Kind: KindPlan, Migration: kind, Before: s, Clusters: []finding.Cluster{}, Items: []Item{}, Phases: []PhaseResult{},
		Steps: []Step{}, Blockers: []string{}, Warnings: []string{}, Gaps: append([]finding.Gap{}, s.GapsIn("not in the input", access.AreasOfDiff()...)...),
	}
	var unread []access.Grant
	for _, m := range migrations {
		label := s.Label(m.Cluster.Cluster)
		r.RoleNames = m.RoleNames
		r.Clusters = append(r.Clusters, m.Cluster.Facts())
		r.Items = append(r.Items, m.items(label)...)
		if m.Unread {
			unread = append(unread, access.Grant{Verdict: access.Unknown, Cluster: label, Chain: []finding.Evidence{}, Conditions: m.Blockers})
		}
		prefix := ""
		if len(migrations) > 1 {
			prefix = label + ": "
		}
		for _, b := range m.Blockers {
			r.Blockers = append(r.Blockers, prefix+b)
		}
		for _, w := range m.Warnings {
			r.Warnings = append(r.Warnings, prefix+w)
		}
		for _, p := range m.Phases {
			first := len(r.Changes)
			r.Changes = append(r.Changes, p.Plan...)
			phase := PhaseResult{ID: p.ID, Cluster: label, Title: p.Title, Wait: p.Wait, Steps: []string{}}
			for i := range p.Plan {
				phase.Steps = append(phase.Steps, fmt.Sprint(first+i+1))
				r.Steps = append(r.Steps, Step{Phase: p.ID})
			}
			r.Phases = append(r.Phases, phase)
		}
	}
	rendered, err := r.Changes.Render(s)
	if err != nil {
		return nil, fmt.Errorf("plan the migration: %w", err)
	}
	for i := range rendered.Steps {
		r.Steps[i].Step = rendered.Steps[i]
		r.Steps[i].Account = accountOf(s, rendered.Steps[i].Target)
	}
	if err := r.prove(); err != nil {
		return nil, fmt.Errorf("prove the migration: %w", err)
	}
	if len(unread) > 0 { // a plan for the rest proves nothing for these
		r.Proof.Equal, r.Proof.Unknown = false, append(r.Proof.Unknown, unread...)
	}
	return r, nil
}

// accountOf is the account that something is in: its cluster's, or that of its ARN.
func accountOf(s *model.Snapshot, t finding.Target) string {
	for _, c := range s.Clusters {
		if t.Cluster != "" && c.ID() == t.Cluster {
			return c.Account
		}
	}
	arn, _ := iam.ParseARN(t.ARN)
	return arn.Account
}

func (m *Migration) items(label string) []Item {
	var items []Item
	for i := range m.Rows {
		r := &m.Rows[i]
		item := Item{Cluster: label, Subject: r.Mapping.Subject(), Becomes: r.Outcome, Principal: r.Principal, Why: r.Why, Notes: r.Notes}
		for _, o := range r.Offers {
			item.Offers = append(item.Offers, o.String())
		}
		items = append(items, item)
	}
	for i := range m.Holders {
		items = append(items, m.Holders[i].item(label))
	}
	return items
}

// Removes says whether a step takes a row out of aws-auth.
func (r *Result) Removes(row *RowEvidence) bool {
	return slices.ContainsFunc(r.Changes, func(c plan.Change) bool {
		gone, ok := c.(plan.RemoveAWSAuthRow)
		return ok && gone.Kind.Block() == row.Block && gone.Index == row.Row-1 && gone.ARN == row.ARN
	})
}
