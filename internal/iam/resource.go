package iam

import "strings"

// resourcePattern is a string of a Resource or NotResource element.
type resourcePattern struct {
	pattern
	segments  []segment // the pattern cut at its first five colons
	bounded   bool      // a wildcard in one of the first five must stay in its segment
	looseType bool      // a wildcard where most services have the type of the resource
}

// segment is one of up to six parts of a resource pattern.
type segment struct {
	tokens []token
	open   bool // ends in *, so that it may run over colons
}

func compileResource(text string, variables bool) resourcePattern {
	s := syntax{wildcards: true, variables: variables}
	p := resourcePattern{pattern: compile(text, s)}
	for rest, more := text, true; more; {
		part, tail := rest, ""
		if more = false; len(p.segments) < 5 {
			part, tail, more = cutColon(rest, variables)
		}
		rest = tail
		seg := segment{tokens: compile(part, s).tokens}
		for i, t := range seg.tokens {
			last := i == len(seg.tokens)-1
			seg.open = last && t.kind == many
			if len(p.segments) < 5 && (t.kind == one || t.kind == many && !last) {
				p.bounded = true
			}
		}
		p.segments = append(p.segments, seg)
	}
	if len(p.segments) == 6 {
		p.looseType = hasLooseType(p.segments[5].tokens)
	}
	p.forbidEarlyVariables()
	return p
}

// hasLooseType reports whether a resource part that is not just * has a wildcard before its first slash
// or colon.
func hasLooseType(tokens []token) bool {
	if len(tokens) == 1 && tokens[0].kind == many {
		return false
	}
	for _, t := range tokens {
		switch {
		case t.kind == literal && strings.ContainsAny(t.text, "/:"):
			return false
		case t.kind == many || t.kind == one:
			return true
		}
	}
	return false
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
// needs it to take a colon is Unknown. And so is one with a wildcard in "the portion of the ARN that
// specifies the resource type", which is "not allowed" ("Amazon Resource Names (ARNs)", 2026-11).
func (p *resourcePattern) match(resource string, r *Request) Truth {
	if p.everything() {
		return True
	}
	if resource == "" {
		return Unknown
	}
	wide := p.pattern.match(resource, r)
	if wide == True && (p.bounded && !p.within(resource, r) || p.looseType && isTyped(resource)) {
		return Unknown
	}
	return wide
}

// isTyped reports whether an ARN's resource part begins with a type. Those of S3 buckets and objects have
// no account; some other services' resources have names only.
func isTyped(resource string) bool {
	var part [6]string
	if !cutARN(resource, &part) || part[4] == "" {
		return false
	}
	switch part[2] {
	case "sqs", "sns", "execute-api", "codecommit":
		return false
	}
	return strings.ContainsAny(part[5], "/:")
}

// within reports whether a pattern that matches also does without a bounded wildcard taking a colon. Bit
// j of reach says that the pattern so far can end where the resource's j-th piece between colons begins.
func (p *resourcePattern) within(resource string, r *Request) bool {
	n := strings.Count(resource, ":") + 1
	if n > 63 || p.dynamic && p.colonInVariable(r) {
		return false
	}
	reach := uint64(1)
	for i := range p.segments {
		seg, next, rest := &p.segments[i], uint64(0), resource
		for j := range n {
			here := rest
			var piece string
			piece, rest, _ = strings.Cut(rest, ":")
			switch {
			case reach>>j&1 == 0:
			case i == 5:
				if glob(seg.tokens, here, false, r) {
					return true
				}
			case glob(seg.tokens, piece, false, r):
				if next |= 1 << (j + 1); seg.open {
					next |= ^uint64(0) << (j + 1)
				}
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
