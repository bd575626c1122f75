package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"

	"drawbridge/internal/finding"
	"drawbridge/internal/graph"
)

//go:embed assets/paths.html
var pathSource string

//go:embed assets/paths.css
var pathStyle string

var pathTemplate = pageTemplate("paths", pathSource)

// pathPage is everything the template shows. All text in it has been through visible.
type pathPage struct {
	CSP, Title, Verdict, Tool, Stamp, Time, Footer, Gaps string
	CSS                                                  template.CSS
	Targets                                              []pathTarget
}

type pathTarget struct {
	Anchor, Name, Where, Verdict, Caption string
	Drawing                               *drawing
	Paths                                 []pathItem
	Chokes                                []pathChoke
	Notes                                 []string
}

type pathItem struct {
	N                   int
	From, Where, Others string
	Certain             bool
	Hops                []pathHop
}

type pathHop struct {
	Kind, Name, Where, Step, Text string
	Technique                     *htmlTechnique
	Certain, Cut                  bool
	Conditions                    []string
	Evidence                      []finding.Evidence
}

type pathChoke struct {
	Text, Stops, Fix string
}

// writePathHTML writes one page without a script: drawings, paths, and what cuts them.
func writePathHTML(w io.Writer, r *graph.Result) error {
	style := htmlStyle + pathStyle
	p := pathPage{
		CSP: contentPolicy(style, ""), CSS: template.CSS(style), //nolint:gosec // embedded
		Title: "Attack paths", Tool: visible(r.Tool.Version), Stamp: r.Time.UTC().Format(time.RFC3339), Time: r.Time.UTC().Format("2 January 2006, 15:04 UTC"),
	}
	if r.From != "" {
		p.Title += " from " + visible(r.From)
	}
	p.Verdict = visible(pathVerdict(r))
	p.Footer = fmt.Sprintf("Made by drawbridge %s from %s. This page loads nothing from anywhere.", p.Tool, plural(len(r.Clusters), "cluster"))
	if n := len(r.Gaps); n > 0 {
		p.Gaps = plural(n, "area") + " could not be read: paths through what is not known are shown as possible, others may be missing."
	}
	for i, x := range r.Targets {
		p.Targets = append(p.Targets, newPathTarget(r, i, x))
	}
	if err := pathTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

// pathVerdict is the sentence for those who read only one.
func pathVerdict(r *graph.Result) string {
	reached, possible := 0, 0
	for _, t := range r.Targets {
		switch {
		case t.Certain > 0:
			reached++
		case t.Possible > 0:
			possible++
		}
	}
	text := fmt.Sprintf("%s can be reached", of(reached, len(r.Targets), "target"))
	if possible > 0 {
		text += fmt.Sprintf(", %d more may be", possible)
	}
	return text + "."
}

func of(n, all int, noun string) string { return fmt.Sprintf("%d of %s", n, plural(all, noun)) }

func newPathTarget(r *graph.Result, n int, x graph.Reached) pathTarget {
	t := pathTarget{Anchor: fmt.Sprintf("target-%d", n+1), Name: visible(graph.Name(x.To)), Where: visible(x.To.Cluster), Verdict: reachedText(x)}
	var paths []graph.Path
	for _, p := range r.Paths {
		if p.To == x.To {
			paths = append(paths, p)
			t.Paths = append(t.Paths, newPathItem(len(paths), &p))
		}
	}
	if len(paths) > 0 {
		t.Drawing = draw(newPathGraph(paths))
		t.Caption = fmt.Sprintf("The %s below in one drawing, from the entry points at the top to %s.", plural(len(paths), "path"), t.Name)
	}
	for _, c := range r.ChokePoints {
		if c.To == x.To {
			t.Chokes = append(t.Chokes, pathChoke{Text: visible(c.Text), Stops: plural(c.Stops, "entry point"), Fix: visibleText(c.Remediation.Text)})
		}
	}
	t.Notes = cutNotes(x)
	return t
}

// reachedText says how many reach a target.
func reachedText(x graph.Reached) string {
	text := of(x.Certain, x.Starts, "entry point") + " reach it"
	if x.Certain == 1 {
		text = of(x.Certain, x.Starts, "entry point") + " reaches it"
	}
	if x.Possible > 0 {
		text += fmt.Sprintf(", %d more may", x.Possible)
	}
	return text
}

// cutNotes say what choke points do not cut.
func cutNotes(x graph.Reached) []string {
	var notes []string
	if x.Uncut {
		notes = append(notes, "No grant can be taken away that cuts all paths: some path rests on none.")
	}
	if x.Unread {
		notes = append(notes, "Paths that lead through what was not read are not cut.")
	}
	return notes
}

func newPathItem(n int, p *graph.Path) pathItem {
	item := pathItem{N: n, From: visible(graph.Name(p.From)), Where: visible(p.From.Cluster), Certain: p.Certain}
	if len(p.AlsoFrom) > 0 {
		var names []string
		for i, id := range p.AlsoFrom {
			if i == fewStarts {
				break
			}
			names = append(names, visible(graph.Name(id)))
		}
		item.Others = strings.Join(names, ", ") + othersText(p.Starts-1-len(names), p.PossibleStarts)
	}
	cluster := p.From.Cluster
	for _, h := range p.Hops {
		hop := pathHop{Kind: kindText(h.To), Name: visible(graph.Name(h.To)), Step: visible(h.Step), Text: visible(h.Text), Certain: h.Certain, Cut: h.Cut}
		if h.To.Cluster != "" && h.To.Cluster != cluster {
			hop.Where, cluster = visible(h.To.Cluster), h.To.Cluster
		}
		if h.Technique != "" {
			t := newTechnique(h.Technique)
			hop.Technique = &t
		}
		for _, c := range h.Conditions {
			hop.Conditions = append(hop.Conditions, visible(c))
		}
		for _, e := range h.Evidence {
			hop.Evidence = append(hop.Evidence, finding.Evidence{Text: visible(e.Text), Source: visible(e.Source)})
		}
		item.Hops = append(item.Hops, hop)
	}
	return item
}

// fewStarts is how many further entry points of a path are named in print.
const fewStarts = 8
