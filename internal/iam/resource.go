package iam

import "strings"

// resourcePattern is a string of a Resource or NotResource element.
type resourcePattern struct {
	pattern
	segments []segment
	bounded  bool // has a wildcard that is documented to match within one segment only
}

// segment is the part of a resource pattern between two colons.
type segment struct {
	tokens []token
	open   bool // ends in *, so that it may run over colons
}

func compileResource(text string, variables bool) resourcePattern {
	s := syntax{wildcards: true, variables: variables}
	p := resourcePattern{pattern: compile(text, s)}
	for rest, more := text, true; more; {
		var part string
		part, rest, more = cutColon(rest, variables)
		seg := segment{tokens: compile(part, s).tokens}
		for i, t := range seg.tokens {
			last := i == len(seg.tokens)-1
			seg.open = last && t.kind == many
			p.bounded = p.bounded || t.kind == one || t.kind == many && !last
		}
		p.segments = append(p.segments, seg)
	}
	p.forbidEarlyVariables()
	return p
}

// forbidEarlyVariables makes variables before the fifth colon stand for anything: they are allowed "only
// in the resource portion of the ARN" (IAM User Guide, "IAM policy elements: Variables and tags",
// 2026-11), and what IAM does with others is not documented.
func (p *resourcePattern) forbidEarlyVariables() {
	colons := 0
	for i := range p.tokens {
		switch t := &p.tokens[i]; t.kind {
		case literal:
			colons += strings.Count(t.text, ":")
		case variable:
			if colons < 5 {
				t.kind = broken
			}
		}
	}
}

// cutColon cuts s at its first colon that is not inside a variable.
func cutColon(s string, variables bool) (head, tail string, found bool) {
	for i := 0; i < len(s); i++ {
		if variables && strings.HasPrefix(s[i:], "${") {
			end := variableEnd(s[i:])
			if end < 0 {
				break
			}
			i += end - 1
		} else if s[i] == ':' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// match compares a resource with the pattern; an empty resource is one not known.
//
// "If the * wildcard is the last character of a resource ARN segment, it can expand to match beyond the
// colon boundaries" (IAM User Guide, "IAM JSON policy elements: Resource", 2026-11). Of a wildcard
// elsewhere in a segment the page says that it stands for characters within the segment, so a match that
// needs it to take a colon is Unknown.
func (p *resourcePattern) match(resource string, r *Request) Truth {
	if p.everything() {
		return True
	}
	if resource == "" {
		return Unknown
	}
	wide := p.pattern.match(resource, r)
	if wide != True || !p.bounded || p.within(resource, r) {
		return wide
	}
	return Unknown
}

// within reports whether a pattern that matches also does without a bounded wildcard taking a colon. Bit j of reach
// says that the pattern so far can end where the resource's segment j begins.
func (p *resourcePattern) within(resource string, r *Request) bool {
	n := strings.Count(resource, ":") + 1
	switch {
	case p.dynamic && p.colonInVariable(r), n > 63:
		return false
	case n == len(p.segments):
		return true // the pattern's own colons took all of the resource's
	}
	reach := uint64(1)
	for i := range p.segments {
		seg, next, rest := &p.segments[i], uint64(0), resource
		for j := range n {
			var part string
			part, rest, _ = strings.Cut(rest, ":")
			if reach>>j&1 == 0 || !glob(seg.tokens, part, false, r) {
				continue
			}
			next |= 1 << (j + 1)
			if seg.open {
				next |= ^uint64(0) << (j + 1)
			}
		}
		reach = next
	}
	return reach>>n&1 == 1
}

func (p *resourcePattern) colonInVariable(r *Request) bool {
	for i := range p.tokens {
		if p.tokens[i].kind == variable {
			if value, _ := p.tokens[i].resolve(r); strings.Contains(value, ":") {
				return true
			}
		}
	}
	return false
}
