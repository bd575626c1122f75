package graph

import (
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/plan"
)

// Answer says how entry points reach targets.
type Answer struct {
	Targets     []Reached    `json:"targets"`
	Paths       []Path       `json:"paths"`
	ChokePoints []ChokePoint `json:"chokePoints"`
}

// Reached says how many entry points reach a target.
type Reached struct {
	To access.Identity `json:"to"`
	// Starts is how many entry points there are; Certain of them reach the target for certain, Possible more only if what is
	// not known makes them.
	Starts   int `json:"starts"`
	Certain  int `json:"certain"`
	Possible int `json:"possible"`
	// Uncut says that some reach it in a way that no grant can cut; Unread that some may through what was not read, which the
	// choke points leave aside.
	Uncut  bool `json:"uncut,omitempty"`
	Unread bool `json:"unread,omitempty"`
}

// ChokePoint is a grant of the smallest set without which no entry point reaches a target.
type ChokePoint struct {
	To     access.Identity `json:"to"`
	Object finding.Subject `json:"object"`
	Text   string          `json:"text"`
	// Stops is how many entry points come to it before any other choke point.
	Stops       int                 `json:"stops"`
	Remediation finding.Remediation `json:"remediation"`
}

// Entry points besides single identities.
const (
	FromEverybody      = ""
	FromEveryPod       = "every-pod"
	FromInternetFacing = "internet-facing"
)

// Question asks for paths.
type Question struct {
	// From is FromEverybody, FromEveryPod, FromInternetFacing, or one identity, in Of.
	From string
	Of   access.Identity
	To   []Target
	// Most is how many paths to show to each target.
	Most int
}

// Ask answers a question. Entry points and targets that the graph does not have are left out: an answer without targets has
// none.
func (g *Graph) Ask(q Question) *Answer {
	a := &Answer{Targets: []Reached{}, Paths: []Path{}, ChokePoints: []ChokePoint{}}
	starts := g.from(q)
	for _, t := range q.To {
		for _, target := range g.find(t) {
			g.answer(a, starts, target, q.Most)
		}
	}
	return a
}

// Has says whether the graph has a target.
func (g *Graph) Has(t Target) bool { return len(g.find(t)) > 0 }

// Knows says whether the graph has an identity as an entry point.
func (g *Graph) Knows(id access.Identity) bool { return len(g.begin(id)) > 0 }

func (g *Graph) from(q Question) []int32 {
	switch q.From {
	case FromEverybody:
		return g.everybody()
	case FromEveryPod:
		return g.pods
	case FromInternetFacing:
		return g.outside
	}
	return g.begin(q.Of)
}

func (g *Graph) answer(a *Answer, starts []int32, target int32, most int) {
	starts = slices.DeleteFunc(slices.Clone(starts), func(v int32) bool { return v == target })
	dist := g.distances(target, nil)
	r := Reached{To: g.vertices[target].id, Starts: len(starts)}
	for _, v := range starts {
		switch d := dist[v]; {
		case d < doubt:
			r.Certain++
		case d < farAway:
			r.Possible++
		}
	}
	if r.Certain+r.Possible > 0 {
		read := func(e *edge) bool { return e.kind == 0 || Kinds[e.kind-1].ID != unreadID }
		without := g.reached(starts, nil, read)
		for i := range g.edges {
			e := &g.edges[i]
			r.Unread = r.Unread || !read(e) && without[e.from] && dist[e.to] < farAway
		}
		grants, ok := g.cutGrants(starts, target, dist, read)
		r.Uncut = !ok
		cut := map[int32]bool{}
		for _, c := range grants {
			cut[c] = true
		}
		a.ChokePoints = append(a.ChokePoints, g.chokePoints(grants, cut, starts, target)...)
		a.Paths = append(a.Paths, g.routes(starts, target, dist, cut, most)...)
	}
	a.Targets = append(a.Targets, r)
}

// chokePoints tells the grants of a cut, and counts for each the entry points that come to it before any other.
func (g *Graph) chokePoints(grants []int32, cut map[int32]bool, starts []int32, target int32) []ChokePoint {
	isStart := make([]bool, len(g.vertices))
	for _, s := range starts {
		isStart[s] = true
	}
	tails := map[int32][]int32{}
	for i := range g.edges {
		if c := g.edges[i].grant; cut[c] {
			tails[c] = append(tails[c], g.edges[i].from)
		}
	}
	var points []ChokePoint
	for _, c := range grants {
		removal := g.grants[c].what()
		p := ChokePoint{To: g.vertices[target].id, Object: removal.Object, Text: removal.Text, Remediation: g.remedy(removal)}
		behind := g.behind(tails[c], func(e *edge) bool { return !cut[e.grant] })
		for v := range behind {
			if isStart[v] {
				p.Stops++
			}
		}
		points = append(points, p)
	}
	slices.SortStableFunc(points, func(a, b ChokePoint) int { return b.Stops - a.Stops })
	return points
}

// remedy is a removal as a plan that programs can read and lines for a shell, or in words where it is no plan.
func (g *Graph) remedy(r Removal) finding.Remediation {
	rendered, err := r.Plan.Render(g.snapshot)
	if len(r.Plan) == 0 || err != nil {
		return finding.Remediation{Text: "# " + r.Text}
	}
	var text strings.Builder
	for _, c := range r.Plan {
		text.WriteString(plan.Command(c) + "\n")
	}
	return finding.Remediation{Text: strings.TrimRight(text.String(), "\n"), Plan: rendered}
}

// behind marks the vertices from which one of some vertices can be reached by open edges.
func (g *Graph) behind(of []int32, open func(*edge) bool) map[int32]bool {
	marked := map[int32]bool{}
	queue := slices.Clone(of)
	for _, v := range of {
		marked[v] = true
	}
	for len(queue) > 0 {
		v := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, i := range g.in.of(v) {
			if e := &g.edges[i]; !marked[e.from] && open(e) {
				marked[e.from] = true
				queue = append(queue, e.from)
			}
		}
	}
	return marked
}

// routes are the shortest paths that differ in more than where they begin: those without doubt, and then the others.
func (g *Graph) routes(starts []int32, target int32, dist []int32, cut map[int32]bool, most int) []Path {
	r := router{g: g, target: target, cut: cut, most: most, seen: map[string]bool{}, starts: starts, anyhow: g.near(starts, farAway)}
	for _, below := range []int32{doubt, farAway} {
		r.below = below
		r.all(slices.DeleteFunc(slices.Clone(starts), func(v int32) bool { return dist[v] >= below }))
	}
	return r.paths
}

// router collects paths to a target, up to most.
type router struct {
	g      *Graph
	target int32
	cut    map[int32]bool
	most   int
	paths  []Path
	seen   map[string]bool
	// starts are all entry points; anyhow is how near they are to each vertex if doubts are none.
	starts []int32
	anyhow []int32
	below  int32 // what no step and no distance may weigh
}

// all finds the paths of some entry points. Whoever can take a step that somebody else's path takes later is told by a path of
// its own, which is shorter: so only the first step of a path is one that an entry point can take as what it is. Those who have
// no other path than through somebody else are told when all others are.
func (r *router) all(left []int32) {
	for len(left) > 0 && len(r.paths) < r.most {
		told := map[int32]bool{}
		r.some(left, told)
		n := len(left)
		if left = slices.DeleteFunc(left, func(v int32) bool { return told[v] }); len(left) == n {
			break
		}
	}
}

// some finds paths of which only the first step is one that an entry point can take as what it is, and notes the entry points
// whose path is told.
func (r *router) some(starts []int32, told map[int32]bool) {
	g := r.g
	near := g.near(starts, r.below)
	open := func(e *edge) bool { return e.weight() < r.below && (e.kind == 0 || near[e.from] != 0) }
	doors, alike := r.doors(near)
	y := g.newYen(r.target, g.distances(r.target, open), doors, open)
	for tries := 0; len(r.paths) < r.most && tries < r.most*repeats; tries++ {
		raw, ok := y.next()
		if !ok {
			break
		}
		first := doors[raw[0]].edge
		start, prefix := g.prefix(first, near, starts)
		p := g.path(start, slices.Concat(prefix, []int32{first}, raw[1:]), r.cut)
		s := p.signature()
		if !r.seen[s] && slices.ContainsFunc(r.paths, func(q Path) bool { return p.detours(&q) }) {
			continue
		}
		r.alsoFrom(&p, start, starts, alike[raw[0]], told)
		if !r.seen[s] {
			r.seen[s] = true
			r.paths = append(r.paths, p)
		}
	}
}

// repeats is how often a path may be found again in another way that is told alike, before the search for more ends.
const repeats = 40

// near is how much doubt lies between the entry points and each vertex that they are at without a step; farAway elsewhere, and
// where it would not be below some weight.
func (g *Graph) near(starts []int32, below int32) []int32 {
	d := make([]int32, len(g.vertices))
	for i := range d {
		d[i] = farAway
	}
	var q queue
	for _, s := range starts {
		d[s] = 0
		q.push(item{0, s})
	}
	for len(q) > 0 {
		top := q.pop()
		if top.key > int64(d[top.v]) {
			continue
		}
		for _, i := range g.out.of(top.v) {
			e := &g.edges[i]
			if n := d[top.v] + e.weight(); e.kind == 0 && n < min(d[e.to], below) {
				d[e.to] = n
				q.push(item{int64(n), e.to})
			}
		}
	}
	return d
}

// doors are the first steps of paths, one of those that are told alike, with the edges that are told like each, whatever their
// doubt.
func (r *router) doors(near []int32) (doors []door, alike [][]int32) {
	g := r.g
	type told struct {
		kind uint8
		to   int32
	}
	index := map[told]int{}
	all := map[told][]int32{}
	for i := range g.edges {
		e := &g.edges[i]
		if e.kind == 0 || r.anyhow[e.from] >= farAway {
			continue
		}
		k := told{e.kind, g.lands(e.to)}
		all[k] = append(all[k], int32(i))
		d := door{int32(i), near[e.from] + e.weight()}
		if d.cost >= r.below {
			continue
		}
		n, known := index[k]
		if !known {
			index[k] = len(doors)
			doors = append(doors, d)
		} else if d.cost < doors[n].cost {
			doors[n] = d
		}
	}
	alike = make([][]int32, len(doors))
	for k, n := range index {
		alike[n] = all[k]
	}
	return doors, alike
}

// lands follows a place without a name that leads to one other only.
func (g *Graph) lands(v int32) int32 {
	for range 4 {
		out := g.out.of(v)
		if g.vertices[v].id.Kind != "" || len(out) != 1 || g.edges[out[0]].kind > 0 {
			break
		}
		v = g.edges[out[0]].to
	}
	return v
}

// prefix finds the entry point that takes a step, and how it gets to where the step begins.
func (g *Graph) prefix(first int32, near, starts []int32) (int32, []int32) {
	isStart := make(map[int32]bool, len(starts))
	for _, s := range starts {
		isStart[s] = true
	}
	from := g.edges[first].from
	came := map[int32]int32{from: -1}
	queue := []int32{from}
	for len(queue) > 0 {
		v := queue[0]
		queue = queue[1:]
		if isStart[v] && near[v] == 0 {
			var edges []int32
			for at := v; came[at] >= 0; at = g.edges[came[at]].to {
				edges = append(edges, came[at])
			}
			return v, edges
		}
		for _, i := range g.in.of(v) {
			e := &g.edges[i]
			if _, known := came[e.from]; !known && e.kind == 0 && near[e.from]+e.weight() == near[v] {
				came[e.from] = i
				queue = append(queue, e.from)
			}
		}
	}
	return from, nil
}

// alsoFrom counts the entry points that can take the first step of a path as it is told, and notes them. Where the path is
// certain, those who only may be able to are counted apart.
func (r *router) alsoFrom(p *Path, start int32, starts, firsts []int32, told map[int32]bool) {
	g := r.g
	behind := func(below int32) map[int32]bool {
		var tails []int32
		for _, i := range firsts {
			if e := &g.edges[i]; e.weight() < below {
				tails = append(tails, e.from)
			}
		}
		return g.behind(tails, func(e *edge) bool { return e.kind == 0 && e.weight() < below })
	}
	able := behind(r.below)
	p.Starts = 0
	for _, s := range starts {
		if !able[s] {
			continue
		}
		p.Starts++
		told[s] = true
		if s != start {
			p.AlsoFrom = append(p.AlsoFrom, g.vertices[s].id)
		}
	}
	slices.SortFunc(p.AlsoFrom, access.Identity.Compare)
	p.AlsoFrom = p.AlsoFrom[:min(len(p.AlsoFrom), shownStarts)]
	if r.below == farAway {
		return
	}
	maybe := behind(farAway)
	for _, s := range r.starts {
		if maybe[s] && !able[s] {
			p.PossibleStarts++
		}
	}
}

// shownStarts is how many entry points of one path are named.
const shownStarts = 100
