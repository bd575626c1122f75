package diff

import (
	"encoding/binary"
	"slices"
	"strings"
)

// glob is a pattern as a list of pieces.
type glob []piece

// piece is a character, or a wildcard.
type piece rune

// The wildcards: any one character, and any run of characters.
const (
	one  piece = -1
	many piece = -2
)

// starGlob reads a pattern in which only * is a wildcard.
func starGlob(s string) glob {
	var g glob
	for _, r := range s {
		g = g.append(piece(r), r == '*', false)
	}
	return g
}

// textGlob reads a pattern in which * and ? are wildcards.
func textGlob(s string) glob {
	var g glob
	for _, r := range s {
		g = g.append(piece(r), r == '*', r == '?')
	}
	return g
}

func (g glob) append(p piece, isMany, isOne bool) glob {
	switch {
	case isMany && len(g) > 0 && g[len(g)-1] == many:
		return g
	case isMany:
		return append(g, many)
	case isOne:
		return append(g, one)
	}
	return append(g, p)
}

// match says whether a string matches. Only the last wildcard for many characters needs to be tried again.
func (g glob) match(s string) bool {
	text := []rune(s)
	i, j, star, from := 0, 0, -1, 0
	for j < len(text) {
		switch {
		case i < len(g) && g[i] == many:
			star, from = i, j
			i++
		case i < len(g) && (g[i] == one || g[i] == piece(text[j])):
			i, j = i+1, j+1
		case star >= 0:
			from++
			i, j = star+1, from
		default:
			return false
		}
	}
	for i < len(g) && g[i] == many {
		i++
	}
	return i == len(g)
}

// class is a set of strings which the same patterns of a family match, and its shortest member.
type class struct {
	example string
	members set // indexes of the patterns
}

// classes divides all strings over an alphabet, save the empty one, by which patterns match them: the classes that have a member, and false if
// there were too many states on the way. It runs all patterns at once over every string, as a deterministic automaton whose
// states are the sets of places where the patterns can be.
//
// Only strings that begin with a prefix count, and are longer.
func classes(patterns []glob, prefix string, alphabet []rune, limit int) ([]class, bool) {
	family := newFamily(patterns)
	start := family.closed(family.start())
	for _, r := range prefix {
		start = family.step(start, r)
	}
	type state struct {
		at     set
		from   int
		letter rune
	}
	states := []state{{at: start, from: -1}}
	next, members := newSet(family.size), newSet(len(patterns))
	spelled := start.spell(make([]byte, 0, 8*len(start)))
	seen := map[string]bool{string(spelled): true}
	known := map[string]bool{}
	var found []class
	for i := 0; i < len(states); i++ {
		for _, letter := range alphabet {
			family.stepTo(next, states[i].at, letter)
			if spelled = next.spell(spelled[:0]); seen[string(spelled)] && i > 0 {
				continue // and so are its members known
			}
			family.acceptsTo(members, next)
			if key := string(members.spell(nil)); !known[key] {
				known[key] = true
				word := []rune{letter}
				for j := i; states[j].from >= 0; j = states[j].from {
					word = append(word, states[j].letter)
				}
				slices.Reverse(word)
				found = append(found, class{prefix + string(word), slices.Clone(members)})
			}
			if seen[string(spelled)] {
				continue
			}
			if len(states) >= limit {
				return nil, false
			}
			seen[string(spelled)] = true
			states = append(states, state{slices.Clone(next), i, letter})
		}
	}
	return found, true
}

// family is a list of patterns laid end to end: each has one place per piece, and one behind its last.
type family struct {
	size    int
	ends    []int
	stars   set
	letters map[rune]set // where a letter leads on; wildcards for one character are in all of them
	others  set          // where any other letter leads on
	starts  []int
}

func newFamily(patterns []glob) *family {
	f := &family{letters: map[rune]set{}}
	for _, p := range patterns {
		f.starts = append(f.starts, f.size)
		f.size += len(p) + 1
		f.ends = append(f.ends, f.size-1)
	}
	f.stars, f.others = newSet(f.size), newSet(f.size)
	for i, p := range patterns {
		for j, c := range p {
			switch c {
			case many:
				f.stars.add(f.starts[i] + j)
			case one:
				f.others.add(f.starts[i] + j)
			default:
				if f.letters[rune(c)] == nil {
					f.letters[rune(c)] = newSet(f.size)
				}
				f.letters[rune(c)].add(f.starts[i] + j)
			}
		}
	}
	for r, s := range f.letters {
		f.letters[r] = s.or(f.others)
	}
	return f
}

func (f *family) start() set {
	s := newSet(f.size)
	for _, i := range f.starts {
		s.add(i)
	}
	return s
}

// step is where the patterns can be after one more letter.
func (f *family) step(at set, letter rune) set {
	next := newSet(f.size)
	f.stepTo(next, at, letter)
	return next
}

func (f *family) stepTo(next, at set, letter rune) {
	on, named := f.letters[letter]
	if !named {
		on = f.others
	}
	carry := uint64(0)
	for i, w := range at {
		moved := w & on[i]
		next[i] = moved<<1 | carry | w&f.stars[i]
		carry = moved >> 63
	}
	carry = 0
	for i, w := range next { // places behind a wildcard that may stand for nothing
		moved := w & f.stars[i]
		next[i] |= moved<<1 | carry
		carry = moved >> 63
	}
}

// closed adds the places behind a wildcard that may stand for nothing. No two such wildcards follow each other.
func (f *family) closed(at set) set { return at.or(at.and(f.stars).up()) }

// match says which patterns match a string.
func (f *family) match(s string) set {
	at := f.closed(f.start())
	for _, r := range s {
		at = f.step(at, r)
	}
	return f.accepts(at)
}

func (f *family) accepts(at set) set {
	members := newSet(len(f.ends))
	f.acceptsTo(members, at)
	return members
}

func (f *family) acceptsTo(members, at set) {
	clear(members)
	for i, end := range f.ends {
		if at.has(end) {
			members.add(i)
		}
	}
}

// up adds one to every member. The highest place of a family never moves on.
func (s set) up() set {
	r := make(set, len(s))
	carry := uint64(0)
	for i, w := range s {
		r[i] = w<<1 | carry
		carry = w >> 63
	}
	return r
}

// key spells a set, to look it up by.
func (s set) key() string { return string(s.spell(make([]byte, 0, 8*len(s)))) }

func (s set) spell(b []byte) []byte {
	for _, w := range s {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

// alphabetOf is the letters that patterns name, and one that none names if there is one among spare.
func alphabetOf(patterns []glob, spare string) []rune {
	named := map[rune]bool{}
	for _, p := range patterns {
		for _, c := range p {
			if c >= 0 {
				named[rune(c)] = true
			}
		}
	}
	var alphabet []rune
	for r := range named {
		alphabet = append(alphabet, r)
	}
	slices.Sort(alphabet)
	if i := strings.IndexFunc(spare, func(r rune) bool { return !named[r] }); i >= 0 {
		alphabet = append([]rune{[]rune(spare[i:])[0]}, alphabet...)
	}
	return alphabet
}
