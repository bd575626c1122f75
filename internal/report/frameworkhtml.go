package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"drawbridge/internal/finding"
)

//go:embed assets/framework.html
var frameworkSource string

var frameworkTemplate = pageTemplate("framework", frameworkSource)

type frameworkPage struct {
	CSP, Title, Verdict, Meaning, Source, Tool, Stamp, Time, Footer string
	CSS                                                             template.CSS
	Bar                                                             template.HTML
	Counts                                                          []frameworkCount
	Controls                                                        []frameworkRow
}

type frameworkCount struct {
	Class, Words string
	N            int
}

type frameworkRow struct {
	ID, Title, Class, Words string
	Checks                  []string
	Failed                  int
	Items                   []htmlFinding
}

// frameworkHTML writes one page with no script at all.
func frameworkHTML(w io.Writer, r finding.FrameworkReport) error {
	v := &view{Result: &finding.Result{}, names: map[string]string{}}
	names := clusterLabels(r)
	p := frameworkPage{
		CSP: contentPolicy(htmlStyle, ""), CSS: template.CSS(htmlStyle), //nolint:gosec // embedded
		Title: visible(frameworkHeading(r)), Verdict: visible(frameworkVerdict(r)), Meaning: frameworkMeaning, Source: visible(r.Source),
		Tool: visible(r.Tool.Version), Stamp: r.Time.UTC().Format(time.RFC3339), Time: r.Time.UTC().Format("2 January 2006, 15:04 UTC"),
	}
	p.Footer = fmt.Sprintf("Made by drawbridge %s from %s. This page loads nothing from anywhere.", p.Tool, plural(len(r.Clusters), "cluster"))
	var parts []part
	for _, s := range controlStatuses {
		p.Counts = append(p.Counts, frameworkCount{string(s), statusWords(s), controlsWith(r, s)})
		parts = append(parts, part{string(s), statusWords(s), controlsWith(r, s)})
	}
	p.Bar = stackOf(parts, "no controls")
	for _, c := range r.Controls {
		row := frameworkRow{ID: visible(c.ID), Title: visible(c.Title), Class: "unknown", Words: statusWords(c.Status)}
		for _, s := range controlStatuses {
			if c.Status == s {
				row.Class = string(s)
			}
		}
		for _, id := range c.Checks {
			row.Checks = append(row.Checks, visible(id))
		}
		for _, f := range c.Findings {
			item := newHTMLFinding(v, f)
			item.Cluster = visible(findingWord(f) + ", " + names(f.Cluster))
			item.Anchor = "" // a finding may bear on several controls
			if f.Status == finding.Fail {
				row.Failed++
			}
			row.Items = append(row.Items, item)
		}
		p.Controls = append(p.Controls, row)
	}
	if err := frameworkTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

// part is one part of a bar.
type part struct {
	Class, Words string
	N            int
}

// stackOf draws counts as one bar of proportional parts, each wide enough to be seen. Classes and words are ours.
func stackOf(parts []part, none string) template.HTML {
	const width, least, between = 1000.0, 12.0, 3.0
	total, shown, words := 0, 0, []string{}
	for _, p := range parts {
		if p.N > 0 {
			total += p.N
			shown++
			words = append(words, fmt.Sprintf("%d %s", p.N, p.Words))
		}
	}
	if shown == 0 {
		words = []string{none}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="stack" viewBox="0 0 %.0f 10" preserveAspectRatio="none" role="img" aria-label="%s">`, width, strings.Join(words, ", "))
	room := width - float64(shown)*least - float64(max(0, shown-1))*between
	x := 0.0
	for _, p := range parts {
		if p.N <= 0 {
			continue
		}
		w := least + room*float64(p.N)/float64(total)
		fmt.Fprintf(&b, `<rect class="%s" x="%.1f" y="0" width="%.1f" height="10"/>`, p.Class, x, w)
		x += w + between
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // numbers, and classes and words of ours
}
