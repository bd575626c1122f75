package siem

import (
	"strings"

	"drawbridge/internal/sigma"
)

// infix writes a condition in the languages that have and, or and not between comparisons; match writes one of these.
func infix(x sigma.Expr, and, or, not string, match func(*sigma.Match) string) string {
	list := func(parts []sigma.Expr, word string) string {
		var all []string
		for _, p := range parts {
			all = append(all, infix(p, and, or, not, match))
		}
		return "(" + strings.Join(all, word) + ")"
	}
	switch x := x.(type) {
	case sigma.And:
		return list(x, and)
	case sigma.Or:
		return list(x, or)
	case sigma.Not:
		return not + infix(x.X, and, or, not, match)
	case *sigma.Match:
		return match(x)
	}
	return ""
}
