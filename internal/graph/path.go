package graph

import (
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
)

// Path is an attack path: a chain of steps from an entry point to a target.
type Path struct {
	From access.Identity `json:"from"`
	To   access.Identity `json:"to"`
	// Certain says that every step is; else some depend on what the snapshot does not tell, see the conditions of the hops.
	Certain bool `json:"certain"`
	// Starts is how many entry points have the path, From being one of them; the first of the others are in AlsoFrom.
	Starts   int               `json:"starts"`
	AlsoFrom []access.Identity `json:"alsoFrom,omitempty"`
	// PossibleStarts is how many more only may have a path that is certain for these.
	PossibleStarts int   `json:"possibleStarts,omitempty"`
	Hops           []Hop `json:"hops"`
}

// Hop is one step of a path.
type Hop struct {
	From access.Identity `json:"from"`
	To   access.Identity `json:"to"`
	// Step is the id of its kind.
	Step      string             `json:"step"`
	Technique string             `json:"technique"`
	Text      string             `json:"text"`
	Certain   bool               `json:"certain"`
	Evidence  []finding.Evidence `json:"evidence"`
	// Conditions say what decides a step that is only possible.
	Conditions []string `json:"conditions,omitempty"`
	// Cut says that the step rests on a choke point.
	Cut bool `json:"cut,omitempty"`
}

// path tells a chain of edges as hops, one for each step: from the last place with a name before it to the last one before
// the next step. Places in between count where there is no other. The grants of a cut are marked.
func (g *Graph) path(start int32, edges []int32, cut map[int32]bool) Path {
	p := Path{From: g.vertices[start].id, To: g.vertices[start].id, Certain: true, Starts: 1, Hops: []Hop{}}
	var begins []int // the index of the edge with which each hop begins
	named, between := 0, 0
	for n, i := range edges {
		e := &g.edges[i]
		if e.kind > 0 {
			switch {
			case len(begins) == 0:
				begins = append(begins, 0)
			case named > begins[len(begins)-1]:
				begins = append(begins, named)
			case between > begins[len(begins)-1]:
				begins = append(begins, between)
			default:
				begins = append(begins, n)
			}
			named, between = 0, 0
		}
		switch v := &g.vertices[e.to]; {
		case v.id.Kind == "":
		case v.passing, v.id.Kind == access.KindGroup: // who is in a group says more than the group
			between = n + 1
		default:
			named = n + 1
		}
	}
	for h, from := range begins {
		to := len(edges)
		if h+1 < len(begins) {
			to = begins[h+1]
		}
		p.Hops = append(p.Hops, g.hop(edges[from:to], cut))
		p.Certain = p.Certain && p.Hops[h].Certain
	}
	if len(p.Hops) > 0 {
		p.Hops[0].From = p.From
		p.To = p.Hops[len(p.Hops)-1].To
	}
	return p
}

// hop tells a run of edges as one step.
func (g *Graph) hop(edges []int32, cut map[int32]bool) Hop {
	h := Hop{From: g.vertices[g.edges[edges[0]].from].id, To: g.vertices[g.edges[edges[len(edges)-1]].to].id, Certain: true, Evidence: []finding.Evidence{}}
	for _, i := range edges {
		e := &g.edges[i]
		var f Fact
		if e.fact > 0 {
			f = g.facts[e.fact]()
		}
		if e.kind > 0 {
			h.Step, h.Technique, h.Text = Kinds[e.kind-1].ID, Kinds[e.kind-1].Technique, f.Text
		}
		for _, one := range f.Evidence {
			if !slices.Contains(h.Evidence, one) {
				h.Evidence = append(h.Evidence, one)
			}
		}
		h.Cut = h.Cut || cut[e.grant]
		if e.possible {
			h.Certain = false
			h.Conditions = append(h.Conditions, f.If...)
		}
	}
	return h
}

// signature tells paths apart as they are told, whoever takes them.
func (p *Path) signature() string {
	var b strings.Builder
	for i := range p.Hops {
		h := &p.Hops[i]
		b.WriteString(h.Step + "\x00" + string(h.To.Kind) + "\x00" + h.To.Cluster + "\x00" + h.To.String() + h.To.Namespace + "\x00" + h.To.Name + "\x01")
	}
	return b.String()
}

// detours says whether a path is another from the same entry point with steps in between that it could do without.
func (p *Path) detours(q *Path) bool {
	if p.From != q.From || len(q.Hops) >= len(p.Hops) || p.Certain && !q.Certain {
		return false
	}
	n := 0
	for i := range p.Hops {
		if n < len(q.Hops) && p.Hops[i].Step == q.Hops[n].Step && p.Hops[i].To == q.Hops[n].To {
			n++
		}
	}
	return n == len(q.Hops)
}
