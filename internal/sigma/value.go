package sigma

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Value is one value of a Match, prepared for comparing. It is not changed after Parse and may be used by several goroutines.
type Value struct {
	text string
	kind kind
	num  float64
	b    bool

	exact         bool   // has no wildcards
	lit           string // if exact: without escapes
	parts, folded [][]rune
	re            *regexp.Regexp
	prefix        netip.Prefix
}

type kind uint8

const (
	text kind = iota
	number
	boolean
	null
)

// oneRune stands for the wildcard ? in parts.
const oneRune rune = -1

// String is the value as the rule writes it, with escapes; after base64 and windash what these made of it.
func (v *Value) String() string { return v.text }

// IsNull says whether the value is YAML's null.
func (v *Value) IsNull() bool { return v.kind == null }

// Bool is the value of a YAML boolean; ok is false for others.
func (v *Value) Bool() (value, ok bool) { return v.b, v.kind == boolean }

// Number is the value of a YAML number; ok is false for others, also for strings of digits.
func (v *Value) Number() (value float64, ok bool) { return v.num, v.kind == number }

// Literal is the exact string that the value means, when it has no wildcards and is no regular expression, network or null.
func (v *Value) Literal() (string, bool) {
	return v.lit, v.exact
}

// Pattern is the value cut at its wildcards *: n of them leave n+1 pieces. Wildcards ? stand in them as -1. It is nil for
// regular expressions, networks and null.
func (v *Value) Pattern() [][]rune { return v.parts }

// Regexp is the regular expression of a Regex value with its flags, in RE2's syntax; "" for others.
func (v *Value) Regexp() string {
	if v.re == nil {
		return ""
	}
	return v.re.String()
}

// Prefix is the network of a CIDR value; the zero Prefix for others.
func (v *Value) Prefix() netip.Prefix { return v.prefix }

// compile cuts the text at its wildcards. A backslash makes the wildcard or backslash after it a plain character, and is
// one itself before anything else (Sigma rules specification 2.0, "Escaping").
func (v *Value) compile() {
	var parts [][]rune
	part := []rune{}
	any := false
	in := []rune(v.text)
	for i := 0; i < len(in); i++ {
		switch c := in[i]; {
		case c == '\\' && i+1 < len(in) && strings.ContainsRune(`*?\`, in[i+1]):
			i++
			part = append(part, in[i])
		case c == '*':
			parts = append(parts, part)
			part = []rune{}
		case c == '?':
			any = true
			part = append(part, oneRune)
		default:
			part = append(part, c)
		}
	}
	v.parts = append(parts, part)
	for _, p := range v.parts {
		f := make([]rune, len(p))
		for i, c := range p {
			f[i] = fold(c)
		}
		v.folded = append(v.folded, f)
	}
	if len(v.parts) == 1 && !any {
		v.exact, v.lit = true, string(part)
	}
}

// matchesAll says whether the value matches every string.
func (v *Value) matchesAll() bool {
	for _, p := range v.parts {
		if len(p) > 0 {
			return false
		}
	}
	return v.parts != nil
}

// NewValue prepares a text with wildcards and escapes, as a rule writes it.
func NewValue(s string) Value {
	v := Value{text: s}
	v.compile()
	return v
}

// NewBool is the value of `exists`.
func NewBool(b bool) Value { return Value{text: strconv.FormatBool(b), kind: boolean, b: b} }

// NewRegexp is a value of `re`. The pattern is one of the program, in RE2's syntax: it panics over any other.
func NewRegexp(pattern string) Value { return Value{text: pattern, re: regexp.MustCompile(pattern)} }

// NewNumber is a value of `lt`, `lte`, `gt` and `gte`.
func NewNumber(n float64) Value {
	v := Value{text: strconv.FormatFloat(n, 'f', -1, 64), kind: number, num: n}
	v.compile()
	return v
}

// Escape writes a plain string as a value that means it.
func Escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(s)
}

// toNumber reads a JSON or YAML decimal number. Anything else is refused before strconv would allocate an error for it.
func toNumber(s string) (float64, bool) {
	digits, dots := false, 0
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digits = true
		case c == '+' || c == '-':
			if i > 0 && s[i-1] != 'e' && s[i-1] != 'E' {
				return 0, false
			}
		case c == 'e' || c == 'E':
			if !digits {
				return 0, false
			}
		case c == '.' && dots == 0:
			dots++
		default:
			return 0, false
		}
	}
	if !digits {
		return 0, false
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil
}
