package sigma

import (
	"math"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"
)

// correlation reads the format of the Sigma correlation rules specification 2.0.2. Of conditions it reads those with one
// criterion.
func (r *reader) correlation(n *yaml.Node) *Correlation {
	c := &Correlation{}
	var cond *yaml.Node
	for _, p := range r.pairs(n, "correlation") {
		switch p.name {
		case "type":
			c.Type = r.oneOf(p.value, p.name, EventCount, ValueCount, Temporal, TemporalOrdered, Absence)
		case "rules":
			c.Rules = r.strs(p.value, p.name)
		case "group-by":
			c.GroupBy = r.strs(p.value, p.name)
		case "timespan":
			c.Timespan = r.timespan(p.value)
		case "condition":
			cond = p.value
		case "aliases":
			c.Aliases = r.aliases(p.value)
		case "generate":
			c.Generate = r.boolean(p.value, p.name)
		default:
			r.problem(p.key, "a correlation has no %q", p.name)
		}
	}
	if cond != nil {
		r.criterion(cond, c)
	}
	counts := c.Type == EventCount || c.Type == ValueCount
	switch {
	case c.Type == "":
		r.problem(n, "a correlation needs a type")
	case len(c.Rules) == 0:
		r.problem(n, "a correlation needs rules")
	case c.Timespan == 0:
		r.problem(n, "a correlation needs a timespan")
	case counts && c.Op == "":
		r.problem(n, "a correlation of type %s needs a condition", c.Type)
	case c.Type == ValueCount && c.Field == "":
		r.problem(n, "a value_count needs the field whose values it counts, in its condition")
	case c.Type != ValueCount && c.Field != "":
		r.problem(cond, "only a value_count has a field in its condition")
	case c.Type == Absence && (c.Op != "" || len(c.Rules) < 2):
		r.problem(n, "an absence has no condition, and at least two rules: the first, and what is missing after it")
	case c.Type == TemporalOrdered && c.Op != "" && (c.Op != "gte" && c.Op != "eq" || c.Count != len(c.Rules)):
		r.problem(cond, "a temporal_ordered is about all of its rules")
	case (c.Type == Temporal || c.Type == TemporalOrdered) && c.Op == "":
		c.Op, c.Count = "gte", len(c.Rules)
	}
	for i, rule := range c.Rules {
		if slices.Contains(c.Rules[:i], rule) {
			r.problem(n, "correlation: rule %q is there twice", rule)
		}
	}
	return c
}

func (r *reader) criterion(n *yaml.Node, c *Correlation) {
	for _, p := range r.pairs(n, "condition") {
		switch p.name {
		case "gt", "gte", "lt", "lte", "eq":
			count, err := strconv.Atoi(p.value.Value)
			switch {
			case p.value.Kind != yaml.ScalarNode || err != nil || count < 0:
				r.problem(p.value, "%s: want a number", p.name)
			case c.Op != "":
				r.problem(p.key, "a range is not read: write two correlations")
			}
			c.Op, c.Count = p.name, count
		case "field":
			c.Field = r.str(p.value, p.name)
		default:
			r.problem(p.key, "a condition of a correlation has no %q", p.name)
		}
	}
}

// timespan reads a number with s, m, h or d.
func (r *reader) timespan(n *yaml.Node) time.Duration {
	s := r.str(n, "timespan")
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}
	if len(s) > 1 {
		unit := units[s[len(s)-1]]
		count, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
		if err == nil && unit != 0 && count > 0 && time.Duration(count) <= math.MaxInt64/unit {
			return time.Duration(count) * unit
		}
	}
	r.problem(n, "timespan: want a number with s, m, h or d, as 90m, not %q", s)
	return 0
}

func (r *reader) aliases(n *yaml.Node) map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, alias := range r.pairs(n, "aliases") {
		all[alias.name] = map[string]string{}
		for _, p := range r.pairs(alias.value, "alias "+alias.name) {
			all[alias.name][p.name] = r.str(p.value, p.name)
		}
	}
	return all
}
