package report

import (
	"fmt"
	"image/color"
	"io"
	"strings"

	"charm.land/lipgloss/v2"

	"drawbridge/internal/access"
)

func writeAccessWide(w io.Writer, r *access.Result, o Options) error {
	o.Wide = true
	return writeAccessTable(w, r, o)
}

func writeAccessTable(w io.Writer, r *access.Result, o Options) error {
	t := newTerminal(o)
	t.out.Grow(160 * len(r.Answers))
	v := newAccessView(r)
	parts := []string{"drawbridge " + r.Tool.Version, plural(len(r.Clusters), "cluster"), r.Time.UTC().Format("2006-01-02 15:04 UTC")}
	t.wrapped(0, t.dim(visible(strings.Join(parts, t.dot()))))
	t.line("")
	t.wrapped(0, t.bold(visible(r.Question)))
	t.wrapped(0, v.counts())
	for _, line := range v.said() {
		t.wrapped(0, visible(line))
	}
	for _, c := range v.clusters {
		t.accessCluster(v, c)
	}
	t.gaps(&view{gaps: v.gaps})
	_, err := w.Write(t.out.Bytes())
	return err
}

func (t *terminal) accessCluster(v *accessView, c accessCluster) {
	t.heading(c.Label, c.facts())
	if len(c.answers) == 0 {
		t.line("  nobody" + map[bool]string{true: " in what could be read"}[c.Unsure])
		return
	}
	var last access.Verdict
	for i := 0; i < len(c.answers); {
		g, next := c.answers[i], i+1
		for next < len(c.answers) && alike(g, c.answers[next]) {
			next++
		}
		label := ""
		if g.Verdict != last {
			label = t.verdict(g.Verdict)
		}
		full := t.Wide || v.one
		if i > 0 && (label != "" || full) {
			t.line("")
		}
		last = g.Verdict
		t.answer(v, c, g, places(c.answers[i:next]), label, full)
		i = next
	}
}

// answer is one identity and where it may, with the chain below: link by link, or in one line.
func (t *terminal) answer(v *accessView, c accessCluster, g access.Grant, where, label string, full bool) {
	const indent = margin - 1
	text := t.bold(visible(c.short(g.Identity.String())))
	if what := g.What(); what != "" {
		text += ", " + visible(what)
	}
	if where != "" {
		text += ", " + t.dim(visible(where))
	}
	if label == "" {
		t.wrapped(indent, text)
	} else {
		t.columns(2, []int{indent - 4, t.width - indent}, []string{label, text})
	}
	if full {
		for _, e := range g.Chain {
			t.link(indent+2, visible(c.short(e.Text)), visible(c.short(e.Source)))
		}
	} else if chain := through(g); chain != "" {
		t.wrapped(indent+2, t.dim(strings.ReplaceAll(visible(c.short(chain)), " -> ", t.glyph(" → ", " -> "))))
	}
	for _, condition := range v.own(g) {
		t.wrapped(indent+2, conditionWord(g.Verdict)+" "+visible(c.short(condition)))
	}
}

// link is a link of a chain: what it says, and where that is written, beside it or below.
func (t *terminal) link(indent int, text, source string) {
	arrow := t.glyph("← ", "<- ")
	room := t.width - indent
	if left := room / 2; lipgloss.Width(text) <= left && lipgloss.Width(source)+len(arrow) <= room-left-2 {
		t.line(fmt.Sprintf("%*s%s%*s%s", indent, "", text, left-lipgloss.Width(text)+2, "", t.dim(arrow+source)))
		return
	}
	t.wrapped(indent, text)
	t.wrapped(indent+2, t.dim(arrow+source))
}

// verdict is the verdict in letters that stand out without colour.
func (t *terminal) verdict(v access.Verdict) string {
	colors := map[access.Verdict]color.Color{access.Allowed: lipgloss.Green, access.Denied: lipgloss.Red, access.Unknown: lipgloss.Yellow}
	return t.style(lipgloss.NewStyle().Bold(true).Foreground(colors[v]), strings.ToUpper(visible(string(v))))
}
