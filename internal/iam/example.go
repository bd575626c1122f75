package iam

import "strings"

// Example is a resource that a statement names, with an ARN that it covers.
type Example struct {
	Pattern  string // as written
	Resource string
}

// Examples returns one resource for every string of the statement's Resource element, for questions about any resource at
// all: fill stands for what a wildcard leaves open, and must be a name that nobody uses. Variables have their value in the
// request; a string whose variables are not known, or that no resource can match, has no example.
func (s *Statement) Examples(r *Request, fill string) []Example {
	var all []Example
	for i := range s.resources {
		p := &s.resources[i].pattern
		var b strings.Builder
		known := true
		for j := range p.tokens {
			switch t := &p.tokens[j]; t.kind {
			case literal:
				b.WriteString(t.text)
			case one:
				b.WriteString(fill[:min(len(fill), 1)])
			case many:
				b.WriteString(fill)
			default:
				value, state := t.resolve(r)
				known = known && state == present
				b.WriteString(value)
			}
		}
		if known {
			all = append(all, Example{p.text, b.String()})
		}
	}
	return all
}
