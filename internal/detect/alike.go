package detect

import (
	"hash/maphash"
	"slices"
	"strings"

	"drawbridge/internal/event"
	"drawbridge/internal/sigma"
)

// Most of CloudTrail is one program that does the same again and again. What rules behind gates ask of a record is who it is from
// and where: of records that are alike in that, the earliest of a minute is looked at, and speaks for the rest of the minute. Only
// rules that are sampled anyway are spared so, and only after a record of which they had nothing to say: see [Engine.worth].

// asked are the fields that tell records apart for some rules, besides userIdentity: as they are written, and as they are worked
// out.
type asked struct {
	fields []event.Path
	values []*enrichment
}

// ask adds what a condition and `once` ask. Of a record, what the ledger tells depends on who, with which key, and where, which is
// always asked: see [ofWhoAndWhere].
func (a *asked) ask(x sigma.Expr, once []field) {
	a.add("drawbridge.key")
	for _, f := range []event.Field{event.SourceIP, event.EventUserAgent, event.VPCEndpointID, event.VPCEndpointAccount} {
		a.path(f.String())
	}
	eachField(x, a.add)
	for i := range once {
		a.add(once[i].name)
	}
}

func (a *asked) add(name string) {
	e := enrichmentOf(name)
	switch {
	case e == nil:
		a.path(name)
	case e.From != nil:
		for _, f := range e.From {
			a.path(f.String())
		}
	case !e.Ledger && !slices.Contains(a.values, e):
		a.values = append(a.values, e)
	}
}

func (a *asked) path(name string) {
	p := event.ParsePath(event.CloudTrail, name)
	if p.Within(event.RequestParameters) { // the service decides how they are written
		a.path(event.EventSource.String())
	}
	if !strings.HasPrefix(name, "userIdentity.") && !slices.Contains(a.fields, p) {
		a.fields = append(a.fields, p)
	}
}

// ofWhoAndWhere says of a field that what the ledger tells of it depends, of the record, on nothing but who made the request, with
// which key, and from where. Of others it may depend on what was asked for.
func ofWhoAndWhere(name string) bool {
	e := enrichmentOf(name)
	return e == nil || !e.Ledger || slices.ContainsFunc([]string{"drawbridge.key.", "drawbridge.instance.", "drawbridge.source."}, func(p string) bool {
		return strings.HasPrefix(name, p)
	})
}

// eachField calls do with each field of a condition.
func eachField(x sigma.Expr, do func(string)) {
	switch x := x.(type) {
	case sigma.And:
		for _, y := range x {
			eachField(y, do)
		}
	case sigma.Or:
		for _, y := range x {
			eachField(y, do)
		}
	case sigma.Not:
		eachField(x.X, do)
	case *sigma.Match:
		do(x.Field)
		if x.Op == sigma.FieldRef {
			for _, v := range x.Values {
				do(v.String())
			}
		}
	}
}

// alike remembers, by what records are alike in, the earliest of the minute; bounded.
type alike struct {
	seed  maphash.Seed
	first map[uint64]Fact
}

// alikeKept is how many are remembered at most before all are forgotten, which costs time only.
const alikeKept = 1 << 16

func newAlike() *alike { return &alike{seed: maphash.MakeSeed(), first: map[uint64]Fact{}} }

// key is what a record has of what is asked, and its minute.
func (a *alike) key(l *look, of *asked) uint64 {
	h := uint64(l.Time().Unix() / 60) //nolint:gosec // 2026-11: G115: one of many that make a key
	mix := func(b []byte) { h = (h ^ maphash.Bytes(a.seed, b)) * 1099511628211 }
	mix(l.Field(event.UserIdentity).Raw())
	for _, p := range of.fields {
		if f := p.Field(); f != 0 {
			mix(l.Field(f).Raw())
			continue
		}
		l.Find(p).Each(func(v event.Value) bool { mix(v.Raw()); return true })
		h++
	}
	for _, e := range of.values {
		for _, v := range l.enriched(e) {
			h = (h ^ maphash.String(a.seed, v)) * 1099511628211
		}
		h++
	}
	return h
}

// spoken says that an earlier record speaks for this one.
func (a *alike) spoken(l *look, of *asked) bool {
	l.likeness = a.key(l, of)
	first, ok := a.first[l.likeness]
	l.unlike = !ok || l.now().before(first)
	return !l.unlike
}

// put remembers a record of which nothing was to be said but that it waits, if it does.
func (a *alike) put(l *look) {
	if len(a.first) >= alikeKept {
		clear(a.first)
	}
	a.first[l.likeness] = l.fact()
}
