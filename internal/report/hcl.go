package report

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"drawbridge/internal/model"
)

// hcl writes HCL as `terraform fmt` does. What it is given is quoted already.
type hcl struct {
	out    bytes.Buffer
	indent int
}

func (h *hcl) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text != "" {
		text = strings.Repeat("  ", h.indent) + text
	}
	h.out.WriteString(text + "\n")
}

func (h *hcl) comment(lines ...string) {
	for _, line := range lines {
		h.line("%s", strings.TrimRight("# "+visible(line), " "))
	}
}

// open starts a block or a value of several lines, and in ends it.
func (h *hcl) open(format string, args ...any) {
	h.line(format, args...)
	h.indent++
}

func (h *hcl) end(text string) {
	h.indent--
	h.line("%s", text)
}

// attributes writes attributes. Those of one line that follow each other have their equals signs below each other.
func (h *hcl) attributes(pairs ...[2]string) {
	for len(pairs) > 0 {
		n, width := 0, 0
		for n < len(pairs) && !strings.Contains(pairs[n][1], "\n") {
			width = max(width, len(pairs[n][0]))
			n++
		}
		for _, p := range pairs[:n] {
			h.line("%-*s = %s", width, p[0], p[1])
		}
		if n < len(pairs) {
			h.line("%s = %s", pairs[n][0], pairs[n][1])
			n++
		}
		pairs = pairs[n:]
	}
}

// tags are tags as the value of an attribute.
func (h *hcl) tags(tags map[string]string) string {
	inner := &hcl{indent: h.indent + 1}
	var pairs [][2]string
	for _, k := range sortedKeys(tags) {
		pairs = append(pairs, [2]string{hclKey(k), hclString(tags[k])})
	}
	inner.attributes(pairs...)
	return "{\n" + inner.out.String() + strings.Repeat("  ", h.indent) + "}"
}

// hclString is s as a string in HCL, in which nothing is interpolated and every hidden character is spelled out.
func hclString(s string) string { return hclQuote(s, hidden) }

var hclIdentifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// hclKey is s as the key of an object: as it is, or quoted. All but ASCII is spelled out, so that its width is its length.
func hclKey(s string) string {
	if hclIdentifier.MatchString(s) && s != "null" && s != "true" && s != "false" && s != "for" {
		return s
	}
	return hclQuote(s, func(r rune) bool { return r >= utf8.RuneSelf || hidden(r) })
}

func hclQuote(s string, spell func(rune) bool) string {
	var b strings.Builder
	b.WriteByte('"')
	var last rune
	for i, r := range s {
		template := (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{")
		switch {
		case template && last == r: // a third sign in a row would be ambiguous
			fmt.Fprintf(&b, `\u%04x`, r)
		case template:
			b.WriteString(strings.Repeat(string(r), 2))
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case !spell(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		last = r
	}
	b.WriteByte('"')
	return b.String()
}

// hclStrings is a list of strings on one line.
func hclStrings(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = hclString(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// document is a policy document as an expression that people can read, or as the text it is where that is no JSON.
func (h *hcl) document(d model.Document) string {
	dec := jsontext.NewDecoder(strings.NewReader(string(d)))
	text, err := hclExpression(dec, h.indent)
	if err == nil {
		if _, err = dec.ReadToken(); errors.Is(err, io.EOF) {
			return "jsonencode(" + text + ")"
		}
	}
	return hclString(string(d))
}

// hclExpression is the next JSON value as an expression that starts on a line with this indent.
func hclExpression(dec *jsontext.Decoder, indent int) (string, error) {
	token, err := dec.ReadToken()
	if err != nil {
		return "", err
	}
	switch token.Kind() {
	case '"':
		return hclString(token.String()), nil
	case '{':
		return hclObject(dec, indent)
	case '[':
		return hclList(dec, indent)
	}
	return token.String(), nil
}

func hclObject(dec *jsontext.Decoder, indent int) (string, error) {
	var pairs [][2]string
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return "", err
		}
		key := hclKey(name.String())
		value, err := hclExpression(dec, indent+1)
		if err != nil {
			return "", err
		}
		pairs = append(pairs, [2]string{key, value})
	}
	_, err := dec.ReadToken()
	if len(pairs) == 0 {
		return "{}", err
	}
	inner := &hcl{indent: indent + 1}
	inner.attributes(pairs...)
	return "{\n" + inner.out.String() + strings.Repeat("  ", indent) + "}", err
}

func hclList(dec *jsontext.Decoder, indent int) (string, error) {
	inner := &hcl{indent: indent + 1}
	for dec.PeekKind() != ']' {
		value, err := hclExpression(dec, indent+1)
		if err != nil {
			return "", err
		}
		inner.line("%s,", value)
	}
	_, err := dec.ReadToken()
	if inner.out.Len() == 0 {
		return "[]", err
	}
	return "[\n" + inner.out.String() + strings.Repeat("  ", indent) + "]", err
}
