package graph

// network is a flow network over the part of a graph that lies between starts and a target.
type network struct {
	head []int32 // first arc of each vertex, -1 for none
	next []int32
	to   []int32
	room []int32 // what still fits through an arc
	edge []int32 // the graph's edge of an arc, -1 for none

	level, at []int32
}

const unlimited = 1 << 29

func newNetwork(vertices int) *network {
	n := &network{head: make([]int32, vertices), level: make([]int32, vertices), at: make([]int32, vertices)}
	for i := range n.head {
		n.head[i] = -1
	}
	return n
}

// arc adds an arc and its reverse, through which flow can be taken back.
func (n *network) arc(from, to, room, edge int32) {
	for _, a := range [2][4]int32{{from, to, room, edge}, {to, from, 0, -1}} {
		n.next = append(n.next, n.head[a[0]])
		n.head[a[0]] = int32(len(n.to)) //nolint:gosec // no more than twice the edges
		n.to, n.room, n.edge = append(n.to, a[1]), append(n.room, a[2]), append(n.edge, a[3])
	}
}

// flow pushes as much as fits from source to sink and returns how much, or unlimited if an arc without limit is all that lies
// between (E. A. Dinic, 1970: shortest augmenting ways, found level by level).
func (n *network) flow(source, sink int32) int32 {
	var total int32
	for n.levels(source, sink) {
		copy(n.at, n.head)
		for {
			pushed := n.push(source, sink)
			if pushed == 0 {
				break
			}
			if total += pushed; total >= unlimited {
				return unlimited
			}
		}
	}
	return total
}

// levels numbers the vertices by their distance from the source, and says whether the sink can still be reached.
func (n *network) levels(source, sink int32) bool {
	for i := range n.level {
		n.level[i] = -1
	}
	n.level[source] = 0
	queue := []int32{source}
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		for a := n.head[v]; a >= 0; a = n.next[a] {
			if w := n.to[a]; n.room[a] > 0 && n.level[w] < 0 {
				n.level[w] = n.level[v] + 1
				queue = append(queue, w)
			}
		}
	}
	return n.level[sink] >= 0
}

// push finds one way from source to sink along the levels and fills it. It keeps its own stack, because ways may be long.
func (n *network) push(source, sink int32) int32 {
	var way []int32
	v := source
	for v != sink {
		a := n.at[v]
		for a >= 0 && (n.room[a] == 0 || n.level[n.to[a]] != n.level[v]+1) {
			a = n.next[a]
		}
		n.at[v] = a
		if a >= 0 {
			way = append(way, a)
			v = n.to[a]
			continue
		}
		if v == source {
			return 0
		}
		last := way[len(way)-1]
		way = way[:len(way)-1]
		v = n.to[last^1]
		n.at[v] = n.next[last] // a dead end
	}
	least := int32(unlimited)
	for _, a := range way {
		least = min(least, n.room[a])
	}
	for _, a := range way {
		n.room[a] -= least
		n.room[a^1] += least
	}
	return least
}

// cut returns the edges that a full flow runs through, nearest to the source.
func (n *network) cut(source int32) []int32 {
	reached := make([]bool, len(n.head))
	reached[source] = true
	queue := []int32{source}
	for len(queue) > 0 {
		v := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for a := n.head[v]; a >= 0; a = n.next[a] {
			if w := n.to[a]; n.room[a] > 0 && !reached[w] {
				reached[w] = true
				queue = append(queue, w)
			}
		}
	}
	var edges []int32
	for a := range n.to {
		if a&1 == 0 && n.edge[a] >= 0 && reached[n.to[a^1]] && !reached[n.to[a]] {
			edges = append(edges, n.edge[a])
		}
	}
	return edges
}

// cutGrants returns the cheapest grants without which no start reaches the target, as indexes into the grants, and false if
// some start reaches it in a way that rests on no grant. Edges that are not open are not looked at.
func (g *Graph) cutGrants(starts []int32, target int32, dist []int32, open func(*edge) bool) (grants []int32, ok bool) {
	reached := g.reachable(starts, nil)
	source := int32(len(g.vertices)) //nolint:gosec // the number of vertices is checked when they are made
	n := newNetwork(len(g.vertices) + 1)
	for i := range g.edges {
		e := &g.edges[i]
		if !reached[e.from] || dist[e.to] >= farAway || open != nil && !open(e) {
			continue
		}
		room := int32(unlimited)
		if e.grant > 0 {
			room = int32(g.grants[e.grant].Cost) //nolint:gosec // small
		}
		n.arc(e.from, e.to, room, int32(i))
	}
	for _, s := range starts {
		n.arc(source, s, unlimited, -1)
	}
	if n.flow(source, target) >= unlimited {
		return nil, false
	}
	seen := map[int32]bool{}
	for _, i := range n.cut(source) {
		if c := g.edges[i].grant; !seen[c] {
			seen[c] = true
			grants = append(grants, c)
		}
	}
	return g.needed(grants, starts, target, open), true
}

// needed leaves out of a cut what is not needed: several edges may rest on one grant, which the flow does not know. Then the
// cut may not be the cheapest, but nothing in it is idle.
func (g *Graph) needed(grants, starts []int32, target int32, open func(*edge) bool) []int32 {
	gone := map[int32]bool{}
	shared := false
	count := map[int32]int{}
	for i := range g.edges {
		if c := g.edges[i].grant; c > 0 {
			count[c]++
		}
	}
	for _, c := range grants {
		gone[c] = true
		shared = shared || count[c] > 1
	}
	if !shared {
		return grants
	}
	kept := grants[:0:0]
	for _, c := range grants {
		delete(gone, c)
		if g.reached(starts, gone, open)[target] {
			gone[c] = true
			kept = append(kept, c)
		}
	}
	return kept
}

// reachable marks what can be reached from starts without the grants that are gone.
func (g *Graph) reachable(starts []int32, gone map[int32]bool) []bool {
	return g.reached(starts, gone, nil)
}

// reached marks what can be reached from starts by open edges without the grants that are gone.
func (g *Graph) reached(starts []int32, gone map[int32]bool, open func(*edge) bool) []bool {
	reached := make([]bool, len(g.vertices))
	var queue []int32
	for _, s := range starts {
		if !reached[s] {
			reached[s] = true
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		v := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, i := range g.out.of(v) {
			e := &g.edges[i]
			if !reached[e.to] && (e.grant == 0 || !gone[e.grant]) && (open == nil || open(e)) {
				reached[e.to] = true
				queue = append(queue, e.to)
			}
		}
	}
	return reached
}
