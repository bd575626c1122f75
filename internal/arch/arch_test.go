// Package arch keeps the import diagram of ARCHITECTURE.md true: packages import downwards only, the pure ones touch
// nothing of the world, and every package says what it is.
package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// layers is the diagram: a package imports only packages of lower layers. Order within a line says nothing.
var layers = []string{
	0: "internal/iam internal/rbac internal/authenticator internal/awsdata internal/finding internal/event internal/sigma",
	1: "internal/model internal/diff",
	2: "internal/access internal/plan internal/projection",
	3: "internal/graph",
	4: "internal/check internal/migrate internal/detect",
	5: "checks controls detections internal/scan internal/source/aws internal/source/kube internal/source/dump internal/report internal/demo internal/apply " +
		"internal/lab/aws internal/lab/kube oracle/promise internal/check/checktest internal/stream internal/siem",
	6: "internal/lab/demo oracle/lab internal/worker internal/sink",
	7: "internal/cli",
	8: "cmd/drawbridge oracle/sharedlog internal/docgen internal/check/new internal/bench internal/awsdata/gen",
}

// pure is the highest layer that may not touch the world: the same input gives the same answer.
const pure = 4

// worldly are packages that pure ones do not import, with the reason.
var worldly = map[string]string{
	"os": "reads and writes files", "net": "talks to others", "net/http": "talks to others", "os/exec": "runs programs",
	"log": "logs", "log/slog": "logs", "database/sql": "keeps state", "math/rand": "answers differently each time", "math/rand/v2": "answers differently each time",
}

func TestLayers(t *testing.T) {
	layer := map[string]int{}
	for i, line := range layers {
		for _, p := range strings.Fields(line) {
			layer[p] = i
		}
	}
	seen := map[string]bool{}
	for dir, files := range packages(t) {
		n, listed := layerOf(layer, dir)
		if !listed {
			t.Errorf("%s has no place in the diagram: put it into layers and into ARCHITECTURE.md", dir)
			continue
		}
		seen[dir] = true
		for name, f := range files {
			for _, imp := range f.Imports {
				p := strings.Trim(imp.Path.Value, `"`)
				if why, bad := worldly[p]; bad && n <= pure {
					t.Errorf("%s/%s imports %s, which %s: layer %d is pure", dir, name, p, why, n)
				}
				p, ours := strings.CutPrefix(p, "drawbridge/")
				if !ours || p == dir || strings.HasPrefix(p, dir+"/") || sameFamily(layer, dir, p) {
					continue
				}
				if m, ok := layerOf(layer, p); !ok || m >= n {
					t.Errorf("%s/%s (layer %d) imports %s (layer %d): only lower layers may be imported", dir, name, n, p, m)
				}
			}
			if n <= pure {
				noClock(t, dir, name, f)
			}
		}
	}
	for p := range layer {
		if !seen[p] {
			t.Errorf("the diagram shows %s, which is not there", p)
		}
	}
}

// layerOf finds a package's layer; a sub-package that is not listed belongs to the package above it.
func layerOf(layer map[string]int, dir string) (int, bool) {
	for p := dir; p != "."; p = path.Dir(p) {
		if n, ok := layer[p]; ok {
			return n, true
		}
	}
	return 0, false
}

// sameFamily says whether two packages are parts of one listed package.
func sameFamily(layer map[string]int, a, b string) bool {
	family := func(dir string) string {
		for p := dir; p != "."; p = path.Dir(p) {
			if _, ok := layer[p]; ok {
				return p
			}
		}
		return dir
	}
	return family(a) == family(b)
}

// noClock refuses time.Now and its like in pure packages.
func noClock(t *testing.T, dir, name string, f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && (s.Sel.Name == "Now" || s.Sel.Name == "Since" || s.Sel.Name == "Until" || s.Sel.Name == "Sleep") {
				t.Errorf("%s/%s uses time.%s: the clock is an argument", dir, name, s.Sel.Name)
			}
		}
		return true
	})
}

func TestPackageComments(t *testing.T) {
	for dir, files := range packages(t) {
		var with []string
		for name, f := range files {
			if f.Doc != nil && len(strings.TrimSpace(f.Doc.Text())) > 40 {
				with = append(with, name)
			}
		}
		if len(with) != 1 {
			t.Errorf("%s has %d package comments %v, want one that says what it is and what it is not", dir, len(with), with)
		}
	}
}

// TestNoRegistration refuses init functions: what runs is what is called.
func TestNoRegistration(t *testing.T) {
	for dir, files := range packages(t) {
		for name, f := range files {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%s/%s has an init function: use an explicit list", dir, name)
				}
			}
		}
	}
}

// TestModuleFile refuses replace directives, which a user's `go install` would not follow.
func TestModuleFile(t *testing.T) {
	b, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		if strings.HasPrefix(line, "replace") {
			t.Errorf("go.mod: %s", line)
		}
	}
}

// packages parses the non-test files of every package of this module, by folder.
func packages(t *testing.T) map[string]map[string]*ast.File {
	t.Helper()
	all := map[string]map[string]*ast.File{}
	root := "../.."
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			_, nested := os.Stat(filepath.Join(p, "go.mod"))
			if rel != "." && (nested == nil || strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(rel))
		if all[dir] == nil {
			all[dir] = map[string]*ast.File{}
		}
		all[dir][filepath.Base(p)] = f
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
