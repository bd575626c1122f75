package diff

import (
	"slices"
	"strings"
	"time"

	"drawbridge/internal/iam"
)

// proof is a request that shows a difference.
type proof struct {
	caller  int // as the caller of Minus counts
	at      int // among those compared
	request iam.Request
	keys    []chosen
}

func given(keys []chosen) map[string][]string {
	if len(keys) == 0 {
		return nil
	}
	all := map[string][]string{}
	for _, k := range keys {
		all[k.key] = append([]string{}, k.values...)
	}
	return all
}

// prove makes a request in which those variables hold that v says, and returns nil unless evaluating it shows that one of
// a is allowed it and all of b are denied.
func (x *comparison) prove(t *table, v uint, action, resource string) *proof {
	keys, ok := t.context(v)
	if !ok {
		return nil
	}
	ask := func(c *caller) (iam.Request, iam.Decision) {
		r := c.request
		r.Action, r.Resource, r.Context = action, resource, c.with(keys)
		return r, iam.EvaluateIdentity(c.Policies, r)
	}
	for _, c := range x.b {
		if _, d := ask(c); d.Verdict != iam.Denied {
			return nil
		}
	}
	for i, c := range x.a {
		if r, d := ask(c); d.Verdict == iam.Allowed {
			return &proof{c.index, i, r, keys}
		}
	}
	return nil
}

// chosen is a value for a condition key of requests; none is its absence.
type chosen struct {
	of     string // the caller that it follows from, or ""
	key    string
	values []string
}

// with is a caller's context with what a request chooses. What is known of the caller stays.
func (c *caller) with(keys []chosen) *iam.Context {
	context := new(iam.Context)
	if c.Context != nil {
		context = c.Context.Clone()
	}
	for _, k := range keys {
		if (k.of == "" || k.of == c.Principal.String()) && !c.request.Knows(k.key) {
			context.Set(k.key, k.values...)
		}
	}
	return context
}

// context chooses values for condition keys so that the variables hold, or do not, as v says. It returns false where a
// variable is no condition on a key alone, or where no value that it thinks of does.
func (t *table) context(v uint) ([]chosen, bool) {
	type group struct {
		of, key string
		want    map[*condition]bool
	}
	var groups []*group
	find := map[string]*group{}
	for i, u := range t.variables {
		if u.condition == nil || len(u.condition.keys) > 1 {
			return nil, false
		}
		of, _, _ := strings.Cut(u.meaning, "\x00")
		if !ofCaller(u.condition.keys[0]) {
			of = ""
		}
		id := of + "\x00" + u.condition.keys[0]
		g := find[id]
		if g == nil {
			g = &group{of, u.condition.keys[0], map[*condition]bool{}}
			find[id] = g
			groups = append(groups, g)
		}
		g.want[u.condition] = v>>i&1 == 1
	}
	var all []chosen
	for _, g := range groups {
		values, ok := choose(g.key, g.want)
		if !ok {
			return nil, false
		}
		all = append(all, chosen{g.of, g.key, values})
	}
	return all, true
}

// choose finds values of a key with which conditions hold or do not, as wanted.
func choose(key string, want map[*condition]bool) ([]string, bool) {
	fits := func(values []string) bool {
		r := iam.Request{Context: new(iam.Context).Set(key, values...)}
		for c, holds := range want {
			if t := c.Test(&r); holds && t != iam.True || !holds && t != iam.False {
				return false
			}
		}
		return true
	}
	if fits(nil) {
		return nil, true
	}
	candidates := strangers
	var together []string
	for _, c := range sortedConditions(want) {
		for _, value := range c.Values {
			candidates = append(slices.Clip(likeIt(value)), candidates...)
			together = append(together, value)
		}
	}
	for _, value := range candidates {
		if fits([]string{value}) {
			return []string{value}, true
		}
	}
	return together, len(together) > 1 && fits(together)
}

func sortedConditions(m map[*condition]bool) []*condition {
	var all []*condition
	for c := range m {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *condition) int { return strings.Compare(a.meaning, b.meaning) })
	return all
}

// strangers are values that hardly a policy names.
var strangers = []string{"stranger", "arn:aws:iam::000000000000:role/stranger", "true", "false", "0", "198.51.100.77", "2001:db8::77", "1970-01-02T00:00:00Z", "2100-01-01T00:00:00Z"}

// likeIt are values that a condition with this value may match, or just not.
func likeIt(value string) []string {
	all := []string{value, strings.NewReplacer("*", "", "?", "x").Replace(value), strings.NewReplacer("*", "x", "?", "x").Replace(value)}
	if address, _, ok := strings.Cut(value, "/"); ok {
		all = append(all, address)
	}
	if at, err := time.Parse(time.RFC3339, value); err == nil {
		for _, by := range []time.Duration{-time.Hour, time.Hour} {
			all = append(all, at.Add(by).Format(time.RFC3339))
		}
	}
	if value != "" && strings.Trim(value, "0123456789") == "" && len(value) < 16 {
		all = append(all, value+"0", "1", "0")
	}
	return all
}
