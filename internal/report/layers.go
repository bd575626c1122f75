package report

import (
	"cmp"
	"slices"
)

// layering places the nodes of a directed graph in layers from top to bottom, so that edges lead downwards and cross little
// (K. Sugiyama and others, "Methods for Visual Understanding of Hierarchical System Structures", 1981). Edges over several
// layers get a place in each, as if they had a node there.
type layering struct {
	layer []int   // of each node, bends after the real ones
	rows  [][]int // nodes from left to right, by layer
	// routes are the nodes that each edge goes through, from one end to the other.
	routes [][]int
}

// newLayering lays out nodes 0 to n-1. Edges that close a circle lead upwards.
func newLayering(n int, edges [][2]int) *layering {
	l := &layering{layer: make([]int, n)}
	down := forward(n, edges)
	for range n { // no way down is longer
		moved := false
		for _, e := range down {
			if l.layer[e[1]] <= l.layer[e[0]] {
				l.layer[e[1]], moved = l.layer[e[0]]+1, true
			}
		}
		if !moved {
			break
		}
	}
	l.lift(n, down)
	for v, layer := range l.layer {
		l.put(v, layer)
	}
	for _, e := range edges {
		l.routes = append(l.routes, l.route(e))
	}
	l.untangle()
	return l
}

// lift moves nodes without a predecessor down to just above their successors, so that paths of different lengths end alike.
func (l *layering) lift(n int, down [][2]int) {
	for v := range n {
		least, enters := -1, false
		for _, e := range down {
			if e[0] == v && (least < 0 || l.layer[e[1]] < least) {
				least = l.layer[e[1]]
			}
			enters = enters || e[1] == v
		}
		if !enters && least > 0 {
			l.layer[v] = least - 1
		}
	}
}

// forward leaves out the edges that close a circle, and loops.
func forward(n int, edges [][2]int) [][2]int {
	out := make([][]int, n)
	for i, e := range edges {
		out[e[0]] = append(out[e[0]], i)
	}
	const fresh, open, done = 0, 1, 2
	state := make([]int, n)
	var kept [][2]int
	var visit func(v int)
	visit = func(v int) {
		state[v] = open
		for _, i := range out[v] {
			to := edges[i][1]
			if state[to] == open {
				continue
			}
			kept = append(kept, edges[i])
			if state[to] == fresh {
				visit(to)
			}
		}
		state[v] = done
	}
	for v := range n {
		if state[v] == fresh {
			visit(v)
		}
	}
	return kept
}

func (l *layering) put(v, layer int) {
	for len(l.rows) <= layer {
		l.rows = append(l.rows, nil)
	}
	l.rows[layer] = append(l.rows[layer], v)
}

// route makes a bend in every layer between the ends of an edge.
func (l *layering) route(e [2]int) []int {
	route := []int{e[0]}
	step := cmp.Compare(l.layer[e[1]], l.layer[e[0]])
	for layer := l.layer[e[0]] + step; step != 0 && layer != l.layer[e[1]]; layer += step {
		bend := len(l.layer)
		l.layer = append(l.layer, layer)
		l.put(bend, layer)
		route = append(route, bend)
	}
	return append(route, e[1])
}

// untangle orders each layer by where its neighbours stand, down and up a few times.
func (l *layering) untangle() {
	neighbours := make([][]int, len(l.layer))
	for _, r := range l.routes {
		for i := range r[1:] {
			neighbours[r[i]] = append(neighbours[r[i]], r[i+1])
			neighbours[r[i+1]] = append(neighbours[r[i+1]], r[i])
		}
	}
	const sweeps = 8
	for sweep := range sweeps {
		for i := range l.rows {
			row := i
			if sweep%2 == 1 {
				row = len(l.rows) - 1 - i
			}
			l.order(row, neighbours)
		}
	}
}

// order sorts one layer by the middle of each node's neighbours in other layers.
func (l *layering) order(row int, neighbours [][]int) {
	at := make([]float64, len(l.layer))
	for _, nodes := range l.rows {
		for i, v := range nodes {
			at[v] = (float64(i) + 0.5) / float64(len(nodes))
		}
	}
	middle := make([]float64, len(l.layer))
	for _, v := range l.rows[row] {
		middle[v] = at[v]
		if ns := neighbours[v]; len(ns) > 0 {
			middle[v] = 0
			for _, n := range ns {
				middle[v] += at[n] / float64(len(ns))
			}
		}
	}
	slices.SortStableFunc(l.rows[row], func(a, b int) int { return cmp.Compare(middle[a], middle[b]) })
}
