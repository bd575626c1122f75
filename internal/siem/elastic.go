package siem

import (
	"fmt"
	"strings"

	"drawbridge/internal/sigma"
)

// elasticPrefix is where Elastic's Kubernetes integration puts audit events; CloudTrail records are taken under a prefix of
// their own, for Elastic's AWS integration renames most of their fields and keeps the rest as `flattened`, which knows no
// comparison without case.
var elasticPrefix = map[plane]string{cloudTrail: "cloudtrail.", audit: "kubernetes.audit."}

// elastic writes Elasticsearch's query DSL; ordered correlations as EQL sequences.
func elastic() target {
	return target{name: "elastic", needs: []string{
		`An index of CloudTrail records as they are under "cloudtrail", and of audit events under "kubernetes.audit" (as Elastic's integration has them), with @timestamp from eventTime and requestReceivedTimestamp.`,
		dslMapping,
		"Elasticsearch 7.10 or later: earlier ones cannot compare without case.",
	}, event: func(q *query) string {
		d := dsl{q, elasticPrefix}
		return d.write(object{"query": d.expr(q.expr)})
	}, join: func(j *join) string {
		switch j.Type {
		case sigma.EventCount, sigma.ValueCount:
			return counted(j, elasticPrefix, "@timestamp")
		case sigma.TemporalOrdered:
			return sequence(j)
		}
		j.refuse("Elastic has no search for several things in any order within a time")
		return ""
	}}
}

// dslMapping is what makes the comparisons of the DSL those of Sigma.
const dslMapping = `{"mappings": {"dynamic_templates": [{"texts": {"match_mapping_type": "string", "mapping": {"type": "keyword", "ignore_above": 32000}}}],
  "properties": {"@timestamp": {"type": "date"},
    "kubernetes.audit.responseStatus.code": {"type": "keyword", "fields": {"n": {"type": "long", "ignore_malformed": true}}},
    "cloudtrail.sourceIPAddress": {"type": "keyword", "fields": {"ip": {"type": "ip", "ignore_malformed": true}}},
    "kubernetes.audit.sourceIPs": {"type": "keyword", "fields": {"ip": {"type": "ip", "ignore_malformed": true}}}}}}
(every text as keyword, whole: a text longer than 32,000 characters is not found; index.mapping.total_fields.limit raised; the same for other fields that hold addresses)`

// sequence writes an EQL sequence (Elasticsearch Reference, "EQL syntax reference", 2026-11). In EQL `:` and `like~` ignore
// case, `?field` is null where the index does not know the field, and a comparison with null is neither true nor false.
func sequence(j *join) string {
	j.oneField()
	j.plainKeys()
	var b strings.Builder
	fmt.Fprintf(&b, "sequence with maxspan=%ds\n", int64(j.Timespan.Seconds()))
	for _, s := range j.sides {
		var some, keys []string
		for _, q := range s.queries {
			e := eql{q}
			some = append(some, e.expr(q.expr))
		}
		p := elasticPrefix[s.queries[0].plane]
		for _, g := range s.group {
			if g.none() {
				continue
			}
			if len(listAt(segments(g.field))) > 0 {
				j.refuse("group-by: EQL cannot join by %s, a list", g.field)
			}
			keys = append(keys, eqlName(p+g.field))
		}
		fmt.Fprintf(&b, "  [any where %s]", strings.Join(some, " or "))
		if len(keys) > 0 {
			b.WriteString(" by " + strings.Join(keys, ", "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// eqlName writes a field's name for EQL.
func eqlName(name string) string {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '@' {
			return "`" + strings.ReplaceAll(name, "`", "``") + "`"
		}
	}
	return name
}

type eql struct{ *query }

func (e eql) expr(x sigma.Expr) string { return infix(x, " and ", " or ", "not ", e.match) }

// match writes a comparison that is never null.
func (e eql) match(m *sigma.Match) string {
	if m.Field == "" || m.Op == sigma.FieldRef {
		e.refuse("EQL sequences search no keywords and compare no two fields here")
		return ""
	}
	if len(listAt(segments(m.Field))) > 0 {
		e.lose("%s: EQL promises nothing about fields with several values", m.Field)
	}
	f := "?" + eqlName(elasticPrefix[e.plane]+m.Field)
	if m.Op == sigma.Exists {
		if there, _ := m.Values[0].Bool(); there {
			return "(" + f + " != null)"
		}
		return "(" + f + " == null)"
	}
	var some []string
	for i := range m.Values {
		v := &m.Values[i]
		if v.IsNull() {
			some = append(some, f+" == null")
			continue
		}
		some = append(some, "("+f+" != null and "+e.value(m, v, f)+")")
	}
	return "(" + strings.Join(some, " or ") + ")"
}

func (e eql) value(m *sigma.Match, v *sigma.Value, f string) string {
	text := func(s string) string {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
	}
	switch m.Op {
	case sigma.CIDR:
		return fmt.Sprintf("cidrMatch(%s, %s)", f, text(v.Prefix().String()))
	case sigma.Regex, sigma.Less, sigma.LessEqual, sigma.Greater, sigma.GreaterEqual:
		e.refuse("%s: %s is not exported into EQL sequences", m.Field, m.Op)
		return ""
	}
	p := patternOf(m, v)
	word := "like~"
	if p.cased {
		word = "like"
	}
	for _, part := range p.parts {
		if strings.ContainsAny(string(part), "*?") {
			e.refuse("%s: EQL has no way to mean a plain * or ?", m.Field)
			return ""
		}
	}
	if s, ok := p.literal(); ok && p.cased {
		return f + " == " + text(s)
	}
	return fmt.Sprintf("%s %s %s", f, word, text(p.write("*", "?", func(c rune) string { return string(c) })))
}
