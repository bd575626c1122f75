package detect

import (
	"bytes"
	"unicode/utf8"

	"drawbridge/internal/event"
	"drawbridge/internal/sigma"
)

// glance tells by the first byte and the length of a value as it is written that it cannot be one of some texts, or begin with
// one. Most values are ruled out so without being read.
type glance struct {
	// heads are the bytes that it may begin with; nil is any.
	heads *[256]bool
	// least is how many bytes it has at least: escapes make it only longer, and letters outside ASCII that are ASCII's in another
	// case do so, too.
	least int
}

func glanceOf(m *sigma.Match) glance {
	if m.Op != sigma.Equals && m.Op != sigma.StartsWith {
		return glance{}
	}
	g := glance{heads: new([256]bool), least: 1 << 30}
	for _, v := range m.Values {
		s, ok := v.Literal()
		if !ok || s == "" {
			return glance{}
		}
		for i := range len(s) {
			if s[i] >= utf8.RuneSelf {
				return glance{}
			}
		}
		c := s[0]
		g.heads[c] = true
		switch {
		case 'a' <= c && c <= 'z':
			g.heads[c-'a'+'A'] = true
		case 'A' <= c && c <= 'Z':
			g.heads[c-'A'+'a'] = true
		}
		g.least = min(g.least, len(s))
	}
	// An escape, a percent-encoding and a letter outside ASCII may stand for any.
	g.heads['\\'], g.heads['%'] = true, true
	for c := utf8.RuneSelf; c < len(g.heads); c++ {
		g.heads[c] = true
	}
	return g
}

// answers remember what was said of a list that events have again and again, as the groups of a user: by its bytes, in the
// place that its length tells.
type answers [8]struct {
	list []byte
	is   bool
}

// of is what was said of a list, or what ask says now.
func (a *answers) of(list []byte, ask func() bool) bool {
	m := &a[len(list)%len(a)]
	if !bytes.Equal(m.list, list) {
		m.list, m.is = append(m.list[:0], list...), ask()
	}
	return m.is
}

// match is false if the value cannot match.
func (g *glance) match(v event.Value) bool {
	return g.heads == nil || g.heads[v.Head()] && len(v.Raw()) >= g.least
}
