package iam

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind uint8

const (
	literal  tokenKind = iota
	one                // ? : any one character
	many               // * : any characters, or none
	variable           // ${key} or ${key, 'default'}
	broken             // a variable where the language has none: it may stand for anything
)

// token is one piece of a compiled pattern.
type token struct {
	kind       tokenKind
	text       string // the literal, or a variable's key in lower case
	fallback   string
	hasDefault bool
}

// syntax says which parts of the pattern language a place in a policy understands.
type syntax struct {
	wildcards, variables, fold bool
}

// pattern is a compiled string of a policy.
type pattern struct {
	text   string // as written
	tokens []token
	syntax
	dynamic bool // has variables
}

func compile(text string, s syntax) pattern {
	p := pattern{text: text, syntax: s}
	for rest := text; rest != ""; {
		t, n := nextToken(rest, s)
		if last := len(p.tokens) - 1; last >= 0 && t.kind == many && p.tokens[last].kind == many {
			rest = rest[n:]
			continue
		} else if last >= 0 && t.kind == literal && p.tokens[last].kind == literal {
			t.text = p.tokens[last].text + t.text
			p.tokens = p.tokens[:last]
		}
		p.dynamic = p.dynamic || t.kind >= variable
		p.tokens = append(p.tokens, t)
		rest = rest[n:]
	}
	return p
}

// nextToken reads one token and returns its length in the text.
func nextToken(s string, sx syntax) (token, int) {
	switch {
	case sx.wildcards && s[0] == '*':
		return token{kind: many}, 1
	case sx.wildcards && s[0] == '?':
		return token{kind: one}, 1
	case sx.variables && strings.HasPrefix(s, "${"):
		return readVariable(s)
	}
	end := 1
	for end < len(s) && s[end] != '$' && !(sx.wildcards && (s[end] == '*' || s[end] == '?')) {
		end++
	}
	return token{kind: literal, text: s[:end]}, end
}

// readVariable reads ${*}, ${?}, ${$}, ${key} or ${key, 'default'} (IAM User Guide, "IAM policy elements:
// Variables and tags", 2026-11). What cannot be read is kept as a token that may stand for anything.
func readVariable(s string) (token, int) {
	end := variableEnd(s)
	if end < 0 {
		return token{kind: broken}, len(s)
	}
	body := strings.TrimSpace(s[2 : end-1])
	if body == "*" || body == "?" || body == "$" {
		return token{kind: literal, text: body}, end
	}
	key, def, ok := strings.Cut(body, ",")
	t := token{kind: variable, text: strings.ToLower(strings.TrimSpace(key))}
	if ok {
		def = strings.TrimSpace(def)
		if len(def) < 2 || def[0] != '\'' || def[len(def)-1] != '\'' {
			return token{kind: broken}, end
		}
		t.fallback, t.hasDefault = strings.ReplaceAll(def[1:len(def)-1], "''", "'"), true
	}
	if t.text == "" {
		return token{kind: broken}, end
	}
	return t, end
}

// variableEnd returns the index after the brace that closes s, which begins with "${", or -1. A brace
// inside a quoted default does not close it.
func variableEnd(s string) int {
	quoted := false
	for i := 2; i < len(s); i++ {
		switch {
		case s[i] == '\'':
			quoted = !quoted
		case s[i] == '}' && !quoted:
			return i + 1
		}
	}
	return -1
}

// everything reports whether the pattern matches every string.
func (p *pattern) everything() bool { return len(p.tokens) == 1 && p.tokens[0].kind == many }

// match compares a string with the pattern. A variable that the request does not carry matches nothing;
// one that is not known makes the outcome Unknown if some value of it could match.
func (p *pattern) match(s string, r *Request) Truth {
	switch {
	case p.dynamic:
		return p.matchDynamic(s, r)
	case len(p.tokens) == 1 && p.tokens[0].kind == literal && !p.fold:
		return truth(p.tokens[0].text == s)
	}
	return truth(glob(p.tokens, s, p.fold, r))
}

func (p *pattern) matchDynamic(s string, r *Request) Truth {
	if !glob(p.tokens, s, p.fold, r) {
		return False
	}
	outcome := True
	for i := range p.tokens {
		if p.tokens[i].kind < variable {
			continue
		}
		switch _, state := p.tokens[i].resolve(r); state {
		case absent:
			// A variable without value "will not match any resource", and is not equal to or like any
			// value (IAM User Guide, "IAM policy elements: Variables and tags", 2026-11).
			return False
		case unknown:
			outcome = Unknown
		}
	}
	return outcome
}

// resolve returns what a variable stands for in the request. A multivalued key cannot be a variable, and
// whether wildcards in a value count is nowhere documented: both are unknown.
func (t *token) resolve(r *Request) (string, presence) {
	if t.kind == broken {
		return "", unknown
	}
	state, values := r.lookup(t.text)
	switch {
	case state == absent && t.hasDefault:
		return t.fallback, present
	case state != present:
		return "", state
	case len(values) > 1 || strings.IndexByte(values[0], '*') >= 0 || strings.IndexByte(values[0], '?') >= 0:
		return "", unknown
	}
	return values[0], present
}

// glob matches s against tokens, taking variables that have no known value as wildcards. Only the last wildcard needs to
// be tried again, so it takes at most len(s) rounds over the tokens.
func glob(tokens []token, s string, fold bool, r *Request) bool {
	ti, si, star, from := 0, 0, -1, 0
	for {
		if ti == len(tokens) {
			if si == len(s) {
				return true
			}
		} else if t := &tokens[ti]; t.kind == many {
			if ti == len(tokens)-1 {
				return true
			}
			star, from = ti, si
			ti++
			continue
		} else if n := t.consume(s[si:], fold, r); n >= 0 {
			si += n
			ti++
			continue
		} else if n == wild {
			star, from = ti, si
			ti++
			continue
		}
		if star < 0 || from >= len(s) {
			return false
		}
		from += width(s[from:])
		si, ti = from, star+1
	}
}

// What consume returns besides a length.
const (
	mismatch = -1
	wild     = -2
)

// consume returns how many bytes of s the token takes.
func (t *token) consume(s string, fold bool, r *Request) int {
	text := t.text
	switch t.kind {
	case one:
		if s == "" {
			return mismatch
		}
		return width(s)
	case variable, broken:
		value, state := t.resolve(r)
		if state != present {
			return wild
		}
		text = value
	}
	if fold {
		return foldPrefix(s, text)
	}
	if strings.HasPrefix(s, text) {
		return len(text)
	}
	return mismatch
}

func width(s string) int {
	if s[0] < utf8.RuneSelf {
		return 1
	}
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// foldPrefix returns the length of the prefix of s that equals text but for case, or mismatch.
func foldPrefix(s, text string) int {
	i := 0
	for j := 0; j < len(text); {
		if i >= len(s) {
			return mismatch
		}
		if a, b := s[i], text[j]; a < utf8.RuneSelf && b < utf8.RuneSelf {
			if a != b && lower(a) != lower(b) {
				return mismatch
			}
			i, j = i+1, j+1
			continue
		}
		a, n := utf8.DecodeRuneInString(s[i:])
		b, m := utf8.DecodeRuneInString(text[j:])
		if !sameFold(a, b) {
			return mismatch
		}
		i, j = i+n, j+m
	}
	return i
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

func sameFold(a, b rune) bool {
	for f := unicode.SimpleFold(a); ; f = unicode.SimpleFold(f) {
		if f == b || a == b {
			return true
		}
		if f == a {
			return false
		}
	}
}
