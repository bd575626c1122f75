package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// modules writes installed packages; all that is in them is made up.
func modules(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestManagedPolicies(t *testing.T) {
	files := map[string]string{
		"package.json": `{"name":"policies","version":"1.2.3"}`,
		"dist/managedPolicies.json": `{
			"Zed":{"arn":"arn:aws:iam::aws:policy/Zed","latestVersionId":"v10","lastUpdatedDate":"2026-01-02T03:04:05.000Z",
				"versions":{"v9":{"document":{}},"v10":{"document":{"Version": "2012-10-17",
				"Statement": []}}}},
			"A":{"arn":"arn:aws:iam::aws:policy/service-role/A","latestVersionId":"v1","lastUpdatedDate":"2025-01-02T03:04:05.000Z","versions":{"v1":{"document":{"Id":"a\tb"}}}}
		}`,
	}
	got, err := managedPolicies(modules(t, files))
	if err != nil {
		t.Fatal(err)
	}
	want := "policies 1.2.3\t2026-01-02\n" +
		"Zed\tv10\t{\"Version\":\"2012-10-17\",\"Statement\":[]}\n" +
		"service-role/A\tv1\t{\"Id\":\"a\\tb\"}\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	files["dist/managedPolicies.json"] = strings.Replace(files["dist/managedPolicies.json"], `"latestVersionId":"v10"`, `"latestVersionId":"v11"`, 1)
	if _, err := managedPolicies(modules(t, files)); err == nil {
		t.Error("a policy without its default version is taken")
	}
}

func TestServices(t *testing.T) {
	files := map[string]string{
		"package.json":                `{"name":"reference","version":"1.2.3","updatedAt":"2026-09-26T04:46:59.905Z"}`,
		"data/serviceNames.json":      `{"zoo":"A Zoo","ant":"An Ant"}`,
		"data/resourceTypes/zoo.json": `{"cage":{"key":"cage","arn":"arn:${Partition}:zoo:::${Cage}","conditionKeys":["zoo:size"]}}`,
		"data/conditionKeys/zoo.json": `{"zoo:size":{"key":"zoo:size","type":"Numeric","description":"left out"}}`,
		"data/actions/zoo.json": `{
			"visit":{"name":"Visit","accessLevel":"Read","conditionKeys":[],"resourceTypes":[]},
			"feed":{"name":"Feed","accessLevel":"Tagging, Write","conditionKeys":["zoo:size","zoo:hour"],
				"resourceTypes":[{"name":"cage","required":true,"conditionKeys":["zoo:size"]},{"name":"big cage","required":false,"conditionKeys":[]}]}
		}`,
		"data/resourceTypes/ant.json": `{}`, "data/conditionKeys/ant.json": `{}`, "data/actions/ant.json": `{}`,
	}
	got, err := services(modules(t, files))
	if err != nil {
		t.Fatal(err)
	}
	want := "reference 1.2.3\t2026-09-26\n" +
		"S\tant\tAn Ant\n" +
		"S\tzoo\tA Zoo\n" +
		"R\tcage\tarn:${Partition}:zoo:::${Cage}\tzoo:size\n" +
		"K\tzoo:size\tNumeric\n" +
		"A\tFeed\tTagging\tzoo:size zoo:hour\tcage*|zoo:size\tbig cage|\n" +
		"A\tVisit\tRead\t"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	files["data/conditionKeys/zoo.json"] = `{"k":{"key":"zoo:a\tb","type":"String"}}`
	if _, err := services(modules(t, files)); err == nil {
		t.Error("a key with a tab is taken")
	}
}

func TestNoticed(t *testing.T) {
	dir := modules(t, map[string]string{"LICENSE": "MIT\nSomebody\n", "NOTICE": "we use:\n\nMIT\nSomebody\n", "OTHER": "we use nothing"})
	if err := noticed(filepath.Join(dir, "LICENSE"), filepath.Join(dir, "NOTICE")); err != nil {
		t.Error(err)
	}
	if err := noticed(filepath.Join(dir, "LICENSE"), filepath.Join(dir, "OTHER")); err == nil {
		t.Error("a licence that is not in the notice passes")
	}
}
