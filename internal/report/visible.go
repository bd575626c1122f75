package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible is s on one line with everything spelled out that a reader would not see as itself: control characters and
// terminal escapes, line breaks, bidirectional controls, invisible characters and bytes that are not UTF-8. Plain text
// comes back unchanged. The exact text is in the JSON.
func visible(s string) string {
	if ascii(s) || !strings.ContainsFunc(s, hidden) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case !hidden(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += size
	}
	return b.String()
}

// visibleLines is visible for text that may have several lines: remediation and pages. Tabs become spaces.
func visibleLines(s string) []string {
	s = strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\n")
	if s == "" {
		return nil
	}
	lines := strings.Split(strings.ReplaceAll(s, "\t", "    "), "\n")
	for i, line := range lines {
		lines[i] = visible(line)
	}
	return lines
}

// visibleText is visibleLines as one string.
func visibleText(s string) string { return strings.Join(visibleLines(s), "\n") }

// hidden says whether a reader cannot see r as itself. Unicode has invisible characters outside its control and format
// categories too: fillers that count as letters, selectors that count as marks, and the empty Braille cell.
func hidden(r rune) bool {
	return !unicode.IsPrint(r) || r == '\u2800' ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
