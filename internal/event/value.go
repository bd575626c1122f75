package event

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Kind is what a JSON value is.
type Kind uint8

// The kinds.
const (
	Absent Kind = iota
	Null
	String
	Number
	Bool
	Object
	List
)

var kindNames = [...]string{"absent", "null", "a string", "a number", "a boolean", "an object", "a list"}

// String returns the kind with its article: "an object".
func (k Kind) String() string { return kindNames[k] }

// Value is a JSON value in a record. It borrows the record's bytes, as its event does.
type Value struct {
	raw     []byte
	percent bool // strings in it may be percent-encoded
}

// Kind returns what the value is, Absent if it is not in the record.
func (v Value) Kind() Kind {
	if len(v.raw) == 0 {
		return Absent
	}
	return kindOf(v.raw[0])
}

// kindOf tells a value's kind by its first byte.
func kindOf(c byte) Kind {
	switch c {
	case '"':
		return String
	case '{':
		return Object
	case '[':
		return List
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}

// Raw returns the value as it stands in the record, nil if it is absent.
func (v Value) Raw() []byte { return v.raw }

// String returns a string without its quotes and escapes, and without the percent-encoding of EKS' request parameters;
// another value as its JSON; "" for null and what is absent. It allocates only where something is escaped, and borrows
// the record's bytes otherwise. Bytes that are not UTF-8 are left as they are.
func (v Value) String() string {
	switch v.Kind() {
	case Absent, Null:
		return ""
	case String:
	default:
		return borrow(v.raw)
	}
	inner := v.raw[1 : len(v.raw)-1]
	if bytes.IndexByte(inner, '\\') >= 0 {
		inner = unescape(nil, inner)
	}
	if v.percent && bytes.IndexByte(inner, '%') >= 0 {
		inner = percentDecode(inner)
	}
	return borrow(inner)
}

// Head returns the first byte of String as it is written: of a string that begins with an escape it is the escape's.
func (v Value) Head() byte {
	switch {
	case len(v.raw) == 0:
		return 0
	case v.raw[0] == '"':
		return v.raw[1]
	}
	return v.raw[0]
}

// Begin returns the beginning of String, n bytes of it or more if it has them, and unescapes nothing if there is nothing to
// unescape in it.
func (v Value) Begin(n int) string {
	if v.Kind() == String && n < len(v.raw)-2 {
		head := v.raw[1 : 1+n]
		if bytes.IndexByte(head, '\\') < 0 && !(v.percent && bytes.IndexByte(head, '%') >= 0) {
			return borrow(head)
		}
	}
	return v.String()
}

// Is says whether the value is this string.
func (v Value) Is(s string) bool {
	if v.Kind() != String {
		return false
	}
	inner := v.raw[1 : len(v.raw)-1]
	return string(inner) == s && (s == "" || bytes.IndexByte(inner, '\\') < 0) && !(v.percent && bytes.IndexByte(inner, '%') >= 0) || v.String() == s
}

// borrow shows bytes as a string for as long as they hold.
func borrow(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b)) //nolint:gosec // 2026-11: G103: the event's contract is that it borrows; copying each string costs half the speed
}

// unescape appends the text of a JSON string. An escape that says nothing, as half a surrogate pair, becomes U+FFFD.
func unescape(dst, s []byte) []byte {
	for len(s) > 0 {
		i := bytes.IndexByte(s, '\\')
		if i < 0 || i+1 == len(s) {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		c := s[i+1]
		s = s[i+2:]
		switch c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hex4(s)
			if r < 0 {
				dst = utf8.AppendRune(dst, utf8.RuneError)
				continue
			}
			s = s[4:]
			if utf16.IsSurrogate(r) {
				low := rune(-1)
				if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
					low = hex4(s[2:])
				}
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					s = s[6:]
				}
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// hex4 reads four hexadecimal digits; -1 if they are none.
func hex4(s []byte) rune {
	if len(s) < 4 {
		return -1
	}
	var r rune
	for _, c := range s[:4] {
		d, ok := hexDigit(c)
		if !ok {
			return -1
		}
		r = r<<4 | rune(d)
	}
	return r
}

func hexDigit(c byte) (value byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// percentDecode reads %XX once; what is no encoding stays.
func percentDecode(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, isHi := hexDigit(s[i+1])
			if lo, isLo := hexDigit(s[i+2]); isHi && isLo {
				out = append(out, hi<<4|lo)
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return out
}
