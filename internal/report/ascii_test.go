package report

import (
	"slices"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"
	"pgregory.net/rapid"
)

// TestWrapASCII: plain text is broken as the general way breaks it.
func TestWrapASCII(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-z/:.\[\]@*,-]{1,14}`), 0, 12).Draw(t, "words")
		width := rapid.IntRange(8, 40).Draw(t, "width")
		s := strings.Join(words, " ")
		got, ok := wrapASCII(s, width)
		if !ok {
			t.Fatalf("%q is not plain", s)
		}
		want := strings.Split(strings.ReplaceAll(lipgloss.Wrap(strings.ReplaceAll(s, "-", "\ue000"), width, ""), "\ue000", "-"), "\n")
		for i := range want {
			want[i] = strings.TrimRight(want[i], " ")
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q in %d columns: %q, want %q", s, width, got, want)
		}
	})
}
