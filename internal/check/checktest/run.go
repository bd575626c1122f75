package checktest

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
)

// Run runs the cases of one check's archive. Files named bad… must hold a want, files named good… must give no finding;
// others may be either, and every finding must be wanted.
func Run(t *testing.T, ch *check.Check, archive []byte) {
	t.Helper()
	seen := map[string]bool{}
	for _, f := range txtar.Parse(archive).Files {
		t.Run(f.Name, func(t *testing.T) {
			c, err := Parse(f.Name, f.Data)
			if err != nil {
				t.Fatal(err)
			}
			kind := ""
			for _, k := range []string{"bad", "good"} {
				if strings.HasPrefix(f.Name, k) {
					kind, seen[k] = k, true
				}
			}
			c.Compare(t, check.Run([]*check.Check{ch}, c.Snapshot, check.Settings{TrustedAccounts: c.Trusted}))
			if hasFail := c.wantsFailure(); kind == "bad" && !hasFail || kind == "good" && hasFail {
				t.Errorf("a %s case with %d wants", kind, len(c.Wants))
			}
		})
	}
	for _, k := range []string{"bad", "good"} {
		if !seen[k] {
			t.Errorf("no %s case: say what the check finds and what it does not", k)
		}
	}
}

func (c *Case) wantsFailure() bool {
	for _, w := range c.Wants {
		if !w.NotAssessed {
			return true
		}
	}
	return false
}

// Compare checks findings against the wants of a case, one to one, and the form of each finding.
func (c *Case) Compare(t *testing.T, found []finding.Finding) {
	t.Helper()
	prints := map[string]bool{}
	for _, f := range found {
		if prints[f.Fingerprint] {
			t.Errorf("two findings have the fingerprint %s: give them keys", f.Fingerprint)
		}
		prints[f.Fingerprint] = true
		if !c.meet(f) {
			t.Errorf("not wanted: %s", line(f))
		}
		if f.Status == finding.Fail && (len(f.Evidence) == 0 || f.Remediation.Text == "") {
			t.Errorf("without evidence or remediation: %s", line(f))
		}
		if f.Subject.Kind == "" || f.Severity.Rank() == 0 || f.Message == "" {
			t.Errorf("without subject kind, severity or message: %+v", f)
		}
	}
	for _, w := range c.Wants {
		if !w.met {
			t.Errorf("%s:%d: nothing matches %q; found:\n%s", c.Name, w.Line, w.Pattern, lines(found))
		}
	}
}

// meet finds the want that a finding fulfils: one at its object first.
func (c *Case) meet(f finding.Finding) bool {
	at := 0
	if f.Location != nil {
		at = f.Location.Line
	}
	for _, w := range c.Wants {
		same := w.NotAssessed == (f.Status == finding.NotAssessed) && w.Pattern.MatchString(f.Message) && (w.Severity == "" || w.Severity == f.Severity)
		if same && !w.met && (w.NotAssessed || w.Object == at || w.Object == 0 && f.Subject.Kind == "Cluster") {
			w.met = true
			return true
		}
	}
	return false
}

func line(f finding.Finding) string {
	at := 0
	if f.Location != nil {
		at = f.Location.Line
	}
	return fmt.Sprintf("line %d: [%s %s] %s: %s", at, f.Status, f.Severity, f.Subject, f.Message)
}

func lines(fs []finding.Finding) string {
	var b strings.Builder
	for _, f := range fs {
		b.WriteString("  " + line(f) + "\n")
	}
	return b.String()
}
