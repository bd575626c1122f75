// Package siem says detections in the languages of other systems, from the trees of package sigma. For every rule and target
// it tells whether the export finds the same (exact), what is lost otherwise (approximated), or why there is none (refused);
// nothing is weakened in silence. A loss is written for whoever runs the export, in words.
//
// What only drawbridge knows is left out where the export then finds more, never where it would find less, and only where what
// is left still names what is done (pins.go). The measure is drawbridge over events alone: what it finds with --snapshot or with
// settings such as --pipeline-role, and not without, no export knows.
//
// It sends nothing and knows no system's state: what an export takes for granted about tables, indexes and settings stands in
// Result.Needs. Three things hold everywhere and are no losses of single rules: a field that a rule compares is taken to hold
// strings, numbers, booleans or lists of them, not objects; letters beyond ASCII are compared without case as each system
// does it; and a percent-encoded value is looked for in the spelling that AWS writes (RFC 3986, upper-case digits).
package siem

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"drawbridge/internal/sigma"
)

// Verdict says how much of a rule an export keeps.
type Verdict string

// The verdicts.
const (
	Exact        Verdict = "exact"
	Approximated Verdict = "approximated"
	Refused      Verdict = "refused"
)

// Result is what a target got.
type Result struct {
	Target string `json:"target"`
	// Needs is what every export of this target takes for granted, with the table definitions or mappings.
	Needs []string `json:"needs,omitempty"`
	Rules []Rule   `json:"rules"`
	// Detections say the same of whole detections, in the order of their first rules.
	Detections []Detection `json:"detections"`
}

// Rule is one rule in the target's language.
type Rule struct {
	// Detection is the detection that the rule is of: its file's name with dashes. ID is the rule's UUID, Name its name.
	Detection string  `json:"detection"`
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	Title     string  `json:"title"`
	Level     string  `json:"level,omitempty"`
	Verdict   Verdict `json:"verdict"`
	// Losses are, in words, what an approximated export does otherwise, or why a refused one is not there.
	Losses []string `json:"losses,omitempty"`
	// Misses says that an approximated export may miss what drawbridge finds: one of the losses says what. Without it the export
	// finds all of that, and more.
	Misses bool `json:"misses,omitempty"`
	// SameAs is the title of the rule before that has the same text, if one of its detection has: one of the two is enough.
	SameAs string `json:"sameAs,omitempty"`
	// Text is the export; empty if refused.
	Text string `json:"text,omitempty"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// target is one language.
type target struct {
	name  string
	needs []string
	// onlyCloudTrail says that audit events do not get there.
	onlyCloudTrail bool
	// event writes a rule over events, join a correlation. They call lose and refuse on what they are given.
	event func(*query) string
	join  func(*join) string
	// raw targets take the rule as it is written.
	raw func(*exporter, *sigma.Rule) string
}

func targets() []target {
	return []target{athena(), elastic(), eventBridge(), logsInsights(), openSearch(), sigmaText(), splunk()}
}

// Targets are the names of the targets, sorted.
func Targets() []string {
	var names []string
	for _, t := range targets() {
		names = append(names, t.name)
	}
	return names
}

// Export writes rules for a target, in their order. Rules that only feed correlations, those named ID.PART in the file of
// detection ID, are part of what the correlations become.
func Export(rules []*sigma.Rule, name string) (Result, error) {
	i := slices.IndexFunc(targets(), func(t target) bool { return t.name == name })
	if i < 0 {
		return Result{}, fmt.Errorf("export: there is no target %q: want one of %s", name, strings.Join(Targets(), ", "))
	}
	t := targets()[i]
	out := Result{Target: name, Needs: t.needs, Rules: []Rule{}}
	for _, r := range rules {
		if part(r) && t.raw == nil {
			continue
		}
		e := Rule{Detection: detection(r), ID: r.ID, Name: r.Name, Title: r.Title, Level: r.Level, File: r.File, Line: r.Line}
		x := &exporter{target: &t, rules: rules, out: &e}
		text := x.export(r)
		switch {
		case x.refused:
			e.Verdict = Refused
		case len(e.Losses) > 0:
			e.Verdict, e.Text = Approximated, text
		default:
			e.Verdict, e.Text = Exact, text
		}
		e.Misses = e.Misses && e.Verdict == Approximated
		out.Rules = append(out.Rules, e)
	}
	out.same()
	out.Detections = out.summed()
	return out, nil
}

// same marks texts that stand there already: without what only drawbridge knows, rules of a detection may be one.
func (r *Result) same() {
	for i := range r.Rules {
		e := &r.Rules[i]
		for j := range i {
			if o := &r.Rules[j]; e.Text != "" && o.Text == e.Text && o.Detection == e.Detection && o.SameAs == "" {
				e.SameAs = o.Title
				break
			}
		}
	}
}

// detection is the id of the detection that a rule is of.
func detection(r *sigma.Rule) string {
	return strings.ReplaceAll(strings.TrimSuffix(filepath.Base(r.File), filepath.Ext(r.File)), "_", "-")
}

// part says whether a rule only feeds correlations: its name goes on after the detection's.
func part(r *sigma.Rule) bool { return strings.HasPrefix(r.Name, detection(r)+".") }

// exporter writes one rule.
type exporter struct {
	target  *target
	rules   []*sigma.Rule
	out     *Rule
	refused bool
	// joining says that what is written is part of a correlation.
	joining bool
	// within are the correlations that it is part of, for those that are about themselves.
	within []*sigma.Rule
}

// lose tells of a loss by which the export may miss something.
func (x *exporter) lose(format string, args ...any) {
	x.also("may miss something: "+format, args...)
	x.out.Misses = x.out.Misses || !x.refused
}

// also tells of a loss by which the export only finds more.
func (x *exporter) also(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !x.refused && !slices.Contains(x.out.Losses, text) {
		x.out.Losses = append(x.out.Losses, text)
	}
}

// refuse gives the rule up; the first reason counts.
func (x *exporter) refuse(format string, args ...any) {
	if !x.refused {
		x.refused = true
		x.out.Losses = []string{fmt.Sprintf(format, args...)}
	}
}

func (x *exporter) export(r *sigma.Rule) string {
	if x.target.raw != nil {
		return x.target.raw(x, r)
	}
	x.habits(r)
	if r.Correlation != nil {
		j := x.joined(r)
		if x.refused {
			return ""
		}
		return x.target.join(j)
	}
	q := x.query(r)
	if x.refused {
		return ""
	}
	return x.fitting(q)
}

// habits are what drawbridge's own engine does with a match, which no target does.
func (x *exporter) habits(r *sigma.Rule) {
	if once, ok := r.Custom["once"]; ok {
		x.also("drawbridge reports this once for the same %v; here each event is reported", once)
	}
	for _, o := range x.rules {
		if o == r {
			break
		}
		if o.File == r.File && o.Name == r.Name && r.Name != "" {
			x.also("drawbridge reports this only where %q (%s) does not match; here both are reported", o.Title, o.Level)
			break
		}
	}
}

// query is a rule over events, made ready for a target: without fields that only drawbridge knows, with `all` written out as
// and, and with both spellings of values that CloudTrail may percent-encode.
type query struct {
	*exporter
	rule  *sigma.Rule
	plane plane
	expr  sigma.Expr
	// wider says that something was left out, so that what is left has to name what is done.
	wider bool
}

// plane is the log that a rule reads.
type plane uint8

const (
	cloudTrail plane = iota + 1
	audit
)

func (x *exporter) query(r *sigma.Rule) *query {
	q := &query{exporter: x, rule: r}
	l := r.LogSource
	switch {
	case l.Product == "aws" && l.Service == "cloudtrail":
		q.plane = cloudTrail
	case l.Product == "kubernetes" && (l.Service == "audit" || l.Category == "audit"):
		q.plane = audit
	default:
		x.refuse("the log source is neither CloudTrail nor the Kubernetes audit log")
		return q
	}
	expr := q.known(flat(r.Condition), above)
	if expr == nil || x.refused {
		x.refuse("it asks for %s, which only drawbridge knows", unknown(r.Condition))
		return q
	}
	expr = flat(expr)
	if problem := q.unpinned(expr); problem != "" {
		x.refuse("it asks for %s, which only drawbridge knows, and %s", unknown(r.Condition), problem)
		return q
	}
	if q.plane == audit { // nothing was decided yet at this stage: drawbridge does not look at it
		received := &sigma.Match{Field: "stage", Op: sigma.Equals, Cased: true, Values: []sigma.Value{sigma.NewValue("RequestReceived")}}
		expr = sigma.And{sigma.Not{X: received}, expr}
	}
	q.expr = flat(q.spelled(expr))
	return q
}
