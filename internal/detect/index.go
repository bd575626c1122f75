package detect

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"drawbridge/internal/sigma"
)

// index finds the rules that an event can match by what it does: verb and resource, or API and action. Rules that pin neither
// stand behind gates, so that most events meet no rule at all.
type index struct {
	rules map[[2]uint64][]*rule
	// shapes says which of the two are asked for at all, together: bit 0 for the first, bit 1 for the second.
	shapes [4]bool
	gates  []gate
	// asked is what the rules behind the gates ask whose records can be alike; nil if there are none.
	asked *asked
}

// gate is what rules need that pin nothing: what is cheap to tell, asked once for all of them. Nil is always open.
type gate struct {
	text  string
	open  predicate
	rules []*rule
	// alike says that one record of a minute speaks for others that are alike.
	alike bool
}

func (x *index) add(r *rule, condition sigma.Expr, open func(sigma.Expr) predicate) {
	if x.rules == nil {
		x.rules = map[[2]uint64][]*rule{}
	}
	pins := telling[r.plane]
	first, second := literals(condition, pins[0].String()), literals(condition, pins[1].String())
	if first == nil && second == nil {
		x.behindGate(r, condition, open)
		return
	}
	shape := 0
	if first == nil {
		first = []string{""}
	} else {
		shape |= 1
	}
	if second == nil {
		second = []string{""}
	} else {
		shape |= 2
	}
	x.shapes[shape] = true
	seen := map[[2]uint64]bool{}
	for _, a := range first {
		for _, b := range second {
			k := [2]uint64{}
			if shape&1 != 0 {
				k[0] = foldAll(a)
			}
			if shape&2 != 0 {
				k[1] = foldAll(b)
			}
			if !seen[k] {
				seen[k] = true
				x.rules[k] = append(x.rules[k], r)
			}
		}
	}
}

func (x *index) behindGate(r *rule, condition sigma.Expr, open func(sigma.Expr) predicate) {
	need := needed(condition)
	text := strings.Join(r.via, " or ") + "; " + textOf(need)
	i := slices.IndexFunc(x.gates, func(g gate) bool { return g.text == text })
	if i < 0 {
		i = len(x.gates)
		g := gate{text: text}
		if len(need) > 0 {
			g.open = open(need)
		}
		if record := g.open; r.via != nil {
			g.open = func(l *look) bool { return l.mayBe(r.via) && (record == nil || record(l)) }
		}
		x.gates = append(x.gates, g)
	}
	x.gates[i].rules = append(x.gates[i].rules, r)
}

// needed are the conditions that must hold for x to hold, of those that are cheap and that later events do not make true.
func needed(x sigma.Expr) sigma.And {
	var out sigma.And
	switch x := x.(type) {
	case sigma.And:
		for _, y := range x {
			out = append(out, needed(y)...)
		}
	default:
		if settled(x) {
			out = append(out, x)
		}
	}
	return out
}

func settled(x sigma.Expr) bool {
	switch x := x.(type) {
	case sigma.And:
		return !slices.ContainsFunc(x, func(y sigma.Expr) bool { return !settled(y) })
	case sigma.Or:
		return !slices.ContainsFunc(x, func(y sigma.Expr) bool { return !settled(y) })
	case sigma.Not:
		return settled(x.X)
	case *sigma.Match:
		if e := enrichmentOf(x.Field); e != nil {
			return (e.Cheap || e.Early) && x.Op != sigma.FieldRef
		}
		return x.Field != "" && x.Op != sigma.FieldRef
	}
	return false
}

// textOf tells conditions apart.
func textOf(x sigma.Expr) string {
	parts := func(word string, xs []sigma.Expr) string {
		var b strings.Builder
		for _, y := range xs {
			b.WriteString(word + "(" + textOf(y) + ")")
		}
		return b.String()
	}
	switch x := x.(type) {
	case sigma.And:
		return parts("and", x)
	case sigma.Or:
		return parts("or", x)
	case sigma.Not:
		return "not(" + textOf(x.X) + ")"
	case *sigma.Match:
		return fmt.Sprintf("%s %v %v %v %#v", x.Field, x.Op, x.All, x.Cased, x.Values)
	}
	return fmt.Sprintf("%p", x)
}

// candidates are the rules that pin what an event does.
func (x *index) candidates(first, second string) (out []*rule) {
	ha, hb := foldAll(first), foldAll(second)
	for shape, used := range x.shapes {
		if !used {
			continue
		}
		var k [2]uint64
		if shape&1 != 0 {
			k[0] = ha
		}
		if shape&2 != 0 {
			k[1] = hb
		}
		out = append(out, x.rules[k]...)
	}
	return out
}

// literals are the values of which the field must have one for x to hold; nil if it may have any.
func literals(x sigma.Expr, name string) []string {
	switch x := x.(type) {
	case sigma.And:
		var best []string
		for _, y := range x {
			if ls := literals(y, name); ls != nil && (best == nil || len(ls) < len(best)) {
				best = ls
			}
		}
		return best
	case sigma.Or:
		var union []string
		for _, y := range x {
			ls := literals(y, name)
			if ls == nil {
				return nil
			}
			union = append(union, ls...)
		}
		return union
	case *sigma.Match:
		if x.Field != name || x.Op != sigma.Equals {
			return nil
		}
		out := make([]string, 0, len(x.Values))
		for _, v := range x.Values {
			s, ok := v.Literal()
			if !ok {
				return nil
			}
			out = append(out, s)
		}
		return out
	}
	return nil
}

// foldAll hashes text without regard to case, as Sigma compares it: there are letters outside ASCII that are one of ASCII's in
// another case.
func foldAll(s string) uint64 {
	return fold(strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, s))
}

// fold hashes text without regard to the case of ASCII letters (FNV-1a).
func fold(s string) uint64 { return foldInto(14695981039346656037, s) }

// foldInto goes on with a hash.
func foldInto(h uint64, s string) uint64 {
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
