package siem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"drawbridge/internal/sigma"
)

// dsl writes the query DSL that Elasticsearch and OpenSearch share: of their languages the one whose comparisons can ignore
// case, see every element of a list, and count an absent field as not matching, as Sigma wants it (Elasticsearch Reference,
// "Term query", "Wildcard query"; OpenSearch documentation, "Term-level queries", 2026-11).
type dsl struct {
	*query
	prefix map[plane]string
}

func (d dsl) name(field string) string { return d.prefix[d.plane] + field }

func (d dsl) expr(x sigma.Expr) object {
	list := func(parts []sigma.Expr) []any {
		var all []any
		for _, p := range parts {
			all = append(all, d.expr(p))
		}
		return all
	}
	switch x := x.(type) {
	case sigma.And:
		return object{"bool": object{"filter": list(x)}}
	case sigma.Or:
		return object{"bool": object{"should": list(x), "minimum_should_match": 1}}
	case sigma.Not:
		return object{"bool": object{"must_not": []any{d.expr(x.X)}}}
	case *sigma.Match:
		return d.match(x)
	}
	return nil
}

func (d dsl) match(m *sigma.Match) object {
	f := d.name(m.Field)
	there := object{"exists": object{"field": f}}
	switch {
	case m.Field == "":
		d.refuse("keywords are searched in the whole record, which no field of the index holds")
		return nil
	case m.Op == sigma.FieldRef:
		d.refuse("the query DSL cannot compare two fields")
		return nil
	case m.Op == sigma.Exists:
		if is, _ := m.Values[0].Bool(); is {
			if len(listAt(segments(m.Field))) > 0 {
				d.lose("%s: an empty list counts as absent", m.Field)
			}
			if slices.Contains(objects, m.Field) {
				d.lose("%s: an empty object counts as absent", m.Field)
			}
			return there
		}
		return object{"bool": object{"must_not": []any{there}}}
	}
	var some []object
	for i := range m.Values {
		v := &m.Values[i]
		if v.IsNull() {
			some = append(some, object{"bool": object{"must_not": []any{there}}})
			continue
		}
		some = append(some, d.value(m, v, f))
	}
	if len(some) == 1 {
		return some[0]
	}
	return object{"bool": object{"should": some, "minimum_should_match": 1}}
}

func (d dsl) value(m *sigma.Match, v *sigma.Value, f string) object {
	switch m.Op {
	case sigma.Regex:
		return d.regex(m, v, f)
	case sigma.CIDR:
		return object{"term": object{f + ".ip": object{"value": v.Prefix().String()}}}
	case sigma.Less, sigma.LessEqual, sigma.Greater, sigma.GreaterEqual:
		n, _ := v.Number()
		if m.Field == code {
			f += ".n"
		} else {
			d.lose("%s: numbers that the record writes as text are not compared", m.Field)
		}
		return object{"range": object{f: object{m.Op.String(): n}}}
	}
	p := patternOf(m, v)
	with := func(kind, s string) object {
		o := object{"value": s}
		if !p.cased {
			o["case_insensitive"] = true
		}
		return object{kind: object{f: o}}
	}
	if s, ok := p.literal(); ok {
		if low := strings.ToLower(s); low == "true" || low == "false" { // a boolean field takes no case_insensitive
			return object{"term": object{f: object{"value": low}}}
		}
		return with("term", s)
	}
	if m.Field != code && p.numeric() {
		d.lose("%s: %q does not match numbers and booleans", m.Field, v.String())
	}
	if s, ok := p.prefix(); ok {
		return with("prefix", s)
	}
	return with("wildcard", p.write("*", "?", escape(`*?\`)))
}

// code is the number that dslMapping has as text and as number.
const code = "responseStatus.code"

// regex writes a regular expression. Lucene's always match the whole value and know neither anchors nor most classes.
func (d dsl) regex(m *sigma.Match, v *sigma.Value, f string) object {
	pattern := v.Regexp()
	insensitive := false
	if rest, ok := strings.CutPrefix(pattern, "(?i)"); ok {
		pattern, insensitive = rest, true
	}
	body, fromStart := strings.CutPrefix(pattern, "^")
	body, toEnd := strings.CutSuffix(body, "$")
	if strings.HasSuffix(body, `\`) || strings.ContainsAny(body, `\^$~#@&<>"`) || strings.Contains(body, "(?") || strings.Contains(body, "|") && (fromStart || toEnd) {
		d.refuse("%s: Lucene's regular expressions have no way to say %q", m.Field, v.String())
		return nil
	}
	if strings.ContainsAny(body, "*+?}") && (strings.Contains(body, "*?") || strings.Contains(body, "+?") || strings.Contains(body, "??")) {
		d.refuse("%s: Lucene's regular expressions have no lazy repetition", m.Field)
		return nil
	}
	if m.Field != code && !wordy(body) {
		d.lose("%s: %q does not match numbers and booleans", m.Field, v.String())
	}
	if !fromStart {
		body = ".*(" + body + ")"
	}
	if !toEnd {
		body = "(" + body + ").*"
	}
	o := object{"value": body, "flags": "NONE"}
	if insensitive {
		o["case_insensitive"] = true
	}
	return object{"regexp": object{f: o}}
}

// wordy says that a regular expression begins with a text that neither numbers nor booleans have in them.
func wordy(pattern string) bool {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return false
	}
	text, _ := re.LiteralPrefix()
	text = strings.ToLower(text)
	return strings.Trim(text, "0123456789.+-eE") != "" && !strings.Contains("true", text) && !strings.Contains("false", text)
}

func (d dsl) write(body object) string {
	if d.refused {
		return ""
	}
	return pretty(body)
}

func pretty(v any) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return "" // texts, numbers, booleans and maps of them always encode
	}
	return out.String()
}

// interval is a window for date_histogram.
func interval(j *join) string { return fmt.Sprintf("%ds", int64(j.Timespan.Seconds())) }

// counted writes a count as an aggregation over fixed windows.
func counted(j *join, prefix map[plane]string, time string) string {
	var some []object
	for _, side := range j.sides {
		for _, q := range side.queries {
			some = append(some, dsl{q, prefix}.expr(q.expr))
		}
	}
	j.oneField()
	first := j.sides[0]
	for _, s := range j.sides[1:] {
		for i := range s.group {
			if s.group[i].field != first.group[i].field {
				j.refuse("group-by: an aggregation groups by one field, %s and %s are two", first.group[i].field, s.group[i].field)
			}
		}
	}
	if j.refused {
		return ""
	}
	j.plainKeys()
	j.lose("windows of %s begin at fixed times and do not slide: a burst on both sides of a boundary is missed", interval(j))
	var sources []any
	for i, g := range first.group {
		if !g.none() {
			sources = append(sources, object{fmt.Sprintf("g%d", i): object{"terms": object{"field": prefix[first.queries[0].plane] + g.field}}})
		}
	}
	sources = append(sources, object{"window": object{"date_histogram": object{"field": time, "fixed_interval": interval(j)}}})
	path, inner := "_count", object{}
	if j.Type == sigma.ValueCount {
		path = "values"
		inner["values"] = object{"cardinality": object{"field": prefix[first.queries[0].plane] + first.value.field, "precision_threshold": 40000}}
	}
	inner["enough"] = object{"bucket_selector": object{"buckets_path": object{"n": path}, "script": fmt.Sprintf("params.n >= %d", j.least())}}
	return pretty(object{
		"size":  0,
		"query": object{"bool": object{"should": some, "minimum_should_match": 1}},
		"aggs":  object{"groups": object{"composite": object{"size": 10000, "sources": sources}, "aggs": inner}},
	})
}
