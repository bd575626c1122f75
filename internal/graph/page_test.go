package graph

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPages holds every kind of step to a page in one form, and every page to a kind.
func TestPages(t *testing.T) {
	var want []string
	technique := regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)
	for i := range Kinds {
		k := &Kinds[i]
		want = append(want, strings.ReplaceAll(k.ID, "-", "_")+".md")
		if k.Needs == "" || !technique.MatchString(k.Technique) && k.ID != unreadID {
			t.Errorf("%s: needs %q, technique %q", k.ID, k.Needs, k.Technique)
		}
		if n := slices.IndexFunc(Kinds, func(o Kind) bool { return o.ID == k.ID }); n != i {
			t.Errorf("%s is there twice", k.ID)
		}
		var headings []string
		for _, line := range strings.Split(k.Page(), "\n") {
			if strings.HasPrefix(line, "#") && line != "## What is open" {
				headings = append(headings, line)
			}
		}
		if diff := cmp.Diff([]string{"# " + k.Title, "## What happens", "## What it needs", "## What stops it", "## References"}, headings); diff != "" {
			t.Errorf("%s: %s", k.ID, diff)
		}
	}
	slices.Sort(want)
	files, err := pages.ReadDir("pages")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		got = append(got, f.Name())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
