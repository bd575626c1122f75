package siem

import (
	"fmt"
	"io"
	"strings"
)

// WriteText writes a result for reading and copying: what it needs, then each rule with its verdict, in lines of comments
// as the target has them, else with #. For Sigma it is a stream of YAML documents.
func WriteText(w io.Writer, r Result) error {
	var b strings.Builder
	comment := func(text, indent string) { writeComment(&b, lead(r.Target), text, indent) }
	if len(r.Needs) > 0 {
		comment("This takes for granted:", "")
	}
	for _, n := range r.Needs {
		comment("- "+n, "  ")
	}
	for _, rule := range r.Rules {
		if r.Target == "sigma" && rule.Text != "" {
			b.WriteString("---")
		}
		b.WriteByte('\n')
		comment(fmt.Sprintf("%s · %s · %s", rule.Detection, rule.Title, rule.Verdict), "")
		for _, l := range rule.Losses {
			comment("- "+l, "  ")
		}
		switch {
		case rule.SameAs != "":
			comment(fmt.Sprintf("- the same as %q above: one of the two is enough", rule.SameAs), "")
		case rule.Text != "":
			b.WriteString(strings.TrimRight(rule.Text, "\n") + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// lead begins a line of comment.
func lead(target string) string {
	switch target {
	case "athena":
		return "-- "
	case "elastic":
		return "// "
	}
	return "# "
}

// writeComment writes a text as lines of comments; control characters of names are made visible.
func writeComment(b *strings.Builder, lead, text, indent string) {
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			line = indent + line
		}
		b.WriteString(lead + strings.Map(func(c rune) rune {
			if c < ' ' || c >= 0x7f && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
				return '\uFFFD'
			}
			return c
		}, line) + "\n")
	}
}
