package siem

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"drawbridge/internal/sigma"
)

// eventBridge writes event patterns (EventBridge User Guide, "Comparison operators for use in event patterns", 2026-11). A
// pattern is a conjunction over fields; `$or` stands for what differs between several. EventBridge looks at leaves: a field
// that holds a list matches if one element does.
func eventBridge() target {
	return target{name: "eventbridge", onlyCloudTrail: true, needs: []string{
		"A rule on the event bus `default`, in every region, with a trail that logs management events.",
		"Rule state ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS for detections of read-only calls; with ENABLED they never arrive.",
		"The quota of an event pattern's size (2,048 characters by default) raised, for the longer ones.",
	}, event: func(q *query) string {
		if q.plane != cloudTrail {
			q.refuse("the Kubernetes audit log does not reach EventBridge")
			return ""
		}
		b := bridge{q}
		all := b.either(q.expr, false)
		if q.refused {
			return ""
		}
		b.elements(all)
		return b.write(all)
	}}
}

// elements tells where EventBridge wants two fields below a list in one and the same element of it.
func (b bridge) elements(all []conjunction) {
	for _, c := range all {
		seen := map[string]bool{}
		for _, l := range c {
			keys := segments(l.field)
			for _, at := range listAt(keys) {
				if list := strings.Join(keys[:at+1], "."); at+1 < len(keys) && seen[list] {
					b.lose("%s: what is compared below it has to be in one element of the list", list)
				} else {
					seen[list] = true
				}
			}
		}
	}
}

// maxConjunctions bounds a pattern: EventBridge refuses more than 1,000 combinations of $or.
const maxConjunctions = 500

// leaf is what one field of a conjunction has to be: one of several things.
type leaf struct {
	field string
	want  []any
}

type conjunction []leaf

type bridge struct{ *query }

// either writes an expression, negated or not, as conjunctions of which one has to hold.
func (b bridge) either(x sigma.Expr, negated bool) []conjunction {
	switch x := x.(type) {
	case sigma.Not:
		return b.either(x.X, !negated)
	case sigma.And:
		return b.combine(x, negated, !negated)
	case sigma.Or:
		return b.combine(x, negated, negated)
	case *sigma.Match:
		return b.match(x, negated)
	}
	return nil
}

func (b bridge) combine(parts []sigma.Expr, negated, all bool) []conjunction {
	var out []conjunction
	for i, p := range parts {
		more := b.either(p, negated)
		switch {
		case b.refused:
			return nil
		case !all || i == 0:
			out = append(out, more...)
		default:
			var product []conjunction
			for _, a := range out {
				for _, c := range more {
					product = b.merge(product, a, c)
				}
			}
			if b.refused {
				return nil
			}
			if len(product) == 0 {
				b.refuse("the condition can never hold: it wants a field there and absent")
				return nil
			}
			out = product
		}
	}
	return out
}

// merge adds the conjunction of two to a product. A pattern has a field once: two demands on it cannot be written, unless
// they are the same, or one follows from the other, or they contradict each other.
func (b bridge) merge(product []conjunction, one, other conjunction) []conjunction {
	out := append(conjunction(nil), one...)
	for _, l := range other {
		at := slices.IndexFunc(out, func(o leaf) bool { return o.field == l.field })
		switch {
		case at < 0:
			out = append(out, l)
		case same(out[at], l) || same(l, exists(l.field, true)[0]) && !same(out[at], exists(l.field, false)[0]):
		case same(out[at], exists(l.field, true)[0]) && !same(l, exists(l.field, false)[0]):
			out[at] = l
		case nothing(out[at]) || nothing(l):
			return product
		case single(l.field) && texts(out[at]) && texts(l):
			if out[at] = meet(out[at], l); len(out[at].want) == 0 {
				return product
			}
		default:
			b.refuse("an event pattern cannot ask for two things of one field (%s)", l.field)
			return nil
		}
	}
	if len(product) == maxConjunctions {
		b.refuse("the condition needs more than %d combinations in an event pattern", maxConjunctions)
		return nil
	}
	return append(product, out)
}

// single says that a field has one value: those of the record's envelope, not those that each call has its own of.
func single(field string) bool {
	return !strings.Contains(field, ".") || strings.HasPrefix(field, "userIdentity.")
}

// texts says whether a leaf asks for one of several texts, with or without case.
func texts(l leaf) bool {
	return !slices.ContainsFunc(l.want, func(w any) bool {
		if _, plain := w.(string); plain {
			return false
		}
		o, _ := w.(object)
		_, folded := o["equals-ignore-case"]
		return !folded
	})
}

// meet is what two leaves of texts both take.
func meet(a, b leaf) leaf {
	out := leaf{field: a.field}
	for _, x := range a.want {
		for _, y := range b.want {
			s, cased := x.(string)
			t, alsoCased := y.(string)
			if !cased {
				s, _ = x.(object)["equals-ignore-case"].(string)
			}
			if !alsoCased {
				t, _ = y.(object)["equals-ignore-case"].(string)
			}
			switch {
			case cased && alsoCased && s != t || !strings.EqualFold(s, t):
			case cased:
				out.want = append(out.want, x)
			default:
				out.want = append(out.want, y)
			}
		}
	}
	return out
}

// nothing says whether a leaf asks for an absent field or a null.
func nothing(l leaf) bool {
	return same(l, exists(l.field, false)[0]) || same(l, leaf{l.field, []any{nil}})
}

func same(a, b leaf) bool { return bytes.Equal(compact(a.want), compact(b.want)) }

func compact(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil // texts, numbers and maps of them always encode
	}
	return bytes.TrimSpace(b.Bytes())
}

type object = map[string]any

func exists(field string, there bool) conjunction {
	return conjunction{{field: field, want: []any{object{"exists": there}}}}
}

// absent is what drawbridge calls so: not in the record, or null.
func absent(field string) []conjunction {
	return []conjunction{exists(field, false), {{field: field, want: []any{nil}}}}
}

func (b bridge) present(field string) []conjunction {
	b.nulls(field)
	return []conjunction{exists(field, true)}
}

// nulls tells that EventBridge takes a null for a value, where drawbridge takes it for none.
func (b bridge) nulls(field string) {
	if field != "errorCode" && field != "errorMessage" { // which CloudTrail leaves out where there is none
		b.also("%s: a null in the record counts as there", field)
	}
}

// match writes one comparison.
func (b bridge) match(m *sigma.Match, negated bool) []conjunction {
	switch {
	case b.leafless(m):
		return nil
	case m.Field == "":
		b.refuse("EventBridge does not search for keywords")
		return nil
	case m.Op == sigma.Exists:
		if there, _ := m.Values[0].Bool(); there == negated {
			return absent(m.Field)
		}
		return b.present(m.Field)
	case m.Op == sigma.FieldRef, m.Op == sigma.Regex:
		b.refuse("EventBridge has no %s", map[sigma.Op]string{sigma.FieldRef: "comparison of two fields", sigma.Regex: "regular expressions"}[m.Op])
		return nil
	}
	var want []any
	null := false
	for i := range m.Values {
		v := &m.Values[i]
		if v.IsNull() {
			null = true
			continue
		}
		want = append(want, b.value(m, v)...)
	}
	if negated {
		return b.not(m, want, null)
	}
	var out []conjunction
	if len(want) > 0 {
		out = append(out, conjunction{{field: m.Field, want: want}})
	}
	if null {
		out = append(out, absent(m.Field)...)
	}
	return out
}

// not writes a negated comparison: the field is absent, or it is anything but the values. EventBridge's anything-but asks
// whether one element of a list is different.
func (b bridge) not(m *sigma.Match, want []any, null bool) []conjunction {
	if len(listAt(segments(m.Field))) > 0 && len(want) > 0 {
		b.also("%s: where it is a list, a value beside the excluded one is enough to match", m.Field)
	}
	if len(m.Values) == 1 && len(want) == 2 {
		if is, ok := want[1].(bool); ok {
			b.lose("%s: other values than true and false, and true and false in other letters, are not matched", m.Field)
			return []conjunction{exists(m.Field, false), {{field: m.Field, want: []any{!is, strconv.FormatBool(!is)}}}}
		}
	}
	var plain []any
	var special any
	for _, w := range want {
		switch w := w.(type) {
		case object:
			if special != nil {
				special = false
				continue
			}
			special = w
		case bool:
			b.refuse("EventBridge cannot exclude booleans beside other values (%s)", m.Field)
			return nil
		default:
			plain = append(plain, w)
		}
	}
	but := func(w any) []conjunction {
		return []conjunction{{{field: m.Field, want: []any{object{"anything-but": w}}}}}
	}
	var out []conjunction
	switch {
	case len(want) == 0:
		return b.present(m.Field)
	case special == nil:
		if plain = b.oneKind(m, plain); b.refused {
			return nil
		}
		out = but(plain)
	case len(plain) == 0 && special != false:
		o := special.(object)
		if _, ok := o["numeric"]; ok {
			b.refuse("EventBridge cannot negate the comparison of numbers")
			return nil
		}
		if _, ok := o["cidr"]; ok {
			b.refuse("EventBridge cannot negate the comparison of networks")
			return nil
		}
		for kind, v := range o {
			if folded, ok := v.(object); ok {
				b.also("%s: events are set aside by %v in these letters only: anything-but compares a %s with case", m.Field, folded["equals-ignore-case"], kind)
				o = object{kind: folded["equals-ignore-case"]}
			}
		}
		out = but(o)
	default:
		out = b.foldedBut(m)
	}
	if null {
		b.nulls(m.Field)
		return out
	}
	return append(out, exists(m.Field, false))
}

// oneKind keeps the numbers of a list that has each as number and as text: EventBridge excludes lists of texts or of numbers.
func (b bridge) oneKind(m *sigma.Match, plain []any) []any {
	var numbers []any
	for _, w := range plain {
		if _, ok := w.(json.Number); ok {
			numbers = append(numbers, w)
		}
	}
	switch {
	case len(numbers) == 0:
		return plain
	case 2*len(numbers) != len(plain):
		b.refuse("EventBridge cannot exclude numbers and texts of one field at once (%s)", m.Field)
		return nil
	}
	b.also("%s: numbers that the record writes as text are not set aside", m.Field)
	return numbers
}

// foldedBut negates several values at once: EventBridge takes a list of them for one kind of comparison.
func (b bridge) foldedBut(m *sigma.Match) []conjunction {
	texts := map[string][]any{}
	for i := range m.Values {
		if m.Values[i].IsNull() {
			continue
		}
		for _, w := range b.value(m, &m.Values[i]) {
			o, ok := w.(object)
			if !ok {
				s, isText := w.(string)
				if !isText {
					continue
				}
				o = object{"equals-ignore-case": s}
			}
			for kind, v := range o {
				if s, isText := v.(string); isText {
					texts[kind] = append(texts[kind], s)
				} else {
					texts["other"] = append(texts["other"], v)
				}
			}
		}
	}
	if len(texts) != 1 || texts["other"] != nil {
		b.refuse("EventBridge cannot exclude several kinds of values of one field at once (%s)", m.Field)
		return nil
	}
	for kind, v := range texts {
		return []conjunction{{{field: m.Field, want: []any{object{"anything-but": object{kind: v}}}}}}
	}
	return nil
}

// value writes one value: as the things of which the field may be one.
func (b bridge) value(m *sigma.Match, v *sigma.Value) []any {
	switch m.Op {
	case sigma.CIDR:
		return []any{object{"cidr": v.Prefix().String()}}
	case sigma.Less, sigma.LessEqual, sigma.Greater, sigma.GreaterEqual:
		n, _ := v.Number()
		sign := map[sigma.Op]string{sigma.Less: "<", sigma.LessEqual: "<=", sigma.Greater: ">", sigma.GreaterEqual: ">="}[m.Op]
		b.lose("%s: numbers that the record writes as text are not compared", m.Field)
		return []any{object{"numeric": []any{sign, n}}}
	}
	p := patternOf(m, v)
	if s, ok := p.literal(); ok {
		return literals(s, p.cased)
	}
	if p.numeric() {
		b.lose("%s: %q does not match numbers and booleans", m.Field, v.String())
	}
	for kind, part := range map[string]func() (string, bool){"prefix": p.prefix, "suffix": p.suffix} {
		if s, ok := part(); ok {
			if p.cased {
				return []any{object{kind: s}}
			}
			return []any{object{kind: object{"equals-ignore-case": s}}}
		}
	}
	if p.singles() {
		b.refuse("EventBridge has no wildcard for a single character (%s)", m.Field)
		return nil
	}
	if !p.cased {
		b.lose("%s: %q is compared with case: EventBridge's wildcards know no other way", m.Field, v.String())
	}
	return []any{object{"wildcard": p.write("*", "", escape(`\*`))}}
}

// literals are the JSON values whose text is s: EventBridge tells 403 from "403".
func literals(s string, cased bool) []any {
	var out []any
	if cased {
		out = append(out, s)
	} else {
		out = append(out, object{"equals-ignore-case": s})
	}
	if low := strings.ToLower(s); low == "true" || low == "false" {
		out = append(out, low == "true")
	}
	var n json.Number
	if json.Unmarshal([]byte(s), &n) == nil && n.String() == s {
		out = append(out, n)
	}
	return out
}

// write puts what all conjunctions share beside the $or of the rest.
func (b bridge) write(all []conjunction) string {
	shared := append(conjunction(nil), all[0]...)
	for _, c := range all[1:] {
		var kept conjunction
		for _, s := range shared {
			for _, l := range c {
				if l.field == s.field && same(l, s) {
					kept = append(kept, s)
				}
			}
		}
		shared = kept
	}
	var or []any
	for _, c := range all {
		rest := object{}
		for _, l := range c {
			if !has(shared, l) {
				b.put(rest, l)
			}
		}
		or = append(or, rest)
	}
	detail := object{}
	for _, l := range shared {
		b.put(detail, l)
	}
	if len(or) > 1 {
		detail["$or"] = or
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(object{"detail-type": []string{"AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"}, "detail": detail}); err != nil {
		b.refuse("write the pattern: %v", err)
	}
	if b.refused {
		return ""
	}
	return out.String()
}

func has(c conjunction, l leaf) bool {
	for _, s := range c {
		if s.field == l.field && same(s, l) {
			return true
		}
	}
	return false
}

// put sets a leaf in the nested form of a pattern.
func (b bridge) put(at object, l leaf) {
	keys := segments(l.field)
	for _, k := range keys[:len(keys)-1] {
		inner, ok := at[k].(object)
		if at[k] != nil && !ok {
			b.refuse("%s: an event pattern cannot ask for a field and for one below it", l.field)
			return
		}
		if inner == nil {
			inner = object{}
			at[k] = inner
		}
		at = inner
	}
	last := keys[len(keys)-1]
	if _, ok := at[last]; ok {
		b.refuse("%s: an event pattern cannot ask for a field and for one below it", l.field)
		return
	}
	at[last] = l.want
}
