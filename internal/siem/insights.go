package siem

import (
	"fmt"
	"strconv"
	"strings"

	"drawbridge/internal/sigma"
)

// maxElements is how many elements of a list a query of Logs Insights looks at: it names each by its index.
const maxElements = 5

// logsInsights writes CloudWatch Logs Insights queries (CloudWatch Logs User Guide, "filter", "Supported logs and discovered
// fields", 2026-11).
func logsInsights() target {
	return target{name: "logs-insights", needs: []string{
		"CloudTrail records in a log group of a trail; audit events in /aws/eks/CLUSTER/cluster; both of the Standard log class.",
		"Fields that Logs Insights discovers: of a record with more than 200 fields, those beyond are absent to it.",
	}, event: func(q *query) string {
		i := insights{q}
		return "fields @timestamp, @message\n| filter " + i.expr(q.expr) + "\n| sort @timestamp desc\n"
	}, join: insightsJoin}
}

type insights struct{ *query }

func (i insights) expr(x sigma.Expr) string { return infix(x, " and ", " or ", "not ", i.match) }

// names are the field as Logs Insights discovers it: for lists one name an element.
func (i insights) names(field string) []string {
	keys := segments(field)
	at := map[int]bool{}
	for _, n := range listAt(keys) {
		at[n] = true
		i.lose("%s: of each list the first %d elements are looked at", field, maxElements)
	}
	names := []string{""}
	for n, k := range keys {
		var next []string
		for _, prefix := range names {
			name := strings.TrimPrefix(prefix+"."+k, ".")
			if !at[n] {
				next = append(next, name)
				continue
			}
			for e := range maxElements {
				next = append(next, name+"."+strconv.Itoa(e))
			}
		}
		names = next
	}
	for n := range names {
		names[n] = insightsName(names[n])
	}
	return names
}

// insightsName quotes a name that is more than letters, digits, dots and @.
func insightsName(name string) string {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '@' {
			return "`" + name + "`"
		}
	}
	return name
}

func (i insights) match(m *sigma.Match) string {
	if strings.Contains(m.Field, "`") {
		i.refuse("Logs Insights cannot name a field with a ` in it")
		return ""
	}
	if i.leafless(m) {
		return ""
	}
	names := []string{"@message"}
	if m.Field != "" {
		names = i.names(m.Field)
	}
	var there []string
	for _, n := range names {
		there = append(there, "ispresent("+n+")")
	}
	present := "(" + strings.Join(there, " or ") + ")"
	if m.Op == sigma.Exists {
		if is, _ := m.Values[0].Bool(); !is {
			return "(not " + present + ")"
		}
		return present
	}
	var some []string
	for k := range m.Values {
		v := &m.Values[k]
		if v.IsNull() {
			some = append(some, "not "+present)
			continue
		}
		for _, n := range names {
			// without ispresent the negation of a comparison with a field that is not there is not true either
			some = append(some, fmt.Sprintf("(ispresent(%s) and %s)", n, i.value(m, v, n)))
		}
	}
	return "(" + strings.Join(some, " or ") + ")"
}

func (i insights) value(m *sigma.Match, v *sigma.Value, name string) string {
	switch m.Op {
	case sigma.Regex:
		return name + " like " + i.slashes(v.Regexp())
	case sigma.CIDR:
		word := "isIpv4InSubnet"
		if v.Prefix().Addr().Is6() {
			word = "isIpv6InSubnet"
		}
		return fmt.Sprintf("%s(%s, %q)", word, name, v.Prefix().String())
	case sigma.Less, sigma.LessEqual, sigma.Greater, sigma.GreaterEqual:
		n, _ := v.Number()
		sign := map[sigma.Op]string{sigma.Less: "<", sigma.LessEqual: "<=", sigma.Greater: ">", sigma.GreaterEqual: ">="}[m.Op]
		return name + " " + sign + " " + strconv.FormatFloat(n, 'f', -1, 64)
	case sigma.FieldRef:
		others := i.names(v.String())
		if len(others) > 1 {
			i.refuse("%s and %s: lists are not compared in Logs Insights", m.Field, v.String())
			return ""
		}
		if m.Cased {
			return fmt.Sprintf("ispresent(%s) and %s = %s", others[0], name, others[0])
		}
		return fmt.Sprintf("ispresent(%s) and tolower(%s) = tolower(%s)", others[0], name, others[0])
	}
	p := patternOf(m, v)
	if s, ok := p.literal(); ok {
		if b, err := strconv.ParseBool(strings.ToLower(s)); err == nil && len(s) > 3 { // booleans are shown as 1 and 0
			return fmt.Sprintf("(%s = %d or %s like %s)", name, map[bool]int{true: 1}[b], name, i.slashes(p.regex()))
		}
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && strconv.FormatInt(n, 10) == s {
			return fmt.Sprintf("(%s = %s or %s = %q)", name, s, name, s)
		}
	}
	if _, ok := p.literal(); !ok && p.numeric() {
		i.lose("%s: it is not documented whether %q matches numbers and booleans", m.Field, v.String())
	}
	return name + " like " + i.slashes(p.regex())
}

// slashes writes a regular expression between slashes.
func (i insights) slashes(pattern string) string {
	return "/" + strings.ReplaceAll(strings.ReplaceAll(pattern, `\/`, "/"), "/", `\/`) + "/"
}

// insightsJoin writes counts over fixed windows; Logs Insights has no others.
func insightsJoin(j *join) string {
	if j.Type != sigma.EventCount && j.Type != sigma.ValueCount {
		j.refuse("Logs Insights has no search for several things within a time")
		return ""
	}
	j.oneField()
	first := j.sides[0]
	var some []string
	for _, s := range j.sides {
		for g := range s.group {
			if s.group[g].field != first.group[g].field {
				j.refuse("group-by: stats groups by one field, %s and %s are two", first.group[g].field, s.group[g].field)
			}
		}
		for _, q := range s.queries {
			if q.plane != first.queries[0].plane {
				j.refuse("CloudTrail and audit events are in different log groups")
			}
			some = append(some, insights{q}.expr(q.expr))
		}
	}
	i := insights{first.queries[0]}
	var by []string
	for _, g := range append(first.group[:len(first.group):len(first.group)], first.value) {
		if !g.none() && len(listAt(segments(g.field))) > 0 {
			j.refuse("group-by: Logs Insights cannot group by %s, a list", g.field)
		}
	}
	if j.refused {
		return ""
	}
	j.plainKeys()
	span := fmt.Sprintf("%ds", int64(j.Timespan.Seconds()))
	j.lose("windows of %s begin at fixed times and do not slide: a burst on both sides of a boundary is missed", span)
	by = append(by, "bin("+span+")")
	filter := strings.Join(some, " or ")
	for _, g := range first.group {
		if !g.none() {
			by = append(by, i.names(g.field)[0])
			filter = "(" + filter + ") and ispresent(" + i.names(g.field)[0] + ")"
		}
	}
	count := "count(*)"
	if j.Type == sigma.ValueCount {
		count = "count_distinct(" + i.names(first.value.field)[0] + ")"
		j.lose("count_distinct estimates the number of many values")
	}
	return fmt.Sprintf("filter %s\n| stats %s as n by %s\n| filter n >= %d\n", filter, count, strings.Join(by, ", "), j.least())
}
