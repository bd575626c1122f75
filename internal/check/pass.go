package check

import (
	"fmt"
	"slices"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// Pass is what a check sees when it looks at one cluster, and how it reports.
type Pass struct {
	// Snapshot is everything, for checks that look across clusters.
	Snapshot *model.Snapshot
	// Cluster is the cluster to look at.
	Cluster *model.Cluster
	// Account is the cluster's own account; it is empty, never nil, where nothing of it was read.
	Account *model.Account
	// Access answers what follows from the cluster's state: who is who, who may do what, which pod holds which role.
	Access *access.Cluster

	check    *Check
	settings Settings
	reports  []*Report
	unknown  []string
}

// Report is one thing that a check has to say, until Run makes a finding of it. Its methods return it, to be chained.
type Report struct {
	subject     finding.Subject
	location    *finding.Location
	severity    finding.Severity
	message     string
	evidence    []finding.Evidence
	remediation []string
	plan        plan.Plan
	key         string
}

// Trusts says whether principals of an AWS account are expected: it is the cluster's own, or one that the user named.
func (p *Pass) Trusts(account string) bool {
	return account == p.Cluster.Account || slices.Contains(p.settings.TrustedAccounts, account)
}

// Report says that something is wrong with an object.
func (p *Pass) Report(o model.Object, format string, args ...any) *Report {
	r := &Report{subject: o.Subject(), location: o.Place(), severity: p.check.Severity, message: fmt.Sprintf(format, args...)}
	p.reports = append(p.reports, r)
	return r
}

// NotAssessed says that something could not be told from the snapshot, and why. What a check could not tell about a
// cluster becomes one finding with the status not-assessed.
func (p *Pass) NotAssessed(format string, args ...any) {
	p.unknown = append(p.unknown, fmt.Sprintf(format, args...))
}

// Because adds evidence: what a field of an object says. The field is named as the API names it, "" for the whole object.
func (r *Report) Because(o model.Object, field, format string, args ...any) *Report {
	source := o.Subject().String()
	if field != "" {
		source += " " + field
	}
	return r.Evidence(source, format, args...)
}

// Evidence adds evidence from a source in words, for facts that stand in no object of the snapshot.
func (r *Report) Evidence(source, format string, args ...any) *Report {
	r.evidence = append(r.evidence, finding.Evidence{Text: fmt.Sprintf(format, args...), Source: source})
	return r
}

// Chain adds evidence that package access gathered.
func (r *Report) Chain(links []finding.Evidence) *Report {
	r.evidence = append(r.evidence, links...)
	return r
}

// Severity sets the severity of this report where it differs from the check's; the message must say why it does.
func (r *Report) Severity(s finding.Severity) *Report {
	r.severity = s
	return r
}

// Fix adds a line or block of remediation that can be pasted. Commands are made with plan.Shell, which quotes names.
func (r *Report) Fix(text string) *Report {
	r.remediation = append(r.remediation, text)
	return r
}

// Plan adds changes that fix what is reported, in order, and their commands to the remediation. They are proposed to whoever
// reads the report, so they give nobody anything and name nothing that is not in the snapshot: what needs a decision first
// stays text.
func (r *Report) Plan(changes ...plan.Change) *Report {
	for _, c := range changes {
		r.remediation = append(r.remediation, plan.Command(c))
	}
	r.plan = append(r.plan, changes...)
	return r
}

// Key tells apart several reports of one check about one object; it is part of the fingerprint, so it must be stable.
func (r *Report) Key(key string) *Report {
	r.key = key
	return r
}
