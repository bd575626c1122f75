package siem

import (
	"slices"
	"strings"

	"drawbridge/internal/sigma"
)

// routine are the calls that workloads make all the time: to name one of them is to name nothing, unless other events have to
// go with it.
var routine = words(`AssumeRole AssumeRoleWithWebIdentity AssumeRoleForPodIdentity GetCallerIdentity`)

// unpinned says why the rest of a condition is too little to search for, "" if it is enough. Only what was widened is asked:
// it has to name the call (eventName), or of a request to an API server the resource and the verb or the subresource, or be
// made in another's name. A rule that was not widened is its author's.
func (q *query) unpinned(x sigma.Expr) string {
	if !q.wider {
		return ""
	}
	if q.plane == audit {
		if named(x, "objectRef.resource") && (named(x, "verb") || named(x, "objectRef.subresource")) || impersonates(x) {
			return ""
		}
		return "what is left names no resource with a verb: it would be found in most requests"
	}
	calls, ok := only(x, "eventName")
	switch {
	case !ok:
		return "what is left names no call: it would be found in most records"
	case !q.joining && slices.ContainsFunc(calls, func(c string) bool { return routine[c] }):
		return "what is left is every " + strings.Join(calls, " and ") + ", which workloads make all the time"
	}
	return ""
}

// impersonates says that only requests in another's name match.
func impersonates(x sigma.Expr) bool {
	switch x := x.(type) {
	case sigma.And:
		return slices.ContainsFunc(x, impersonates)
	case *sigma.Match:
		there, _ := x.Values[0].Bool()
		return x.Field == "impersonatedUser.username" && x.Op == sigma.Exists && there
	}
	return false
}

func named(x sigma.Expr, field string) bool {
	_, ok := only(x, field)
	return ok
}

// only are the values of which a field must have one for an expression to hold; false if it may have others.
func only(x sigma.Expr, field string) ([]string, bool) {
	switch x := x.(type) {
	case sigma.And:
		for _, p := range x {
			if v, ok := only(p, field); ok {
				return v, true
			}
		}
	case sigma.Or:
		var all []string
		for _, p := range x {
			v, ok := only(p, field)
			if !ok {
				return nil, false
			}
			all = append(all, v...)
		}
		return all, true
	case *sigma.Match:
		if x.Field != field || x.Op != sigma.Equals {
			return nil, false
		}
		var all []string
		for i := range x.Values {
			s, ok := x.Values[i].Literal()
			if !ok {
				return nil, false
			}
			all = append(all, s)
		}
		return all, true
	}
	return nil, false
}
