package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
)

// maxResult is the size of the largest result that ParseJSON reads, in bytes.
const maxResult = 1 << 30

func writeJSON(w io.Writer, r *finding.Result, _ Options) error { return encodeJSON(w, r) }

// encodeJSON writes v indented, with every character spelled as \u that a terminal or an editor could act on.
func encodeJSON(w io.Writer, v any, more ...json.Options) error {
	text, err := json.Marshal(v, jsontext.WithIndent("  "), jsontext.AllowInvalidUTF8(true),
		json.Deterministic(true), jsonv1.OmitEmptyWithLegacySemantics(true), json.JoinOptions(more...))
	if err != nil {
		return fmt.Errorf("encode JSON: %w", err)
	}
	_, err = w.Write(append(spellHidden(text), '\n'))
	return err
}

// spellHidden replaces the hidden characters of JSON text, which can only stand in strings, by their escapes.
func spellHidden(text []byte) []byte {
	if !mayHide(text) {
		return text
	}
	out := make([]byte, 0, len(text)+len(text)/8)
	for _, r := range string(text) {
		switch {
		case !odd(r):
			out = utf8.AppendRune(out, r)
		case r < 0x10000:
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		}
	}
	return out
}

// mayHide says whether there is anything to look at rune by rune: almost all text is plain ASCII.
func mayHide(text []byte) bool {
	for _, b := range text {
		if b < ' ' && b != '\n' || b >= 0x7f {
			return true
		}
	}
	return false
}

// odd says whether r is hidden and does not just end a line.
func odd(r rune) bool { return r != '\n' && hidden(r) }

// ParseJSON reads a result that the json format wrote. What it cannot carry over exactly it refuses: another version or
// kind, members it does not know, words outside the format.
func ParseJSON(rd io.Reader) (*finding.Result, error) {
	text, err := io.ReadAll(io.LimitReader(rd, maxResult+1))
	if err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	if len(text) > maxResult {
		return nil, fmt.Errorf("read result: larger than %d bytes", maxResult)
	}
	kind, err := KindOf(text)
	if err != nil {
		return nil, err
	}
	if kind != finding.KindScan && kind != finding.KindDetect {
		return nil, fmt.Errorf("result is a %q: want %s or %s", kind, finding.KindScan, finding.KindDetect)
	}
	var r finding.Result
	if err := json.Unmarshal(text, &r, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("read %s: %w", kind, err)
	}
	for i, f := range r.Findings {
		if err := validate(f); err != nil {
			return nil, fmt.Errorf("findings[%d]: %w", i, err)
		}
	}
	for i, s := range r.Suppressed {
		if err := validate(s.Finding); err != nil {
			return nil, fmt.Errorf("suppressed[%d]: %w", i, err)
		}
	}
	return &r, nil
}

// KindOf is the kind of a saved result: ScanResult, AccessResult or another. It refuses what is no result of this version.
func KindOf(text []byte) (string, error) {
	var head struct {
		Version string `json:"version"`
		Kind    string `json:"kind"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return "", fmt.Errorf("read result: %w", err)
	}
	if head.Version != finding.Version {
		return "", fmt.Errorf("result has version %q: this drawbridge reads %s", head.Version, finding.Version)
	}
	return head.Kind, nil
}

// ParseAccess reads answers about access that their json format wrote. Like ParseJSON it refuses what it cannot carry over
// exactly.
func ParseAccess(text []byte) (*access.Result, error) {
	r, err := Parse[access.Result](text, access.KindResult)
	if err != nil {
		return nil, err
	}
	for i, g := range r.Answers {
		if !slices.Contains([]access.Verdict{access.Allowed, access.Denied, access.Unknown}, g.Verdict) {
			return nil, fmt.Errorf("answers[%d]: verdict %q: want allowed, denied or unknown", i, g.Verdict)
		}
	}
	return r, nil
}

// Parse reads a result of one kind that its json format wrote, and refuses what it cannot carry over exactly.
func Parse[T any](text []byte, want string) (*T, error) {
	kind, err := KindOf(text)
	if err != nil {
		return nil, err
	}
	if kind != want {
		return nil, fmt.Errorf("result is a %q: want %s", kind, want)
	}
	r := new(T)
	if err := json.Unmarshal(text, r, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("read %s: %w", kind, err)
	}
	return r, nil
}

// validate refuses a finding whose severity or status no report could place.
func validate(f finding.Finding) error {
	if _, err := finding.ParseSeverity(string(f.Severity)); err != nil {
		return err
	}
	known := []finding.Status{finding.Fail, finding.NotAssessed}
	if !slices.Contains(known, f.Status) {
		return fmt.Errorf("status %q: want %s or %s", f.Status, finding.Fail, finding.NotAssessed)
	}
	if strings.TrimSpace(f.ID) == "" {
		return fmt.Errorf("finding has no id")
	}
	return nil
}
