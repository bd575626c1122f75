package scan_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drawbridge/internal/finding"
	"drawbridge/internal/scan"
)

func TestParseSuppressions(t *testing.T) {
	tests := []struct {
		name, text string
		want       []scan.Suppression
		err        string // lines, "" for none
	}{
		{name: "empty"},
		{name: "a comment only", text: "# nothing accepted yet\n"},
		{name: "an empty list", text: "[]\n"},
		{name: "a list", text: `
- id: access-entry-cluster-admin
  subject: arn:aws:iam::111122223333:role/ops
  reason: break-glass
  owner: security
  expiry: 2027-06-30
- id: b
  cluster: prod
  subject: shop/deployment/web
  reason: r
`, want: []scan.Suppression{
			{ID: "access-entry-cluster-admin", Subject: scan.Subject{Name: "arn:aws:iam::111122223333:role/ops"}, Reason: "break-glass", Owner: "security", Expiry: "2027-06-30", Source: "f.yaml:2"},
			{ID: "b", Cluster: "prod", Subject: scan.Subject{Namespace: "shop", Name: "deployment/web"}, Reason: "r", Source: "f.yaml:7"},
		}},
		{
			name: "a list below a word, as JSON", text: `{"suppressions": [{"id": "a", "reason": "r", "subject": {"kind": "Pod", "namespace": "n", "name": "p", "arn": "x"}}]}`,
			want: []scan.Suppression{{ID: "a", Reason: "r", Subject: scan.Subject{Kind: "Pod", Namespace: "n", Name: "p", ARN: "x"}, Source: "f.yaml:1"}},
		},
		{name: "a name alone", text: "[{id: a, reason: r, subject: prod}]", want: []scan.Suppression{{ID: "a", Reason: "r", Subject: scan.Subject{Name: "prod"}, Source: "f.yaml:1"}}},
		{
			name: "all that is wrong at once", text: `- {id: a, subject: x, raeson: r}
- {subject: x, reason: r}
- {id: a, reason: r}
- {id: a, subject: x}
- {id: a, subject: x, reason: r, expiry: 30.06.2027}
- {id: a, subject: x, reason: r, expiry: 2027-02-30}
- {id: a, subject: [x], reason: r}
- text
- {id: a, subject: {}, reason: r}
- {id: good, subject: x, reason: r}
- {id: a, subject: {kind: Workload, title: web}, reason: r}
`, want: []scan.Suppression{{ID: "good", Subject: scan.Subject{Name: "x"}, Reason: "r", Source: "f.yaml:10"}},
			err: `f.yaml:1: unknown field "raeson"
f.yaml:2: a suppression needs the id of a check
f.yaml:3: a suppression needs the subject that the finding is about
f.yaml:4: a suppression needs a reason
f.yaml:5: expiry "30.06.2027" is not a day like 2027-01-31
f.yaml:6: expiry "2027-02-30" is not a day like 2027-01-31
f.yaml:7: .*
f.yaml:8: a suppression is a mapping with id, subject and reason
f.yaml:9: a suppression needs the subject that the finding is about
f.yaml:11: .*unknown field "title".*`,
		},
		{name: "two documents", text: "- {id: a, subject: x, reason: r}\n---\n- {id: b, subject: x, reason: r}\n", err: "read suppressions f.yaml: want one YAML document, there are more"},
		{name: "a scalar", text: "everything", err: "read suppressions f.yaml: want a list of suppressions"},
		{name: "a mapping of something else", text: "accepted: []", err: "read suppressions f.yaml: want a list of suppressions"},
		{name: "no YAML", text: "- {id: a", err: "read suppressions f.yaml: .*line 2.*"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := scan.ParseSuppressions(strings.NewReader(tt.text), "f.yaml")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("suppressions (-want +got):\n%s", diff)
			}
			text := ""
			if err != nil {
				text = err.Error()
			}
			if !lines(tt.err).MatchString(text) {
				t.Errorf("error:\n%s\nwant:\n%s", text, tt.err)
			}
		})
	}
}

// lines matches text line by line; .* stands for any run within a line.
func lines(want string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(want), `\.\*`, `[^\n]*`) + "$")
}

func TestMatches(t *testing.T) {
	entry := finding.Finding{ID: "a", Cluster: "prod", Subject: finding.Subject{Kind: "AccessEntry", Name: "arn:aws:iam::111122223333:role/ops", ARN: "arn:aws:eks:us-east-1:111122223333:access-entry/prod/role/111122223333/ops/1"}}
	pod := finding.Finding{ID: "a", Cluster: "prod", Subject: finding.Subject{Kind: "Pod", Namespace: "shop", Name: "web-1"}}
	type suppression = scan.Suppression
	type subject = scan.Subject
	tests := []struct {
		name string
		s    suppression
		f    finding.Finding
		want bool
	}{
		{"by the principal", suppression{ID: "a", Subject: subject{Name: entry.Subject.Name}}, entry, true},
		{"by its own ARN as name", suppression{ID: "a", Subject: subject{Name: entry.Subject.ARN}}, entry, true},
		{"by its own ARN", suppression{ID: "a", Subject: subject{ARN: entry.Subject.ARN}}, entry, true},
		{"by all", suppression{ID: "a", Cluster: "prod", Subject: subject(pod.Subject)}, pod, true},
		{"any of a kind", suppression{ID: "a", Subject: subject{Kind: "Pod"}}, pod, true},
		{"stars", suppression{ID: "a", Cluster: "pr*", Subject: subject{Namespace: "*", Name: "web-*"}}, pod, true},
		{"prefix and suffix do not overlap", suppression{ID: "a", Subject: subject{Namespace: "shop*p"}}, pod, false},
		{"another check", suppression{ID: "b", Subject: subject{Name: "web-1"}}, pod, false},
		{"no star in ids", suppression{ID: "*", Subject: subject{Name: "web-1"}}, pod, false},
		{"another cluster", suppression{ID: "a", Cluster: "test", Subject: subject{Name: "web-1"}}, pod, false},
		{"another kind", suppression{ID: "a", Subject: subject{Kind: "Workload", Name: "web-1"}}, pod, false},
		{"another namespace", suppression{ID: "a", Subject: subject{Namespace: "sho", Name: "web-1"}}, pod, false},
		{"another name", suppression{ID: "a", Subject: subject{Name: "web"}}, pod, false},
		{"another ARN", suppression{ID: "a", Subject: subject{ARN: "arn:*"}}, pod, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.s.Matches(tt.f); got != tt.want {
				t.Errorf("matches: %t, want %t", got, tt.want)
			}
		})
	}
}

// TestStars compares the patterns with regular expressions.
func TestStars(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.RuneFrom([]rune("ab*")), 1, 8, -1).Draw(t, "pattern")
		name := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 0, 12, -1).Draw(t, "name")
		s := scan.Suppression{ID: "a", Subject: scan.Subject{Namespace: pattern}}
		got := s.Matches(finding.Finding{ID: "a", Subject: finding.Subject{Namespace: name}})
		want := regexp.MustCompile("^" + strings.ReplaceAll(pattern, "*", ".*") + "$").MatchString(name)
		if got != want {
			t.Fatalf("%q matches %q: %t, want %t", pattern, name, got, want)
		}
	})
}

// TestExpired: the last day counts in full, in UTC.
func TestExpired(t *testing.T) {
	at := func(text string) time.Time {
		when, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	tests := []struct {
		expiry, now string
		want        bool
	}{
		{"", "2099-01-01T00:00:00Z", false},
		{"2027-06-30", "2027-06-29T12:00:00Z", false},
		{"2027-06-30", "2027-06-30T23:59:59Z", false},
		{"2027-06-30", "2027-07-01T00:00:00Z", true},
		{"2027-06-30", "2027-07-01T01:00:00+02:00", false},
		{"2027-06-30", "2027-06-30T23:00:00-02:00", true},
	}
	for _, tt := range tests {
		if got := (scan.Suppression{Expiry: tt.expiry}).Expired(at(tt.now)); got != tt.want {
			t.Errorf("%q at %s: %t, want %t", tt.expiry, tt.now, got, tt.want)
		}
	}
}

// FuzzParseSuppressions: whatever the file holds, there is no panic, and what is accepted has all that it must have.
func FuzzParseSuppressions(f *testing.F) {
	guide, err := os.ReadFile("../../docs/guide/suppressions.md")
	if err != nil {
		f.Fatal(err)
	}
	_, example, _ := strings.Cut(string(guide), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	if all, err := scan.ParseSuppressions(strings.NewReader(example), "guide"); err != nil || len(all) != 2 {
		f.Fatalf("the guide's example: %v, %v", all, err)
	}
	for _, seed := range []string{example, "", "---\n", "- &a {id: x}\n- *a\n", "suppressions: *x", "? [a]\n: b\n", "- id: !!binary aGk=\n  subject: 1\n  reason: 2.5\n", "\ufeff- {id: a, subject: {kind: [1]}, reason: r}", "- {<<: {id: a}, subject: x, reason: r}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, _ := scan.ParseSuppressions(strings.NewReader(text), "f")
		for _, s := range all {
			if s.ID == "" || s.Reason == "" || s.Subject == (scan.Subject{}) || !strings.HasPrefix(s.Source, "f:") {
				t.Errorf("accepted %+v", s)
			}
			if _, err := time.Parse(time.DateOnly, s.Expiry); s.Expiry != "" && err != nil {
				t.Errorf("accepted expiry %q", s.Expiry)
			}
			s.Matches(finding.Finding{ID: s.ID})
		}
	})
}
