package siem

import (
	"fmt"
	"io"
	"strings"
)

// WriteText writes a result for reading and copying: what it needs, then each rule with its verdict, in lines of comments
// (#). For Sigma it is a stream of YAML documents.
func WriteText(w io.Writer, r Result) error {
	var b strings.Builder
	if len(r.Needs) > 0 {
		b.WriteString("# This takes for granted:\n")
	}
	for _, n := range r.Needs {
		comment(&b, "- "+n, "  ")
	}
	for _, rule := range r.Rules {
		if r.Target == "sigma" && rule.Text != "" {
			b.WriteString("---")
		}
		b.WriteByte('\n')
		comment(&b, fmt.Sprintf("%s · %s · %s", rule.Detection, rule.Title, rule.Verdict), "")
		for _, l := range rule.Losses {
			comment(&b, "- "+l, "  ")
		}
		switch {
		case rule.SameAs != "":
			comment(&b, fmt.Sprintf("- the same as %q above: one of the two is enough", rule.SameAs), "")
		case rule.Text != "":
			b.WriteString(strings.TrimRight(rule.Text, "\n") + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// comment writes a text as lines of comments; control characters of names are made visible.
func comment(b *strings.Builder, text, indent string) {
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			line = indent + line
		}
		b.WriteString("# " + strings.Map(func(c rune) rune {
			if c < ' ' || c >= 0x7f && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
				return '\uFFFD'
			}
			return c
		}, line) + "\n")
	}
}
