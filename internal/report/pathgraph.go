package report

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/graph"
)

// pathGraph is the paths to one target, or all, put together: each place once, and each step between two places once.
type pathGraph struct {
	places []pathPlace
	steps  []pathStep
}

type pathPlace struct {
	id      access.Identity
	starts  int // entry points that are told here
	target  bool
	kind    string // for people
	name    string
	cluster string
}

type pathStep struct {
	from, to int
	kinds    []string // ids of steps
	possible bool     // none of them is certain
	cut      bool
}

// newPathGraph puts paths together.
func newPathGraph(paths []graph.Path) *pathGraph {
	g := &pathGraph{}
	index := map[access.Identity]int{}
	place := func(id access.Identity) int {
		n, known := index[id]
		if !known {
			n = len(g.places)
			index[id] = n
			g.places = append(g.places, pathPlace{id: id, kind: kindText(id), name: visible(graph.Name(id)), cluster: visible(id.Cluster)})
		}
		return n
	}
	between := map[[2]int]int{}
	for i := range paths {
		p := &paths[i]
		from := place(p.From)
		g.places[from].starts = max(g.places[from].starts, p.Starts)
		for _, h := range p.Hops {
			a, b := place(h.From), place(h.To)
			n, known := between[[2]int{a, b}]
			if !known {
				n = len(g.steps)
				between[[2]int{a, b}] = n
				g.steps = append(g.steps, pathStep{from: a, to: b, possible: true})
			}
			s := &g.steps[n]
			if kind := visible(h.Step); !slices.Contains(s.kinds, kind) {
				s.kinds = append(s.kinds, kind)
			}
			s.possible, s.cut = s.possible && !h.Certain, s.cut || h.Cut
		}
		g.places[place(p.To)].target = true
	}
	return g
}

// kindTexts are the kinds of places as people call them.
var kindTexts = map[access.Kind]string{
	access.KindIAMRole: "IAM role", access.KindIAMUser: "IAM user", access.KindRoot: "account", access.KindPrincipal: "AWS principal", access.KindServiceAccount: "service account",
	access.KindPod: "pod", access.KindWorkload: "workload", access.KindUser: "Kubernetes user", access.KindGroup: "Kubernetes group",
	graph.KindClusterAdmin: "target", graph.KindSecrets: "target", graph.KindSecret: "Secret", graph.KindAccountAdmin: "target", graph.KindNode: "node",
	graph.KindOutside: "outside", graph.KindAny: "one of many",
}

func kindText(id access.Identity) string {
	if text, ok := kindTexts[id.Kind]; ok {
		return text
	}
	return visible(string(id.Kind))
}

// label is a place in lines: its name, where it is, and how many more begin there.
func (p *pathPlace) label() []string {
	lines := []string{p.name}
	if p.cluster != "" {
		lines = append(lines, "cluster "+p.cluster)
	}
	if p.starts > 1 {
		lines = append(lines, fmt.Sprintf("and %d more", p.starts-1))
	}
	return lines
}

// text is a step in words.
func (s *pathStep) text() string {
	text := strings.Join(s.kinds, ", ")
	if s.possible {
		text += " (possible)"
	}
	return text
}
