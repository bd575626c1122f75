package report

import (
	"fmt"
	"io"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/graph"
)

// PathFormats are the formats that attack paths can be written in, the default first.
var PathFormats = []string{"table", "wide", "json", "yaml", "mermaid", "dot", "html"}

// Paths writes attack paths in one of the formats.
func Paths(w io.Writer, format string, r *graph.Result, o Options) error {
	switch format {
	case "table":
		return writePathTable(w, r, o)
	case "wide":
		o.Wide = true
		return writePathTable(w, r, o)
	case "json":
		return encodeJSON(w, r)
	case "yaml":
		return encodeYAML(w, r)
	case "mermaid":
		return writePathMermaid(w, r)
	case "dot":
		return writePathDOT(w, r)
	case "html":
		return writePathHTML(w, r)
	}
	return fmt.Errorf("attack paths are written as %s, not as %s", strings.Join(PathFormats, ", "), format)
}

// pathTable draws paths for people.
type pathTable struct {
	*terminal
	r *graph.Result
}

func writePathTable(w io.Writer, r *graph.Result, o Options) error {
	t := &pathTable{newTerminal(o), r}
	t.line(t.bold("attack paths") + "  " + t.dim(visible(fmt.Sprintf("drawbridge %s, %s, %s", r.Tool.Version, plural(len(r.Clusters), "cluster"), r.Time.UTC().Format("2006-01-02 15:04 UTC")))))
	for _, target := range r.Targets {
		t.target(target)
	}
	if len(r.Targets) == 0 {
		t.line("")
		t.wrapped(0, "Nothing in the snapshot is such a target.")
	}
	if len(r.Gaps) > 0 {
		t.line("")
		t.wrapped(0, t.dim(plural(len(r.Gaps), "area")+" could not be read: paths through what is not known are shown as possible, others may be missing."))
	}
	_, err := w.Write(t.out.Bytes())
	return err
}

// target shows one target: how many reach it, the shortest paths, and what cuts them.
func (t *pathTable) target(x graph.Reached) {
	t.heading("to "+t.place(x.To, ""), []string{reachedText(x)})
	n := 0
	for i := range t.r.Paths {
		if p := &t.r.Paths[i]; p.To == x.To {
			n++
			t.path(n, p)
		}
	}
	t.chokes(x)
	for _, note := range cutNotes(x) {
		t.line("")
		t.wrapped(2, t.dim(note))
	}
}

func (t *pathTable) chokes(x graph.Reached) {
	first := true
	for _, c := range t.r.ChokePoints {
		if c.To != x.To {
			continue
		}
		if first {
			t.line("")
			t.line("  " + t.bold("What cuts all of them"))
			first = false
		}
		t.columns(4, []int{t.width - 30, 24}, []string{visible(c.Text), t.dim(plural(c.Stops, "entry point") + " first")})
		if t.Wide {
			for _, line := range visibleLines(c.Remediation.Text) {
				t.line("      " + line) // not wrapped: it is there to be copied
			}
		}
	}
}

// othersText counts the entry points besides one that have its path, and those that may.
func othersText(have, may int) string {
	switch {
	case have > 0 && may > 0:
		return fmt.Sprintf(" and %d more; %d others may", have, may)
	case have > 0:
		return fmt.Sprintf(" and %d more", have)
	case may > 0:
		return fmt.Sprintf("; %d others may", may)
	}
	return ""
}

// path draws one path downwards, hop by hop. A step on a choke point is marked.
func (t *pathTable) path(n int, p *graph.Path) {
	t.line("")
	from := fmt.Sprintf("%2d  %s", n, t.bold(t.place(p.From, "")))
	from += t.dim(othersText(p.Starts-1, p.PossibleStarts))
	if !p.Certain {
		from += "  " + t.dim("possible")
	}
	t.wrapped(2, from)
	cluster := p.From.Cluster
	bar := t.dim(t.glyph("│", "|"))
	for i := range p.Hops {
		h := &p.Hops[i]
		mark := ""
		if h.Cut {
			mark = "  " + t.bold(t.glyph("✂ choke point", "<choke point>"))
		}
		t.barred(bar, 0, visible(h.Text)+t.dim("  "+visible(strings.TrimSpace(h.Step+" "+h.Technique)))+mark)
		for _, c := range h.Conditions {
			t.barred(bar, 0, t.dim("? "+visible(c)))
		}
		if t.Wide {
			for _, e := range h.Evidence {
				t.barred(bar, 2, t.dim(visible(e.Text)+"  "+t.glyph("←", "<-")+" "+visible(e.Source)))
			}
		}
		t.columns(6, []int{2, t.width - 12}, []string{t.glyph("└▶", "+>"), t.place(h.To, cluster)})
		if h.To.Cluster != "" {
			cluster = h.To.Cluster
		}
	}
}

// barred writes text beside a line that leads down.
func (t *pathTable) barred(bar string, indent int, text string) {
	for _, line := range wrap(text, t.width-10-indent) {
		t.line("      " + bar + "   " + strings.Repeat(" ", indent) + line)
	}
}

// place names a place, with its cluster where that is another than the last one's.
func (t *pathTable) place(id access.Identity, cluster string) string {
	text := visible(graph.Name(id))
	if id.Cluster != "" && id.Cluster != cluster {
		text += t.dim(" of cluster " + visible(id.Cluster))
	}
	return text
}
