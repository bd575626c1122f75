package detect

import (
	"slices"
	"strings"
	"unicode/utf8"

	"drawbridge/internal/event"
	"drawbridge/internal/sigma"
)

// predicate says whether an event is meant.
type predicate func(*look) bool

// writer writes predicates for one document.
type writer struct {
	*compiler
	rule   *sigma.Rule
	plane  event.Plane
	ledger bool
	// doubt is what makes of the answers about an event ones that another may change: see enrichment.
	doubt func(*look) bool
}

func (w *writer) expr(x sigma.Expr) predicate {
	switch x := x.(type) {
	case sigma.And:
		return all(w.exprs(x))
	case sigma.Or:
		return anyOf(w.exprs(x))
	case sigma.Not:
		p := w.expr(x.X)
		return func(l *look) bool { return !p(l) }
	case *sigma.Match:
		return w.match(x)
	}
	w.fail(w.rule, w.rule.Line, "condition: %T is not known", x)
	return never
}

// exprs writes the parts of a condition, the cheap ones first: which comes first decides nothing but the time it takes.
func (w *writer) exprs(xs []sigma.Expr) []predicate {
	out := make([]predicate, len(xs))
	for i, x := range byCost(w.plane, xs) {
		out[i] = w.expr(x)
	}
	return out
}

func byCost(p event.Plane, xs []sigma.Expr) []sigma.Expr {
	return slices.SortedStableFunc(slices.Values(xs), func(a, b sigma.Expr) int { return cost(p, a) - cost(p, b) })
}

// cost is about what a condition takes: 1 for a field that the scanner finds, more for one inside another, most for what has
// to be worked out.
func cost(p event.Plane, x sigma.Expr) int {
	sum := func(xs []sigma.Expr) int {
		n := 0
		for _, y := range xs {
			n += cost(p, y)
		}
		return n
	}
	switch x := x.(type) {
	case sigma.And:
		return sum(x)
	case sigma.Or:
		return sum(x)
	case sigma.Not:
		return cost(p, x.X)
	case *sigma.Match:
		switch {
		case x.Field == "":
			return 64
		case strings.HasPrefix(x.Field, "drawbridge."):
			return 32
		case event.ParsePath(p, x.Field).Field() != 0:
			return 1
		}
		return 8
	}
	return 0
}

// likely is x with all that the ledger may yet tell taken as so.
func (w *writer) likely(x sigma.Expr) predicate {
	inner := writer{compiler: &compiler{program: w.program}, rule: w.rule, plane: w.plane}
	p := inner.expr(x)
	if !inner.ledger && inner.doubt == nil {
		return p
	}
	switch x := x.(type) {
	case sigma.And:
		out := make([]predicate, len(x))
		for i, y := range byCost(w.plane, x) {
			out[i] = w.likely(y)
		}
		return all(out)
	case sigma.Or:
		out := make([]predicate, len(x))
		for i, y := range byCost(w.plane, x) {
			out[i] = w.likely(y)
		}
		return anyOf(out)
	case *sigma.Match:
		if e := enrichmentOf(x.Field); e != nil && e.Settled != nil {
			return func(l *look) bool { return !e.Settled(l) || p(l) }
		}
	}
	if !inner.ledger {
		return func(l *look) bool { return p(l) || inner.doubt(l) }
	}
	return always
}

func always(*look) bool { return true }
func never(*look) bool  { return false }

func all(ps []predicate) predicate {
	if len(ps) == 1 {
		return ps[0]
	}
	return func(l *look) bool {
		for _, p := range ps {
			if !p(l) {
				return false
			}
		}
		return true
	}
}

func anyOf(ps []predicate) predicate {
	if len(ps) == 1 {
		return ps[0]
	}
	return func(l *look) bool {
		for _, p := range ps {
			if p(l) {
				return true
			}
		}
		return false
	}
}

func (w *writer) match(m *sigma.Match) predicate {
	if m.Field == "" {
		return keywords(m)
	}
	f := w.field(m.Field, m.Line)
	switch m.Op {
	case sigma.Exists:
		want := true
		if len(m.Values) > 0 {
			want, _ = m.Values[0].Bool()
		}
		return func(l *look) bool { return f.exists(l) == want }
	case sigma.FieldRef:
		return w.fieldRef(m, f)
	}
	if i := slices.IndexFunc(m.Values, func(v sigma.Value) bool { return v.IsNull() }); i >= 0 {
		rest := *m
		rest.Values = slices.Delete(slices.Clone(m.Values), i, i+1)
		absent := func(l *look) bool { return !f.exists(l) }
		if len(rest.Values) == 0 {
			return absent
		}
		return anyOf([]predicate{absent, w.compare(&rest, f)})
	}
	return w.compare(m, f)
}

// compare is the usual match: one of the field's values is as one of the pattern's, or with |all as each of them.
func (w *writer) compare(m *sigma.Match, f field) predicate {
	op, cased := m.Op, m.Cased
	if m.All {
		ps := make([]predicate, len(m.Values))
		for i, v := range m.Values {
			ps[i] = w.compare(&sigma.Match{Field: m.Field, Op: op, Cased: cased, Values: []sigma.Value{v}}, f)
		}
		return all(ps)
	}
	if op == sigma.StartsWith && f.enrich == nil {
		if p := begins(m, f); p != nil {
			return p
		}
	}
	values := m.Values
	matches := func(s string) bool {
		for i := range values {
			if values[i].Matches(op, cased, s) {
				return true
			}
		}
		return false
	}
	may := glanceOf(m)
	direct := event.Field(0)
	if f.enrich == nil {
		direct = f.path.Field()
	}
	slot := w.program.lists
	w.program.lists++
	inList := func(l *look) bool {
		is := false
		l.Find(f.path).Each(func(v event.Value) bool {
			is = v.Kind() != event.Null && may.match(v) && matches(v.String())
			return !is
		})
		return is
	}
	isTrue, isFalse := matches("true"), matches("false")
	return func(l *look) bool {
		if f.enrich != nil {
			vs := l.enriched(f.enrich)
			if len(vs) == 1 { // as most fields of ours are
				switch vs[0] {
				case "true":
					return isTrue
				case "false":
					return isFalse
				}
			}
			return slices.ContainsFunc(vs, matches)
		}
		if direct != 0 {
			switch v := l.Field(direct); v.Kind() {
			case event.Absent, event.Null:
				return false
			case event.List:
				if list := v.Raw(); len(list) <= longest && slot < len(l.lists) {
					return l.lists[slot].of(list, func() bool { return inList(l) })
				}
			default:
				return may.match(v) && matches(v.String())
			}
		}
		return inList(l)
	}
}

// begins compares only as much of the field as the patterns are long, and so mostly without unescaping it; nil where a
// pattern has no fixed length.
func begins(m *sigma.Match, f field) predicate {
	longest := 0
	for _, v := range m.Values {
		s, ok := v.Literal()
		if !ok {
			return nil
		}
		longest = max(longest, len(s))
	}
	// Folding can change the length of letters outside ASCII: then more is compared, never less.
	longest *= utf8.UTFMax
	values, may, direct := m.Values, glanceOf(m), f.path.Field()
	return func(l *look) bool {
		if v := l.Field(direct); v.Kind() == event.String && !may.match(v) { // as mostly
			return false
		}
		is := false
		l.Find(f.path).Each(func(v event.Value) bool {
			if !may.match(v) {
				return true
			}
			s := v.Begin(longest)
			for i := range values {
				is = is || v.Kind() != event.Null && values[i].Matches(sigma.StartsWith, m.Cased, s)
			}
			return !is
		})
		return is
	}
}

func (w *writer) fieldRef(m *sigma.Match, f field) predicate {
	others := make([]field, len(m.Values))
	for i, v := range m.Values {
		others[i] = w.field(v.String(), m.Line)
	}
	return func(l *look) bool {
		is := false
		f.values(l, func(a string) bool {
			for i := range others {
				others[i].values(l, func(b string) bool {
					is = a == b || !m.Cased && strings.EqualFold(a, b)
					return !is
				})
			}
			return !is
		})
		return is
	}
}

// keywords looks for text anywhere in the record.
func keywords(m *sigma.Match) predicate {
	values := m.Values
	return func(l *look) bool {
		raw := string(l.Raw())
		for i := range values {
			if values[i].Matches(m.Op, m.Cased, raw) != m.All {
				return !m.All
			}
		}
		return m.All
	}
}
