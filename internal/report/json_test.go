package report

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/finding"
)

func TestJSONRoundTrip(t *testing.T) {
	want, err := os.ReadFile("testdata/run.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), render(t, "json", readRun(t), Options{})); diff != "" {
		t.Errorf("JSON to JSON (-want +got):\n%s", diff)
	}
}

func TestParseJSONRefuses(t *testing.T) {
	const head = `{"version":"drawbridge/v1","kind":"ScanResult",`
	tests := []struct{ name, in, want string }{
		{"empty", ``, "read result"},
		{"array", `[]`, "read result"},
		{"version", `{"version":"drawbridge/v9","kind":"ScanResult"}`, `version "drawbridge/v9": this drawbridge reads drawbridge/v1`},
		{"no version", `{"kind":"ScanResult"}`, `version ""`},
		{"kind", `{"version":"drawbridge/v1","kind":"AccessResult"}`, `"AccessResult": want ScanResult or DetectResult`},
		{"unknown member", head + `"extra":1}`, "extra"},
		{"duplicate", head + `"kind":"ScanResult"}`, "duplicate"},
		{"severity", head + `"findings":[{"id":"x","severity":"urgent","status":"fail"}]}`, `findings[0]: severity "urgent"`},
		{"status", head + `"findings":[{"id":"x","severity":"low","status":"pass"}]}`, `status "pass"`},
		{"id", head + `"findings":[{"severity":"low","status":"fail"}]}`, "no id"},
		{"suppressed", head + `"suppressed":[{"id":"x","severity":"low","status":""}]}`, `suppressed[0]: status ""`},
		{"trailing", head + `"findings":[]} {}`, "after top-level value"},
		{"truncated", head + `"findings":[`, "EOF"},
		{"invalid UTF-8", head + "\"time\":\"\xff\"}", "UTF-8"},
		{"deep", head + `"findings":` + strings.Repeat("[", 100_000), "depth"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ParseJSON(strings.NewReader(tt.in))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// FuzzParseJSON feeds hostile results to the parser; what it accepts must go through every format, and be written as
// the same JSON again after one writing.
func FuzzParseJSON(f *testing.F) {
	run, err := os.ReadFile("testdata/run.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(run)
	f.Add([]byte(`{"version":"drawbridge/v1","kind":"ScanResult","findings":[{"id":"\u001b[2J","severity":"low","status":"fail"}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := ParseJSON(strings.NewReader(string(in)))
		if err != nil {
			return
		}
		for _, format := range Formats {
			render(t, format.Name, r, Options{Pages: pages})
		}
		once := render(t, "json", r, Options{})
		again, err := ParseJSON(strings.NewReader(once))
		if err != nil {
			t.Fatalf("own JSON is refused: %v", err)
		}
		if twice := render(t, "json", again, Options{}); once != twice {
			t.Errorf("JSON changed:\n%s", cmp.Diff(once, twice))
		}
	})
}

func TestJSONSpellsHidden(t *testing.T) {
	r := &finding.Result{Findings: []finding.Finding{{ID: "a\u009b\u202e\U000e0041\x7f\u2028é\xff"}}}
	text := render(t, "json", r, Options{})
	if !strings.Contains(text, `"a\u009b\u202e`) || !strings.Contains(text, `\u202e\udb40\udc41\u007f\u2028é`) {
		t.Errorf("hidden characters are not spelled: %q", text)
	}
	for _, c := range text {
		if c != '\n' && hidden(c) {
			t.Errorf("raw %U", c)
		}
	}
}
