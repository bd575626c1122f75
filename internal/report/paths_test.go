package report

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"gonum.org/v1/gonum/graph/formats/dot"
	"pgregory.net/rapid"

	"drawbridge/internal/access"
	"drawbridge/internal/demo"
	"drawbridge/internal/finding"
	"drawbridge/internal/graph"
)

// demoPaths are paths of the demo, of a fixed time and version.
func demoPaths(t testing.TB, q graph.Question) *graph.Result {
	t.Helper()
	s, err := demo.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	r := &graph.Result{
		Version: finding.Version, Kind: graph.KindPaths, Tool: finding.Tool{Version: "test"}, Time: time.Date(2026, 11, 20, 9, 14, 0, 0, time.UTC),
		Clusters: []finding.Cluster{{Name: "legacy"}}, From: q.From, Gaps: []finding.Gap{},
	}
	r.Answer = *graph.New(access.New(s), s, q.To...).Ask(q)
	return r
}

func writePaths(t testing.TB, format string, r *graph.Result, o Options) string {
	t.Helper()
	var out bytes.Buffer
	if err := Paths(&out, format, r, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestPaths(t *testing.T) {
	r := demoPaths(t, graph.Question{From: graph.FromEveryPod, To: []graph.Target{{Kind: graph.KindAccountAdmin}}, Most: 3})
	for _, format := range PathFormats {
		t.Run(format, func(t *testing.T) {
			golden(t, "paths."+format, writePaths(t, format, r, Options{Unicode: true}))
		})
	}
	t.Run("ascii", func(t *testing.T) {
		text := writePaths(t, "table", r, Options{Width: 60})
		golden(t, "paths.60.table", text)
		if i := strings.IndexFunc(text, func(r rune) bool { return r > '~' }); i >= 0 {
			t.Errorf("not ASCII: %q", text[i:])
		}
	})
	if err := Paths(&bytes.Buffer{}, "sarif", r, Options{}); err == nil || !strings.Contains(err.Error(), "table, wide") {
		t.Errorf("sarif: %v", err)
	}
}

// hostilePaths draws an answer in which an attacker chose all names and texts.
func hostilePaths(t *rapid.T) *graph.Result {
	s := func(name string) string { return hostileString().Draw(t, name) }
	kinds := []access.Kind{access.KindIAMRole, access.KindServiceAccount, access.KindWorkload, access.KindUser, graph.KindNode, graph.KindAny, graph.KindOutside, access.Kind(s("kind"))}
	place := func(name string) access.Identity {
		return access.Identity{Kind: rapid.SampledFrom(kinds).Draw(t, name), ARN: s(name + " arn"), Cluster: s(name + " cluster"), Namespace: s(name + " namespace"), Name: s(name + " name")}
	}
	r := &graph.Result{Version: finding.Version, Kind: graph.KindPaths, Tool: finding.Tool{Version: s("tool")}, From: s("from"), Gaps: []finding.Gap{{Area: s("area")}}}
	to := place("target")
	r.Targets = []graph.Reached{{To: to, Starts: 9, Certain: 1, Possible: 2, Uncut: rapid.Bool().Draw(t, "uncut")}}
	places := []access.Identity{place("a"), place("b"), place("c"), to}
	for range rapid.IntRange(1, 3).Draw(t, "paths") {
		p := graph.Path{From: places[0], To: to, Starts: rapid.IntRange(1, 300).Draw(t, "starts"), AlsoFrom: []access.Identity{places[1]}}
		at := places[0]
		for i := range rapid.IntRange(1, 4).Draw(t, "hops") {
			next := rapid.SampledFrom(places).Draw(t, fmt.Sprintf("place %d", i))
			p.Hops = append(p.Hops, graph.Hop{
				From: at, To: next, Step: s("step"), Technique: s("technique"), Text: s("text"), Certain: rapid.Bool().Draw(t, "certain"), Cut: rapid.Bool().Draw(t, "cut"),
				Evidence: []finding.Evidence{{Text: s("evidence"), Source: s("source")}}, Conditions: []string{s("condition")},
			})
			at = next
		}
		r.Paths = append(r.Paths, p)
	}
	r.ChokePoints = []graph.ChokePoint{{To: to, Text: s("choke"), Stops: 3, Object: finding.Subject{Kind: s("object")}, Remediation: finding.Remediation{Text: s("fix")}}}
	return r
}

func TestPathsHostile(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := hostilePaths(rt)
		g := newPathGraph(r.Paths)
		for _, format := range PathFormats {
			var out bytes.Buffer
			if err := Paths(&out, format, r, Options{Unicode: true, Color: false}); err != nil {
				rt.Fatal(err)
			}
			text := out.String()
			err := clean(text)
			if err == nil {
				switch format {
				case "dot":
					err = dotBack(text, g)
				case "mermaid":
					err = mermaidBack(text, g)
				case "html":
					err = elementsBack(text, 0)
				}
			}
			if err != nil {
				rt.Fatalf("%s: %v\n%s", format, err, text)
			}
		}
	})
}

// dotBack reads DOT with another reader: as many nodes and edges as there are, and none that a name planted.
func dotBack(text string, g *pathGraph) error {
	file, err := dot.ParseString(text)
	if err != nil {
		return err
	}
	var nodes, edges int
	for _, s := range file.Graphs[0].Stmts {
		switch fmt.Sprintf("%T", s) {
		case "*ast.NodeStmt":
			nodes++
		case "*ast.EdgeStmt":
			edges++
		}
	}
	if len(file.Graphs) != 1 || nodes != len(g.places) || edges != len(g.steps) {
		return fmt.Errorf("%d graphs, %d nodes, %d edges, want 1, %d, %d", len(file.Graphs), nodes, edges, len(g.places), len(g.steps))
	}
	return nil
}

// mermaidLine is every line of a flowchart that we write. Between quotes no character has a meaning of its own.
var mermaidLine = regexp.MustCompile(`^(flowchart TB|  n\d+\["(?:[\w .,:/()\-\x{80}-\x{10ffff}]|#\d+;|<br>)*"\](:::(?:entry|target))?|  n\d+ (?:-->|-\.->)\|"(?:[\w .,:/()\-\x{80}-\x{10ffff}]|#\d+;)*"\| n\d+|  linkStyle \d+ stroke:#b4380f,stroke-width:3px|  classDef \w+ [\w:\- ]+)$`)

func mermaidBack(text string, g *pathGraph) error {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for _, line := range lines {
		if !mermaidLine.MatchString(line) {
			return fmt.Errorf("line %q", line)
		}
	}
	cuts := 0
	for _, s := range g.steps {
		if s.cut {
			cuts++
		}
	}
	if want := 3 + len(g.places) + len(g.steps) + cuts; len(lines) != want {
		return fmt.Errorf("%d lines, want %d", len(lines), want)
	}
	return nil
}

// TestLayering lays out random graphs: edges that close no circle lead downwards, through one node in each layer.
func TestLayering(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "nodes")
		var edges [][2]int
		for range rapid.IntRange(0, 16).Draw(t, "edges") {
			edges = append(edges, [2]int{rapid.IntRange(0, n-1).Draw(t, "from"), rapid.IntRange(0, n-1).Draw(t, "to")})
		}
		l := newLayering(n, edges)
		for _, e := range forward(n, edges) {
			if l.layer[e[0]] >= l.layer[e[1]] {
				t.Fatalf("edge %v leads from layer %d to %d", e, l.layer[e[0]], l.layer[e[1]])
			}
		}
		for i, route := range l.routes {
			if route[0] != edges[i][0] || route[len(route)-1] != edges[i][1] {
				t.Fatalf("route %v of edge %v", route, edges[i])
			}
			for j := range route[1:] {
				if d := l.layer[route[j+1]] - l.layer[route[j]]; d != 1 && d != -1 && route[0] != route[len(route)-1] && l.layer[edges[i][0]] != l.layer[edges[i][1]] {
					t.Fatalf("route %v jumps over layers", route)
				}
			}
		}
		seen := 0
		for layer, row := range l.rows {
			for _, v := range row {
				if l.layer[v] != layer {
					t.Fatalf("node %d stands in row %d and belongs to layer %d", v, layer, l.layer[v])
				}
			}
			seen += len(row)
		}
		if seen != len(l.layer) {
			t.Fatalf("%d nodes are placed of %d", seen, len(l.layer))
		}
	})
}

func TestBroken(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"short", []string{"short"}},
		{"arn:aws:iam::111122223333:role/legacy-backup", []string{"arn:aws:iam::111122223333:", "role/legacy-backup"}},
		{strings.Repeat("x", 100), []string{strings.Repeat("x", 28), strings.Repeat("x", 27) + "…"}},
		{"", nil},
	} {
		if got := broken(c.in, 28, 2); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestPathsInBrowser(t *testing.T) {
	r := demoPaths(t, graph.Question{From: graph.FromEverybody, To: []graph.Target{{Kind: graph.KindClusterAdmin}, {Kind: graph.KindAccountAdmin}}, Most: 8})
	b := openBrowser(t)
	call(t, b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.run(t, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(saveHTML(t, writePaths(t, "html", r, Options{}))), chromedp.WaitVisible(chromedp.CSS("svg.paths .target")))
	b.shot(t, "paths")
	b.dark(t, true)
	b.shot(t, "paths-dark")
	b.dark(t, false)
	b.run(t, chromedp.EmulateViewport(390, 844))
	b.shot(t, "paths-phone")
	pdf := result(t, b, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4), chromedp.PDFPreferCSSPageSize(), chromedp.PDFPrintBackground()))
	saveArtifact(t, "paths.pdf", pdf)
	b.quiet(t)
}

// TestPathDrawingFits holds every text of the drawing to its box, and boxes apart, as the browser sees them.
func TestPathDrawingFits(t *testing.T) {
	r := demoPaths(t, graph.Question{From: graph.FromEverybody, To: []graph.Target{{Kind: graph.KindClusterAdmin}}, Most: 12})
	b := openBrowser(t)
	b.run(t, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(saveHTML(t, writePaths(t, "html", r, Options{}))), chromedp.WaitVisible(chromedp.CSS("svg.paths .target")))
	wrong := b.eval(t, `(() => { const out = [];
		for (const svg of document.querySelectorAll("svg.paths")) {
			const boxes = [...svg.querySelectorAll(".place")].map(g => ({g, r: g.querySelector("rect").getBoundingClientRect()}));
			for (const {g, r} of boxes) for (const t of g.querySelectorAll("text")) {
				const x = t.getBoundingClientRect();
				if (x.left < r.left - 1 || x.right > r.right + 1 || x.top < r.top - 1 || x.bottom > r.bottom + 1) out.push(t.textContent);
			}
			for (let i = 0; i < boxes.length; i++) for (let j = 0; j < i; j++) {
				const a = boxes[i].r, c = boxes[j].r;
				if (a.left < c.right && c.left < a.right && a.top < c.bottom && c.top < a.bottom) out.push("boxes " + boxes[i].g.textContent + " and " + boxes[j].g.textContent);
			}
		}
		return out.join("; ") })()`)
	if wrong != "" {
		t.Errorf("does not fit: %v", wrong)
	}
	b.quiet(t)
}

func TestOthersText(t *testing.T) {
	for _, c := range []struct {
		have, may int
		want      string
	}{{0, 0, ""}, {3, 0, " and 3 more"}, {0, 2, "; 2 others may"}, {3, 2, " and 3 more; 2 others may"}} {
		if got := othersText(c.have, c.may); got != c.want {
			t.Errorf("%d, %d: %q, want %q", c.have, c.may, got, c.want)
		}
	}
}
