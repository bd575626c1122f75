package detect

import (
	"drawbridge/internal/event"
	"drawbridge/internal/sigma"
)

// index finds the rules that an event can match by what it does: verb and resource, or API and action. What a rule does not
// pin is found under nothing, so that most events meet no rule at all.
type index struct {
	rules map[[2]uint64][]*rule
	// pinned says which of the two are asked for at all, together: bit 0 for neither, 1 first, 2 second, 3 both.
	shapes [4]bool
}

// keys are the two fields that pin rules, by plane, as Sigma rules write them and as the scanner finds them.
var keys = map[event.Plane][2]string{
	event.Kubernetes: {"verb", "objectRef.resource"},
	event.CloudTrail: {"eventSource", "eventName"},
}

func keysOf(e *event.Event) (event.Value, event.Value) {
	if e.Plane() == event.Kubernetes {
		return e.Field(event.Verb), e.Field(event.Resource)
	}
	return e.Field(event.EventSource), e.Field(event.EventName)
}

func (x *index) add(r *rule, condition sigma.Expr) {
	if x.rules == nil {
		x.rules = map[[2]uint64][]*rule{}
	}
	names := keys[r.plane]
	first, second := literals(condition, names[0]), literals(condition, names[1])
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
				k[0] = fold(a)
			}
			if shape&2 != 0 {
				k[1] = fold(b)
			}
			if !seen[k] {
				seen[k] = true
				x.rules[k] = append(x.rules[k], r)
			}
		}
	}
}

// candidates calls each with the lists of rules that the event can match.
func (x *index) candidates(e *event.Event, each func([]*rule)) {
	a, b := keysOf(e)
	ha, hb := fold(a.String()), fold(b.String())
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
		if rs := x.rules[k]; rs != nil {
			each(rs)
		}
	}
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

// fold hashes text without regard to the case of ASCII letters (FNV-1a). Rules that pin other letters are still found:
// their literals are folded alike.
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
