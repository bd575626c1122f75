package siem

import (
	"fmt"
	"strconv"
	"strings"

	"drawbridge/internal/sigma"
)

// splunk writes SPL: `where` with mvfind, which looks at every value of a field by a regular expression and is null where the
// field is absent (Splunk Search Reference, "Multivalue eval functions", 2026-11). spath names a list's elements FIELD{}.
func splunk() target {
	return target{name: "splunk", needs: []string{
		"CloudTrail records in sourcetype aws:cloudtrail (Splunk Add-on for AWS), audit events in sourcetype kube:audit, one record an event, with fields by automatic JSON extraction.",
		"limits.conf [spath] extraction_cutoff above the largest record (default 5,000 characters): fields beyond it are absent.",
		"For correlations: limits.conf [streamstats] max_stream_window above the number of matches in one window (default 10,000).",
	}, event: func(q *query) string {
		s := spl{q}
		return s.search() + "\n| where " + s.expr(q.expr) + "\n"
	}, join: splunkJoin}
}

type spl struct{ *query }

// search narrows by what an index finds fast; its comparisons know no case, so it never leaves out a match.
func (s spl) search() string {
	words := []string{"sourcetype=aws:cloudtrail"}
	fields := []string{"eventSource", "eventName"}
	if s.plane == audit {
		words, fields = []string{"sourcetype=kube:audit"}, []string{"verb", "objectRef.resource"}
	}
	for _, f := range fields {
		if v, ok := required(s.query.expr, f); ok && v != "" && !strings.ContainsAny(v, "*\\\"") {
			words = append(words, f+`="`+v+`"`)
		}
	}
	return strings.Join(words, " ")
}

func (s spl) expr(x sigma.Expr) string { return infix(x, " AND ", " OR ", "NOT ", s.match) }

// splName writes a field as spath names it, with {} behind the keys of lists.
func splName(field string) string {
	keys := append([]string(nil), segments(field)...)
	for _, i := range listAt(keys) {
		keys[i] += "{}"
	}
	return "'" + strings.ReplaceAll(strings.Join(keys, "."), "'", `\'`) + "'"
}

func splText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func (s spl) match(m *sigma.Match) string {
	f := splName(m.Field)
	absent := fmt.Sprintf(`(isnull(%s) OR %s="null")`, f, f)
	switch {
	case s.leafless(m):
		return ""
	case m.Field == "":
		return s.keywords(m)
	case m.Op == sigma.Exists:
		if there, _ := m.Values[0].Bool(); there {
			if len(listAt(segments(m.Field))) > 0 {
				s.lose("%s: an empty list counts as absent", m.Field)
			}
			return "(NOT " + absent + ")"
		}
		return absent
	}
	var some []string
	for i := range m.Values {
		v := &m.Values[i]
		if v.IsNull() {
			some = append(some, absent)
			continue
		}
		some = append(some, s.value(m, v, f))
	}
	return "(" + strings.Join(some, " OR ") + ")"
}

func (s spl) value(m *sigma.Match, v *sigma.Value, f string) string {
	list := len(listAt(segments(m.Field))) > 0
	switch m.Op {
	case sigma.Regex:
		return fmt.Sprintf("isnotnull(mvfind(%s, %s))", f, splText(v.Regexp()))
	case sigma.CIDR:
		if list {
			return fmt.Sprintf("isnotnull(mvfilter(cidrmatch(%s, %s)))", splText(v.Prefix().String()), f)
		}
		return fmt.Sprintf("coalesce(cidrmatch(%s, %s), false())", splText(v.Prefix().String()), f)
	case sigma.Less, sigma.LessEqual, sigma.Greater, sigma.GreaterEqual:
		if list {
			s.refuse("%s: numbers in lists are not compared in SPL", m.Field)
			return ""
		}
		n, _ := v.Number()
		sign := map[sigma.Op]string{sigma.Less: "<", sigma.LessEqual: "<=", sigma.Greater: ">", sigma.GreaterEqual: ">="}[m.Op]
		return fmt.Sprintf("coalesce(tonumber(%s)%s%s, false())", f, sign, strconv.FormatFloat(n, 'f', -1, 64))
	case sigma.FieldRef:
		other := v.String()
		if list || len(listAt(segments(other))) > 0 {
			s.refuse("%s and %s: lists are not compared in SPL", m.Field, other)
			return ""
		}
		a, b := f, splName(other)
		if !m.Cased {
			a, b = "lower("+a+")", "lower("+b+")"
		}
		return fmt.Sprintf("coalesce(%s=%s, false())", a, b)
	}
	return fmt.Sprintf("isnotnull(mvfind(%s, %s))", f, splText(patternOf(m, v).regex()))
}

func (s spl) keywords(m *sigma.Match) string {
	var some []string
	for i := range m.Values {
		v := &m.Values[i]
		pattern := v.Regexp()
		if m.Op != sigma.Regex {
			pattern = patternOf(m, v).regex()
		}
		some = append(some, fmt.Sprintf("match(_raw, %s)", splText(pattern)))
	}
	return "(" + strings.Join(some, " OR ") + ")"
}

// splKey is what events are grouped by. Of several parts one is enough.
func splKey(k keyField) string {
	if k.none() {
		return `"all"`
	}
	var parts []string
	for _, some := range k.parts() {
		var either []string
		for _, f := range some {
			text := fmt.Sprintf(`mvjoin(%s, ", ")`, splName(f))
			if k.decode {
				text = "urldecode(" + text + ")"
			}
			if k.bare {
				text = fmt.Sprintf(`replace(%s, ":(role|user)/.*/", ":\1/")`, text)
			}
			either = append(either, text)
		}
		part := either[0]
		if len(either) > 1 {
			part = "coalesce(" + strings.Join(either, ", ") + ")"
		}
		parts = append(parts, part)
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return `nullif(trim(coalesce(` + strings.Join(parts, `, "")." ".coalesce(`) + `, "")), "")`
}

// splunkJoin writes a correlation with streamstats, whose time_window slides over events in order of time.
func splunkJoin(j *join) string {
	if j.Type == sigma.TemporalOrdered && len(j.sides) != 2 {
		j.refuse("streamstats tells one thing after another, not %d in a row", len(j.sides))
		return ""
	}
	var search, rules []string
	groups := make([][]string, len(j.GroupBy))
	var values []string
	for i, side := range j.sides {
		var some []string
		for _, q := range side.queries {
			s := spl{q}
			search = append(search, "("+s.search()+")")
			some = append(some, s.expr(q.expr))
		}
		is := "(" + strings.Join(some, " OR ") + ")"
		rules = append(rules, fmt.Sprintf(`if(%s, "%d", null())`, is, i))
		for g, k := range side.group {
			groups[g] = append(groups[g], fmt.Sprintf("if(%s, %s, null())", is, splKey(k)))
		}
		if !side.value.none() {
			values = append(values, fmt.Sprintf("if(%s, %s, null())", is, splKey(side.value)))
		}
	}
	if j.refused {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n| eval rule=mvappend(%s)\n| where isnotnull(rule)\n", strings.Join(search, " OR "), strings.Join(rules, ", "))
	by := ""
	for g, forms := range groups {
		fmt.Fprintf(&b, "| eval g%d=coalesce(%s)\n| where isnotnull(g%d)\n", g, strings.Join(forms, ", "), g)
		by += fmt.Sprintf(" g%d", g)
	}
	if by != "" {
		by = " by" + by
	}
	if values != nil {
		fmt.Fprintf(&b, "| eval value=coalesce(%s)\n", strings.Join(values, ", "))
	}
	fmt.Fprintf(&b, "| sort 0 _time\n")
	span := fmt.Sprintf("time_window=%ds", int64(j.Timespan.Seconds()))
	switch j.Type {
	case sigma.EventCount:
		fmt.Fprintf(&b, "| streamstats %s count AS n%s\n| where n>=%d\n", span, by, j.least())
	case sigma.ValueCount:
		fmt.Fprintf(&b, "| streamstats %s dc(value) AS n%s\n| where n>=%d\n", span, by, j.least())
	case sigma.Temporal:
		fmt.Fprintf(&b, "| streamstats %s dc(rule) AS n%s\n| where n>=%d\n", span, by, len(j.sides))
	case sigma.TemporalOrdered:
		fmt.Fprintf(&b, "| eval first=if(isnotnull(mvfind(rule, \"^0$\")), _time, null())\n| streamstats %s min(first) AS since%s\n| where isnotnull(mvfind(rule, \"^1$\")) AND isnotnull(since)\n", span, by)
	}
	return b.String()
}
