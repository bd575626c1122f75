package dump

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"drawbridge/internal/model"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestOpen reads every archive in testdata: its files, then what is expected of them as the file "want". The archive's
// comment may name the paths to open (`open: a b`); otherwise the whole folder is opened.
func TestOpen(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no archives: %v", err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			golden, err := filepath.Abs(path)
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			t.Chdir(dir)
			want := ""
			for _, f := range archive.Files {
				if f.Name == "want" {
					want = string(f.Data)
					continue
				}
				writeFile(t, f.Name, f.Data)
			}
			paths := []string{"."}
			for line := range strings.Lines(string(archive.Comment)) {
				if rest, ok := strings.CutPrefix(line, "open: "); ok {
					paths = strings.Fields(rest)
				}
			}
			s, notices, err := Open(t.Context(), paths, nil, Options{})
			got := render(s, notices, err)
			if *update {
				archive.Files = slices.DeleteFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
				archive.Files = append(archive.Files, txtar.File{Name: "want", Data: []byte(got)})
				if err := os.WriteFile(golden, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("snapshot (-want +got):\n%s", diff)
			}
		})
	}
}

func writeFile(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// render is a snapshot as lines that a person can check.
func render(s *model.Snapshot, notices []Notice, err error) string {
	var b strings.Builder
	if s != nil {
		for _, c := range s.Clusters {
			fmt.Fprintf(&b, "cluster %s %s account=%s region=%s\n", c.Name, c.ARN, c.Account, c.Region)
			showAreas(&b, c.Read, reflect.ValueOf(c).Elem())
		}
		for _, a := range s.Accounts {
			fmt.Fprintf(&b, "account %s %s\n", a.ID, a.Partition)
			showAreas(&b, a.Read, reflect.ValueOf(a).Elem())
		}
		for _, g := range s.Gaps {
			fmt.Fprintf(&b, "gap %s (%s) cluster=%s account=%s: %s\n", g.Area, g.Action, g.Cluster, g.Account, g.Reason)
		}
	}
	for _, n := range notices {
		fmt.Fprintf(&b, "notice %s\n", n)
	}
	if err != nil {
		fmt.Fprintf(&b, "error %v\n", err)
	}
	return b.String()
}

func showAreas(b *strings.Builder, read map[model.Area]bool, v reflect.Value) {
	var areas []string
	for a := range read {
		areas = append(areas, string(a))
	}
	slices.Sort(areas)
	fmt.Fprintf(b, "  read %s\n", strings.Join(areas, " "))
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case f.Kind() == reflect.Slice:
			for j := range f.Len() {
				showItem(b, v.Type().Field(i).Name, f.Index(j).Interface())
			}
		case f.Kind() == reflect.Pointer && !f.IsNil():
			showItem(b, v.Type().Field(i).Name, f.Interface())
		}
	}
}

func showItem(b *strings.Builder, field string, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		text = []byte(err.Error())
	}
	fmt.Fprintf(b, "  %s %s\n", field, text)
}
