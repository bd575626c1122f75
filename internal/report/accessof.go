package report

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
)

// WritePortrait writes everything about one identity in one of the formats of answers about access.
func WritePortrait(w io.Writer, format string, p *access.Portrait, o Options) error {
	switch format {
	case "json":
		return encodeJSON(w, p)
	case "yaml":
		return encodeYAML(w, p)
	case "markdown":
		return writePortraitMarkdown(w, p, o)
	case "table", "wide":
		o.Wide = o.Wide || format == "wide"
		return writePortraitTable(w, p, o)
	}
	f, _ := FindAccess(format)
	return f.Write(w, &p.Result, o)
}

// AccessLines writes grants one by one, for the whole matrix: as JSON, one object a line, or as CSV.
type AccessLines struct {
	w   io.Writer
	csv *csv.Writer
}

// AccessLineFormats are the formats of AccessLines, the default first.
var AccessLineFormats = []string{"json", "csv"}

// NewAccessLines begins to write in a format.
func NewAccessLines(w io.Writer, format string) (*AccessLines, error) {
	l := &AccessLines{w: w}
	if format == "csv" {
		l.csv = csv.NewWriter(w)
		return l, l.csv.Write(accessHeader)
	}
	return l, nil
}

// Write writes one grant.
func (l *AccessLines) Write(g *access.Grant) error {
	if l.csv != nil {
		return l.csv.Write(accessRow(g))
	}
	text, err := json.Marshal(g, jsontext.AllowInvalidUTF8(true), json.Deterministic(true), jsonv1.OmitEmptyWithLegacySemantics(true))
	if err != nil {
		return err
	}
	_, err = l.w.Write(append(spellHidden(text), '\n'))
	return err
}

// Close ends what was written. It does not close the writer.
func (l *AccessLines) Close() error {
	if l.csv == nil {
		return nil
	}
	l.csv.Flush()
	return l.csv.Error()
}

// plane is one side of a portrait: a cluster, or AWS.
type plane struct {
	clusterView
	powers []access.NamedPower
	// grants are those that say the same in several places or through several ways, once.
	grants []heldGrant
	// everybodys is how many there are besides that everybody has who signs in, and provided what they take for granted.
	everybodys int
	provided   []string
	// denied says why there is nothing.
	denied []access.Grant
}

// common is what is said of what everybody has.
func (p *plane) common() string {
	text := "what everybody may who signs in: " + plural(p.everybodys, "rule") + " for API discovery, health and reviews of oneself"
	if len(p.grants) == 0 && len(p.denied) == 0 {
		text = "nothing but " + text
	}
	if len(p.provided) > 0 && len(p.grants) == 0 {
		text += "; provided that " + strings.Join(p.provided, ", and ")
	}
	return text
}

// heldGrant is what some grants allow, and where.
type heldGrant struct {
	verdict access.Verdict
	what    string
	scopes  []string
	first   access.Grant
	more    int // further ways to the same
}

// planes sorts a portrait by cluster, with AWS last. What everybody has is counted, not listed, unless all is asked for.
func planes(p *access.Portrait, all bool) []plane {
	base := newView(&finding.Result{Clusters: p.Clusters, Gaps: p.Gaps})
	var list []plane
	index := map[string]int{}
	at := func(cluster string) *plane {
		label := "AWS"
		if cluster != "" {
			label = base.name(cluster)
		}
		i, have := index[label]
		if !have {
			i = len(list)
			index[label] = i
			view := clusterView{Label: label}
			for _, c := range base.clusters {
				if c.Label == label {
					view = c
				}
			}
			list = append(list, plane{clusterView: view})
		}
		return &list[i]
	}
	for _, power := range p.Powers {
		to := at(power.Cluster)
		to.powers = append(to.powers, power)
	}
	type key struct {
		label, what string
		verdict     access.Verdict
	}
	have := map[key]int{}
	for _, g := range p.Answers {
		cluster := g.Cluster
		if g.Statement != nil || g.Rule == nil && strings.HasPrefix(g.Scope, "arn:") {
			cluster = "" // a pod's, in AWS
		}
		to := at(cluster)
		if g.Verdict == access.Denied {
			to.denied = append(to.denied, g)
			continue
		}
		if !all && g.Everybodys() {
			to.everybodys, to.provided = to.everybodys+1, g.Conditions
			continue
		}
		what := g.What()
		if what == "" {
			what = strings.Join(g.Conditions, "; ")
		}
		k := key{to.Label, what, g.Verdict}
		if g.Statement != nil {
			k.what += "\x00" + strings.Join(g.Conditions, "\x00")
		}
		i, seen := have[k]
		if !seen {
			have[k] = len(to.grants)
			to.grants = append(to.grants, heldGrant{verdict: g.Verdict, what: what, scopes: []string{g.Scope}, first: g})
			continue
		}
		if s := &to.grants[i]; slices.Contains(s.scopes, g.Scope) {
			s.more++
		} else {
			s.scopes = append(s.scopes, g.Scope)
		}
	}
	for i := range list {
		if list[i].Label == "AWS" { // last
			list = append(append(list[:i:i], list[i+1:]...), list[i])
			break
		}
	}
	return list
}

// powerText is a power with where and how far it counts: "read all Secrets in the whole cluster".
func powerText(p access.NamedPower) string {
	text := "can " + p.Title
	if len(p.Names) > 0 {
		text += " (" + strings.Join(p.Names, ", ") + ")"
	}
	switch {
	case p.Cluster != "" && p.Scope != access.ScopeCluster:
		text += " in " + strings.Replace(p.Scope, "/", " ", 1)
	case p.Cluster == "":
		text += " as " + p.Scope
	}
	return text
}

// where says where something counts: up to three namespaces, and how many more.
func where(scopes []string) string {
	const most = 3
	grants := make([]access.Grant, min(most, len(scopes)))
	for i := range grants {
		grants[i].Scope = scopes[i]
	}
	if more := len(scopes) - len(grants); more > 0 {
		return fmt.Sprintf("%s and %d more", places(grants), more)
	}
	return places(grants)
}

func writePortraitTable(w io.Writer, p *access.Portrait, o Options) error {
	t := newTerminal(o)
	parts := []string{"drawbridge " + p.Tool.Version, plural(len(p.Clusters), "cluster"), p.Time.UTC().Format("2006-01-02 15:04 UTC")}
	t.wrapped(0, t.dim(visible(strings.Join(parts, t.dot()))))
	t.line("")
	t.wrapped(0, t.bold(visible(p.Question)))
	for _, side := range planes(p, t.Wide) {
		t.plane(side)
	}
	t.gaps(&view{gaps: newView(&finding.Result{Clusters: p.Clusters, Gaps: p.Gaps}).gaps})
	_, err := w.Write(t.out.Bytes())
	return err
}

// portraitMax is how many grants of a plane the table shows.
const portraitMax = 25

func (t *terminal) plane(side plane) {
	t.heading(side.Label, side.facts())
	for _, d := range side.denied {
		t.wrapped(2, t.verdict(access.Denied)+"  nothing: "+visible(side.short(lastText(d.Chain))))
		if t.Wide {
			t.chain(side, d.Chain)
		}
	}
	for _, power := range side.powers {
		mark := "  "
		if power.Strong {
			mark = t.glyph("▲ ", "! ")
		}
		text := t.bold(mark + visible(side.short(powerText(power))))
		if power.Verdict == access.Unknown {
			text = mark + "perhaps " + visible(side.short(powerText(power)))
		}
		t.wrapped(2, text)
		if t.Wide {
			t.chain(side, power.Chain)
			for _, condition := range power.Conditions {
				t.wrapped(8, conditionWord(power.Verdict)+" "+visible(side.short(condition)))
			}
		}
	}
	if len(side.powers) > 0 && len(side.grants) > 0 {
		t.line("")
	}
	shown := side.grants
	if len(shown) > portraitMax && !t.Wide {
		shown = shown[:portraitMax]
	}
	var last access.Verdict
	for _, g := range shown {
		label := ""
		if g.verdict != last {
			label = t.verdict(g.verdict)
		}
		last = g.verdict
		t.heldGrant(side, g, label)
	}
	if side.everybodys > 0 && !t.Wide {
		t.wrapped(2, t.dim(visible(side.short(side.common()))))
	}
	if more := len(side.grants) - len(shown); more > 0 {
		t.wrapped(margin, t.dim(t.glyph("…", "...")+" and "+plural(more, "more grant")+": -o wide lists all"))
	}
}

// heldGrant is one grant: what, where, and in one line through what.
func (t *terminal) heldGrant(side plane, g heldGrant, label string) {
	const indent = margin - 1
	text := visible(side.short(g.what))
	if g.first.Rule != nil || g.first.Statement == nil && g.scopes[0] != access.ScopeCluster {
		text += "  " + t.dim(visible(where(g.scopes)))
	}
	t.columns(2, []int{indent - 4, t.width - indent}, []string{label, text})
	if t.Wide {
		t.chain(side, g.first.Chain)
		if g.more > 0 {
			t.wrapped(8, t.dim("and in "+plural(g.more, "other way")))
		}
	} else if source := lastSource(g.first.Chain); source != "" {
		t.wrapped(indent+2, t.dim(t.glyph("← ", "<- ")+visible(side.short(source))))
	}
	conditions := g.first.Conditions
	if g.first.Rule == nil && g.first.Statement == nil {
		conditions = nil // said already
	}
	if !t.Wide && len(conditions) > 2 {
		conditions = append(slices.Clone(conditions[:2]), plural(len(conditions)-2, "further condition"))
	}
	for _, condition := range conditions {
		t.wrapped(indent+2, conditionWord(g.verdict)+" "+visible(side.short(condition)))
	}
}

func (t *terminal) chain(side plane, chain []finding.Evidence) {
	for _, e := range chain {
		t.link(8, visible(side.short(e.Text)), visible(side.short(e.Source)))
	}
}

func lastText(chain []finding.Evidence) string {
	if len(chain) == 0 {
		return "it is not known here"
	}
	return chain[len(chain)-1].Text
}

// lastSource is where a grant stands: the last two sources of its chain, the binding and its role.
func lastSource(chain []finding.Evidence) string {
	var sources []string
	for _, e := range chain[max(0, len(chain)-2):] {
		o := cmp.Or(e.Source, e.Text)
		if i := strings.LastIndex(o, " rules["); i >= 0 {
			o = o[:i]
		}
		if !slices.Contains(sources, o) {
			sources = append(sources, o)
		}
	}
	return strings.Join(sources, ", ")
}

func writePortraitMarkdown(w io.Writer, p *access.Portrait, _ Options) error {
	m := &markdown{}
	m.line("# %s", mdText(p.Question))
	for _, side := range planes(p, false) {
		m.plane(side)
	}
	v := newView(&finding.Result{Clusters: p.Clusters, Gaps: p.Gaps})
	if len(v.gaps) > 0 {
		m.head("Could not be read")
		for _, g := range v.gaps {
			m.line("- %s", mdText(gapText(g)))
		}
	}
	m.line("")
	m.line("drawbridge %s, %s", mdText(p.Tool.Version), p.Time.UTC().Format("2006-01-02 15:04 UTC"))
	_, err := w.Write(m.out.Bytes())
	return err
}

func (m *markdown) plane(side plane) {
	m.head(mdText(side.Label))
	for _, d := range side.denied {
		m.line("Nothing: %s.", mdText(side.short(lastText(d.Chain))))
		m.line("")
	}
	for _, power := range side.powers {
		perhaps := ""
		if power.Verdict == access.Unknown {
			perhaps = "perhaps "
		}
		text := perhaps + mdText(side.short(powerText(power)))
		if power.Strong {
			text = "**" + text + "**"
		}
		m.line("- %s", text)
	}
	if side.everybodys > 0 {
		m.line("- %s", mdText(side.short(side.common())))
	}
	if len(side.grants) == 0 {
		return
	}
	m.line("")
	m.row("Answer", "What", "Where", "Through")
	m.row("---", "---", "---", "---")
	for _, g := range side.grants {
		through := mdCell(side.short(lastSource(g.first.Chain)))
		for _, condition := range g.first.Conditions {
			through += "<br>*" + conditionWord(g.verdict) + "* " + mdText(side.short(condition))
		}
		m.row(mdText(string(g.verdict)), mdCell(side.short(g.what)), mdText(where(g.scopes)), through)
	}
}
