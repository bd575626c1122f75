package diff

import (
	"slices"
	"strings"

	"drawbridge/internal/iam"
)

// table is what statements say of one request, as far as conditions leave it open: each statement applies if all of its
// variables hold.
type table struct {
	variables []unknown
	index     map[string]int
	needs     map[*statement]uint // the variables of a statement that may apply
	unlike    bool                // a statement applies that one side lacks
}

// unknown is something that a request decides and that is not known: a condition, or what cannot be told of a statement.
type unknown struct {
	meaning string
	text    string
	// condition is nil where it is no condition that a context could settle.
	condition *condition
}

func (x *comparison) table(about []*statement, action, resource string) *table {
	t := &table{index: map[string]int{}, needs: map[*statement]uint{}}
	for _, s := range about {
		if t.enter(s, action, resource) {
			t.unlike = t.unlike || x.unlike[s]
		}
	}
	for _, c := range slices.Concat(x.a, x.b) {
		t.unlike = t.unlike || c.root
	}
	return t
}

// enter enters what a statement needs, and says whether it may apply.
func (t *table) enter(s *statement, action, resource string) bool {
	r := s.caller.request
	r.Action, r.Resource = action, resource
	if s.odd {
		t.need(s, unknown{meaning: s.meaning, text: "what a statement means that is not understood: " + s.String()})
		return true
	}
	names := s.MatchesResource(&r)
	if names == iam.False || slices.ContainsFunc(s.conditions, func(c *condition) bool { return c.Test(&r) == iam.False }) {
		return false
	}
	t.needs[s] = 0
	if names == iam.Unknown {
		resources := strings.Join(append(slices.Clone(s.Resource), s.NotResource...), " or ")
		t.need(s, unknown{meaning: s.caller.Principal.String() + "\x00" + resources, text: "what " + resources + " stands for"})
	}
	for _, c := range s.conditions {
		if c.Test(&r) == iam.Unknown {
			t.need(s, unknown{c.meaning, c.String(), c})
		}
	}
	return true
}

func (t *table) need(s *statement, u unknown) {
	i, have := t.index[u.meaning]
	if !have {
		i = len(t.variables)
		t.index[u.meaning] = i
		t.variables = append(t.variables, u)
	}
	if i < 64 {
		t.needs[s] |= 1 << i
	}
}

// applies says whether a statement applies where v says which variables hold.
func (t *table) applies(s *statement, v uint) bool {
	needs, may := t.needs[s]
	return may && needs&^v == 0
}

func (t *table) any(callers []*caller, v uint) bool {
	return slices.ContainsFunc(callers, func(c *caller) bool { return t.allows(c, v) })
}

func (t *table) allows(c *caller, v uint) bool {
	applies := func(s *statement) bool { return t.applies(s, v) }
	if slices.ContainsFunc(c.deny, applies) || !c.root && !slices.ContainsFunc(c.allow, applies) {
		return false
	}
	return !slices.ContainsFunc(c.limits, func(p place) bool { return !slices.ContainsFunc(p, applies) })
}

// through are the statements by which callers are allowed the request; nil stands for a root user.
func (t *table) through(callers []*caller, v uint) []*statement {
	var all []*statement
	for _, c := range callers {
		if v != ^uint(0) && !t.allows(c, v) {
			continue
		}
		if c.root {
			all = append(all, nil)
		}
		for _, s := range c.allow {
			if t.applies(s, v) {
				all = append(all, s)
			}
		}
	}
	return all
}

// why says what a difference depends on that could not be proven.
func (t *table) why(v uint) string {
	var holds, fails []string
	for i, u := range t.variables {
		if v>>i&1 == 1 {
			holds = append(holds, u.text)
		} else {
			fails = append(fails, u.text)
		}
	}
	why := "depends on what cannot be compared"
	if len(holds) > 0 {
		why += ": " + strings.Join(holds, " and ")
	}
	if len(fails) > 0 {
		why += "; but not " + strings.Join(fails, ", nor ")
	}
	return why
}
