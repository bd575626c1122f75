package event

import (
	"encoding/binary"
	"math/bits"
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
	for next := 0; ; {
		if b[i] != '"' {
			return surprise
		}
		var m *member
		for k := next; k < min(next+guesses, len(s.members)) && i+maxKey < len(b); k++ {
			if g := &s.members[k]; g.key.at(b, i) {
				m, next = g, k+1
				i += len(g.key.text)
				break
			}
		}
		if m == nil {
			if m, i = s.key(b, i, &next); i < 0 {
				return surprise
			}
		} else if b[i] <= ' ' {
			if i = space(b, i); i < 0 {
				return surprise
			}
		}
		start := i
		switch c := b[i]; {
		case m == nil:
			i = skip(b, i)
		case m.kinds&kindsOf[c] == 0:
			return surprise
		case c == '"':
			i = skipPlain(b, i)
		case c == '{' && m.inner != nil:
			i = e.scan(b, i, m.inner)
		case c == '[' && m.elems != 0:
			i = scanList(b, i, m.elems)
		default:
			i = skip(b, i)
		}
		if i < 0 {
			return surprise
		}
		if m != nil && m.field != 0 {
			at := &e.spans[m.field&slotMask]
			if at.end != 0 {
				return surprise
			}
			*at = span{int32(start), int32(i)} //nolint:gosec // 2026-11: G115: a record is never longer than maxRecordLimit
		}
		if i+1 < len(b) && b[i] == ',' && b[i+1] == '"' {
			i++
			continue
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

// guesses is how many members the log may have left out before the next one is looked up by its name.
const guesses = 4

// key reads the key at b[i] and returns its member, nil if it is not known, and where its value begins. next is the index
// of the member that probably follows.
func (s *shape) key(b []byte, i int, next *int) (*member, int) {
	end := plainEnd(b, i+1)
	if end < 0 || b[end] != '"' {
		return nil, surprise
	}
	m := s.other
	if k := s.find(b[i+1 : end]); k >= 0 {
		m, *next = &s.members[k], k+1
	}
	if i = space(b, end+1); i < 0 || b[i] != ':' {
		return nil, surprise
	}
	return m, space(b, i+1)
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

// skip returns where the value at b[i] ends. It may be nested as deep as whoever walks it may go.
func skip(b []byte, i int) int { return skipTo(b, i, maxDepth) }

// skipTo is skip for values that are nested up to a limit.
func skipTo(b []byte, i, limit int) int {
	switch c := b[i]; c {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i, limit)
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

// Eight bytes are looked at as one number: a byte of it that is zero, or less than n, shows in its highest bit. Above such
// a byte there may be false ones, so only the lowest counts.
const (
	ones    = 0x0101010101010101
	highs   = 0x8080808080808080
	quotes  = ones * '"'
	slashes = ones * '\\'
	spaces  = ones * ' '
)

// lowest returns the number of the first of sixteen bytes that shows in two hits, 16 if none does. It does not branch: where
// a string ends cannot be foreseen.
func lowest(first, second uint64) int {
	a, b := bits.TrailingZeros64(first&highs)>>3, bits.TrailingZeros64(second&highs)>>3
	return a + b&-(a>>3)
}

// plainEnd returns the first place from i where a string ends or is not plain: a quote, a backslash, a control character;
// surprise if there is none.
func plainEnd(b []byte, i int) int {
	for ; i+16 <= len(b); i += 16 {
		v, w := binary.LittleEndian.Uint64(b[i:i+16]), binary.LittleEndian.Uint64(b[i+8:i+16])
		vq, vs, wq, ws := v^quotes, v^slashes, w^quotes, w^slashes
		if n := lowest((vq-ones)&^vq|(vs-ones)&^vs|(v-spaces)&^v, (wq-ones)&^wq|(ws-ones)&^ws|(w-spaces)&^w); n < 16 {
			return i + n
		}
	}
	for ; i < len(b); i++ {
		if c := b[i]; c == '"' || c == '\\' || c < ' ' {
			return i
		}
	}
	return surprise
}

// skipString returns where the string at b[i] ends, whatever is in it.
func skipString(b []byte, i int) int {
	for i++; ; i++ {
		if i = quote(b, i); i < 0 {
			return surprise
		}
		if b[i-1] != '\\' {
			return i + 1
		}
		k := i - 1
		for b[k-1] == '\\' { // the string's own quote stands before
			k--
		}
		if (i-k)%2 == 0 {
			return i + 1
		}
	}
}

// quote returns where the next quote is; surprise if there is none.
func quote(b []byte, i int) int {
	for ; i+16 <= len(b); i += 16 {
		v, w := binary.LittleEndian.Uint64(b[i:i+16])^quotes, binary.LittleEndian.Uint64(b[i+8:i+16])^quotes
		if n := lowest((v-ones)&^v, (w-ones)&^w); n < 16 {
			return i + n
		}
	}
	for ; i < len(b); i++ {
		if b[i] == '"' {
			return i
		}
	}
	return surprise
}

// skipPlain returns where the string at b[i] ends, if it is one that JSON allows.
func skipPlain(b []byte, i int) int {
	for i++; ; {
		if i = plainEnd(b, i); i < 0 {
			return surprise
		}
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			if !validEscape(b[i+1:]) {
				return surprise
			}
			i += 2
		default:
			return surprise
		}
	}
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
func skipNested(b []byte, i, limit int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = skipString(b, i); i < 0 {
				return surprise
			}
			if i < len(b) && (b[i] == ':' || b[i] == ',') {
				i++
			}
			continue
		case '{', '[':
			if depth++; depth > limit {
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
