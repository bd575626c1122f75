package graph

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/graph/path"
	"gonum.org/v1/gonum/graph/simple"
	"pgregory.net/rapid"

	"drawbridge/internal/access"
)

// anyGraph draws a small graph with parallel edges and circles. Only if shared, a grant may be under several edges.
func anyGraph(t *rapid.T, shared bool) *Graph {
	n := rapid.IntRange(2, 7).Draw(t, "vertices")
	g := &Graph{facts: []func() Fact{nil}, grants: []Grant{{}}}
	for v := range n {
		g.vertices = append(g.vertices, vertex{id: access.Identity{Kind: access.KindUser, Name: fmt.Sprint(v)}})
	}
	for range rapid.IntRange(1, 14).Draw(t, "edges") {
		e := edge{
			from: rapid.Int32Range(0, int32(n-1)).Draw(t, "from"), to: rapid.Int32Range(0, int32(n-1)).Draw(t, "to"),
			kind: rapid.Uint8Range(0, 2).Draw(t, "kind"), possible: rapid.Bool().Draw(t, "possible"),
		}
		switch which := rapid.IntRange(0, 3).Draw(t, "grant"); {
		case which == 0:
		case which == 1 && shared && len(g.grants) > 1:
			e.grant = rapid.Int32Range(1, int32(len(g.grants)-1)).Draw(t, "which")
		default:
			g.grants = append(g.grants, Grant{Cost: rapid.IntRange(1, 5).Draw(t, "cost")})
			e.grant = int32(len(g.grants) - 1)
		}
		g.edges = append(g.edges, e)
	}
	g.freeze()
	return g
}

// simplePaths lists the costs of all paths without circles, by trying every way.
func (g *Graph) simplePaths(from, to int32) []int64 {
	all := []int64{}
	seen := make([]bool, len(g.vertices))
	var walk func(v int32, cost int64)
	walk = func(v int32, cost int64) {
		if v == to {
			all = append(all, cost)
			return
		}
		seen[v] = true
		for _, i := range g.out.of(v) {
			if e := &g.edges[i]; !seen[e.to] {
				walk(e.to, cost+int64(e.weight()))
			}
		}
		seen[v] = false
	}
	walk(from, 0)
	slices.Sort(all)
	return all
}

// shortest lists the costs of the paths that yen finds from one vertex to another. It is an error if one of them is no path,
// has a circle, or was found before.
func shortest(g *Graph, from, to int32, most int) ([]int64, error) {
	var doors []door
	for _, i := range g.out.of(from) {
		if g.edges[i].to != from {
			doors = append(doors, door{i, g.edges[i].weight()})
		}
	}
	open := func(e *edge) bool { return e.to != from }
	y := g.newYen(to, g.distances(to, nil), doors, open)
	costs, found := []int64{}, [][]int32{}
	for len(costs) < most {
		p, ok := y.next()
		if !ok {
			break
		}
		at, cost := from, int64(0)
		visited := map[int32]bool{from: true}
		for n, i := range p {
			if n == 0 {
				i = doors[i].edge
			}
			e := &g.edges[i]
			if e.from != at || visited[e.to] {
				return nil, fmt.Errorf("%v is no path without circles", p)
			}
			at, cost = e.to, cost+int64(e.weight())
			visited[at] = true
		}
		if at != to || slices.ContainsFunc(found, func(f []int32) bool { return slices.Equal(f, p) }) {
			return nil, fmt.Errorf("%v does not lead to the target, or was found before", p)
		}
		found, costs = append(found, slices.Clone(p)), append(costs, cost)
	}
	return costs, nil
}

// TestYen compares the paths that are found with all that there are.
func TestYen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := anyGraph(t, false)
		to := int32(len(g.vertices) - 1)
		got, err := shortest(g, 0, to, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(g.simplePaths(0, to), got); diff != "" {
			t.Fatal(diff)
		}
		for v, d := range g.distances(to, nil) {
			all := g.simplePaths(int32(v), to)
			if len(all) == 0 && d != farAway || len(all) > 0 && int64(d) != all[0] {
				t.Fatalf("vertex %d is %d away, the paths cost %v", v, d, all)
			}
		}
	})
}

// randomGraph makes a graph without parallel edges, and gonum's of the same.
func randomGraph(r *rand.Rand, vertices, edges int) (*Graph, *simple.WeightedDirectedGraph) {
	g := &Graph{vertices: make([]vertex, vertices), facts: []func() Fact{nil}, grants: []Grant{{}}}
	theirs := simple.NewWeightedDirectedGraph(0, math.Inf(1))
	for v := range vertices {
		theirs.AddNode(simple.Node(v))
	}
	for range edges {
		e := edge{from: r.Int32N(int32(vertices)), to: r.Int32N(int32(vertices)), kind: 1, possible: r.IntN(10) == 0}
		if e.from == e.to || theirs.HasEdgeFromTo(int64(e.from), int64(e.to)) {
			continue
		}
		g.edges = append(g.edges, e)
		theirs.SetWeightedEdge(theirs.NewWeightedEdge(simple.Node(e.from), simple.Node(e.to), float64(e.weight())))
	}
	g.freeze()
	return g, theirs
}

// gonum lists the costs of the paths that gonum finds.
func gonum(g *simple.WeightedDirectedGraph, from, to int32, most int) []int64 {
	costs := []int64{}
	for _, p := range path.YenKShortestPaths(g, most, math.Inf(1), simple.Node(from), simple.Node(to)) {
		var cost float64
		for i := range p[1:] {
			w, _ := g.Weight(p[i].ID(), p[i+1].ID())
			cost += w
		}
		costs = append(costs, int64(cost))
	}
	return costs
}

// TestYenAgainstGonum compares with another implementation on graphs that are too large for trying every way.
func TestYenAgainstGonum(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		g, theirs := randomGraph(r, 40, 120)
		got, err := shortest(g, 0, 1, 12)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(gonum(theirs, 0, 1, 12), got); diff != "" {
			t.Fatal(diff)
		}
	}
}

// BenchmarkYen compares the search for five paths with gonum's: why ours is our own.
func BenchmarkYen(b *testing.B) {
	for _, size := range []int{1000, 10_000, 100_000} {
		g, theirs := randomGraph(rand.New(rand.NewPCG(3, 4)), size, 3*size)
		b.Run(fmt.Sprintf("own-%d", size), func(b *testing.B) {
			for b.Loop() {
				if _, err := shortest(g, 0, 1, 5); err != nil {
					b.Fatal(err)
				}
			}
		})
		if size > 10_000 {
			continue // gonum takes minutes
		}
		b.Run(fmt.Sprintf("gonum-%d", size), func(b *testing.B) {
			for b.Loop() {
				gonum(theirs, 0, 1, 5)
			}
		})
	}
}

// cheapest is the cost of the cheapest set of grants without which the target is not reached, by trying every set.
func (g *Graph) cheapest(starts []int32, target int32) (int, bool) {
	best, found := 0, false
	for set := range 1 << (len(g.grants) - 1) {
		gone, cost := map[int32]bool{}, 0
		for c := 1; c < len(g.grants); c++ {
			if set>>(c-1)&1 == 1 {
				gone[int32(c)] = true
				cost += g.grants[c].Cost
			}
		}
		if (!found || cost < best) && !g.reachable(starts, gone)[target] {
			best, found = cost, true
		}
	}
	return best, found
}

// TestCut compares cuts with the cheapest of all, and with what must hold of any: nothing reaches the target without them,
// and each is needed.
func TestCut(t *testing.T) {
	for _, shared := range []bool{false, true} {
		t.Run(fmt.Sprintf("shared=%v", shared), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				g := anyGraph(t, shared)
				if len(g.grants) > 12 {
					t.Skip("too many sets to try")
				}
				target, starts := int32(len(g.vertices)-1), []int32{0}
				if target > 2 && rapid.Bool().Draw(t, "two starts") {
					starts = append(starts, 1)
				}
				cut, ok := g.cutGrants(starts, target, g.distances(target, nil), nil)
				least, can := g.cheapest(starts, target)
				if ok != can {
					t.Fatalf("a cut is found: %v, there is one: %v", ok, can)
				}
				if !ok {
					return
				}
				gone, cost := map[int32]bool{}, 0
				for _, c := range cut {
					gone[c] = true
					cost += g.grants[c].Cost
				}
				if g.reachable(starts, gone)[target] {
					t.Fatalf("without %v the target is still reached", cut)
				}
				for _, c := range cut {
					delete(gone, c)
					if !g.reachable(starts, gone)[target] {
						t.Fatalf("%d of %v is not needed", c, cut)
					}
					gone[c] = true
				}
				if cost < least || !shared && cost != least {
					t.Fatalf("%v costs %d, the cheapest %d", cut, cost, least)
				}
			})
		})
	}
}

// TestCutIsCheapest tries dense graphs in which nearly everything can be cut, so that ways have to be given up for others.
func TestCutIsCheapest(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		g := &Graph{vertices: make([]vertex, 6), facts: []func() Fact{nil}, grants: []Grant{{}}}
		for range 10 {
			g.grants = append(g.grants, Grant{Cost: 1 + r.IntN(3)})
			g.edges = append(g.edges, edge{from: r.Int32N(6), to: r.Int32N(6), kind: 1, grant: int32(len(g.grants) - 1)})
		}
		g.freeze()
		cut, ok := g.cutGrants([]int32{0}, 5, g.distances(5, nil), nil)
		cost := 0
		for _, c := range cut {
			cost += g.grants[c].Cost
		}
		if least, _ := g.cheapest([]int32{0}, 5); !ok || cost != least {
			t.Fatalf("%v of %+v costs %d, the cheapest %d", cut, g.edges, cost, least)
		}
	}
}
