package report

import (
	"bytes"
	"cmp"
	"fmt"
	"image/color"
	"io"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"drawbridge/internal/finding"
)

// A check with more findings than this on one cluster is cut short in the table, and says so; wide lists all.
const tableMax = 8

// margin is the column in which the text of a finding starts: the severity words stand left of it.
const margin = 12

func writeWide(w io.Writer, r *finding.Result, o Options) error {
	o.Wide = true
	return writeTable(w, r, o)
}

func writeTable(w io.Writer, r *finding.Result, o Options) error {
	t := newTerminal(o)
	v := newView(r)
	t.top(v)
	for _, c := range v.clusters {
		t.cluster(c)
	}
	t.notAssessed(v)
	t.gaps(v)
	t.suppressed(v)
	_, err := w.Write(t.out.Bytes())
	return err
}

// terminal writes lines for a terminal of known width.
type terminal struct {
	Options
	width int
	out   bytes.Buffer
}

func newTerminal(o Options) *terminal {
	t := &terminal{Options: o, width: max(40, o.Width)}
	if o.Width == 0 {
		t.width = 100
	}
	return t
}

func (t *terminal) top(v *view) {
	parts := []string{"drawbridge " + v.Tool.Version, plural(len(v.Clusters), "cluster")}
	if v.Summary.ChecksRun > 0 {
		parts = append(parts, plural(v.Summary.ChecksRun, v.test()))
	}
	if e := v.Events; e != nil {
		parts = append(parts, fmt.Sprintf("%d events, %d matched, %d unparsed, %d duplicates", e.Read, e.Matched, e.Unparsed, e.Duplicates))
	}
	parts = append(parts, v.Time.UTC().Format("2006-01-02 15:04 UTC"))
	t.wrapped(0, t.dim(visible(strings.Join(parts, t.dot()))))
	t.line("")
	t.wrapped(0, t.tally(v))
	t.wrapped(0, t.bold(v.verdict()))
	if v.filtered > 0 && v.counts.Total() > 0 {
		t.wrapped(0, plural(v.filtered, "more finding")+" counted but not listed here.")
	}
}

// tally is the line of counts. Zero counts are shown too: a missing word could be a missing check.
func (t *terminal) tally(v *view) string {
	var parts []string
	for _, s := range finding.Severities {
		word := fmt.Sprintf("%d %s", v.counts.Of(s), s)
		if v.counts.Of(s) == 0 {
			word = t.dim(word)
		} else {
			word = t.severity(s, word)
		}
		parts = append(parts, word)
	}
	counts := strings.Join(parts, "   ")
	apart := fmt.Sprintf("%d not assessed   %d suppressed", len(v.notAssessed), len(v.Suppressed))
	if lipgloss.Width(counts)+lipgloss.Width(apart)+5 > t.width {
		return counts + "\n" + apart
	}
	return counts + "  " + t.glyph("│", "|") + "  " + apart
}

func (t *terminal) cluster(c clusterView) {
	t.heading(c.Label, c.facts())
	if len(c.Groups) == 0 {
		t.line("  " + c.nothing())
		return
	}
	var last finding.Severity
	for i, g := range c.Groups {
		label := ""
		if g.Severity != last {
			label = t.severity(g.Severity, tag(g.Severity))
		}
		if i > 0 && (label != "" || t.Wide) {
			t.line("")
		}
		last = g.Severity
		title := visible(g.Title)
		if n := len(g.Findings); n > 1 {
			title += fmt.Sprintf(" (%d)", n)
		}
		t.columns(2, []int{margin - 4, t.width - margin}, []string{label, t.titled(title, g.ID, t.width-margin)})
		t.findings(c, g)
	}
}

// titled is a title with the id that explain, --check and suppressions take, beside it or, if that is too long, below.
func (t *terminal) titled(title, id string, room int) string {
	gap := "  "
	if lipgloss.Width(title)+2+lipgloss.Width(visible(id)) > room {
		gap = "\n"
	}
	return t.bold(title) + gap + t.dim(visible(id))
}

// findings lists the subjects of a group beside their messages, or above them where it is narrow.
func (t *terminal) findings(c clusterView, g group) {
	shown := g.Findings
	if len(shown) > tableMax && !t.Wide {
		shown = shown[:tableMax]
	}
	for i, f := range shown {
		if i > 0 && t.Wide {
			t.line("")
		}
		name, message := visible(f.Subject.String()), visible(f.Message)
		if !t.Wide {
			short := c.short
			if f.Time != nil {
				short, name = c.shortOfEvent, name+"\n"+t.dim(instant(*f.Time))
			}
			name, message = short(name), short(message)
		}
		indent := margin + 2
		room := t.width - indent
		if left := room * 2 / 5; room >= 76 && !t.Wide {
			t.columns(indent, []int{left, room - left - 2}, []string{name, message})
		} else {
			t.wrapped(indent, name)
			t.wrapped(indent+2, message)
		}
		if t.Wide {
			t.details(f)
		}
	}
	if more := len(g.Findings) - len(shown); more > 0 {
		t.wrapped(margin+2, t.dim(fmt.Sprintf("%s and %d more: -o wide lists all", t.glyph("…", "..."), more)))
	}
}

// details is what wide adds to a finding.
func (t *terminal) details(f finding.Finding) {
	indent := margin + 4
	field := func(name, text string) {
		if text != "" {
			t.columns(indent, []int{12, t.width - indent - 14}, []string{t.dim(name), text})
		}
	}
	if f.Subject.ARN != "" {
		t.line(fmt.Sprintf("%*s%s%9s  %s", indent, "", t.dim("arn"), "", visible(f.Subject.ARN)))
	}
	if f.Location != nil {
		field("location", visible(place(*f.Location)))
	}
	if f.Time != nil {
		field("time", instant(*f.Time))
	}
	for i, e := range f.Evidence {
		name := ""
		if i == 0 {
			name = "evidence"
		}
		field(cmp.Or(name, " "), visible(e.Text)+t.dim("  "+t.glyph("←", "<-")+" "+visible(e.Source)))
	}
	field("controls", visible(strings.Join(controlWords(f.Controls), ", ")))
	field("techniques", visible(strings.Join(f.Techniques, ", ")))
	field("fingerprint", visible(f.Fingerprint))
	field("plan", visible(planWords(f.Remediation.Plan)))
	if lines := visibleLines(f.Remediation.Text); len(lines) > 0 {
		t.line(strings.Repeat(" ", indent) + t.dim("remediation"))
		for _, line := range lines {
			t.line(strings.Repeat(" ", indent+2) + line) // not wrapped: it is there to be copied
		}
	}
}

func (t *terminal) notAssessed(v *view) {
	if len(v.notAssessed) == 0 {
		return
	}
	t.heading("Not assessed", []string{"neither passed nor failed"})
	for _, u := range v.unassessed() {
		t.wrapped(2, t.bold(visible(u.Cluster))+"  "+visible(u.Message))
		t.wrapped(4, t.dim(visible(strings.Join(u.IDs, ", "))))
	}
}

func (t *terminal) gaps(v *view) {
	if len(v.gaps) == 0 {
		return
	}
	t.heading("Could not be read", nil)
	for _, g := range v.gaps {
		text := visible(strings.Join(append([]string{g.Area}, nonEmpty(prefixed("of ", strings.Join(g.Where, ", ")))...), " "))
		if a := g.advice(); a != "" {
			text += ": " + t.bold(visible(a))
		}
		if g.Reason != "" {
			text += t.dim("  (" + visible(g.Reason) + ")")
		}
		t.wrapped(2, text)
	}
}

func (t *terminal) suppressed(v *view) {
	if len(v.Suppressed) == 0 {
		return
	}
	t.heading("Suppressed", []string{plural(len(v.Suppressed), "finding") + " that somebody accepted"})
	if !t.Wide {
		t.wrapped(2, visible(strings.Join(suppressionSources(v.Suppressed), ", ")))
		return
	}
	for _, s := range v.Suppressed {
		t.wrapped(2, tag(s.Severity)+"  "+visible(s.ID)+"  "+visible(v.name(s.Cluster))+"  "+visible(s.Subject.String()))
		t.wrapped(4, visible(strings.Join(decision(s.Suppression), "; ")))
	}
}

// suppressionSources counts suppressed findings by where the decision stands.
func suppressionSources(ss []finding.Suppressed) []string {
	count := map[string]int{}
	for _, s := range ss {
		count[s.Suppression.Source]++
	}
	var out []string
	for source, n := range count {
		out = append(out, fmt.Sprintf("%d in %s", n, cmp.Or(source, "an unnamed source")))
	}
	slices.Sort(out)
	return out
}

// decision says why a finding is accepted, by whom, until when and where that is written.
func decision(s finding.Suppression) []string {
	return nonEmpty(cmp.Or(s.Reason, "no reason given"), prefixed("owner ", s.Owner), prefixed("until ", s.Expiry), prefixed("in ", s.Source))
}

// tag is the severity in letters that stand out without colour.
func tag(s finding.Severity) string {
	if s == finding.Informational {
		return "INFO"
	}
	return strings.ToUpper(visible(string(s)))
}

func place(l finding.Location) string {
	if l.Line > 0 {
		return fmt.Sprintf("%s:%d", l.File, l.Line)
	}
	return l.File
}

func controlWords(cs []finding.Control) []string {
	words := make([]string, len(cs))
	for i, c := range cs {
		words[i] = c.Framework + " " + c.ID
	}
	return words
}

func (t *terminal) heading(title string, facts []string) {
	text := t.bold(visible(title))
	if len(facts) > 0 {
		text += "  " + t.dim(visible(strings.Join(facts, t.dot())))
	}
	t.line("")
	t.wrapped(0, text)
	t.line(t.dim(strings.Repeat(t.glyph("─", "-"), t.width)))
}

func (t *terminal) wrapped(indent int, text string) {
	for _, line := range wrap(text, max(8, t.width-indent)) {
		t.indented(indent, line)
	}
}

func (t *terminal) indented(indent int, line string) {
	const spaces = "                                "
	t.out.WriteString(spaces[:min(indent, len(spaces))])
	t.line(line)
}

// columns writes cells side by side, each wrapped to its width, two spaces between them.
func (t *terminal) columns(indent int, widths []int, cells []string) {
	split := make([][]string, len(cells))
	height := 0
	for i, cell := range cells {
		split[i] = wrap(cell, max(8, widths[i]))
		height = max(height, len(split[i]))
	}
	for row := range height {
		var b strings.Builder
		b.WriteString(strings.Repeat(" ", indent))
		for i, lines := range split {
			text := ""
			if row < len(lines) {
				text = lines[row]
			}
			b.WriteString(text)
			if i < len(split)-1 {
				b.WriteString(strings.Repeat(" ", max(0, widths[i]-lipgloss.Width(text))+2))
			}
		}
		t.line(b.String())
	}
}

// wrap breaks at spaces, and inside a word only if the word is longer than a line: names stay whole to be copied.
// Lipgloss breaks at hyphens too, so these are hidden from it behind a character that visible lets nobody else use.
func wrap(s string, width int) []string {
	if lines, ok := wrapASCII(s, width); ok {
		return lines
	}
	const hyphen = "\ue000"
	s = lipgloss.Wrap(strings.ReplaceAll(s, "-", hyphen), width, "")
	return strings.Split(strings.ReplaceAll(s, hyphen, "-"), "\n")
}

func (t *terminal) line(s string) {
	t.out.WriteString(strings.TrimRight(s, " "))
	t.out.WriteByte('\n')
}

func (t *terminal) glyph(unicode, ascii string) string {
	if t.Unicode {
		return unicode
	}
	return ascii
}

func (t *terminal) dot() string { return t.glyph(" · ", ", ") }

func (t *terminal) bold(s string) string { return t.style(lipgloss.NewStyle().Bold(true), s) }

func (t *terminal) dim(s string) string { return t.style(lipgloss.NewStyle().Faint(true), s) }

func (t *terminal) severity(s finding.Severity, text string) string {
	// The sixteen colours that every terminal has, chosen by its owner for its background.
	colors := map[finding.Severity]color.Color{
		finding.Critical: lipgloss.BrightRed, finding.High: lipgloss.Red, finding.Medium: lipgloss.Yellow,
		finding.Low: lipgloss.Blue, finding.Informational: lipgloss.Cyan,
	}
	return t.style(lipgloss.NewStyle().Bold(true).Foreground(colors[s]), text)
}

func (t *terminal) style(st lipgloss.Style, s string) string {
	if !t.Color || s == "" {
		return s
	}
	return st.Render(s)
}
