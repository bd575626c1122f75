// Package graph is who can become whom across the border between AWS and Kubernetes: every identity of a snapshot, every way
// from one to another, the shortest attack paths from an entry point to a target, and the smallest set of grants that cuts
// them. Its facts are those of package access; it judges nothing, reads nothing and changes nothing.
package graph

import (
	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// Graph is compact: what reaches many things alike goes through one vertex in between ("any pod of namespace x"), so that
// edges grow with the objects of a snapshot and not with their square.
type Graph struct {
	all      *access.Access
	snapshot *model.Snapshot

	vertices []vertex
	edges    []edge
	facts    []func() Fact
	grants   []Grant
	out, in  index

	starts  map[int32]bool // identities that somebody may be, in their own right
	outside []int32        // whoever stands outside of the snapshot
	pods    []int32        // running pods, by workload
	podAt   map[*model.Pod]int32
}

// vertex is a place that an attacker can get to.
type vertex struct {
	id access.Identity
	// passing says that it is a place in between, named only where nothing better is near: "any pod of namespace x".
	passing bool
	// part says that it is one of several places of one identity, and not the one that somebody means by its name.
	part bool
}

// edge leads from one vertex to the next. Only edges with a kind are steps: the others say what comes with a place.
type edge struct {
	from, to int32
	fact     int32 // into facts, 0 is none
	grant    int32 // into grants, 0 is one that nobody can take away
	kind     uint8 // into Kinds, counted from 1; 0 is no step
	possible bool
}

// Fact is what an edge rests on.
type Fact struct {
	// Text completes "can …" for a step.
	Text     string
	Evidence []finding.Evidence
	// If is what decides a step that is only possible.
	If []string
}

// Grant is something that can be taken away, and then the edges that rest on it are gone.
type Grant struct {
	// Cost is what taking it away costs others, see the weights of this package.
	Cost int
	what func() Removal
}

// index lists the edges of each vertex.
type index struct{ at, edges []int32 }

func (x *index) of(v int32) []int32 { return x.edges[x.at[v]:x.at[v+1]] }

func newIndex(vertices int, edges []edge, end func(*edge) int32) index {
	x := index{at: make([]int32, vertices+1), edges: make([]int32, len(edges))}
	for i := range edges {
		x.at[end(&edges[i])+1]++
	}
	for v := range vertices {
		x.at[v+1] += x.at[v]
	}
	next := append([]int32(nil), x.at[:vertices]...)
	for i := range edges {
		v := end(&edges[i])
		x.edges[next[v]] = int32(i)
		next[v]++
	}
	return x
}

// freeze makes the graph ready for searching.
func (g *Graph) freeze() {
	g.out = newIndex(len(g.vertices), g.edges, func(e *edge) int32 { return e.from })
	g.in = newIndex(len(g.vertices), g.edges, func(e *edge) int32 { return e.to })
}

// weight is the length of an edge: a step counts one, and being only possible more than any number of steps, so that what is
// certain comes before what is possible, and short before long.
func (e *edge) weight() int32 {
	var w int32
	if e.kind > 0 {
		w = 1
	}
	if e.possible {
		w += doubt
	}
	return w
}

const (
	doubt   = 1 << 12
	farAway = 1 << 30
)
