package graph

import (
	"embed"
	"strings"
)

//go:embed pages/*.md
var pages embed.FS

// Page is the page of a kind of step in Markdown: what happens, what it needs, what stops it.
func (k *Kind) Page() string {
	text, err := pages.ReadFile("pages/" + strings.ReplaceAll(k.ID, "-", "_") + ".md")
	if err != nil {
		return "" // a test has a page for each
	}
	return string(text)
}
