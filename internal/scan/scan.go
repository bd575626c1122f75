// Package scan is the straight line of `drawbridge scan`: from a snapshot to a result. It chooses checks, runs them, maps
// findings to controls and sets aside what somebody decided to accept. It reads no cluster and writes no report; those
// are handed to it, or take its result, in package cli.
package scan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// Options say what to run and what to set aside.
type Options struct {
	Checks   []*check.Check
	Controls func(checkID string) []finding.Control
	Settings check.Settings
	// Suppressions are decisions to accept findings; Baseline holds the fingerprints of findings known before.
	Suppressions []Suppression
	Baseline     map[string]bool
	BaselineFile string
	Version      string
	// Now is the time of the run, from which suppressions expire.
	Now time.Time
}

// Run scans a snapshot, which it first completes: an area that nobody looked at becomes a gap.
func Run(s *model.Snapshot, o Options) *finding.Result {
	s.Complete(model.NotInInput)
	s.Sort()
	found := check.Run(o.Checks, s, o.Settings)
	r := &finding.Result{
		Version: finding.Version, Kind: finding.KindScan, Tool: finding.Tool{Version: o.Version}, Time: o.Now.UTC(),
		Clusters: []finding.Cluster{}, Findings: []finding.Finding{}, Gaps: s.Gaps, Suppressed: []finding.Suppressed{},
	}
	if r.Gaps == nil {
		r.Gaps = []finding.Gap{}
	}
	for _, c := range s.Clusters {
		r.Clusters = append(r.Clusters, c.Facts())
	}
	o.Settle(r, found)
	r.Summary.ChecksRun = len(o.Checks)
	return r
}

// Settle puts findings into a result, with their controls, and sets aside those that were accepted.
func (o Options) Settle(r *finding.Result, found []finding.Finding) {
	for _, f := range found {
		if o.Controls != nil {
			f.Controls = append(f.Controls, o.Controls(f.ID)...)
		}
		if why, ok := o.accepted(f); ok {
			r.Suppressed = append(r.Suppressed, finding.Suppressed{Finding: f, Suppression: why})
			continue
		}
		r.Findings = append(r.Findings, f)
	}
	r.Summary = finding.Count(r.Findings)
}

// accepted says by which decision a finding is set aside. What is not assessed is never set aside by a baseline: not
// knowing before is no reason not to know now.
func (o Options) accepted(f finding.Finding) (finding.Suppression, bool) {
	for _, s := range o.Suppressions {
		if s.Matches(f) && !s.Expired(o.Now) {
			return finding.Suppression{Reason: s.Reason, Owner: s.Owner, Expiry: s.Expiry, Source: s.Source}, true
		}
	}
	if f.Status == finding.Fail && o.Baseline[f.Fingerprint] {
		return finding.Suppression{Reason: "known before", Source: o.BaselineFile}, true
	}
	return finding.Suppression{}, false
}

// Choose selects checks by id: only those named, or all but those skipped, or those a framework asks for. A word that
// names no check is an error that shows the nearest ids.
func Choose(all []*check.Check, only, skip []string) ([]*check.Check, error) {
	find := func(id string) (*check.Check, error) {
		for _, c := range all {
			if c.ID == id || slices.Contains(c.Aliases, id) {
				return c, nil
			}
		}
		return nil, fmt.Errorf("there is no check %q%s", id, near(all, id))
	}
	chosen := map[*check.Check]bool{}
	for _, id := range only {
		c, err := find(id)
		if err != nil {
			return nil, err
		}
		chosen[c] = true
	}
	skipped := map[*check.Check]bool{}
	for _, id := range skip {
		c, err := find(id)
		if err != nil {
			return nil, err
		}
		skipped[c] = true
	}
	var out []*check.Check
	for _, c := range all {
		if (len(only) == 0 || chosen[c]) && !skipped[c] {
			out = append(out, c)
		}
	}
	return out, nil
}

// near suggests the ids that share most words with the one that was not found.
func near(all []*check.Check, id string) string {
	words := strings.FieldsFunc(id, func(r rune) bool { return r == '-' || r == '_' || r == ' ' })
	shared := map[string]int{}
	var ids []string
	for _, c := range all {
		for _, word := range strings.Split(c.ID, "-") {
			if slices.Contains(words, word) {
				shared[c.ID]++
			}
		}
		if shared[c.ID] > 0 {
			ids = append(ids, c.ID)
		}
	}
	slices.SortStableFunc(ids, func(a, b string) int { return shared[b] - shared[a] })
	if len(ids) == 0 {
		return ""
	}
	return "; near it: " + strings.Join(ids[:min(len(ids), 5)], ", ")
}
