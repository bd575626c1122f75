package checks

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"drawbridge/internal/check"
	"drawbridge/internal/check/checktest"
)

func file(c *check.Check, ext string) string { return strings.ReplaceAll(c.ID, "-", "_") + ext }

// TestCases runs every check over the cases beside it.
func TestCases(t *testing.T) {
	for _, c := range All {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			archive, err := os.ReadFile(file(c, ".txtar"))
			if err != nil {
				t.Fatal(err)
			}
			checktest.Run(t, c, archive)
		})
	}
}

// TestTrio refuses a check that is half done: each has code, a page and cases under one name, and stands in the list.
func TestTrio(t *testing.T) {
	ids := map[string]bool{}
	for _, c := range All {
		if ids[c.ID] {
			t.Errorf("%s is listed twice", c.ID)
		}
		ids[c.ID] = true
		for _, ext := range []string{".go", ".md", ".txtar"} {
			if _, err := os.Stat(file(c, ext)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, pattern := range []string{"*.go", "*.md", "*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			id := strings.ReplaceAll(strings.TrimSuffix(f, filepath.Ext(f)), "_", "-")
			if f == "checks.go" || strings.HasSuffix(f, "_test.go") {
				continue
			}
			if !ids[id] {
				t.Errorf("%s belongs to no check in the list", f)
			}
		}
	}
	if !slices.IsSortedFunc(All, func(a, b *check.Check) int { return strings.Compare(a.ID, b.ID) }) {
		t.Error("the list is not sorted by id")
	}
}

func TestFacts(t *testing.T) {
	technique := regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)
	for _, c := range All {
		if c.Title == "" || strings.HasSuffix(c.Title, ".") || c.Severity.Rank() == 0 || c.Since == "" || c.Run == nil {
			t.Errorf("%s: title %q, severity %q, since %q", c.ID, c.Title, c.Severity, c.Since)
		}
		if len(c.Needs)+len(c.NeedsComplete) == 0 {
			t.Errorf("%s needs no area: then it says the same of every cluster", c.ID)
		}
		for _, a := range append(slices.Clone(c.Needs), c.NeedsComplete...) {
			if _, ok := a.Info(); !ok {
				t.Errorf("%s needs %q, which is no area", c.ID, a)
			}
		}
		for _, id := range c.Techniques {
			if !technique.MatchString(id) {
				t.Errorf("%s: technique %q", c.ID, id)
			}
		}
	}
}

// TestPages holds every page to one form, because explain, the HTML report and SARIF cut it at its headings.
func TestPages(t *testing.T) {
	headings := []string{"What it finds", "Why it matters", "How to fix it", "When it is fine", "References"}
	for _, c := range All {
		page, ok := Page(c.ID)
		if !ok {
			t.Errorf("%s has no page", c.ID)
			continue
		}
		if !strings.HasPrefix(page, "# "+c.Title+"\n") {
			t.Errorf("%s: the page does not begin with the title", c.ID)
		}
		var got []string
		for _, l := range strings.Split(page, "\n") {
			if h, ok := strings.CutPrefix(l, "## "); ok {
				got = append(got, h)
			}
		}
		if !slices.Equal(got, headings) {
			t.Errorf("%s: headings %q, want %q", c.ID, got, headings)
		}
	}
}
