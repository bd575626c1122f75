package report

import "strings"

// ascii says whether s is ASCII that shows as itself, one column a byte: almost all text is, and needs no looking at rune
// by rune.
func ascii(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// wrapASCII is wrap for such text whose words have one space between them, and false for other text.
func wrapASCII(s string, width int) ([]string, bool) {
	if !ascii(s) || strings.HasPrefix(s, " ") || strings.Contains(s, "  ") {
		return nil, false
	}
	s = strings.TrimSuffix(s, " ")
	var lines []string
	for len(s) > width {
		cut := strings.LastIndexByte(s[:width+1], ' ')
		if cut < 0 { // the word is longer than a line
			lines, s = append(lines, s[:width]), s[width:]
			continue
		}
		lines, s = append(lines, s[:cut]), s[cut+1:]
	}
	return append(lines, s), true
}
