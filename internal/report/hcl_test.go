package report

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

// hclBlock is a block or an object of HCL as hclRead reads it.
type hclBlock struct {
	kind   string
	labels []string
	values map[string]any
	blocks []*hclBlock
}

// hclReader reads as much of HCL as the forms hold: blocks, attributes, literals, lists, objects, jsonencode and references.
// It is written from the language's specification and shares nothing with the writer.
type hclReader struct {
	text string
	at   int
}

func hclRead(text string) (b *hclBlock, err error) {
	r := &hclReader{text: text}
	defer func() {
		if p := recover(); p != nil {
			b, err = nil, fmt.Errorf("at %q: %v", r.text[min(r.at, len(r.text)):min(r.at+60, len(r.text))], p)
		}
	}()
	b = r.body(&hclBlock{values: map[string]any{}}, "")
	return b, nil
}

func (r *hclReader) skip() {
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == ' ' || c == '\n' || c == '\t':
			r.at++
		case c == '#':
			end := strings.IndexByte(r.text[r.at:], '\n')
			if end < 0 {
				end = len(r.text) - r.at
			}
			r.at += end
		default:
			return
		}
	}
}

func (r *hclReader) peek(s string) bool {
	r.skip()
	return strings.HasPrefix(r.text[r.at:], s)
}

func (r *hclReader) take(s string) bool {
	if !r.peek(s) {
		return false
	}
	r.at += len(s)
	return true
}

func (r *hclReader) want(s string) {
	if !r.take(s) {
		panic("want " + s)
	}
}

// word is an identifier or a reference.
func (r *hclReader) word() string {
	r.skip()
	start := r.at
	for r.at < len(r.text) && (r.text[r.at] == '_' || r.text[r.at] == '-' || r.text[r.at] == '.' || r.text[r.at] >= '0' && r.text[r.at] <= '9' || r.text[r.at] >= 'a' && r.text[r.at] <= 'z' || r.text[r.at] >= 'A' && r.text[r.at] <= 'Z') {
		r.at++
	}
	if start == r.at {
		panic("want a name")
	}
	return r.text[start:r.at]
}

func (r *hclReader) body(b *hclBlock, end string) *hclBlock {
	for {
		r.skip()
		if end == "" && r.at == len(r.text) {
			return b
		}
		if end != "" && r.take(end) {
			return b
		}
		name := ""
		if r.peek(`"`) {
			name = r.quoted()
		} else {
			name = r.word()
		}
		if r.take("=") {
			if _, twice := b.values[name]; twice {
				panic("twice: " + name)
			}
			b.values[name] = r.expression()
			continue
		}
		inner := &hclBlock{kind: name, values: map[string]any{}}
		for r.peek(`"`) {
			inner.labels = append(inner.labels, r.quoted())
		}
		r.want("{")
		b.blocks = append(b.blocks, r.body(inner, "}"))
	}
}

// reference is an expression that names something else.
type reference string

func (r *hclReader) expression() any {
	switch {
	case r.peek(`"`):
		return r.quoted()
	case r.take("jsonencode("):
		v := r.expression()
		r.want(")")
		text, err := json.Marshal(v, json.Deterministic(true))
		if err != nil {
			panic(err)
		}
		return string(text)
	case r.take("{"):
		b := r.body(&hclBlock{values: map[string]any{}}, "}")
		if len(b.blocks) > 0 {
			panic("a block in an object")
		}
		return b.values
	case r.take("["):
		out := []any{}
		for !r.take("]") {
			out = append(out, r.expression())
			if !r.take(",") {
				r.want("]")
				break
			}
		}
		return out
	}
	switch w := r.word(); w {
	case "true", "false":
		return w == "true"
	case "null":
		return nil
	default:
		if n, err := strconv.ParseFloat(w, 64); err == nil {
			return n
		}
		return reference(w)
	}
}

func (r *hclReader) quoted() string {
	r.want(`"`)
	var b strings.Builder
	for {
		rest := r.text[r.at:]
		c, size := utf8.DecodeRuneInString(rest)
		switch {
		case rest == "" || c == '\n' || c == utf8.RuneError && size == 1:
			panic("a string that does not end")
		case c == '"':
			r.at++
			return b.String()
		case strings.HasPrefix(rest, "$${"), strings.HasPrefix(rest, "%%{"):
			b.WriteString(rest[1:3])
			r.at += 3
		case strings.HasPrefix(rest, "${"), strings.HasPrefix(rest, "%{"):
			panic("a template")
		case c != '\\':
			b.WriteRune(c)
			r.at += size
		default:
			digits := map[byte]int{'u': 4, 'U': 8}[rest[1]]
			if digits > 0 {
				n, err := strconv.ParseUint(rest[2:2+digits], 16, 32)
				if err != nil {
					panic(err)
				}
				b.WriteRune(rune(n))
			} else {
				b.WriteByte(map[byte]byte{'n': '\n', 'r': '\r', 't': '\t', '"': '"', '\\': '\\'}[rest[1]])
			}
			r.at += 2 + digits
		}
	}
}

// TestHCLStrings has the texts that HCL would read otherwise than they are meant.
func TestHCLStrings(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"plain", `"plain"`},
		{`a"b\c`, `"a\"b\\c"`},
		{"${x}", `"$${x}"`},
		{"%{if}", `"%%{if}"`},
		{"$${x}", `"$\u0024{x}"`},
		{"$$${x}", `"$$\u0024{x}"`},
		{"%%{x}", `"%\u0025{x}"`},
		{"$%{x}", `"$%%{x}"`},
		{"$", `"$"`},
		{"a\nb\r\t", `"a\nb\r\t"`},
		{"\x1b\u202e\U000e0041", `"\u001b\u202e\U000e0041"`},
		{"\xff", `"�"`},
	} {
		got := hclString(c.text)
		if got != c.want {
			t.Errorf("%q: got %s, want %s", c.text, got, c.want)
		}
		back := (&hclReader{text: got}).quoted()
		if want := strings.ToValidUTF8(c.text, "�"); back != want {
			t.Errorf("%q reads back as %q", c.text, back)
		}
	}
}
