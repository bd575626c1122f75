package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
)

// DiffFormat is one way to write what changed between two inputs.
type DiffFormat struct {
	Name        string
	Description string
	Write       func(io.Writer, *access.Difference, Options) error
}

// DiffFormats lists the formats of differences, the default first.
var DiffFormats = []DiffFormat{
	{"table", "for people: who gained and lost what", writeDiffTable},
	{"wide", "table with every identity, chain and exception", func(w io.Writer, d *access.Difference, o Options) error {
		o.Wide = true
		return writeDiffTable(w, d, o)
	}},
	{"json", "everything", func(w io.Writer, d *access.Difference, _ Options) error { return encodeJSON(w, d) }},
	{"yaml", "the same as YAML", func(w io.Writer, d *access.Difference, _ Options) error { return encodeYAML(w, d) }},
	{"markdown", "a comment for a pull request", writeDiffMarkdown},
}

// FindDiff is the format of that name, and false if there is none.
func FindDiff(name string) (DiffFormat, bool) {
	i := slices.IndexFunc(DiffFormats, func(f DiffFormat) bool { return f.Name == name })
	if i < 0 {
		return DiffFormat{}, false
	}
	return DiffFormats[i], true
}

// changeGroup is identities for which the same changed.
type changeGroup struct {
	identities []access.Identity
	lines      []changeLine
	strong     int // how many gains are strong
	powers     access.PowerChanges
}

// changeLine is a change in one line: where several places have the same, these are joined.
type changeLine struct {
	sign    string // "+", "-" or "?"
	plane   string // the cluster, or AWS
	text    string
	scopes  []string
	strong  bool
	witness string
	notes   []string // conditions and exceptions
	chain   []finding.Evidence
}

// diffView is a difference as people read it.
type diffView struct {
	*access.Difference
	groups               []*changeGroup
	gaps                 []gapView
	gained, lost, unsure int // identities
	strong               int
}

func newDiffView(d *access.Difference) *diffView {
	base := newView(&finding.Result{Clusters: d.Clusters, Gaps: d.Gaps})
	v := &diffView{Difference: d, gaps: base.gaps}
	index := map[string]*changeGroup{}
	for i := range d.Identities {
		one := &d.Identities[i]
		lines := linesOf(one, base, len(d.Clusters) > 1)
		var key strings.Builder
		strong := 0
		for _, l := range lines {
			fmt.Fprintf(&key, "%s\x00%s\x00%s\x00%s\x00%s\x01", l.sign, l.plane, l.text, strings.Join(l.scopes, "\x02"), strings.Join(l.notes, "\x02"))
			if l.strong && l.sign == "+" {
				strong++
			}
		}
		v.gained, v.lost, v.unsure = v.gained+min(1, len(one.Gained)), v.lost+min(1, len(one.Lost)), v.unsure+min(1, len(one.Unknown))
		if v.strong += min(1, strong); index[key.String()] == nil {
			g := &changeGroup{lines: lines, strong: strong, powers: one.Powers}
			index[key.String()] = g
			v.groups = append(v.groups, g)
		}
		g := index[key.String()]
		g.identities = append(g.identities, one.Identity)
	}
	slices.SortStableFunc(v.groups, func(a, b *changeGroup) int {
		return cmp.Or(cmp.Compare(min(b.strong, 1), min(a.strong, 1)), cmp.Compare(b.gains(), a.gains()))
	})
	return v
}

func (g *changeGroup) gains() int {
	if slices.ContainsFunc(g.lines, func(l changeLine) bool { return l.sign == "+" }) {
		return 1
	}
	return 0
}

// linesOf puts what changed for an identity into lines.
func linesOf(one *access.IdentityDifference, v *view, several bool) []changeLine {
	var all []changeLine
	index := map[string]int{}
	add := func(l changeLine, scope string) {
		key := strings.Join(append([]string{l.sign, l.plane, l.text}, l.notes...), "\x00")
		i, have := index[key]
		if !have {
			index[key] = len(all)
			l.scopes = []string{scope}
			all = append(all, l)
			return
		}
		if !slices.Contains(all[i].scopes, scope) {
			all[i].scopes = append(all[i].scopes, scope)
		}
	}
	for _, list := range []struct {
		sign    string
		changes []access.Change
	}{{"+", one.Gained}, {"-", one.Lost}} {
		for i := range list.changes {
			c := &list.changes[i]
			l := changeLine{sign: list.sign, plane: planeOf(c, v, several), text: c.What(), strong: c.Strong, witness: c.Witness.String(), chain: c.Chain}
			for _, unless := range c.Unless {
				l.notes = append(l.notes, "already with "+unless)
			}
			for _, condition := range c.Conditions {
				l.notes = append(l.notes, conditionWord(access.Allowed)+" "+condition)
			}
			if n := len(c.Except); n > 0 {
				l.notes = append(l.notes, "beyond "+exceptText(c.Except))
			}
			scope := ""
			if c.Rule != nil {
				scope = c.Scope
			}
			add(l, scope)
		}
	}
	for _, u := range one.Unknown {
		side := map[string]string{access.SideGained: "may have gained ", access.SideLost: "may have lost "}[u.Side]
		plane := ""
		if several && u.Cluster != "" {
			plane = v.name(u.Cluster)
		}
		scope := u.Scope
		if u.What != "" && strings.Contains(u.What, scope) {
			scope = ""
		}
		add(changeLine{sign: "?", plane: plane, text: cmp.Or(side, "may have changed ") + cmp.Or(u.What, "something") + ": " + u.Reason}, scope)
	}
	return all
}

func planeOf(c *access.Change, v *view, several bool) string {
	switch {
	case c.Statement != nil:
		return "AWS"
	case several:
		return v.name(c.Cluster)
	}
	return ""
}

// exceptText says what the other side has too.
func exceptText(except []access.ScopedRule) string {
	const most = 2
	var parts []string
	for i, x := range except {
		if i == most {
			parts = append(parts, plural(len(except)-most, "more rule"))
			break
		}
		parts = append(parts, (access.Grant{Rule: &x.Rule}).What()+" in "+strings.ReplaceAll(strings.ReplaceAll(x.Scope, "namespace/", ""), access.ScopeCluster, "the whole cluster"))
	}
	return strings.Join(parts, "; ")
}

// neither are the areas that no input holds, and besides them the gaps that have a reason of their own.
func (v *diffView) neither() (areas []string, rest []gapView) {
	for _, g := range v.gaps {
		if g.Reason == notInInput {
			areas = append(areas, g.Area)
		} else {
			rest = append(rest, g)
		}
	}
	return areas, rest
}

// notInInput is the reason of gaps of what nobody tried to read.
const notInInput = "not in the input"

// verdict is the difference in one sentence.
func (v *diffView) verdict() string {
	if v.Equal {
		if len(v.gaps) > 0 {
			return "No difference in what was read; what is listed below was read in neither input."
		}
		return "No difference: everybody can do what they could before, and nothing else."
	}
	var parts []string
	for _, c := range []struct {
		n    int
		verb string
	}{{v.gained, "gained"}, {v.lost, "lost"}} {
		if c.n > 0 {
			parts = append(parts, plural2(c.n, "identity", "identities")+" "+c.verb+" access")
		}
	}
	if v.unsure > 0 {
		parts = append(parts, "for "+plural2(v.unsure, "identity", "identities")+" something could not be decided")
	}
	if len(v.Unknown) > 0 {
		parts = append(parts, plural(len(v.Unknown), "area")+" could not be compared")
	}
	return capital(strings.Join(parts, ", ")) + "."
}

func plural2(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// who names the identities of a group: up to most of them.
func (g *changeGroup) who(most int, several bool) string {
	var names []string
	for i, id := range g.identities {
		if i == most {
			names = append(names, plural(len(g.identities)-most, "more"))
			break
		}
		n := id.String()
		if several && id.Cluster != "" {
			n += " of " + id.Cluster
		}
		names = append(names, n)
	}
	return strings.Join(names, ", ")
}

func writeDiffTable(w io.Writer, d *access.Difference, o Options) error {
	t := newTerminal(o)
	v := newDiffView(d)
	parts := []string{"drawbridge " + d.Tool.Version, d.Time.UTC().Format("2006-01-02 15:04 UTC")}
	t.wrapped(0, t.dim(visible(strings.Join(parts, t.dot()))))
	t.line("")
	t.wrapped(0, "from "+visible(d.Before)+" to "+visible(d.After))
	t.wrapped(0, t.bold(v.verdict()))
	for _, n := range d.Notes {
		t.wrapped(0, t.dim("note: "+visible(n)))
	}
	most := 4
	if t.Wide {
		most = len(d.Identities)
	}
	for _, g := range v.groups {
		t.line("")
		t.wrapped(0, t.bold(visible(g.who(most, len(d.Clusters) > 1))))
		for _, p := range g.powers.Gained {
			t.columns(2, []int{1, t.width - 6}, []string{"+", t.bold(visible(powerText(p)))})
		}
		for _, p := range g.powers.Lost {
			t.columns(2, []int{1, t.width - 6}, []string{"-", visible(strings.Replace(powerText(p), "can ", "can no longer ", 1))})
		}
		t.changeLines(g.lines)
	}
	if len(d.Unknown) > 0 {
		t.heading("Not comparable", nil)
		for _, u := range d.Unknown {
			t.wrapped(2, visible(strings.Join(nonEmpty(u.Cluster, u.Reason), ": ")))
		}
	}
	if neither, rest := v.neither(); len(neither)+len(rest) > 0 {
		t.heading("Not compared", nil)
		if len(neither) > 0 {
			t.wrapped(2, "in neither input: "+visible(strings.Join(neither, ", ")))
		}
		for _, g := range rest {
			t.wrapped(2, visible(gapText(g)))
		}
	}
	_, err := w.Write(t.out.Bytes())
	return err
}

// fewLines is how many rules of one source the table shows.
const fewLines = 4

// changeLines writes lines, each with where it stands; of many from one source only the first.
func (t *terminal) changeLines(lines []changeLine) {
	for i := 0; i < len(lines); {
		n := 1
		for i+n < len(lines) && lines[i].sameSource(&lines[i+n]) {
			n++
		}
		shown := n
		if !t.Wide && n > fewLines {
			shown = fewLines - 1
		}
		for j, l := range lines[i : i+shown] {
			t.changeLine(l, j == shown-1)
		}
		if shown < n {
			t.wrapped(5, t.dim(t.glyph("…", "...")+" and "+fmt.Sprint(n-shown)+" more of the same: -o wide lists all"))
		}
		i += n
	}
}

func (l *changeLine) sameSource(m *changeLine) bool {
	return l.sign == m.sign && l.plane == m.plane && slices.Equal(l.scopes, m.scopes) && slices.Equal(l.notes, m.notes) && lastSource(l.chain) == lastSource(m.chain) && !l.strong && !m.strong
}

// changeLine writes one line, and with last where it stands.
func (t *terminal) changeLine(l changeLine, last bool) {
	text := visible(l.text)
	if place := strings.Join(nonEmpty(l.plane, where(nonEmpty(l.scopes...))), t.dot()); place != "" {
		text += "  " + t.dim(visible(place))
	}
	if l.strong && l.sign == "+" {
		text = t.bold(t.glyph("▲ ", "! ")) + text
	}
	t.columns(2, []int{1, t.width - 6}, []string{l.sign, text})
	if last || t.Wide {
		for _, n := range l.notes {
			t.wrapped(7, t.dim(visible(n)))
		}
	}
	if l.witness != "" && t.Wide {
		t.wrapped(7, t.dim("witness: "+visible(l.witness)))
	}
	if t.Wide {
		for _, e := range l.chain {
			t.link(7, visible(e.Text), visible(e.Source))
		}
	} else if source := lastSource(l.chain); source != "" && last {
		t.wrapped(7, t.dim(t.glyph("← ", "<- ")+visible(source)))
	}
}

// markdownMax is how many groups of identities a comment shows in full; a comment has a length that it must keep within.
const markdownMax = 40

// writeDiffMarkdown writes a comment for a pull request: what matters in a few lines, the rest folded away.
func writeDiffMarkdown(w io.Writer, d *access.Difference, _ Options) error {
	v := newDiffView(d)
	m := &markdown{}
	m.line("## drawbridge: access")
	m.line("")
	m.line("**%s**", mdText(v.verdict()))
	for _, n := range d.Notes {
		m.line("")
		m.line("%s", mdText(capital(n)+"."))
	}
	if powers := v.powers(); len(powers) > 0 {
		m.line("")
		for _, p := range powers {
			m.line("- %s", p)
		}
	}
	m.line("")
	several := len(d.Clusters) > 1
	for i, g := range v.groups {
		if i == markdownMax {
			m.line("%s not listed here; the full answer is in the JSON.", mdText(plural2(len(v.groups)-i, "further group of identities is", "further groups of identities are")))
			break
		}
		m.changes(g, several)
	}
	if len(d.Unknown) > 0 {
		m.line("### Not comparable")
		m.line("")
		for _, u := range d.Unknown {
			m.line("- %s", mdText(strings.Join(nonEmpty(u.Cluster, u.Reason), ": ")))
		}
		m.line("")
	}
	if neither, rest := v.neither(); len(neither)+len(rest) > 0 {
		m.line("<details><summary>Not compared: %s</summary>", plural(len(neither)+len(rest), "area"))
		m.line("")
		if len(neither) > 0 {
			m.line("- in neither input: %s", mdText(strings.Join(neither, ", ")))
		}
		for _, g := range rest {
			m.line("- %s", mdText(gapText(g)))
		}
		m.line("")
		m.line("</details>")
		m.line("")
	}
	m.line("drawbridge %s compared %s with %s, %s", mdText(d.Tool.Version), mdCode(d.Before), mdCode(d.After), d.Time.UTC().Format("2006-01-02 15:04 UTC"))
	_, err := w.Write(m.out.Bytes())
	return err
}

// powers are the strong powers that somebody gained, for the top of the comment.
func (v *diffView) powers() []string {
	const most = 8
	var all []string
	more := 0
	for _, g := range v.groups {
		for _, p := range g.powers.Gained {
			if !p.Strong {
				continue
			}
			if len(all) == most {
				more++
				continue
			}
			all = append(all, fmt.Sprintf("%s **%s**", mdCode(g.who(2, false)), mdText(strings.Replace(powerText(p), "can ", "can now ", 1))))
		}
	}
	if more > 0 {
		all = append(all, plural(more, "more power")+" below")
	}
	return all
}

// changes is one group of identities, folded.
func (m *markdown) changes(g *changeGroup, several bool) {
	count := map[string]int{}
	for _, l := range g.lines {
		count[l.sign]++
	}
	var sums []string
	for _, s := range []struct{ sign, word string }{{"+", "gained"}, {"-", "lost"}, {"?", "unknown"}} {
		if n := count[s.sign]; n > 0 {
			sums = append(sums, fmt.Sprintf("%d %s", n, s.word))
		}
	}
	m.line("<details><summary>%s: %s</summary>", htmlText(g.who(3, several)), strings.Join(sums, ", "))
	m.line("")
	if len(g.identities) > 3 {
		m.line("%s", mdText(g.who(50, several)))
		m.line("")
	}
	m.row("", "What", "Where", "Through, with a request that shows it")
	m.row("---", "---", "---", "---")
	for _, l := range g.lines {
		sign := map[string]string{"+": "gained", "-": "lost", "?": "unknown"}[l.sign]
		if l.strong && l.sign == "+" {
			sign = "**gained**"
		}
		what := mdCell(l.text)
		if l.sign == "?" {
			what = mdText(l.text)
		}
		for _, n := range l.notes {
			what += "<br>" + mdText(n)
		}
		through := mdText(lastSource(l.chain))
		if l.witness != "" {
			through += "<br>" + mdCell(l.witness)
		}
		m.row(sign, what, mdText(strings.Join(nonEmpty(l.plane, where(nonEmpty(l.scopes...))), " · ")), through)
	}
	m.line("")
	m.line("</details>")
	m.line("")
}
