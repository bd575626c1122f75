package awsdata

import (
	"slices"
	"strings"
)

// ActionsMatching returns the known actions that a pattern of a policy's Action element stands for ("s3:Get*"), in AWS's
// spelling, sorted by service. In patterns "*" is any text and "?" any character, and case does not matter.
func ActionsMatching(pattern string) []string {
	prefixes := services().prefixes
	if prefix, _, _ := strings.Cut(pattern, ":"); !strings.ContainsAny(prefix, "*?") {
		prefixes = []string{prefix}
	}
	var all []string
	pattern = strings.ToLower(pattern)
	for _, prefix := range prefixes {
		s, ok := Service(prefix)
		if !ok {
			continue
		}
		for i := range s.actions {
			if name := s.Prefix + ":" + s.operation(i); glob(pattern, strings.ToLower(name)) {
				all = append(all, name)
			}
		}
	}
	return all
}

// glob matches a text with a pattern of "*" and "?". It goes back to the last star only, so that its time is bounded by
// the product of the lengths.
func glob(pattern, text string) bool {
	p, t, star, from := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p++
			t++
		case star >= 0:
			from++
			p, t = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// NearestAction returns the known action that a name without an entry most likely meant ("s3:GetObjcet" meant
// "s3:GetObject"), or "" where none is near.
func NearestAction(name string) string {
	prefix, operation, colon := strings.Cut(strings.ToLower(name), ":")
	if !colon || len(name) > 100 {
		return ""
	}
	best, least := "", 3
	for _, p := range services().prefixes {
		far := distance(prefix, p, least)
		if far >= least || far > 0 && far >= len(p) {
			continue
		}
		s, _ := Service(p)
		for i := range s.actions {
			o := s.operation(i)
			if d := far + distance(operation, strings.ToLower(o), least-far); d < least {
				best, least = s.Prefix+":"+o, d
			}
		}
	}
	return best
}

// distance is the number of characters to insert, delete, replace or swap with their neighbour to turn a into b, or any
// number from most on where it is not below most.
func distance(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	before, row, next := []int(nil), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			change := row[j]
			if a[i] != b[j] {
				change++
			}
			next[j+1] = min(change, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		if slices.Min(next) >= most {
			return most
		}
		before, row, next = row, next, make([]int, len(b)+1)
	}
	return row[len(b)]
}
