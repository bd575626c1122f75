package siem

import (
	"strings"

	"drawbridge/internal/sigma"
)

// say writes a condition in words.
func say(x sigma.Expr) string {
	list := func(parts []sigma.Expr, word string) string {
		var all []string
		for _, p := range parts {
			s := say(p)
			switch p.(type) {
			case sigma.And, sigma.Or:
				s = "(" + s + ")"
			}
			all = append(all, s)
		}
		return strings.Join(all, word)
	}
	switch x := x.(type) {
	case sigma.And:
		return list(x, " and ")
	case sigma.Or:
		return list(x, " or ")
	case sigma.Not:
		return "not " + list([]sigma.Expr{x.X}, "")
	case *sigma.Match:
		return sayMatch(x)
	}
	return ""
}

func sayMatch(m *sigma.Match) string {
	var all []string
	for i := range m.Values {
		v := &m.Values[i]
		switch is, isBool := v.Bool(); {
		case m.Op == sigma.Exists && isBool && is:
			all = append(all, "there")
		case m.Op == sigma.Exists || v.IsNull():
			all = append(all, "absent")
		default:
			all = append(all, `"`+v.String()+`"`)
		}
	}
	word := map[sigma.Op]string{
		sigma.Contains: "contains ", sigma.StartsWith: "begins with ", sigma.EndsWith: "ends with ", sigma.Regex: "matches ", sigma.CIDR: "is in ",
		sigma.Less: "is less than ", sigma.LessEqual: "is at most ", sigma.Greater: "is more than ", sigma.GreaterEqual: "is at least ", sigma.FieldRef: "is the same as ",
	}[m.Op]
	if word == "" {
		word = "is "
	}
	or := " or "
	if m.All {
		or = " and "
	}
	return m.Field + " " + word + strings.Join(all, or)
}
