package report

import (
	"fmt"
	"io"
	"strings"

	"drawbridge/internal/graph"
)

// writePathDOT writes the paths for Graphviz.
func writePathDOT(w io.Writer, r *graph.Result) error {
	g := newPathGraph(r.Paths)
	var b strings.Builder
	b.WriteString("digraph \"attack paths\" {\n  rankdir=TB;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=10];\n")
	for i := range g.places {
		p := &g.places[i]
		attributes := ""
		switch {
		case p.target:
			attributes = ", penwidth=2"
		case p.starts > 0:
			attributes = ", style=\"rounded,bold\""
		}
		lines := append([]string{p.kind}, p.label()...)
		for j := range lines {
			lines[j] = dotText(lines[j])
		}
		fmt.Fprintf(&b, "  n%d [label=\"%s\"%s];\n", i, strings.Join(lines, `\n`), attributes)
	}
	for _, s := range g.steps {
		attributes := ""
		if s.possible {
			attributes += ", style=dashed"
		}
		if s.cut {
			attributes += ", color=\"#b4380f\", penwidth=2"
		}
		fmt.Fprintf(&b, "  n%d -> n%d [label=\"%s\"%s];\n", s.from, s.to, dotText(s.text()), attributes)
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// dotText is text inside a quoted string of DOT, in which a backslash begins an escape and an ampersand a character of HTML.
// The sign for what cannot be shown is spelled, because readers of DOT take it for an error.
func dotText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;", "\ufffd", "&#65533;").Replace(s)
}
