package siem_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"drawbridge/internal/siem"
	"drawbridge/internal/sigma"
)

// FuzzExport writes whatever parses for every target: it never panics, what is JSON stays JSON, and no text of a rule leaves
// the quotes of an SQL statement.
func FuzzExport(f *testing.F) {
	text, err := os.ReadFile("testdata/rules.yml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("title: t\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n  s: {\"a'b\\\"`.\": \"x'; drop table\", userAgent|re: \"'/\"}\n  condition: not s"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, _ := sigma.Parse("r.yml", data)
		for _, target := range siem.Targets() {
			r, err := siem.Export(rules, target)
			if err != nil {
				t.Fatal(err)
			}
			for _, rule := range r.Rules {
				if (rule.Verdict == siem.Refused) != (rule.Text == "") || rule.Verdict == siem.Exact && len(rule.Losses) > 0 {
					t.Errorf("%s: %s with %q and %q", target, rule.Verdict, rule.Losses, rule.Text)
				}
				switch {
				case rule.Text == "":
				case target == "eventbridge" || target == "opensearch":
					if !json.Valid([]byte(rule.Text)) {
						t.Errorf("%s: no JSON: %s", target, rule.Text)
					}
				case target == "athena":
					if strings.Count(rule.Text, "'")%2 != 0 {
						t.Errorf("a quote is open: %s", rule.Text)
					}
				}
			}
		}
	})
}
