package graph

import (
	"slices"
)

// distances are the lengths of the shortest ways from each vertex to a target, by edges that are open: Dijkstra's algorithm,
// backwards.
func (g *Graph) distances(target int32, open func(*edge) bool) []int32 {
	d := make([]int32, len(g.vertices))
	for i := range d {
		d[i] = farAway
	}
	d[target] = 0
	var q queue
	q.push(item{0, target})
	for len(q) > 0 {
		top := q.pop()
		if top.key > int64(d[top.v]) {
			continue
		}
		for _, i := range g.in.of(top.v) {
			e := &g.edges[i]
			if n := d[top.v] + e.weight(); n < d[e.from] && (open == nil || open(e)) {
				d[e.from] = n
				q.push(item{int64(n), e.from})
			}
		}
	}
	return d
}

// item is a vertex in a queue.
type item struct {
	key int64
	v   int32
}

// queue is a binary heap, the smallest key first.
type queue []item

func (q *queue) push(x item) {
	*q = append(*q, x)
	h := *q
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if h[up].key <= h[i].key {
			break
		}
		h[up], h[i] = h[i], h[up]
		i = up
	}
}

func (q *queue) pop() item {
	h := *q
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			break
		}
		if down+1 < last && h[down+1].key < h[down].key {
			down++
		}
		if h[i].key <= h[down].key {
			break
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
	*q = h
	return top
}

// yen finds one path after the other without circles, shortest first (J. Y. Yen, "Finding the K Shortest Loopless Paths in a
// Network", Management Science 17, 1971). The distances to the target are known, so that each search for a detour goes
// straight there (A*) and looks at little more than the detour itself; gonum's implementation does not use them and is
// slower by orders of magnitude on large graphs: see BenchmarkYen.
type yen struct {
	g      *Graph
	target int32
	dist   []int32
	open   func(*edge) bool
	// doors are where paths begin. The first number of a path is its door, the others are edges.
	doors []door
	found [][]int32
	waits []detour

	cost  []int32 // of the current search, valid where stamp says so
	came  []int32 // the edge that led here, or -1-door
	stamp []int32
	round int32
	// shut are the vertices, edges and doors that the current search goes around, likewise.
	shutV, shutE, shutD []int32
}

// door is a first edge of paths, with what it costs to get through it.
type door struct{ edge, cost int32 }

// detour is a path that was found and not yet taken.
type detour struct {
	cost int64
	path []int32
}

func (g *Graph) newYen(target int32, dist []int32, doors []door, open func(*edge) bool) *yen {
	n := len(g.vertices)
	return &yen{
		g: g, target: target, dist: dist, doors: doors, open: open, cost: make([]int32, n), came: make([]int32, n), stamp: make([]int32, n),
		shutV: make([]int32, n), shutE: make([]int32, len(g.edges)), shutD: make([]int32, len(doors)),
	}
}

// next returns the next path, or false.
func (y *yen) next() ([]int32, bool) {
	if len(y.found) == 0 {
		y.round++
		y.offer(0, nil)
	} else {
		y.detours(y.found[len(y.found)-1])
	}
	if len(y.waits) == 0 {
		return nil, false
	}
	best := 0
	for i := range y.waits {
		if d, b := &y.waits[i], &y.waits[best]; d.cost < b.cost || d.cost == b.cost && slices.Compare(d.path, b.path) < 0 {
			best = i
		}
	}
	p := y.waits[best].path
	y.waits = slices.Delete(y.waits, best, best+1)
	y.found = append(y.found, p)
	return p, true
}

// detours leaves the last path at each of its vertices in turn, not by a door or edge that a path with the same beginning
// took.
func (y *yen) detours(last []int32) {
	var cost int64
	for i := range last {
		y.round++
		for j, x := range last[:i] {
			e := x
			if j == 0 {
				e = y.doors[x].edge
			}
			if j < i-1 {
				y.shutV[y.g.edges[e].to] = y.round
			}
		}
		for _, p := range y.found {
			if len(p) > i && slices.Equal(p[:i], last[:i]) {
				if i == 0 {
					y.shutD[p[0]] = y.round
				} else {
					y.shutE[p[i]] = y.round
				}
			}
		}
		y.offer(cost, last[:i])
		if i == 0 {
			cost += int64(y.doors[last[0]].cost)
		} else {
			cost += int64(y.g.edges[last[i]].weight())
		}
	}
}

// offer searches for the shortest way on from the end of a beginning that costs so much.
func (y *yen) offer(cost int64, beginning []int32) {
	more, rest, ok := y.shortest(beginning)
	if !ok {
		return
	}
	d := detour{cost + more, slices.Concat(beginning, rest)}
	if !slices.ContainsFunc(y.waits, func(w detour) bool { return slices.Equal(w.path, d.path) }) {
		y.waits = append(y.waits, d)
	}
}

// shortest searches from the end of a beginning, or through all doors, to the target around what is shut. Among equals it
// goes on where it has come furthest.
func (y *yen) shortest(beginning []int32) (cost int64, rest []int32, ok bool) {
	g := y.g
	var q queue
	reach := func(v, cost, by int32) {
		if y.dist[v] >= farAway || y.shutV[v] == y.round || y.stamp[v] == y.round && cost >= y.cost[v] {
			return
		}
		y.cost[v], y.came[v], y.stamp[v] = cost, by, y.round
		q.push(item{int64(cost+y.dist[v])<<32 + int64(y.dist[v]), v})
	}
	from := int32(-1)
	switch len(beginning) {
	case 0:
		for i, d := range y.doors {
			if y.shutD[i] != y.round {
				reach(g.edges[d.edge].to, d.cost, -1-int32(i))
			}
		}
	case 1:
		from = g.edges[y.doors[beginning[0]].edge].to
	default:
		from = g.edges[beginning[len(beginning)-1]].to
	}
	if from == y.target {
		return 0, nil, false // the whole path is the beginning
	}
	if from >= 0 {
		reach(from, 0, -1)
	}
	for len(q) > 0 {
		top := q.pop()
		v := top.v
		if top.key > int64(y.cost[v]+y.dist[v])<<32+int64(y.dist[v]) {
			continue
		}
		if v == y.target {
			return int64(y.cost[v]), y.back(v, from), true
		}
		for _, i := range g.out.of(v) {
			if e := &g.edges[i]; y.shutE[i] != y.round && (y.open == nil || y.open(e)) {
				reach(e.to, y.cost[v]+e.weight(), i)
			}
		}
	}
	return 0, nil, false
}

// back follows a search from its end to where it began.
func (y *yen) back(v, from int32) []int32 {
	var p []int32
	for v != from {
		by := y.came[v]
		if by < 0 {
			p = append(p, -1-by)
			break
		}
		p = append(p, by)
		v = y.g.edges[by].from
	}
	slices.Reverse(p)
	return p
}
