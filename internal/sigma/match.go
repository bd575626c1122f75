package sigma

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Matches compares a string of a record with the value. It allocates nothing for records of honest shape. Exists, FieldRef
// and null are about fields, not about strings: for them it is false.
func (v *Value) Matches(op Op, cased bool, s string) bool {
	switch op {
	case Equals, Contains, StartsWith, EndsWith:
		return v.glob(s, op == Contains || op == EndsWith, op == Contains || op == StartsWith, cased)
	case Regex:
		return v.re != nil && v.re.MatchString(s)
	case CIDR:
		return v.contains(s)
	case Less, LessEqual, Greater, GreaterEqual:
		n, ok := toNumber(s)
		return ok && v.kind == number && (op == Less && n < v.num || op == LessEqual && n <= v.num || op == Greater && n > v.num || op == GreaterEqual && n >= v.num)
	default:
		return false
	}
}

// contains says whether s is an address of the network. IPv4 addresses written as IPv6 are IPv4 addresses.
func (v *Value) contains(s string) bool {
	if len(s) < 2 || len(s) > 45 {
		return false
	}
	dots, colons := 0, 0
	for i := range len(s) { // names ("eks.amazonaws.com") are common where addresses are expected
		switch c := s[i]; {
		case c == '.':
			dots++
		case c == ':':
			colons++
		case (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f'):
			return false
		}
	}
	if dots != 3 && colons < 2 {
		return false
	}
	a, err := netip.ParseAddr(s)
	return err == nil && v.prefix.Contains(a.Unmap())
}

// glob matches the pieces between the wildcards * one after the other; openStart and openEnd put a * before and behind.
func (v *Value) glob(s string, openStart, openEnd, cased bool) bool {
	if v.parts == nil {
		return false
	}
	if v.exact {
		if done, ok := v.literal(s, openStart, openEnd, cased); done {
			return ok
		}
	}
	parts := v.folded
	if cased {
		parts = v.parts
	}
	at, last := 0, len(parts)-1
	for i, p := range parts {
		atStart, atEnd := i == 0 && !openStart, i == last && !openEnd
		switch {
		case atStart:
			end, ok := match(p, s, 0, cased)
			if !ok || atEnd && end != len(s) {
				return false
			}
			at = end
		case atEnd:
			start := back(s, len(p))
			if start < at {
				return false
			}
			if end, ok := match(p, s, start, cased); !ok || end != len(s) {
				return false
			}
		default:
			end, ok := find(p, s, at, cased)
			if !ok {
				return false
			}
			at = end
		}
	}
	return true
}

// literal is glob for values without wildcards, where the standard library is faster.
func (v *Value) literal(s string, openStart, openEnd, cased bool) (done, ok bool) {
	switch {
	case !openStart && !openEnd && cased:
		return true, s == v.lit
	case !openStart && !openEnd:
		return true, strings.EqualFold(s, v.lit)
	case !cased:
		return false, false
	case openStart && openEnd:
		return true, strings.Contains(s, v.lit)
	case openStart:
		return true, strings.HasSuffix(s, v.lit)
	default:
		return true, strings.HasPrefix(s, v.lit)
	}
}

// match says whether the piece stands in s at a position, and where it ends there.
func match(piece []rune, s string, at int, cased bool) (end int, ok bool) {
	for _, want := range piece {
		if at >= len(s) {
			return at, false
		}
		c, n := rune(s[at]), 1
		if c >= utf8.RuneSelf {
			c, n = utf8.DecodeRuneInString(s[at:])
		}
		at += n
		if want != oneRune && c != want && (cased || fold(c) != want) {
			return at, false
		}
	}
	return at, true
}

// find looks for the first place of a piece from a position on, and says where it ends.
func find(piece []rune, s string, at int, cased bool) (end int, ok bool) {
	for at <= len(s) {
		if end, ok := match(piece, s, at, cased); ok {
			return end, true
		}
		if at == len(s) {
			break
		}
		n := 1
		if s[at] >= utf8.RuneSelf {
			_, n = utf8.DecodeRuneInString(s[at:])
		}
		at += n
	}
	return at, false
}

// back is where the last n characters of s begin, -1 if it has fewer.
func back(s string, n int) int {
	at := len(s)
	for range n {
		if at == 0 {
			return -1
		}
		size := 1
		if s[at-1] >= utf8.RuneSelf {
			_, size = utf8.DecodeLastRuneInString(s[:at])
		}
		at -= size
	}
	return at
}

// fold is the same for all characters that differ in case only: the orbit of unicode.SimpleFold, as strings.EqualFold has it.
func fold(c rune) rune {
	switch {
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	case c < utf8.RuneSelf:
		return c
	}
	least := c
	for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if least >= 'A' && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}
