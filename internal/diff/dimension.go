package diff

import (
	"cmp"
	"slices"
	"strings"
)

// token is one word of a rule in one dimension, or what stands for all of them.
type token struct {
	text  string
	whole bool
}

// dimension divides the values of one part of requests (verbs, say) into atoms: values that all rules in question treat
// alike. A set of atoms is then as good as the set of values.
type dimension struct {
	covers map[token]set
	size   int
	whole  set
	// atomOf finds the atom of a value.
	atomOf func(string) int
	// example is a value of each atom.
	example []string
	// tokens are the words in order, those that cover more first.
	tokens []token
}

func (d *dimension) set(tokens []token) set {
	s := newSet(d.size)
	for _, t := range tokens {
		s = s.or(d.covers[t])
	}
	return s
}

// arrange finishes a dimension whose atoms and covers are known.
func (d *dimension) arrange(size int) *dimension {
	d.size, d.whole = size, newSet(size)
	for i := range size {
		d.whole.add(i)
	}
	d.covers[token{whole: true}] = d.whole
	for t := range d.covers {
		d.tokens = append(d.tokens, t)
	}
	slices.SortFunc(d.tokens, func(a, b token) int {
		return cmp.Or(cmp.Compare(d.covers[b].count(), d.covers[a].count()), cmp.Compare(whole(b), whole(a)), cmp.Compare(a.text, b.text))
	})
	return d
}

func whole(t token) int {
	if t.whole {
		return 1
	}
	return 0
}

// words is a dimension whose words match themselves only: verbs, API groups and names of objects.
func words(tokens map[token]bool, spare []string) *dimension {
	d := &dimension{covers: map[token]set{}}
	texts := texts(tokens)
	index := make(map[string]int, len(texts))
	size := len(texts) + 1
	for i, text := range texts {
		s := newSet(size)
		s.add(i)
		d.covers[token{text: text}], index[text] = s, i
	}
	rest := len(texts)
	d.atomOf = func(value string) int {
		if i, named := index[value]; named {
			return i
		}
		return rest
	}
	d.example = append(slices.Clone(texts), unnamed(spare, func(s string) bool { return d.atomOf(s) == rest }))
	return d.arrange(size)
}

func texts(tokens map[token]bool) []string {
	var all []string
	for t := range tokens {
		if !t.whole {
			all = append(all, t.text)
		}
	}
	slices.Sort(all)
	return all
}

// unnamed is the first of spare that fits, or else a made-up one.
func unnamed(spare []string, fits func(string) bool) string {
	for _, s := range spare {
		if fits(s) {
			return s
		}
	}
	for s := "other"; ; s += "x" {
		if fits(s) {
			return s
		}
	}
}

// resources is the dimension of resources with their subresources. A word is "pods", "pods/log" or "*/log"; the last is
// the only other wildcard there is (see rbac.Allows).
func resources(tokens map[token]bool, spare []string) *dimension {
	d := &dimension{covers: map[token]set{}}
	var literals, anyOf []string // the latter are subresources
	for _, text := range texts(tokens) {
		switch resource, sub, ok := strings.Cut(text, "/"); {
		case ok && sub == "": // matches nothing that has a name
		case ok && resource == "*":
			anyOf = append(anyOf, sub)
		default:
			literals = append(literals, text)
		}
	}
	index := map[string]int{}
	for i, l := range literals {
		index[l] = i
	}
	subs := map[string]int{}
	for i, s := range anyOf {
		subs[s] = len(literals) + i
	}
	size := len(literals) + len(anyOf) + 1
	for _, l := range literals {
		s := newSet(size)
		s.add(index[l])
		d.covers[token{text: l}] = s
	}
	for _, sub := range anyOf {
		s := newSet(size)
		s.add(subs[sub])
		for i, l := range literals {
			if _, of, ok := strings.Cut(l, "/"); ok && of == sub {
				s.add(i)
			}
		}
		d.covers[token{text: "*/" + sub}] = s
	}
	for t := range tokens {
		if d.covers[t] == nil && !t.whole {
			d.covers[t] = newSet(size)
		}
	}
	d.atomOf = func(value string) int {
		if i, named := index[value]; named {
			return i
		}
		if _, sub, ok := strings.Cut(value, "/"); ok {
			if i, named := subs[sub]; named {
				return i
			}
		}
		return size - 1
	}
	d.example = slices.Clone(literals)
	for _, sub := range anyOf {
		var of []string
		for _, r := range spare {
			if !strings.Contains(r, "/") {
				of = append(of, r+"/"+sub)
			}
		}
		d.example = append(d.example, pick(of, "other", "/"+sub, func(s string) bool { return d.atomOf(s) == subs[sub] }))
	}
	d.example = append(d.example, unnamed(spare, func(s string) bool { return d.atomOf(s) == size-1 }))
	return d.arrange(size)
}

// pick is the first of spare that fits, or else a made-up one that ends in suffix.
func pick(spare []string, made, suffix string, fits func(string) bool) string {
	for _, s := range spare {
		if fits(s) {
			return s
		}
	}
	for ; !fits(made + suffix); made += "x" {
	}
	return made + suffix
}

// urls is the dimension of non-resource URLs, in which an asterisk at the end makes a prefix. All of them begin with a
// slash, as the paths of requests do.
func urls(tokens map[token]bool) *dimension {
	d := &dimension{covers: map[token]set{}}
	var prefixes, literals []string
	for _, text := range texts(tokens) {
		switch prefix := strings.TrimRight(text, "*"); {
		case !strings.HasPrefix(text, "/"):
		case prefix == text:
			literals = append(literals, text)
		default:
			prefixes = append(prefixes, prefix)
		}
	}
	slices.SortFunc(prefixes, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	prefixes = slices.Compact(prefixes)
	index := map[string]int{}
	for i, l := range literals {
		index[l] = len(prefixes) + i
	}
	size := len(prefixes) + len(literals) + 1
	d.atomOf = func(url string) int {
		if i, named := index[url]; named {
			return i
		}
		for i, p := range slices.Backward(prefixes) {
			if strings.HasPrefix(url, p) {
				return i
			}
		}
		return size - 1
	}
	for i, p := range append(slices.Clone(prefixes), "/") {
		if i == len(prefixes) {
			d.example = append(d.example, literals...)
			i = size - 1
		}
		d.example = append(d.example, below(p, func(url string) bool { return d.atomOf(url) == i }))
	}
	for t := range tokens {
		if t.whole {
			continue
		}
		s := newSet(size)
		for i, url := range d.example {
			if strings.HasPrefix(t.text, "/") && (url == t.text || strings.HasSuffix(t.text, "*") && strings.HasPrefix(url, strings.TrimRight(t.text, "*"))) {
				s.add(i)
			}
		}
		d.covers[t] = s
	}
	return d.arrange(size)
}

// below is a string that begins with a prefix and fits. There is one whenever finitely many longer prefixes and strings
// are all that does not fit, because each of them takes one next letter.
func below(prefix string, fits func(string) bool) string {
	for _, tail := range append([]string{""}, strings.Split("abcdefghijklmnopqrstuvwxyz0123456789", "")...) {
		if fits(prefix + tail) {
			return prefix + tail
		}
	}
	for r := rune(0x100); ; r++ {
		if s := prefix + string(r); fits(s) {
			return s
		}
	}
}

// maxStates bounds the work on patterns that overlap in too many ways.
const maxStates = 1 << 13

// namespaces is the dimension of where a rule counts. Its first atom is no namespace at all: requests about the whole
// cluster. It returns false if the patterns overlap in too many ways.
func namespaces(tokens map[token]bool) (*dimension, bool) {
	d := &dimension{covers: map[token]set{}}
	texts := texts(tokens)
	literals := slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return strings.Contains(s, "*") })
	patterns := slices.DeleteFunc(slices.Clone(texts), func(s string) bool { return !strings.Contains(s, "*") })
	d.example = append([]string{""}, literals...)
	index := map[string]int{}
	for i, l := range literals {
		index[l] = i + 1
	}
	if len(patterns) == 0 {
		size := len(literals) + 2
		d.example = append(d.example, unnamed(nil, func(s string) bool { return index[s] == 0 }))
		for _, l := range literals {
			s := newSet(size)
			s.add(index[l])
			d.covers[token{text: l}] = s
		}
		d.atomOf = func(value string) int {
			if i, named := index[value]; named || value == "" {
				return i
			}
			return size - 1
		}
		return d.arrange(size), true
	}
	return d.withPatterns(literals, patterns)
}

func (d *dimension) withPatterns(literals, patterns []string) (*dimension, bool) {
	var globs []glob
	for _, p := range patterns {
		globs = append(globs, starGlob(p))
	}
	named := make(map[string]bool, len(literals))
	for _, l := range literals {
		named[l] = true
	}
	family := newFamily(globs)
	atoms := map[string]int{} // by the patterns that match
	// A class is there if it has a member that is not named. Nearly always a letter more makes one; where not, the named ones
	// take part as patterns, so that the search looks past them.
	var inWay []glob
	add := func(found []class) {
		for _, c := range found {
			key := family.match(c.example).key()
			if _, have := atoms[key]; have {
				continue
			}
			example, ok := notNamed(c.example, func(s string) bool { return !named[s] && family.match(s).key() == key })
			if ok {
				atoms[key] = len(d.example)
				d.example = append(d.example, example)
				continue
			}
			for _, l := range literals {
				if family.match(l).key() == key {
					inWay = append(inWay, starGlob(l))
				}
			}
		}
	}
	const letters = "xyzabcdefghijklmnopqrstuvw0123456789-"
	found, ok := classes(globs, "", alphabetOf(globs, letters), maxStates)
	if !ok {
		return nil, false
	}
	if add(found); len(inWay) > 0 {
		globs = append(globs, inWay...)
		inWay = nil
		if found, ok = classes(globs, "", alphabetOf(globs, letters), maxStates); !ok {
			return nil, false
		}
		add(found)
	}
	index := map[string]int{}
	for i, value := range d.example[:len(literals)+1] {
		index[value] = i
	}
	d.atomOf = func(value string) int {
		if i, named := index[value]; named {
			return i
		}
		return atoms[family.match(value).key()]
	}
	size := len(d.example)
	for i, l := range literals {
		s := newSet(size)
		s.add(i + 1)
		d.covers[token{text: l}] = s
	}
	for _, p := range patterns {
		d.covers[token{text: p}] = newSet(size)
	}
	for i, value := range d.example[1:] {
		matched := family.match(value)
		for j, p := range patterns {
			if matched.has(j) {
				d.covers[token{text: p}].add(i + 1)
			}
		}
	}
	return d.arrange(size), true
}

// notNamed is a string that fits: the one given, or the same with a letter more somewhere.
func notNamed(s string, fits func(string) bool) (string, bool) {
	if fits(s) {
		return s, true
	}
	for i := len(s); i >= 0; i-- {
		for _, letter := range "xyzabc0" {
			if longer := s[:i] + string(letter) + s[i:]; fits(longer) {
				return longer, true
			}
		}
	}
	return "", false
}

// say returns the fewest words, as far as that is easy, that cover a set exactly, and false if none do.
func (d *dimension) say(s set) ([]token, bool) {
	var chosen []token
	have := newSet(d.size)
	for _, t := range d.tokens {
		if c := d.covers[t]; !c.empty() && c.within(s) && !c.within(have) {
			chosen, have = append(chosen, t), have.or(c)
			if have.equal(s) {
				return unique(chosen), true
			}
		}
	}
	return nil, false
}

// around returns words that cover a set and no more than own does, which covers it: exact words where there are any, else
// words of own.
func (d *dimension) around(s set, own []token) []token {
	var chosen []token
	have := newSet(d.size)
	for _, t := range own {
		rest := s.without(have).and(d.covers[t])
		if rest.empty() {
			continue
		}
		words, exact := d.say(d.covers[t].and(s))
		if !exact {
			words = []token{t}
		}
		for _, w := range words {
			chosen, have = append(chosen, w), have.or(d.covers[w])
		}
	}
	return unique(chosen)
}
