package detect

import (
	"slices"

	"drawbridge/internal/event"
	"drawbridge/internal/sigma"
)

// class is what events of one class can match: rules that pin what they do, and gates.
type class struct {
	rules []*rule
	gates []*gate
}

// telling are the fields whose values are an event's class, and present those of which it tells only whether they are there. They
// have few values, and rule out most of the rules.
var (
	telling = map[event.Plane][]event.Field{
		event.Kubernetes: {event.Verb, event.Resource, event.Subresource, event.APIGroup, event.ResponseCode},
		event.CloudTrail: {event.EventSource, event.EventName},
	}
	present = map[event.Plane][]event.Field{
		event.Kubernetes: {event.ImpersonatedUser, event.AccessKeyIDs, event.Reason, event.Namespace, event.ObjectName, event.RequestObject, event.ResponseObject},
		event.CloudTrail: {event.AccessKeyID, event.VPCEndpointAccount},
	}
)

// classes remembers the classes of events, by the fields as they are written; bounded, as whoever asks for what does not exist chooses
// its name.
type classes struct {
	telling, present []event.Field
	known            map[string]*class
	name             []byte
}

const classesKept = 4096

func newClasses(p event.Plane) classes {
	return classes{telling: telling[p], present: present[p], known: map[string]*class{}}
}

// of is the class of an event.
func (k *classes) of(l *look, x *index) *class {
	name := k.name[:0]
	for _, f := range k.telling {
		name = append(append(name, l.Field(f).Raw()...), 0)
	}
	bits := byte(0)
	for _, f := range k.present {
		bits <<= 1
		if l.Field(f).Kind() > event.Null {
			bits |= 1
		}
	}
	k.name = append(name, bits)
	if known, ok := k.known[string(k.name)]; ok {
		return known
	}
	first, second := keysOf(l.Event)
	out := new(class)
	for _, r := range x.candidates(first.String(), second.String()) {
		if r.possible(l) {
			out.rules = append(out.rules, r)
		}
	}
	for i := range x.gates {
		if g := &x.gates[i]; slices.ContainsFunc(g.rules, func(r *rule) bool { return r.possible(l) }) {
			out.gates = append(out.gates, g)
		}
	}
	if len(k.known) < classesKept && len(k.name) <= longest {
		k.known[string(k.name)] = out
	}
	return out
}

// may says of x whether events of a class can match it, and whether some can fail to: see classes.
func (w *writer) may(x sigma.Expr) func(*look) (is, not bool) {
	inner := func(xs []sigma.Expr) []func(*look) (is, not bool) {
		out := make([]func(*look) (is, not bool), len(xs))
		for i, y := range xs {
			out[i] = w.may(y)
		}
		return out
	}
	switch x := x.(type) {
	case sigma.And:
		parts := inner(x)
		return func(l *look) (is, not bool) {
			is = true
			for _, p := range parts {
				a, b := p(l)
				is, not = is && a, not || b
			}
			return is, not
		}
	case sigma.Or:
		parts := inner(x)
		return func(l *look) (is, not bool) {
			not = true
			for _, p := range parts {
				a, b := p(l)
				is, not = is || a, not && b
			}
			return is, not
		}
	case sigma.Not:
		p := w.may(x.X)
		return func(l *look) (is, not bool) { is, not = p(l); return not, is }
	case *sigma.Match:
		if x.Field == "" || x.Op == sigma.FieldRef || enrichmentOf(x.Field) != nil {
			break
		}
		path := event.ParsePath(w.plane, x.Field)
		p := (&writer{compiler: &compiler{program: w.program}, rule: w.rule, plane: w.plane}).match(x)
		told := slices.Contains(telling[w.plane], path.Field())
		for _, f := range present[w.plane] {
			if path.Within(f) {
				return func(l *look) (is, not bool) {
					if told || l.Field(f).Kind() <= event.Null {
						is = p(l)
						return is, !is
					}
					return true, true
				}
			}
		}
		if told {
			return func(l *look) (is, not bool) { is = p(l); return is, !is }
		}
	}
	return func(*look) (is, not bool) { return true, true }
}
