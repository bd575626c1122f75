package check

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// Settings are what a user says about the environment that no snapshot tells.
type Settings struct {
	// TrustedAccounts are AWS accounts whose principals are expected, besides the cluster's own.
	TrustedAccounts []string
}

// Run runs checks over all clusters of a snapshot and returns what they found, sorted for people. The snapshot must be
// complete: whatever was not read has a gap. Checks run two at a time; the result does not depend on it.
func Run(checks []*Check, s *model.Snapshot, settings Settings) []finding.Finding {
	facts := access.New(s)
	type task struct {
		check   *Check
		cluster *model.Cluster
	}
	var tasks []task
	for _, c := range s.Clusters {
		for _, ch := range checks {
			tasks = append(tasks, task{ch, c})
		}
	}
	found := make([][]finding.Finding, len(tasks))
	next := make(chan int)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range next {
				found[i] = runOne(tasks[i].check, s, tasks[i].cluster, facts, settings)
			}
		})
	}
	for i := range tasks {
		next <- i
	}
	close(next)
	wg.Wait()
	all := slices.Concat(found...)
	finding.Sort(all)
	return all
}

// runOne runs one check over one cluster.
func runOne(ch *Check, s *model.Snapshot, c *model.Cluster, facts *access.Access, settings Settings) []finding.Finding {
	p := &Pass{Snapshot: s, Cluster: c, Account: s.Account(c.Account), Access: facts.Cluster(c), check: ch, settings: settings}
	if p.Account == nil {
		p.Account = &model.Account{ID: c.Account, Partition: c.Partition}
	}
	var missing []finding.Gap
	blocked := false
	for _, a := range ch.Needs {
		missing = append(missing, s.GapsFor(c, a)...)
	}
	for _, a := range ch.NeedsComplete {
		gaps := s.GapsFor(c, a)
		blocked = blocked || len(gaps) > 0
		missing = append(missing, gaps...)
	}
	if !blocked {
		ch.Run(p)
	}
	label := s.Label(c)
	var out []finding.Finding
	seen := map[string]int{}
	for _, r := range p.reports {
		print := finding.Fingerprint(ch.ID, c.ID(), r.subject, r.key)
		if seen[print]++; seen[print] > 1 {
			print = finding.Fingerprint(ch.ID, c.ID(), r.subject, fmt.Sprintf("%s#%d", r.key, seen[print]))
		}
		out = append(out, finding.Finding{
			ID: ch.ID, Title: ch.Title, Severity: r.severity, Status: finding.Fail, Cluster: label, Subject: r.subject, Message: r.message,
			Evidence: orEmpty(r.evidence), Remediation: remediation(s, r),
			Controls: []finding.Control{}, Techniques: orEmpty(ch.Techniques), Fingerprint: print, Location: r.location,
		})
	}
	if len(missing) > 0 || len(p.unknown) > 0 {
		out = append(out, notAssessed(ch, c, label, blocked, missing, p.unknown))
	}
	return out
}

// NoPlan is what a remediation says before the reason why its plan does not fit the snapshot.
const NoPlan = "\n# no plan: "

// remediation is the text of a report with its plan. A plan that does not fit the snapshot is left out, and the text says so.
func remediation(s *model.Snapshot, r *Report) finding.Remediation {
	out := finding.Remediation{Text: strings.Join(r.remediation, "\n")}
	if len(r.plan) == 0 {
		return out
	}
	rendered, err := r.plan.Render(s)
	if err != nil {
		out.Text += NoPlan + plan.Shell(err.Error())
		return out
	}
	out.Plan = rendered
	return out
}

// notAssessed says what a check could not tell about a cluster, and what was missing to tell it.
func notAssessed(ch *Check, c *model.Cluster, label string, blocked bool, missing []finding.Gap, unknown []string) finding.Finding {
	var why []string
	evidence := []finding.Evidence{}
	var fix []string
	for _, g := range missing {
		evidence = append(evidence, finding.Evidence{Text: g.Reason, Source: g.Action})
		if line := fmt.Sprintf("%s (%s)", g.Action, g.Reason); !slices.Contains(why, line) {
			why = append(why, line)
		}
		if line := "grant " + g.Action + ", or add its output to the input"; !slices.Contains(fix, line) {
			fix = append(fix, line)
		}
	}
	for _, u := range unknown {
		if !slices.Contains(why, u) {
			why = append(why, u)
		}
	}
	how := "not assessed in full"
	if blocked {
		how = "not assessed"
	}
	subject := c.Subject()
	return finding.Finding{
		ID: ch.ID, Title: ch.Title, Severity: ch.Severity, Status: finding.NotAssessed, Cluster: label, Subject: subject,
		Message:  how + ": " + listed(why, 4),
		Evidence: evidence, Remediation: finding.Remediation{Text: strings.Join(fix, "\n")}, Controls: []finding.Control{},
		Techniques: orEmpty(ch.Techniques), Fingerprint: finding.Fingerprint(ch.ID, c.ID(), subject, "not-assessed"), Location: c.Place(),
	}
}

// listed joins items and counts those beyond limit.
func listed(items []string, limit int) string {
	if len(items) <= limit {
		return strings.Join(items, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(items[:limit], "; "), len(items)-limit)
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
