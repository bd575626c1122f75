package diff

import (
	"errors"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/rbac"
)

// Rule is a Kubernetes rule and where it counts.
type Rule struct {
	rbacv1.PolicyRule
	// Namespaces are where it counts, * standing for any characters. Nil is the whole cluster, and what has no namespace.
	Namespaces []string
}

// Allows says whether the rule allows a request.
func (r *Rule) Allows(q rbac.Request) bool {
	return r.countsIn(q.Namespace) && rbac.Allows(r.PolicyRule, q)
}

func (r *Rule) countsIn(namespace string) bool {
	if r.Namespaces == nil {
		return true
	}
	return namespace != "" && slices.ContainsFunc(r.Namespaces, func(n string) bool {
		return n == namespace || strings.Contains(n, "*") && starGlob(n).match(namespace)
	})
}

// Excess is a part of what one set of rules allows and another does not: all that the rule allows but the exceptions.
type Excess struct {
	Rule
	// Except are rules of the other set. They stand here where the excess is no rule by itself, because rules cannot leave
	// something out.
	Except []Rule
	// Witness is a request that only one set allows.
	Witness rbac.Request
}

// Allows says whether a request is part of the excess.
func (e *Excess) Allows(q rbac.Request) bool {
	return e.Rule.Allows(q) && !slices.ContainsFunc(e.Except, func(r Rule) bool { return r.Allows(q) })
}

// ErrEntangled says that two sets of rules overlap in too many ways to be compared.
var ErrEntangled = errors.New("the rules overlap in too many ways to be compared")

// maxPieces bounds what is left of one rule while others are taken from it.
const maxPieces = 1 << 12

// Rules returns what the rules of a allow and those of b do not, as rules that are as wide as they can be. It is empty if
// and only if b covers a. The only error is ErrEntangled: then nothing is known.
func Rules(a, b []Rule) ([]Excess, error) {
	var all []Excess
	for _, of := range []kind{ofResources, ofURLs} {
		some, err := of.minus(a, b)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// kind is one of the two kinds of requests, with the dimensions of what rules say of them.
type kind struct {
	// names returns the words of a rule in each dimension, and false for a rule that is not of the kind.
	names func(*Rule) ([][]token, bool)
	// divide makes the dimensions from all words, and says no if it cannot.
	divide func([]map[token]bool) ([]*dimension, bool)
	// rule puts words back together.
	rule    func([][]token) Rule
	witness func([]*dimension, box) rbac.Request
}

// written is the words of a rule with the box they make.
type written struct {
	rule  *Rule
	words [][]token
	box   box
}

func (k kind) minus(a, b []Rule) ([]Excess, error) {
	as, bs := k.read(a), k.read(b)
	as = unlike(as, bs)
	if len(as) == 0 {
		return nil, nil
	}
	dims, ok := k.divide(allWords(as, bs))
	if !ok {
		return nil, ErrEntangled
	}
	taken := make([]box, len(bs))
	for i := range bs {
		bs[i].box = makeBox(dims, bs[i].words)
		taken[i] = bs[i].box
	}
	x := excess{kind: k, dims: dims, taken: bs}
	for _, w := range as {
		if w.box = makeBox(dims, w.words); slices.ContainsFunc(w.box, set.empty) {
			continue // its words match nothing
		}
		rest, ok := w.box.minusAll(taken, maxPieces)
		if !ok {
			return nil, ErrEntangled
		}
		x.add(w, merge(rest))
	}
	return x.rules(), nil
}

// read takes the rules of the kind, one for all that say the same in different places.
func (k kind) read(rules []Rule) []written {
	var all []written
	index := map[string]int{}
	for i := range rules {
		words, ok := k.names(&rules[i])
		if !ok {
			continue
		}
		key := spell(words[1:])
		at, have := index[key]
		if !have {
			index[key] = len(all)
			all = append(all, written{rule: &rules[i], words: words})
			continue
		}
		all[at].words[0] = append(all[at].words[0], words[0]...)
	}
	for i := range all {
		all[i].words[0] = unique(all[i].words[0])
	}
	return all
}

// unlike drops from as what stands in bs word for word.
func unlike(as, bs []written) []written {
	where := map[string]map[token]bool{}
	for _, b := range bs {
		places := map[token]bool{}
		for _, t := range b.words[0] {
			places[t] = true
		}
		where[spell(b.words[1:])] = places
	}
	return slices.DeleteFunc(as, func(a written) bool {
		places := where[spell(a.words[1:])]
		return places[token{whole: true}] || !slices.ContainsFunc(a.words[0], func(t token) bool { return !places[t] })
	})
}

// spell writes words so that rules that say the same spell the same, whatever their order.
func spell(words [][]token) string {
	var b strings.Builder
	for _, list := range words {
		for _, t := range list {
			if t.whole {
				b.WriteByte(2)
			}
			b.WriteString(t.text)
			b.WriteByte(0)
		}
		b.WriteByte(1)
	}
	return b.String()
}

// unique sorts words and drops those that stand twice, or beside one that stands for all.
func unique(list []token) []token {
	if slices.Contains(list, token{whole: true}) {
		return []token{{whole: true}}
	}
	slices.SortFunc(list, func(a, b token) int { return strings.Compare(a.text, b.text) })
	return slices.Compact(list)
}

func allWords(lists ...[]written) []map[token]bool {
	var words []map[token]bool
	for _, list := range lists {
		for _, w := range list {
			if words == nil {
				for range w.words {
					words = append(words, map[token]bool{})
				}
			}
			for i, tokens := range w.words {
				for _, t := range tokens {
					words[i][t] = true
				}
			}
		}
	}
	return words
}

func makeBox(dims []*dimension, words [][]token) box {
	b := make(box, len(dims))
	for i, d := range dims {
		b[i] = d.set(words[i])
	}
	return b
}

// excess collects what is left of rules.
type excess struct {
	kind
	dims  []*dimension
	taken []written
	plain []box // what rules can say
	found []Excess
	hulls []box // of the found
}

// add adds what is left of one rule. If each piece can be said by a rule, these are kept to be merged with others; if not,
// the smallest rule around all of them is, with exceptions.
func (x *excess) add(of written, rest []box) {
	if len(rest) == 0 {
		return
	}
	sayable := func(b box) bool {
		for i, d := range x.dims {
			if _, ok := d.say(b[i]); !ok {
				return false
			}
		}
		return true
	}
	if !slices.ContainsFunc(rest, func(b box) bool { return !sayable(b) }) {
		x.plain = append(x.plain, rest...)
		return
	}
	around := slices.Clone(rest[0])
	for _, b := range rest[1:] {
		for i := range around {
			around[i] = around[i].or(b[i])
		}
	}
	words := make([][]token, len(x.dims))
	for i, d := range x.dims {
		words[i] = d.around(around[i], of.words[i])
	}
	hull := makeBox(x.dims, words)
	e := Excess{Rule: x.rule(words), Witness: x.witness(x.dims, rest[0])}
	for i := range x.taken {
		if x.taken[i].box.meets(hull) {
			e.Except = append(e.Except, x.rule(x.taken[i].words))
		}
	}
	x.found, x.hulls = append(x.found, e), append(x.hulls, hull)
}

// rules returns what was collected, what lies in wider ones left out.
func (x *excess) rules() []Excess {
	var all []Excess
	for i := range x.hulls {
		if !insideAnother(x.hulls, i) {
			all = append(all, x.found[i])
		}
	}
	for _, b := range merge(x.plain) {
		if slices.ContainsFunc(x.hulls, func(h box) bool { return b.within(h) }) {
			continue
		}
		words := make([][]token, len(x.dims))
		for i, d := range x.dims {
			words[i], _ = d.say(b[i])
		}
		all = append(all, Excess{Rule: x.rule(words), Witness: x.witness(x.dims, b)})
	}
	return all
}
