package event

import (
	"bytes"
)

// maxDepth is how deep values may be nested: Kubernetes' own objects stay far below it, and whoever walks a value may
// recurse.
const maxDepth = 1000

// surprise is what the scanner returns in the place of an offset when it sees anything but what it expects. The strict
// decoder then has the word.
const surprise = -1

// scan reads the object at b[i], keeps where its fields stand, and returns where it ends. It looks only at the structure
// on its way and skips everything else by its brackets and quotes: JSON that is broken there is for others to find. Its
// offsets are relative to the record, which starts at b[0].
func (e *Event) scan(b []byte, i int, s *shape) int {
	if i = space(b, i+1); i < 0 {
		return surprise
	}
	if b[i] == '}' {
		return i + 1
	}
	for {
		// a key without escapes, and its colon
		if b[i] != '"' {
			return surprise
		}
		n := bytes.IndexByte(b[i+1:], '"')
		if n < 0 {
			return surprise
		}
		key := b[i+1 : i+1+n]
		if bytes.IndexByte(key, '\\') >= 0 {
			return surprise
		}
		if i = space(b, i+n+2); i < 0 || b[i] != ':' {
			return surprise
		}
		if i = space(b, i+1); i < 0 {
			return surprise
		}
		start := i
		m := s.member(key)
		if m == nil {
			i = skip(b, i)
		} else {
			i = e.scanMember(b, i, m)
		}
		if i < 0 {
			return surprise
		}
		if m != nil && m.field != 0 {
			at := &e.spans[m.field&slotMask]
			if at.end != 0 {
				return surprise
			}
			*at = span{int32(start), int32(i)} //nolint:gosec // 2026-11: a record is never longer than maxRecordLimit
		}
		if i = space(b, i); i < 0 {
			return surprise
		}
		switch b[i] {
		case ',':
			if i = space(b, i+1); i < 0 {
				return surprise
			}
		case '}':
			return i + 1
		default:
			return surprise
		}
	}
}

// scanMember reads the value of a known key and returns where it ends.
func (e *Event) scanMember(b []byte, i int, m *member) int {
	kind := kindOf(b[i])
	if !m.kinds.has(kind) {
		return surprise
	}
	switch {
	case kind == String:
		return skipPlain(b, i)
	case kind == Object && m.inner != nil:
		return e.scan(b, i, m.inner)
	case kind == List && m.elems != 0:
		return scanList(b, i, m.elems)
	}
	return skip(b, i)
}

// scanList passes over a list whose elements must be of certain kinds.
func scanList(b []byte, i int, elems kinds) int {
	if i = space(b, i+1); i < 0 {
		return surprise
	}
	if b[i] == ']' {
		return i + 1
	}
	for {
		if kind := kindOf(b[i]); kind == Null || !elems.has(kind) {
			return surprise
		}
		if i = skip(b, i); i < 0 {
			return surprise
		}
		if i = space(b, i); i < 0 {
			return surprise
		}
		switch b[i] {
		case ',':
			if i = space(b, i+1); i < 0 {
				return surprise
			}
		case ']':
			return i + 1
		default:
			return surprise
		}
	}
}

// space returns where the next byte is that is not white; surprise at the end.
func space(b []byte, i int) int {
	for i < len(b) {
		if c := b[i]; c > ' ' {
			return i
		} else if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return surprise
		}
		i++
	}
	return surprise
}

// skip returns where the value at b[i] ends.
func skip(b []byte, i int) int {
	switch c := b[i]; c {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	case 't':
		return skipLiteral(b, i, "true")
	case 'f':
		return skipLiteral(b, i, "false")
	case 'n':
		return skipLiteral(b, i, "null")
	default:
		return skipNumber(b, i)
	}
}

func skipLiteral(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return surprise
	}
	return i + len(word)
}

// skipNumber passes over a number as JSON writes it.
func skipNumber(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	first := i
	if i = digits(b, i); i == first || b[first] == '0' && i > first+1 {
		return surprise
	}
	if i < len(b) && b[i] == '.' {
		first = i + 1
		if i = digits(b, first); i == first {
			return surprise
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		first = i + 1
		if first < len(b) && (b[first] == '+' || b[first] == '-') {
			first++
		}
		if i = digits(b, first); i == first {
			return surprise
		}
	}
	return i
}

func digits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

// skipString returns where the string at b[i] ends.
func skipString(b []byte, i int) int {
	for i++; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return surprise
		}
		i += n
		if b[i-1] != '\\' {
			return i + 1
		}
		k := i - 1
		for b[k-1] == '\\' {
			k--
		}
		if (i-k)%2 == 0 {
			return i + 1
		}
	}
}

// skipPlain returns where the string at b[i] ends, if it is one that JSON allows.
func skipPlain(b []byte, i int) int {
	end := skipString(b, i)
	if end < 0 {
		return surprise
	}
	for k := i + 1; k < end-1; k++ {
		switch c := b[k]; {
		case c < ' ':
			return surprise
		case c == '\\':
			if !validEscape(b[k+1 : end-1]) {
				return surprise
			}
			k++
		}
	}
	return end
}

// validEscape says whether what follows a backslash is an escape of JSON.
func validEscape(s []byte) bool {
	if len(s) == 0 {
		return false
	}
	switch s[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		return hex4(s[1:]) >= 0
	}
	return false
}

// skipNested returns where the object or list at b[i] ends, by counting brackets outside strings.
func skipNested(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = skipString(b, i); i < 0 {
				return surprise
			}
			continue
		case '{', '[':
			if depth++; depth > maxDepth {
				return surprise
			}
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return surprise
}
