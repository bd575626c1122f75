package siem

import (
	"slices"
	"strings"

	"drawbridge/internal/sigma"
)

// join is a correlation with the rules that it is about.
type join struct {
	*exporter
	rule *sigma.Rule
	*sigma.Correlation
	sides []side
}

// side is one referred rule; documents that share the name are one side with several queries.
type side struct {
	name    string
	queries []*query
	// group are the fields of GroupBy for this rule; value is the field of a value_count.
	group []string
	value string
	// decode says which of group, and value, CloudTrail may percent-encode.
	decode      []bool
	decodeValue bool
}

func (x *exporter) joined(r *sigma.Rule) *join {
	j := &join{exporter: x, rule: r, Correlation: r.Correlation}
	switch {
	case x.target.join == nil:
		x.refuse("the target knows single events only, not correlations")
	case j.Type == sigma.Absence:
		x.refuse("absence (one thing seen, another not after it) cannot be said in the target: a search sees what is there")
	case (j.Type == sigma.EventCount || j.Type == sigma.ValueCount) && j.Op != "gte" && j.Op != "gt" && j.Op != "eq":
		x.refuse("a count that has to stay below a number is complete only when its time is over")
	}
	for _, name := range j.Rules {
		if x.refused {
			break
		}
		j.side(name)
	}
	for g := range j.GroupBy { // what one side cannot tell cannot join it with the others
		if slices.ContainsFunc(j.sides, func(s side) bool { return s.group[g] == "" }) && !x.refused {
			for i := range j.sides {
				j.sides[i].group[g], j.sides[i].decode[g] = "", false
			}
		}
	}
	return j
}

// alternatives are the fields of which a record has one.
func alternatives(field string) []string { return strings.Split(field, " or ") }

// oneField leaves out group-by fields that are one of several, for targets that cannot choose.
func (j *join) oneField() {
	for g, name := range j.GroupBy {
		if !slices.ContainsFunc(j.sides, func(s side) bool { return len(alternatives(s.group[g])) > 1 }) {
			continue
		}
		j.lose("%s is in one of two fields (%s), by which the target cannot group: all are counted together", name, j.sides[0].group[g])
		for i := range j.sides {
			j.sides[i].group[g], j.sides[i].decode[g] = "", false
		}
	}
}

// least is the number that a count has to reach: drawbridge reports when it does, also for eq.
func (j *join) least() int {
	if j.Op == "gt" {
		return j.Count + 1
	}
	return j.Count
}

func (j *join) side(name string) {
	s := side{name: name}
	for _, r := range j.exporter.rules {
		if r.Name != name && r.ID != name {
			continue
		}
		if r.Correlation != nil {
			j.refuse("correlations of correlations are not exported")
			return
		}
		q := j.query(r)
		if j.refused {
			return
		}
		s.queries = append(s.queries, q)
	}
	if len(s.queries) == 0 {
		j.refuse("there is no rule %q among the exported ones", name)
		return
	}
	q := s.queries[0]
	for _, g := range j.GroupBy {
		if alias, ok := j.Aliases[g]; ok {
			if g, ok = alias[name]; !ok {
				j.refuse("the alias in group-by says nothing of rule %q", name)
				return
			}
		}
		field, ok := q.keyField(g)
		if !ok {
			j.refuse("group-by: only drawbridge knows %s", g)
			return
		}
		s.group = append(s.group, field)
		s.decode = append(s.decode, q.encoded(field))
	}
	if j.Type == sigma.ValueCount {
		var ok bool
		if s.value, ok = q.keyField(j.Field); !ok || s.value == "" {
			j.refuse("only drawbridge knows %s, whose values are counted", j.Field)
			return
		}
		s.decodeValue = q.encoded(s.value)
	}
	j.sides = append(j.sides, s)
}

// keyField is the record's field for one that events are grouped by; "" where the events are all of one group.
func (q *query) keyField(name string) (string, bool) {
	if f, ok := q.field(name); ok {
		return f, true
	}
	f, ok := grouping[q.plane][name]
	if ok && f.loss != "" {
		q.lose("%s", f.loss)
	}
	return f.field, ok
}

// encodedKeys says that a key of the correlation may be spelled in two ways, for targets that cannot decode.
func (j *join) encodedKeys() {
	for _, s := range j.sides {
		for i, d := range s.decode {
			if d {
				j.lose("%s: CloudTrail percent-encodes it in some of EKS' calls; two spellings of a value are two groups here", s.group[i])
			}
		}
		if s.decodeValue {
			j.lose("%s: CloudTrail percent-encodes it in some of EKS' calls; two spellings of a value count twice here", s.value)
		}
	}
}
