package detect

import (
	"slices"

	"drawbridge/internal/event"
	"drawbridge/internal/sigma"
)

// class is what events of one class can match: rules that pin what they do, and gates.
type class struct {
	rules []*rule
	gates []int // their numbers
	// changes says that they may change what the ledger keeps.
	changes bool
}

// telling are the fields whose values are an event's class, the two by which the index finds rules first, and present those of which it tells only whether they are there. They
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
	out := &class{changes: l.Plane() == event.Kubernetes && changes(l)}
	for _, r := range x.candidates(l.Field(k.telling[0]).String(), l.Field(k.telling[1]).String()) {
		if r.possible(l) {
			out.rules = append(out.rules, r)
		}
	}
	for i := range x.gates {
		if slices.ContainsFunc(x.gates[i].rules, func(r *rule) bool { return r.possible(l) }) {
			out.gates = append(out.gates, i)
		}
	}
	if len(k.known) < classesKept && len(k.name) <= longest {
		k.known[string(k.name)] = out
	}
	return out
}

// shutFor are the gates that do not open for the user of a request, as a set of their numbers: of the first 64.
func (x *index) shutFor(l *look) uint64 {
	u := l.user
	if u == nil {
		return 0
	}
	if !u.judged {
		u.judged = true
		for i := range min(len(x.gates), 64) {
			if !slices.ContainsFunc(x.gates[i].rules, func(r *rule) bool { return r.possibleFor(l) }) {
				u.shut |= 1 << i
			}
		}
	}
	return u.shut
}

// may says of x whether events can match it of which no more is known than some fields, and whether they can fail to. known is
// given the event and a field, and says whether its values are known.
func (w *writer) may(x sigma.Expr, known func(*look, event.Path) bool) func(*look) (is, not bool) {
	inner := func(xs []sigma.Expr) []func(*look) (is, not bool) {
		out := make([]func(*look) (is, not bool), len(xs))
		for i, y := range xs {
			out[i] = w.may(y, known)
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
		p := w.may(x.X, known)
		return func(l *look) (is, not bool) { is, not = p(l); return not, is }
	case *sigma.Match:
		if x.Field == "" || x.Op == sigma.FieldRef || enrichmentOf(x.Field) != nil {
			break
		}
		path := event.ParsePath(w.plane, x.Field)
		p := (&writer{compiler: &compiler{program: w.program}, rule: w.rule, plane: w.plane}).match(x)
		return func(l *look) (is, not bool) {
			if !known(l, path) {
				return true, true
			}
			is = p(l)
			return is, !is
		}
	}
	return func(*look) (is, not bool) { return true, true }
}

// ofClass is what the class of an event tells: the values of some fields, and of others that they are absent.
func ofClass(l *look, p event.Path) bool {
	for _, f := range telling[l.Plane()] {
		if p.Field() == f {
			return true
		}
	}
	for _, f := range present[l.Plane()] {
		if p.Within(f) {
			return l.Field(f).Kind() <= event.Null
		}
	}
	return false
}

// ofUser is what the user of a request tells.
func ofUser(_ *look, p event.Path) bool {
	for _, f := range []event.Field{event.User, event.Username, event.UserGroups, event.UserExtra, event.AccessKeyIDs, event.CanonicalARNs} {
		if p.Within(f) {
			return true
		}
	}
	return false
}
