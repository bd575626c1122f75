package report

import (
	"fmt"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"

	"drawbridge/internal/finding"
)

func TestTableWidths(t *testing.T) {
	r := readRun(t)
	for _, width := range []int{1, 60, 80, 160} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			text := render(t, "table", r, Options{Width: width})
			golden(t, fmt.Sprintf("run.%d.table", width), text)
			for _, line := range strings.Split(text, "\n") {
				if n := lipgloss.Width(line); n > max(width, 40) {
					t.Errorf("%d columns: %q", n, line)
				}
			}
		})
	}
}

func TestTableColor(t *testing.T) {
	r := readRun(t)
	colored := render(t, "table", r, Options{Color: true, Unicode: true})
	if !strings.Contains(colored, "\x1b[") {
		t.Fatal("no colour although it was asked for")
	}
	plain := render(t, "table", r, Options{Unicode: true})
	if strings.Contains(plain, "\x1b") {
		t.Error("escape sequence without colour")
	}
	ascii := render(t, "table", r, Options{})
	if i := strings.IndexFunc(ascii, func(r rune) bool { return r > 0x7e }); i >= 0 {
		t.Errorf("outside ASCII: %q", ascii[i:i+10])
	}
}

func TestTableCutsLongGroups(t *testing.T) {
	r := &finding.Result{Kind: finding.KindScan, Clusters: []finding.Cluster{{Name: "c"}}, Summary: finding.Summary{ChecksRun: 1}}
	for i := range tableMax + 4 {
		r.Findings = append(r.Findings, finding.Finding{
			ID: "x", Title: "Many", Severity: finding.Low, Status: finding.Fail, Cluster: "c",
			Subject: finding.Subject{Kind: "Pod", Namespace: "n", Name: fmt.Sprintf("p%02d", i)},
		})
	}
	if text := render(t, "table", r, Options{}); !strings.Contains(text, "and 4 more") || strings.Contains(text, "p11") {
		t.Errorf("not cut:\n%s", text)
	}
	if text := render(t, "wide", r, Options{}); strings.Contains(text, "more") || !strings.Contains(text, "p11") {
		t.Errorf("wide is cut:\n%s", text)
	}
}

func TestVerdict(t *testing.T) {
	scan := func(checks int, fs ...finding.Finding) *finding.Result {
		return &finding.Result{Kind: finding.KindScan, Findings: fs, Summary: finding.Summary{ChecksRun: checks}}
	}
	of := func(s finding.Severity, st finding.Status) finding.Finding {
		return finding.Finding{ID: "x", Severity: s, Status: st}
	}
	withGap := scan(3)
	withGap.Gaps = []finding.Gap{{Area: "roles"}}
	filtered := scan(3)
	filtered.Summary.Fail.Low = 2
	tests := []struct {
		name string
		r    *finding.Result
		want string
	}{
		{"clean", scan(3), "No findings."},
		{"nothing ran", scan(0), "No check was run: nothing can be said."},
		{"not assessed is not clean", scan(3, of(finding.High, finding.NotAssessed)), "Nothing found in what could be read, but not everything could be: this is not a clean result."},
		{"gap is not clean", withGap, "Nothing found in what could be read, but not everything could be: this is not a clean result."},
		{"filtered is not clean", filtered, "2 findings not listed in this report."},
		{"low", scan(3, of(finding.Low, finding.Fail)), "1 finding, none critical or high."},
		{"low and unsure", scan(3, of(finding.Low, finding.Fail), of(finding.High, finding.NotAssessed)), "1 finding, none critical or high in what could be read; not everything could be."},
		{"high", scan(3, of(finding.High, finding.Fail)), "1 high finding should be dealt with first."},
		{"critical", scan(3, of(finding.Critical, finding.Fail), of(finding.Critical, finding.Fail), of(finding.High, finding.Fail)), "2 critical and 1 high finding should be dealt with first."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := newView(tt.r).verdict(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A cluster of which something could not be read is never shown as clean.
func TestNothingIsNotClean(t *testing.T) {
	cluster := finding.Cluster{Name: "c", ARN: "arn:aws:eks:eu-central-1:111122223333:cluster/c", Account: "111122223333"}
	tests := []struct {
		name  string
		r     finding.Result
		clean bool
	}{
		{"read", finding.Result{}, true},
		{"gap of the cluster", finding.Result{Gaps: []finding.Gap{{Area: "roles", Cluster: cluster.ARN}}}, false},
		{"gap of the account", finding.Result{Gaps: []finding.Gap{{Area: "iamRoles", Account: cluster.Account}}}, false},
		{"gap of everything", finding.Result{Gaps: []finding.Gap{{Area: "cluster"}}}, false},
		{"gap elsewhere", finding.Result{Gaps: []finding.Gap{{Area: "iamRoles", Account: "444455556666"}}}, true},
		{"not assessed", finding.Result{Findings: []finding.Finding{{ID: "x", Severity: finding.Low, Status: finding.NotAssessed, Cluster: "c"}}}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.r.Kind, tt.r.Clusters, tt.r.Summary.ChecksRun = finding.KindScan, []finding.Cluster{cluster}, 1
			for _, format := range []string{"table", "markdown", "html"} {
				text := strings.ToLower(render(t, format, &tt.r, Options{}))
				if unsure := strings.Contains(text, "no findings in what could be read"); unsure == tt.clean {
					t.Errorf("%s: clean %v:\n%s", format, tt.clean, text)
				}
			}
		})
	}
}
