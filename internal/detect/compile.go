package detect

import (
	"slices"
	"strings"
	"time"

	"drawbridge/internal/event"
	"drawbridge/internal/sigma"
)

// rule is one compiled document over events.
type rule struct {
	name  string
	plane event.Plane
	// meant decides. likely is the same with everything that the ledger may yet tell taken as so: an event that is not
	// likely is never meant.
	meant, likely predicate
	// possible is the same of what the class of an event tells, see classes, and possibleFor of what its user does.
	possible, possibleFor predicate
	// ledger says that the answer can change with later events.
	ledger bool
	// doubt says of an event that this answer can; nil is never.
	doubt func(*look) bool
	// wait is how long after the event it is judged, so that what comes later counts.
	wait time.Duration
	// via are the ways of which one must have issued the key of the event; nil is any, and none.
	via []string
	// id tells rules apart.
	id uint64
	// sampled says that of events with the same values of `once` in one minute, the earliest is enough to look at again.
	sampled bool
	// variant is set for a document that reports; parts only feed correlations.
	variant *variant
	feeds   []feed
}

// feed is a place of a rule in a correlation.
type feed struct {
	correlation *correlation
	at          int
	plane       event.Plane
	// group are the fields that the correlation groups by, for this rule.
	group []field
	value field
	// closes says that what comes before it in the order has been judged when this is: an event that finds no window then has
	// none.
	closes bool
}

type compiler struct {
	program  *Program
	compiled map[string][]*rule // by name and by Sigma id
	errs     []error
}

func (c *compiler) fail(r *sigma.Rule, line int, format string, args ...any) {
	c.errs = append(c.errs, errorAt(r, line, format, args...))
}

// documents compiles the documents of a detection: those over events, or the correlations, which come after all others.
func (c *compiler) documents(d *Detection, correlations bool) {
	for _, r := range d.Rules {
		if (r.Correlation != nil) != correlations {
			continue
		}
		var v *variant
		if r.Name == d.ID {
			v = c.variant(d, r)
			d.variants = append(d.variants, v)
		} else if !strings.HasPrefix(r.Name, d.ID+".") {
			c.fail(r, r.Line, "name %q: want %q, or %q for a part", r.Name, d.ID, d.ID+".part")
		}
		if correlations {
			c.correlation(r, v)
		} else {
			c.rule(r, v)
		}
	}
}

func (c *compiler) rule(r *sigma.Rule, v *variant) {
	plane, ok := planeOf(r.LogSource)
	if !ok {
		c.fail(r, r.Line, "logsource: want product: aws, service: cloudtrail or product: kubernetes, service: audit")
		return
	}
	w := writer{compiler: c, rule: r, plane: plane}
	out := &rule{name: r.Name, plane: plane, variant: v, meant: w.expr(r.Condition)}
	out.ledger, out.doubt, out.via, out.id = w.ledger, w.doubt, literals(r.Condition, "drawbridge.key.via"), fold(r.ID)
	out.likely = out.meant
	if out.ledger || out.doubt != nil {
		out.likely = w.likely(r.Condition)
	}
	ofClass, ofUser := w.may(r.Condition, ofClass), w.may(r.Condition, ofUser)
	out.possible = func(l *look) bool { is, _ := ofClass(l); return is }
	out.possibleFor = func(l *look) bool { is, _ := ofUser(l); return is }
	if s, ok := r.Custom["after"].(string); ok {
		var err error
		if out.wait, err = time.ParseDuration(s); err != nil {
			c.fail(r, r.Line, "drawbridge.after: %v", err)
		} else if out.wait <= 0 {
			c.fail(r, r.Line, "drawbridge.after: want a time above zero, as 1s or 1h")
		}
	}
	out.ledger = out.ledger || out.wait > 0
	out.sampled = v != nil && len(v.once) > 0 && !slices.ContainsFunc(v.once, func(f field) bool { return f.enrich != nil && f.enrich.Ledger })
	for _, name := range []string{r.Name, r.ID} {
		if name != "" {
			c.compiled[name] = append(c.compiled[name], out)
		}
	}
	inner := writer{compiler: &compiler{program: c.program}, rule: r, plane: plane} // mistakes are told once
	c.program.indexes[plane].add(out, r.Condition, inner.expr)
}

// link gives every correlation its rules.
func (c *compiler) link() {
	for _, k := range c.program.correlations {
		longest := time.Duration(0)
		for i, name := range k.rule.Correlation.Rules {
			rules := c.compiled[name]
			if len(rules) == 0 {
				c.fail(k.rule, k.rule.Line, "correlation: no rule is named %q", name)
			}
			for _, r := range rules {
				f := feed{correlation: k, at: i, plane: r.plane, closes: k.kind == temporalOrdered && i > 0 && longest <= r.wait}
				w := writer{compiler: c, rule: k.rule, plane: r.plane}
				for _, g := range k.rule.Correlation.GroupBy {
					if alias, ok := k.rule.Correlation.Aliases[g]; ok {
						if g, ok = alias[name]; !ok {
							c.fail(k.rule, k.rule.Line, "correlation: an alias in group-by says nothing of %q", name)
						}
					}
					f.group = append(f.group, w.field(g, k.rule.Line))
				}
				if k.kind == valueCount {
					f.value = w.field(k.rule.Correlation.Field, k.rule.Line)
				}
				// A group that only the ledger can tell may be told late.
				r.ledger = r.ledger || w.ledger
				r.feeds = append(r.feeds, f)
				if i+1 < len(k.rule.Correlation.Rules) {
					longest = max(longest, r.wait)
				}
				if k.kind == absence && i == 0 {
					c.program.absences[k.rule.Name] = append(c.program.absences[k.rule.Name], f)
				}
			}
		}
	}
}

// spare finds the gates behind which one record can speak for others.
func (c *compiler) spare() {
	x := &c.program.indexes[event.CloudTrail]
	for i := range x.gates {
		g := &x.gates[i]
		if g.alike = !slices.ContainsFunc(g.rules, func(r *rule) bool { return !r.spared() }); !g.alike {
			continue
		}
		if x.asked == nil {
			x.asked = new(asked)
		}
		for _, r := range g.rules {
			x.asked.ask(r.variant.rule.Condition, r.variant.once)
		}
	}
}

// spared says that a rule need not see each of several records that are alike: only the earliest of them is looked at again, and
// it tells the cluster by what the ledger has, and all else that the ledger tells it by who and where.
func (r *rule) spared() bool {
	if !r.ledger || !r.sampled || len(r.feeds) > 0 || r.variant.cluster == nil {
		return false
	}
	spared := true
	eachField(r.variant.rule.Condition, func(name string) { spared = spared && ofWhoAndWhere(name) })
	return spared
}
