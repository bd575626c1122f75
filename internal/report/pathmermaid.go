package report

import (
	"fmt"
	"io"
	"strings"

	"drawbridge/internal/graph"
)

// writePathMermaid writes the paths as a flowchart, to be put into a Markdown block of the language mermaid.
func writePathMermaid(w io.Writer, r *graph.Result) error {
	g := newPathGraph(r.Paths)
	var b strings.Builder
	b.WriteString("flowchart TB\n")
	for i := range g.places {
		p := &g.places[i]
		lines := append([]string{p.kind}, p.label()...)
		for j := range lines {
			lines[j] = mermaidText(lines[j])
		}
		class := ""
		switch {
		case p.target:
			class = ":::target"
		case p.starts > 0:
			class = ":::entry"
		}
		fmt.Fprintf(&b, "  n%d[\"%s\"]%s\n", i, strings.Join(lines, "<br>"), class)
	}
	for i, s := range g.steps {
		arrow := "-->"
		if s.possible {
			arrow = "-.->"
		}
		fmt.Fprintf(&b, "  n%d %s|\"%s\"| n%d\n", s.from, arrow, mermaidText(s.text()), s.to)
		if s.cut {
			fmt.Fprintf(&b, "  linkStyle %d stroke:#b4380f,stroke-width:3px\n", i)
		}
	}
	b.WriteString("  classDef target stroke-width:3px\n  classDef entry stroke-dasharray:4 2\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// mermaidText spells every character by its number that could mean something to Mermaid, to HTML or to Markdown.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r > 0x7f, strings.ContainsRune(" .,:/_-()", r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}
