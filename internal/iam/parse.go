package iam

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits far above what AWS stores (the largest policy, a bucket's, has 20 KB), so that a planted
// document cannot take the machine with it.
const (
	maxSize  = 1 << 20
	maxDepth = 16
)

// Parse reads a policy document, plain or percent-encoded as the IAM API returns it. The names of
// elements and keys are not case-sensitive. What it does not know (versions, elements, operators) it
// keeps and marks unknown; it refuses what cannot be read in one way only: broken JSON, a name given
// twice, trailing data, deep nesting, a value of the wrong type. Its errors name the statement and the
// offset in bytes.
func Parse(doc []byte) (*Policy, error) {
	if len(doc) > maxSize {
		return nil, fmt.Errorf("policy of %d bytes: more than %d", len(doc), maxSize)
	}
	doc, err := decodePercent(doc)
	if err != nil {
		return nil, err
	}
	d := decoder{Decoder: jsontext.NewDecoder(bytes.NewReader(doc))}
	p, err := d.policy()
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("policy: data after the document at offset %d", d.InputOffset())
	}
	p.compile()
	return p, nil
}

// decodePercent undoes the percent-encoding (RFC 3986) of a document that does not begin with a brace.
func decodePercent(doc []byte) ([]byte, error) {
	doc = bytes.TrimSpace(bytes.TrimPrefix(doc, []byte("\xef\xbb\xbf")))
	if len(doc) == 0 || doc[0] != '%' {
		return doc, nil
	}
	out := make([]byte, 0, len(doc))
	for i := 0; i < len(doc); i++ {
		if doc[i] != '%' {
			out = append(out, doc[i])
			continue
		}
		if i+2 >= len(doc) || unhex(doc[i+1]) < 0 || unhex(doc[i+2]) < 0 {
			return nil, fmt.Errorf("policy: broken percent-encoding at offset %d", i)
		}
		out = append(out, byte(unhex(doc[i+1])<<4|unhex(doc[i+2]))) //nolint:gosec // two hex digits are one byte
		i += 2
	}
	return out, nil
}

func unhex(b byte) int {
	switch {
	case '0' <= b && b <= '9':
		return int(b - '0')
	case 'a' <= lower(b) && lower(b) <= 'f':
		return int(lower(b)-'a') + 10
	}
	return -1
}

// decoder reads the shapes of the policy language from JSON tokens.
type decoder struct{ *jsontext.Decoder }

// wrong is the error for a value of another kind than wanted.
func (d decoder) wrong(what, want string) error {
	kind := d.PeekKind()
	if kind == jsontext.KindInvalid {
		_, err := d.ReadToken()
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: want %s, got %s at offset %d", what, want, kindName(kind), d.InputOffset())
}

func kindName(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	}
	return k.String()
}

// object reads an object and calls member for each name, which must read the value. Names that differ
// only in case are the same name.
func (d decoder) object(what string, member func(name string) error) error {
	if d.PeekKind() != '{' {
		return d.wrong(what, "an object")
	}
	if d.StackDepth() > maxDepth {
		return fmt.Errorf("%s: nested too deeply at offset %d", what, d.InputOffset())
	}
	if _, err := d.ReadToken(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	seen := map[string]bool{}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		text := name.String()
		if folded := strings.ToLower(text); seen[folded] {
			return fmt.Errorf("%s: %q is given twice, at offset %d", what, text, d.InputOffset())
		} else {
			seen[folded] = true
		}
		if err := member(text); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// list reads a list, or one value in place of a list of one.
func (d decoder) list(what string, element func() error) error {
	if d.PeekKind() != '[' {
		return element()
	}
	if _, err := d.ReadToken(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for d.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func (d decoder) str(what string) (string, error) {
	if d.PeekKind() != '"' {
		return "", d.wrong(what, "a string")
	}
	t, err := d.ReadToken()
	if err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return t.String(), nil
}

// strs reads a string or a list of strings; the result is never nil.
func (d decoder) strs(what string) ([]string, error) {
	all := []string{}
	err := d.list(what, func() error {
		s, err := d.str(what)
		all = append(all, s)
		return err
	})
	return all, err
}

// scalars reads the values of a condition: strings, numbers and booleans, one or a list.
func (d decoder) scalars(what string) ([]string, error) {
	all := []string{}
	err := d.list(what, func() error {
		switch d.PeekKind() {
		case '"', '0', 't', 'f':
			t, err := d.ReadToken()
			if err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			all = append(all, t.String())
			return nil
		}
		return d.wrong(what, "a string, number or boolean")
	})
	return all, err
}

// skip reads past a value of any shape.
func (d decoder) skip(what string) error {
	switch d.PeekKind() {
	case '{':
		return d.object(what, func(name string) error { return d.skip(what) })
	case '[':
		if d.StackDepth() > maxDepth {
			return fmt.Errorf("%s: nested too deeply at offset %d", what, d.InputOffset())
		}
		return d.list(what, func() error { return d.skip(what) })
	}
	if _, err := d.ReadToken(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
