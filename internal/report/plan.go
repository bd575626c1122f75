package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/migrate"
	"drawbridge/internal/plan"
)

// PlanFormat is one way to write a migration.
type PlanFormat struct {
	Name        string
	Description string
	Write       func(io.Writer, *migrate.Result, Options) error
}

// PlanFormats lists the formats of migrations, the default first.
var PlanFormats = []PlanFormat{
	{"text", "for the engineer who decides: proof, blockers, what becomes of what, steps by phase", writePlanText},
	{"markdown", "for the change ticket: the same with commands and the way back", writePlanMarkdown},
	{"json", "everything, for programs", func(w io.Writer, r *migrate.Result, _ Options) error { return encodeJSON(w, r) }},
	{"yaml", "the same as YAML", func(w io.Writer, r *migrate.Result, _ Options) error { return encodeYAML(w, r) }},
	{"aws-cli", "a shell script: every step, phase and way back a function, with looks before and after", writePlanAWSCLI},
	{"terraform", "resources with import blocks, and the map of terraform-aws-modules/eks", writePlanTerraform},
	{"cloudformation", "a template for each account and region", writePlanCloudFormation},
	{"eksctl", "a ClusterConfig for each cluster", writePlanEksctl},
}

// FindPlan is the format of that name, and false if there is none.
func FindPlan(name string) (PlanFormat, bool) {
	i := slices.IndexFunc(PlanFormats, func(f PlanFormat) bool { return f.Name == name })
	if i < 0 {
		return PlanFormat{}, false
	}
	return PlanFormats[i], true
}

// planView is a migration in the order in which people read it: by cluster, what becomes of what, then the phases.
type planView struct {
	*migrate.Result
	gaps     []gapView
	clusters []planCluster
	// phases are those of all clusters, in order.
	phases []planPhase
	// irreversible is how many steps cannot be undone.
	irreversible int
}

type planCluster struct {
	clusterView
	// items are those that somebody has to decide about first, then by what becomes of them, then what needs nothing.
	items  []migrate.Item
	phases []planPhase
}

type planPhase struct {
	migrate.PhaseResult
	steps []planStep
	// proof is what is proven of the phase by itself, nil where nothing is.
	proof *migrate.PhaseProof
}

// proven is what the phase does by itself to everybody's access, and whether its way back brings that back, in one line; or
// "" where it does nothing.
func (p planPhase) proven() string {
	if p.proof == nil {
		return ""
	}
	text := "equal: nobody gains or loses anything"
	switch o := p.proof; {
	case o.Gained+o.Lost > 0:
		text = fmt.Sprintf("NOT EQUAL: %d gained, %d lost, %d unknown", o.Gained, o.Lost, o.Unknown)
	case !o.Equal || o.Unknown > 0:
		text = fmt.Sprintf("NOT PROVED EQUAL: %d unknown", o.Unknown)
	}
	switch {
	case p.proof.BackEqual:
		return text + "; the way back restores everybody's access"
	case slices.ContainsFunc(p.steps, func(s planStep) bool { return !s.Reversible }):
		return text + "; there is no way back"
	}
	return text + "; the way back is not proved to restore everybody's access"
}

// planStep is a step with its change.
type planStep struct {
	migrate.Step
	change plan.Change
}

func newPlanView(r *migrate.Result) *planView {
	base := newView(&finding.Result{Clusters: r.Clusters, Gaps: r.Gaps})
	v := &planView{Result: r, gaps: base.gaps}
	index := map[string]int{}
	of := func(cluster string) *planCluster {
		label := base.name(cluster)
		i, ok := index[label]
		if !ok {
			i = len(v.clusters)
			index[label] = i
			v.clusters = append(v.clusters, planCluster{clusterView: clusterView{Label: label}})
		}
		return &v.clusters[i]
	}
	for _, c := range base.clusters {
		of(c.Label).clusterView = c
	}
	for _, item := range r.Items {
		c := of(item.Cluster)
		c.items = append(c.items, item)
	}
	steps := map[string]planStep{}
	for i, s := range r.Steps {
		steps[s.ID] = planStep{s, r.Changes[i]}
		if !s.Reversible {
			v.irreversible++
		}
	}
	for _, p := range r.Phases {
		phase := planPhase{PhaseResult: p}
		if r.Proof != nil {
			if i := slices.IndexFunc(r.Proof.Phases, func(o migrate.PhaseProof) bool { return o.ID == p.ID && o.Cluster == p.Cluster }); i >= 0 {
				phase.proof = &r.Proof.Phases[i]
			}
		}
		c := of(p.Cluster)
		for _, id := range p.Steps {
			step := steps[id]
			if step.Account != "" && step.Account != c.Account {
				step.Text += ", in account " + step.Account
			}
			phase.steps = append(phase.steps, step)
		}
		v.phases = append(v.phases, phase)
		c.phases = append(c.phases, phase)
	}
	for i := range v.clusters {
		slices.SortStableFunc(v.clusters[i].items, func(a, b migrate.Item) int { return cmp.Compare(urgency(a.Becomes), urgency(b.Becomes)) })
	}
	return v
}

// urgency orders what becomes of things by who has to look at them first.
func urgency(o migrate.Outcome) int {
	order := []migrate.Outcome{migrate.Blocked, migrate.BecomesPolicy, migrate.BecomesEntry, migrate.BecomesNode}
	if i := slices.Index(order, o); i >= 0 {
		return i
	}
	if o == migrate.Nothing {
		return len(order) + 1
	}
	return len(order)
}

// size is the plan in one line: how much it does, and how much of that is for good.
func (v *planView) size() string {
	switch {
	case len(v.Steps) > 0:
	case len(v.Blockers) > 0:
		return "migrate " + v.Migration + ": nothing could be planned"
	default:
		return "migrate " + v.Migration + ": nothing to do"
	}
	text := fmt.Sprintf("migrate %s: %s in %s", v.Migration, plural(len(v.Steps), "step"), plural(len(v.Phases), "phase"))
	if v.irreversible > 0 {
		text += fmt.Sprintf(", %d of them irreversible", v.irreversible)
	}
	return text
}

// proven is the proof in one line: a word that stands out, and what it means.
func (v *planView) proven() (word, text string) {
	p := v.Proof
	switch {
	case p == nil:
		return "NOT PROVED", "what this does to anybody's access was not worked out"
	case p.Equal && len(p.Unknown) == 0:
		return "EQUAL", "nobody gains or loses anything"
	case p.Equal || len(p.Gained)+len(p.Lost) == 0:
		return "NOT PROVED EQUAL", plural(len(p.Unknown), "grant") + " could not be compared; in what could, nobody gains or loses anything"
	}
	text = fmt.Sprintf("%d gained, %d lost", len(p.Gained), len(p.Lost))
	if len(p.Unknown) > 0 {
		text += fmt.Sprintf(", %d unknown", len(p.Unknown))
	}
	return "NOT EQUAL", text
}

// who names the identities of a grant: up to a few of them.
func (v *planView) who(g access.Grant) string {
	const most = 2
	names := []string{g.Identity.String()}
	for i, id := range v.Proof.AlikeIn(g) {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(v.Proof.AlikeIn(g))-i))
			break
		}
		names = append(names, id.String())
	}
	return strings.Join(names, ", ")
}

// compared says how much was compared, or "".
func (v *planView) compared() string {
	if v.Proof == nil || v.Proof.Requests == 0 {
		return ""
	}
	return fmt.Sprintf("%d identities compared", v.Proof.Requests)
}

// tally counts what becomes of the items of a cluster.
func (c planCluster) tally() string {
	var parts []string
	for i := 0; i < len(c.items); {
		n := i
		for n < len(c.items) && c.items[n].Becomes == c.items[i].Becomes {
			n++
		}
		parts = append(parts, fmt.Sprintf("%d %s", n-i, c.items[i].Becomes))
		i = n
	}
	return strings.Join(parts, ", ")
}

// itemLines are what there is to say of an item besides what becomes of it.
func itemLines(i migrate.Item) []string {
	var lines []string
	if i.Principal != "" && i.Principal != i.Subject.Name {
		lines = append(lines, "principal: "+i.Principal)
	}
	if i.From != "" && i.From != migrate.FromIRSA {
		lines = append(lines, "has now: "+string(i.From))
	}
	if i.Why != "" {
		lines = append(lines, "because "+i.Why)
	}
	for _, n := range i.Notes {
		lines = append(lines, "note: "+n)
	}
	for _, o := range i.Offers {
		lines = append(lines, "offer: "+o)
	}
	return lines
}

// logLines say what audit logs tell, of several clusters each with its name before it.
func logLines(evidence []migrate.Evidence) []string {
	var lines []string
	for i := range evidence {
		for _, s := range evidence[i].Sentences() {
			if len(evidence) > 1 {
				s = evidence[i].Cluster + ": " + s
			}
			lines = append(lines, s)
		}
	}
	return lines
}

// logsTitle heads them.
const logsTitle = "Who comes in by aws-auth"
