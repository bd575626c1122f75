package siem

import "drawbridge/internal/sigma"

// fitting writes an event rule. Where the target cannot say it, conditions of which each has to hold are left out, those that
// the target has no words for: it then finds more.
func (x *exporter) fitting(q *query) string {
	before := *x.out
	text := x.target.event(q)
	all, isAnd := q.expr.(sigma.And)
	if !x.refused || !isAnd || q.elsewhere() {
		return text
	}
	first := *x.out
	// try writes some of the conditions on a result of their own.
	try := func(parts sigma.And) (*query, string) {
		out := before
		out.Losses = append([]string(nil), before.Losses...)
		t := *q
		t.exporter = &exporter{target: x.target, rules: x.rules, out: &out}
		t.expr = parts
		if len(parts) == 1 {
			t.expr = parts[0]
		}
		return &t, x.target.event(&t)
	}
	var kept sigma.And
	var gone []string
	for _, p := range all {
		with := append(kept[:len(kept):len(kept)], p)
		if t, _ := try(with); t.refused {
			gone = append(gone, "fires also where it is not so that "+say(p)+": "+t.out.Losses[0])
			continue
		}
		kept = with
	}
	if len(kept) == 0 {
		return ""
	}
	t, text := try(kept)
	t.wider = true
	if problem := t.unpinned(t.expr); problem != "" {
		first.Losses = []string{first.Losses[0] + "; without that, " + problem}
		*x.out = first
		return ""
	}
	for _, g := range gone {
		t.also("%s", g)
	}
	*x.out, x.refused = *t.out, false
	return text
}

// elsewhere says that the target does not see the log at all.
func (q *query) elsewhere() bool { return q.target.onlyCloudTrail && q.plane == audit }
