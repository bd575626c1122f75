package diff

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func genPattern(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "*", "?", "ab"}), 0, 5).Draw(t, "pattern"), "")
}

func regular(pattern string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(pattern)
	return regexp.MustCompile("^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(quoted) + "$")
}

// The classes of patterns are all there are: every string falls into one, and its example is in it.
func TestClasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.Custom(genPattern), 1, 4).Draw(t, "patterns")
		var patterns []glob
		for _, s := range texts {
			patterns = append(patterns, textGlob(s))
		}
		matches := func(s string) string {
			m := newSet(len(texts))
			for i, p := range texts {
				if regular(p).MatchString(s) {
					m.add(i)
				}
			}
			return m.key()
		}
		prefix := rapid.SampledFrom([]string{"", "a"}).Draw(t, "prefix")
		found, ok := classes(patterns, prefix, []rune("xab"), 1<<12)
		if !ok {
			t.Fatal("too many states")
		}
		have := map[string]bool{}
		for _, c := range found {
			if c.members.key() != matches(c.example) || newFamily(patterns).match(c.example).key() != matches(c.example) {
				t.Fatalf("%q is no example of its class", c.example)
			}
			have[matches(c.example)] = true
		}
		for range 50 {
			s := prefix + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "x"}), 1, 7).Draw(t, "string"), "")
			for i, p := range patterns {
				if p.match(s) != regular(texts[i]).MatchString(s) {
					t.Fatalf("%s matches %q: %v", texts[i], s, p.match(s))
				}
			}
			if !have[matches(s)] {
				t.Fatalf("no class for %q", s)
			}
		}
	})
}

// Two patterns meet if and only if there is a class that both match.
func TestMeets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Custom(genPattern).Draw(t, "a"), rapid.Custom(genPattern).Draw(t, "b")
		g, h := textGlob(a), textGlob(b)
		found, _ := classes([]glob{g, h}, "", []rune("xab"), 1<<12)
		want := regular(a).MatchString("") && regular(b).MatchString("")
		for _, c := range found {
			want = want || c.members.count() == 2
		}
		if got := g.meets(h); got != want || h.meets(g) != want || want && !g.beginsLike(h) {
			t.Fatalf("%s and %s meet: %v, want %v", a, b, got, want)
		}
	})
}
