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
	group []keyField
	value keyField
}

// keyField is a field of the record, in the form of grouped; the zero one where events are all of one group.
type keyField struct {
	field string
	// decode says that CloudTrail may percent-encode it, bare that paths are taken out of ARNs.
	decode, bare bool
	of           grouped
}

func (k keyField) none() bool { return k.field == "" }

// parts are the fields that make up a key, each of them the first that is there of several.
func (k keyField) parts() [][]string {
	var all [][]string
	for p := range strings.SplitSeq(k.field, " + ") {
		all = append(all, strings.Split(p, " or "))
	}
	return all
}

func (k keyField) several() bool { return len(k.parts()) > 1 || len(k.parts()[0]) > 1 }

func (x *exporter) joined(r *sigma.Rule) *join {
	x.joining = true
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
		if !x.refused && slices.ContainsFunc(j.sides, func(s side) bool { return s.group[g].none() }) {
			j.ungroup(g)
		}
	}
	return j
}

// ungroup leaves out a field of group-by.
func (j *join) ungroup(g int) {
	for i := range j.sides {
		j.sides[i].group[g] = keyField{}
	}
}

// oneField is for targets that group by one field: of several, by the one that stands for them, else not at all.
func (j *join) oneField() {
	lone := func(k *keyField) bool {
		if k.none() || !k.several() {
			return true
		}
		if k.of.lone == "" {
			return false
		}
		j.lose("%s", k.of.loneLoss)
		*k = keyField{field: k.of.lone}
		return true
	}
	for g, name := range j.GroupBy {
		for i := range j.sides {
			if k := j.sides[i].group[g]; !lone(&j.sides[i].group[g]) {
				j.also("%s is in one of several fields (%s), by which the target cannot group: all are counted together", name, k.field)
				j.ungroup(g)
				break
			}
		}
	}
	for i := range j.sides {
		if k := &j.sides[i].value; !lone(k) {
			j.refuse("%s: the target counts the values of one field, and it is of several (%s)", j.Field, k.field)
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
		s.group = append(s.group, q.key(g))
	}
	known := func(k keyField) bool { return !k.none() && !k.of.cluster }
	for i, g := range j.GroupBy {
		if s.group[i].none() && !s.group[i].of.cluster {
			if !slices.ContainsFunc(s.group, known) {
				j.refuse("group-by: only drawbridge knows %s", g)
				return
			}
			j.also("only drawbridge knows %s: events are joined without it", g)
		}
	}
	if j.Type == sigma.ValueCount {
		if s.value = q.key(j.Field); s.value.none() {
			j.refuse("only drawbridge knows %s, whose values are counted", j.Field)
			return
		}
	}
	j.sides = append(j.sides, s)
}

// key is the record's field for one that events are grouped by.
func (q *query) key(name string) keyField {
	if f, ok := q.field(name); ok {
		return keyField{field: f, decode: q.encoded(f)}
	}
	f, ok := grouping[q.plane][name]
	if !ok {
		return keyField{}
	}
	if f.loss != "" {
		q.lose("%s", f.loss)
	}
	if f.more != "" {
		q.also("%s", f.more)
	}
	return keyField{field: f.field, decode: q.encoded(f.field), bare: f.bare, of: f}
}

// plainKeys says what a key of the correlation loses for targets that cannot work on it.
func (j *join) plainKeys() {
	for _, s := range j.sides {
		for _, k := range append(s.group[:len(s.group):len(s.group)], s.value) {
			if k.decode {
				j.lose("%s: CloudTrail percent-encodes it in some of EKS' calls; two spellings of a value are two here", k.field)
			}
			if k.bare {
				j.lose("%s: an ARN with a path is another one than that without it, as the audit log writes it", k.field)
			}
		}
	}
}
