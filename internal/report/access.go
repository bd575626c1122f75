package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
)

// AccessFormat is one way to write answers about access.
type AccessFormat struct {
	Name        string
	Description string
	Write       func(io.Writer, *access.Result, Options) error
}

// AccessFormats lists the formats of answers about access, the default first.
var AccessFormats = []AccessFormat{
	{"table", "for people: who, where and through what", writeAccessTable},
	{"wide", "table with every link of every chain", writeAccessWide},
	{"json", "everything, in the format that convert reads", func(w io.Writer, r *access.Result, _ Options) error { return encodeJSON(w, r) }},
	{"yaml", "the same as YAML", func(w io.Writer, r *access.Result, _ Options) error { return encodeYAML(w, r) }},
	{"markdown", "for pull requests, job summaries and wikis", writeAccessMarkdown},
	{"csv", "one line an answer, for spreadsheets", writeAccessCSV},
}

// FindAccess is the format of that name, and false if there is none.
func FindAccess(name string) (AccessFormat, bool) {
	i := slices.IndexFunc(AccessFormats, func(f AccessFormat) bool { return f.Name == name })
	if i < 0 {
		return AccessFormat{}, false
	}
	return AccessFormats[i], true
}

// accessView is a result in the order in which people read it: answers by cluster, those of AWS last.
type accessView struct {
	*access.Result
	gaps     []gapView
	clusters []accessCluster
	// one says that the question was about one identity, so that every answer is worth its whole chain.
	one bool
	// shared are the conditions of all answers with a verdict, which are said once.
	shared map[access.Verdict][]string
}

type accessCluster struct {
	clusterView
	answers []access.Grant
}

func newAccessView(r *access.Result) *accessView {
	base := newView(&finding.Result{Clusters: r.Clusters, Gaps: r.Gaps})
	v := &accessView{Result: r, gaps: base.gaps}
	index := map[string]int{}
	for i, c := range base.clusters {
		index[c.Label] = i
		v.clusters = append(v.clusters, accessCluster{clusterView: c})
	}
	v.one = !slices.ContainsFunc(r.Answers, func(g access.Grant) bool {
		a, b := g.Identity, r.Answers[0].Identity
		a.Cluster, b.Cluster = "", ""
		return a != b
	})
	for rest := r.Answers; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(g access.Grant) bool { return g.Cluster != rest[0].Cluster })
		if n < 0 {
			n = len(rest)
		}
		label := "AWS"
		if rest[0].Cluster != "" {
			label = base.name(rest[0].Cluster)
		}
		i, ok := index[label]
		if !ok {
			i = len(v.clusters)
			index[label] = i
			v.clusters = append(v.clusters, accessCluster{clusterView: clusterView{Label: label}})
		}
		if c := &v.clusters[i]; len(c.answers) == 0 {
			c.answers = rest[:n:n]
		} else {
			c.answers = append(c.answers, rest[:n]...)
		}
		rest = rest[n:]
	}
	v.shared = sharedConditions(r.Answers)
	if v.one && len(r.Answers) > 0 { // nobody asked about the others
		v.clusters = slices.DeleteFunc(v.clusters, func(c accessCluster) bool { return len(c.answers) == 0 })
	}
	return v
}

// sharedConditions are the conditions that several answers with the same verdict all have.
func sharedConditions(answers []access.Grant) map[access.Verdict][]string {
	shared, n := map[access.Verdict][]string{}, map[access.Verdict]int{}
	for _, g := range answers {
		if n[g.Verdict]++; n[g.Verdict] == 1 {
			shared[g.Verdict] = slices.Clone(g.Conditions)
			continue
		}
		shared[g.Verdict] = slices.DeleteFunc(shared[g.Verdict], func(c string) bool { return !slices.Contains(g.Conditions, c) })
	}
	for v := range shared {
		if n[v] == 1 {
			delete(shared, v)
		}
	}
	return shared
}

// said are the lines of the shared conditions.
func (v *accessView) said() []string {
	var lines []string
	for _, verdict := range []access.Verdict{access.Allowed, access.Unknown, access.Denied} {
		for _, c := range v.shared[verdict] {
			lines = append(lines, string(verdict)+" "+conditionWord(verdict)+" "+c)
		}
	}
	return lines
}

// own are the conditions of an answer that not all of its verdict have.
func (v *accessView) own(g access.Grant) []string {
	return slices.DeleteFunc(slices.Clone(g.Conditions), func(c string) bool { return slices.Contains(v.shared[g.Verdict], c) })
}

// counts is the line of counts: what was answered how often.
func (v *accessView) counts() string {
	n := map[access.Verdict]int{}
	for _, g := range v.Answers {
		n[g.Verdict]++
	}
	var parts []string
	for _, verdict := range []access.Verdict{access.Allowed, access.Unknown, access.Denied} {
		if n[verdict] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[verdict], verdict))
		}
	}
	if len(parts) == 0 {
		if len(v.gaps) > 0 {
			return "Nobody in what could be read, but not everything could be."
		}
		return "Nobody."
	}
	return strings.Join(parts, ", ")
}

// through is a chain in one line: the objects that it goes through.
func through(g access.Grant) string {
	var b strings.Builder
	b.Grow(128)
	last := ""
	for _, e := range g.Chain {
		if o := object(e.Source); o != last {
			if last != "" {
				b.WriteString(" -> ")
			}
			b.WriteString(o)
			last = o
		}
	}
	return b.String()
}

// object is a source without the field at its end: "Role a/b rules[0]" is about Role a/b. Sources that are objects of a
// snapshot begin with their kind.
func object(source string) string {
	cut := strings.LastIndexByte(source, ' ')
	if cut < 0 || strings.IndexByte(source, ' ') == cut || source[0] >= 'a' && !strings.HasSuffix(source, "]") {
		return source
	}
	return source[:cut]
}

// places are where grants that differ in nothing else count, as a person reads it.
func places(grants []access.Grant) string {
	var names []string
	for _, g := range grants {
		n, ok := strings.CutPrefix(g.Scope, "namespace/")
		switch {
		case g.Scope == access.ScopeCluster:
			return "whole cluster"
		case !ok:
			n = g.Scope
		case n == "*":
			return "any namespace"
		case len(grants) == 1:
			n = "namespace " + n
		}
		names = append(names, n)
	}
	if len(names) > 1 {
		return "namespaces " + strings.Join(names, ", ")
	}
	return strings.Join(names, "")
}

// alike says whether two answers differ in nothing but where they count.
func alike(a, b access.Grant) bool {
	return a.Identity == b.Identity && a.Verdict == b.Verdict && a.Rule == b.Rule && a.Statement == b.Statement && a.Scope != access.ScopeCluster &&
		strings.HasPrefix(a.Scope, "namespace/") && strings.HasPrefix(b.Scope, "namespace/") &&
		slices.Equal(a.Chain, b.Chain) && slices.Equal(a.Conditions, b.Conditions)
}

// conditionWord introduces the conditions of an answer.
func conditionWord(v access.Verdict) string {
	if v == access.Unknown {
		return "depends on:"
	}
	return "provided that:"
}

// accessHeader names the columns.
var accessHeader = []string{"verdict", "cluster", "kind", "arn", "namespace", "name", "scope", "grant", "chain", "conditions"}

func writeAccessCSV(w io.Writer, r *access.Result, _ Options) error {
	cw := csv.NewWriter(w)
	if err := cw.Write(accessHeader); err != nil {
		return err
	}
	for _, g := range r.Answers {
		if err := cw.Write(accessRow(&g)); err != nil {
			return err
		}
	}
	cw.Flush()
	return cw.Error()
}

func accessRow(g *access.Grant) []string {
	row := []string{
		string(g.Verdict), g.Cluster, string(g.Identity.Kind), g.Identity.ARN, g.Identity.Namespace, g.Identity.Name, g.Scope, g.What(),
		strings.Join(evidenceLines(g.Chain), "; "), strings.Join(g.Conditions, "; "),
	}
	for i, cell := range row {
		row[i] = csvCell(cell)
	}
	return row
}

func writeAccessMarkdown(w io.Writer, r *access.Result, _ Options) error {
	v := newAccessView(r)
	m := &markdown{}
	m.line("# %s", mdText(r.Question))
	m.line("")
	m.line("**%s**", mdText(v.counts()))
	for _, line := range v.said() {
		m.line("")
		m.line("%s", mdText(line))
	}
	for _, c := range v.clusters {
		m.accessCluster(v, c)
	}
	if len(v.gaps) > 0 {
		m.head("Could not be read")
		for _, g := range v.gaps {
			m.line("- %s", mdText(gapText(g)))
		}
	}
	m.line("")
	m.line("drawbridge %s, %s", mdText(r.Tool.Version), r.Time.UTC().Format("2006-01-02 15:04 UTC"))
	_, err := w.Write(m.out.Bytes())
	return err
}

func (m *markdown) accessCluster(v *accessView, c accessCluster) {
	m.head(mdText(c.Label))
	if len(c.answers) == 0 {
		m.line("Nobody%s.", map[bool]string{true: " in what could be read"}[c.Unsure])
		return
	}
	m.row("Answer", "Who", "Where", "Grant and chain")
	m.row("---", "---", "---", "---")
	for _, g := range c.answers {
		var links []string
		if what := g.What(); what != "" {
			links = append(links, mdCell(what))
		}
		for _, e := range g.Chain {
			links = append(links, mdText(c.short(e.Text))+" ("+mdCell(c.short(e.Source))+")")
		}
		for _, condition := range v.own(g) {
			links = append(links, "*"+conditionWord(g.Verdict)+"* "+mdText(condition))
		}
		m.row(mdText(string(g.Verdict)), mdCell(c.short(g.Identity.String())), mdText(places([]access.Grant{g})), strings.Join(links, "<br>"))
	}
}
