package diff

import (
	"slices"
	"strconv"
	"strings"
)

// scope is a set of resources in words: patterns, less exceptions.
type scope struct{ words, except []string }

func (s scope) key() string {
	return strings.Join(s.words, "\x00") + "\x01" + strings.Join(s.except, "\x00")
}

// say puts what was found into words: one permission for all actions that differ on the same resources, under the same
// conditions.
func (x *comparison) say() ([]Permission, []Open) {
	var order []string
	alike := map[string][]*finding{} // through the same statement under the same conditions
	for i := range x.found {
		f := &x.found[i]
		key := strconv.Itoa(x.number(f.by)) + f.key()
		if alike[key] == nil {
			order = append(order, key)
		}
		alike[key] = append(alike[key], f)
	}
	var permissions []Permission
	open := x.open
	for _, key := range order {
		for rest := alike[key]; len(rest) > 0; {
			var chosen scope
			var some []*finding
			chosen, some, rest = x.bestScope(rest)
			actions := newSet(x.universe.size)
			for _, f := range some {
				actions = actions.or(f.actions)
			}
			f := some[0]
			words, except := x.actionWords(f.by, actions, chosen.words)
			if f.proof == nil {
				open = append(open, Open{words, chosen.words, f.open})
				continue
			}
			permissions = append(permissions, Permission{
				Actions: words, ExceptActions: except, Resources: chosen.words, ExceptResources: chosen.except, If: f.ifs, Unless: f.unless,
				Caller: f.proof.caller, Witness: f.proof.request, Given: given(f.proof.keys), keys: f.proof.keys,
			})
		}
	}
	return permissions, open
}

// maxScopes bounds how many ways to say resources are compared.
const maxScopes = 40

// bestScope chooses the words for resources that fit the most findings: words that fit one fit others too where they differ
// only in resources that the actions of these are never about.
func (x *comparison) bestScope(list []*finding) (best scope, fits, others []*finding) {
	scopes := map[string]scope{}
	for _, f := range list {
		if s := x.resourceWords(f); len(scopes) < maxScopes || len(list) == 1 {
			scopes[s.key()] = s
		}
	}
	var score int
	for _, key := range sortedKeys(scopes) {
		s := scopes[key]
		n := 0
		for _, f := range list {
			if s.fits(f) {
				n++
			}
		}
		if n > score {
			best, score = s, n
		}
	}
	if score == 0 { // said by examples
		return x.resourceWords(list[0]), list[:1], list[1:]
	}
	for _, f := range list {
		if best.fits(f) {
			fits = append(fits, f)
		} else {
			others = append(others, f)
		}
	}
	return best, fits, others
}

// fits says whether the words stand for the resources of a finding, of those that its actions may be about.
func (s scope) fits(f *finding) bool {
	for _, text := range slices.Concat(s.words, s.except) {
		if !f.division.tells(textGlob(text)) {
			return false
		}
	}
	for i, resource := range f.division.examples {
		if in := matches(s.words, resource) && !matches(s.except, resource); in != f.resources.has(i) {
			return false
		}
	}
	return true
}

func matches(patterns []string, resource string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		return p == "*" || textGlob(p).match(resource)
	})
}

// mostNames is how many actions are listed by name before a pattern with exceptions says it better.
const mostNames = 8

// actionWords says a set of actions on resources, which a statement allows: in patterns where they fit, by name where they
// are few, and else by the statement's own words with exceptions. Words may take in actions that are never about such
// resources.
func (x *comparison) actionWords(by *statement, actions set, resources []string) (words, except []string) {
	covers := map[string]set{"*": x.universe.pattern("*")}
	for _, s := range x.all {
		for _, text := range append(slices.Clone(s.Action), s.NotAction...) {
			if covers[text] == nil {
				covers[text] = x.universe.pattern(text)
			}
		}
	}
	own := []string{"*"}
	if by != nil && by.NotAction == nil {
		own = by.Action
	}
	fit := actions.or(x.never(resources))
	words, rest := cover(actions, fit, covers)
	made := false
	for i := range rest.each {
		made = made || x.universe.made(i)
	}
	if !made && rest.count() <= mostNames {
		return sorted(append(words, x.names(rest, rest.count())...)), nil
	}
	if words, except, ok := hull(actions, fit, own, covers); ok {
		return words, except
	}
	return sorted(append(words, x.names(rest, rest.count())...)), nil
}

// hull says a set by the fewest of a statement's own words that hold it, with exceptions for what does not fit.
func hull(s, fit set, own []string, covers map[string]set) (words, except []string, ok bool) {
	around := newSet(len(s) * 64)
	for _, text := range own {
		if c := covers[text]; c.meets(s) && !c.and(s).within(around) {
			words, around = append(words, text), around.or(c)
		}
	}
	if !s.within(around) {
		return nil, nil, false
	}
	except, left := cover(around.without(fit), covers["*"].without(s), covers)
	return sorted(words), sorted(except), left.empty()
}

// never are the actions that are not about resources of such patterns.
func (x *comparison) never(resources []string) set {
	all := newSet(x.universe.size)
	patterns := make([]glob, len(resources))
	for i, text := range resources {
		if patterns[i] = textGlob(text); text == noResource || strings.Contains(text, "${") || !strings.HasPrefix(text, "arn:") {
			return all
		}
	}
	partition, _ := x.home()
	for _, f := range x.aws.known().about() {
		if len(bearing(patterns, x.aws.known().globsOf(f.forms, partition))) == 0 {
			for _, i := range f.actions {
				all.add(i)
			}
		}
	}
	return all
}

// cover chooses words for a set, the widest first, that cover nothing but what fits, and returns what none of them does.
func cover(s, fit set, covers map[string]set) (words []string, rest set) {
	rest = s
	for _, text := range widest(covers) {
		if c := covers[text]; c.within(fit) && c.meets(rest) {
			words, rest = append(words, text), rest.without(c)
		}
	}
	return words, rest
}

func widest(covers map[string]set) []string {
	texts := sortedKeys(covers)
	slices.SortStableFunc(texts, func(a, b string) int { return covers[b].count() - covers[a].count() })
	return texts
}

// resourceWords says the resources of a finding: in patterns where they fit, else by the statement's own words with
// exceptions. Where no words fit, examples stand for what they are like.
func (x *comparison) resourceWords(f *finding) scope {
	covers := x.resourceCovers(f.division)
	own := []string{noResource}
	if f.by != nil && f.by.NotResource == nil {
		own = f.by.Resource
	}
	if whole := f.resources.count() == len(f.division.examples); whole && slices.Contains(own, noResource) {
		return scope{[]string{noResource}, nil}
	}
	plain := map[string]set{}
	for text, c := range covers { // that a pattern takes in all that there is says nothing of the pattern
		if c.count() < len(f.division.examples) || slices.Contains(own, text) {
			plain[text] = c
		}
	}
	words, rest := cover(f.resources, f.resources, plain)
	if rest.empty() {
		return scope{sorted(words), nil}
	}
	if words, except, ok := hull(f.resources, f.resources, own, covers); ok {
		return scope{words, except}
	}
	for _, text := range slices.Backward(widest(covers)) {
		if words, except, ok := hull(f.resources, f.resources, []string{text}, covers); ok {
			return scope{words, except}
		}
	}
	for i := range rest.each {
		words = append(words, "such as "+f.division.examples[i])
	}
	return scope{sorted(words), nil}
}

// resourceCovers are the classes of resources that each pattern of the statements covers, by its text. A pattern with a
// variable that is not known covers none, nor does one that splits a class.
func (x *comparison) resourceCovers(d *arns) map[string]set {
	covers := map[string]set{}
	put := func(text string, g glob) {
		if covers[text] != nil {
			return
		}
		if covers[text] = newSet(len(d.examples)); !d.tells(g) {
			return
		}
		for i, example := range d.examples {
			if g.match(example) {
				covers[text].add(i)
			}
		}
	}
	put(noResource, glob{many})
	for _, s := range x.all {
		pieces, sure := s.ResourcePatterns(&s.caller.request)
		for i, text := range append(slices.Clone(s.Resource), s.NotResource...) {
			if sure {
				put(text, pieceGlob(pieces[i]))
			} else if covers[text] == nil {
				covers[text] = newSet(len(d.examples))
			}
		}
	}
	return covers
}
