package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"drawbridge/internal/access"
	"drawbridge/internal/demo"
	"drawbridge/internal/graph"
	"drawbridge/internal/model"
	"drawbridge/internal/report"
	"drawbridge/internal/scan"
)

// TestPagesAreCurrent fails where somebody changed the program and not the pages that are written from it.
func TestPagesAreCurrent(t *testing.T) {
	pages, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join("../../docs/reference", name))
		if err != nil {
			t.Errorf("%v: run make docs", err)
			continue
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("docs/reference/%s is out of date, run make docs (-want +got):\n%.2000s", name, diff)
		}
	}
	err = filepath.WalkDir("../../docs/reference", func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel("../../docs/reference", p)
		if _, ok := pages[filepath.ToSlash(name)]; !ok {
			t.Errorf("docs/reference/%s is written by nothing: delete it", name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestSnapshotSchema holds the demo to the snapshot's schema, and the schema to refusing what it is not.
func TestSnapshotSchema(t *testing.T) {
	s, err := demo.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := model.Write(&b, s); err != nil {
		t.Fatal(err)
	}
	schema := compiled(t, "formats/snapshot.schema.json")
	var doc any
	if err := json.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("the demo does not fit the schema: %v", err)
	}
	doc.(map[string]any)["version"] = "drawbridge.snapshot/v0"
	if schema.Validate(doc) == nil {
		t.Error("the schema accepts another version")
	}
}

// TestAccessSchemas holds answers about the demo to their schemas.
func TestAccessSchemas(t *testing.T) {
	s, err := demo.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	other, err := demo.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	other.Clusters[0].RoleBindings, other.Clusters[0].PolicyAssociations, other.Accounts[0].Roles[0].Inline = nil, nil, nil
	id, err := access.ParseIdentity("sa/ci/jenkins")
	if err != nil {
		t.Fatal(err)
	}
	before := access.New(s)
	format, _ := report.FindDiff("json")
	for name, write := range map[string]func(io.Writer) error{
		"formats/access.schema.json": func(w io.Writer) error {
			return report.WritePortrait(w, "json", before.PortraitOf(id), report.Options{})
		},
		"formats/diff.schema.json": func(w io.Writer) error {
			return format.Write(w, access.Diff(before, access.New(other)), report.Options{})
		},
		"formats/paths.schema.json": func(w io.Writer) error {
			paths, err := scan.Paths(s, graph.Question{To: []graph.Target{{Kind: graph.KindClusterAdmin}, {Kind: graph.KindAccountAdmin}}, Most: 3}, "", "test", s.Time)
			if err != nil {
				return err
			}
			return report.Paths(w, "json", paths, report.Options{})
		},
	} {
		var text bytes.Buffer
		if err := write(&text); err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := json.Unmarshal(text.Bytes(), &doc); err != nil {
			t.Fatal(err)
		}
		if err := compiled(t, name).Validate(doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func compiled(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	pages, err := reference()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(io.Reader(bytes.NewReader([]byte(pages[name]))))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
