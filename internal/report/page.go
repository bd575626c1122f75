package report

import (
	"bytes"
	"html/template"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// section is one part of a check's page, rendered.
type section struct {
	Title string
	Body  template.HTML
}

// pageRenderer turns Markdown into HTML. Raw HTML and dangerous links are left out: goldmark's default.
var pageRenderer = goldmark.New(goldmark.WithExtensions(extension.Table))

// sections splits a check's page at its second-level headings.
func sections(markdown string) []section {
	var out []section
	var body []string
	title, fenced := "", false
	flush := func() {
		if text := strings.Join(body, "\n"); strings.TrimSpace(text) != "" {
			out = append(out, section{title, renderMarkdown(text)})
		}
		body = nil
	}
	for _, line := range visibleLines(markdown) {
		if strings.HasPrefix(line, "```") || strings.HasPrefix(line, "~~~") {
			fenced = !fenced
		}
		if heading, ok := strings.CutPrefix(line, "## "); ok && !fenced {
			flush()
			title = strings.TrimSpace(heading)
			continue
		}
		body = append(body, line)
	}
	flush()
	return out
}

// renderMarkdown renders part of a page, with its headings below the fourth level, where it will stand.
func renderMarkdown(markdown string) template.HTML {
	source := []byte(markdown)
	doc := pageRenderer.Parser().Parse(text.NewReader(source))
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if h, ok := n.(*ast.Heading); ok && entering {
			h.Level = min(6, h.Level+3)
		}
		return ast.WalkContinue, nil
	})
	var out bytes.Buffer
	if err != nil || pageRenderer.Renderer().Render(&out, source, doc) != nil {
		return template.HTML("<pre>" + template.HTMLEscapeString(markdown) + "</pre>") //nolint:gosec // escaped
	}
	return template.HTML(out.String()) //nolint:gosec // goldmark leaves raw HTML out
}
