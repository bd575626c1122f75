package report

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/finding"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func readRun(t testing.TB) *finding.Result {
	t.Helper()
	text, err := os.ReadFile("testdata/run.json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func render(t testing.TB, format string, r *finding.Result, o Options) string {
	t.Helper()
	f, ok := Find(format)
	if !ok {
		t.Fatalf("no format %s", format)
	}
	var out bytes.Buffer
	if err := f.Write(&out, r, o); err != nil {
		t.Fatalf("write %s: %v", format, err)
	}
	return out.String()
}

func golden(t testing.TB, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// pages stands in for the checks' own pages.
func pages(id string) (Page, bool) {
	text, err := os.ReadFile(filepath.Join("testdata", "pages", filepath.Base(id)+".md"))
	if err != nil {
		return Page{}, false
	}
	title, body, _ := strings.Cut(string(text), "\n")
	return Page{Title: strings.TrimPrefix(title, "# "), Markdown: body, Severity: finding.High}, true
}

func TestFormats(t *testing.T) {
	r := readRun(t)
	for _, f := range Formats {
		t.Run(f.Name, func(t *testing.T) {
			golden(t, "run."+f.Name, render(t, f.Name, r, Options{Unicode: true, Pages: pages}))
		})
	}
}
