package report

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/finding"
)

// FrameworkReport is the state of every control of a framework: the page of `--framework`. The caller computes it.
type FrameworkReport struct {
	Version string       `json:"version"`
	Kind    string       `json:"kind"`
	Tool    finding.Tool `json:"tool"`
	Time    time.Time    `json:"time"`
	// ID is the word that --framework takes, Title and Edition what the framework calls itself.
	ID      string `json:"id"`
	Title   string `json:"title"`
	Edition string `json:"edition"`
	// Source says where the mapping is from and how far it can be trusted.
	Source   string             `json:"source"`
	Clusters []string           `json:"clusters"`
	Controls []FrameworkControl `json:"controls"`
}

// KindFramework is the kind of a FrameworkReport.
const KindFramework = "FrameworkReport"

// FrameworkControl is one control with the checks that bear on it and what they found.
type FrameworkControl struct {
	ID       string            `json:"id"`
	Title    string            `json:"title"`
	Status   ControlStatus     `json:"status"`
	Checks   []string          `json:"checks"`
	Findings []finding.Finding `json:"findings"`
}

// ControlStatus is the state of a control.
type ControlStatus string

// The states of a control, worst first. A control passes only if at least one check bears on it, and all of them were
// assessed everywhere and found nothing.
const (
	ControlFail        ControlStatus = "fail"
	ControlNotAssessed ControlStatus = "not-assessed"
	ControlPass        ControlStatus = "pass"
	ControlNotCovered  ControlStatus = "not-covered"
)

var controlStatuses = []ControlStatus{ControlFail, ControlNotAssessed, ControlPass, ControlNotCovered}

// words is the status as people read it.
func (s ControlStatus) words() string { return visible(strings.ReplaceAll(string(s), "-", " ")) }

// FrameworkFormats lists the formats that Framework writes.
var FrameworkFormats = []string{"table", "markdown", "html", "json", "csv"}

// Framework writes the report in one of FrameworkFormats.
func Framework(w io.Writer, format string, r FrameworkReport, o Options) error {
	r.Version, r.Kind = finding.Version, KindFramework
	switch format {
	case "table":
		return frameworkTable(w, r, o)
	case "markdown":
		return frameworkMarkdown(w, r)
	case "html":
		return frameworkHTML(w, r)
	case "json":
		return encodeJSON(w, r)
	case "csv":
		return frameworkCSV(w, r)
	}
	return fmt.Errorf("format %q: a framework is written as %s", format, strings.Join(FrameworkFormats, ", "))
}

func (r FrameworkReport) count(s ControlStatus) int {
	n := 0
	for _, c := range r.Controls {
		if c.Status == s {
			n++
		}
	}
	return n
}

// verdict is the sentence for those who read only one. It never says that the framework is met: no tool can.
func (r FrameworkReport) verdict() string {
	counts := make([]string, 0, len(controlStatuses))
	for _, s := range controlStatuses {
		if n := r.count(s); n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, s.words()))
		}
	}
	if len(counts) == 0 {
		return "No controls."
	}
	return plural(len(r.Controls), "control") + ": " + strings.Join(counts, ", ") + "."
}

// frameworkMeaning stands on every page that people read.
const frameworkMeaning = "Pass: every check that bears on the control was assessed and found nothing. Not covered: no check bears on it. This is evidence for an assessment, not an assessment."

func (r FrameworkReport) heading() string {
	return strings.Join(nonEmpty(cmp.Or(r.Title, r.ID), r.Edition), ", ")
}

func frameworkTable(w io.Writer, r FrameworkReport, o Options) error {
	t := newTerminal(o)
	names := clusterLabels(r)
	t.wrapped(0, t.bold(visible(r.heading())))
	if r.Source != "" {
		t.wrapped(0, t.dim(visible(r.Source)))
	}
	t.wrapped(0, t.bold(r.verdict()))
	t.wrapped(0, t.dim(frameworkMeaning))
	t.line("")
	for _, c := range r.Controls {
		word := strings.ToUpper(c.Status.words())
		if c.Status == ControlFail {
			word = t.severity(finding.Critical, word)
		}
		t.columns(2, []int{12, t.width - 16}, []string{word, t.bold(visible(c.ID)) + "  " + visible(c.Title)})
		shown := c.Findings
		if len(shown) > tableMax && !o.Wide {
			shown = shown[:tableMax]
		}
		for _, f := range shown {
			t.wrapped(18, visible(findingWord(f)+"  "+names(f.Cluster)+"  "+f.Subject.String()+": "+f.Message))
		}
		if more := len(c.Findings) - len(shown); more > 0 {
			t.wrapped(18, t.dim(fmt.Sprintf("and %d more", more)))
		}
		if len(c.Checks) > 0 && (o.Wide || c.Status == ControlPass) {
			t.wrapped(18, t.dim(visible(strings.Join(c.Checks, ", "))))
		}
	}
	_, err := w.Write(t.out.Bytes())
	return err
}

// clusterLabels is the name of a cluster, from its ARN.
func clusterLabels(r FrameworkReport) func(string) string {
	names := map[string]bool{}
	for _, c := range r.Clusters {
		name := c[strings.LastIndex(c, "/")+1:]
		names[name] = !slices.Contains(r.Clusters, name) && strings.Contains(c, "/") && !names[name]
	}
	return func(cluster string) string {
		if name := cluster[strings.LastIndex(cluster, "/")+1:]; names[name] {
			return name
		}
		return cmp.Or(cluster, "no cluster")
	}
}

func frameworkMarkdown(w io.Writer, r FrameworkReport) error {
	m := &markdown{}
	names := clusterLabels(r)
	m.line("# %s", mdText(r.heading()))
	m.line("")
	m.line("**%s**", mdText(r.verdict()))
	m.line("")
	m.line("%s %s", mdText(r.Source), mdText(frameworkMeaning))
	m.line("")
	m.row("Control", "Status", "Title", "Checks", "Findings")
	m.row("---", "---", "---", "---", "---:")
	for _, c := range r.Controls {
		checks := make([]string, len(c.Checks))
		for i, id := range c.Checks {
			checks[i] = mdCell(id)
		}
		m.row(mdText(c.ID), mdText(c.Status.words()), mdText(c.Title), strings.Join(checks, " "), fmt.Sprint(len(c.Findings)))
	}
	for _, c := range r.Controls {
		if len(c.Findings) == 0 {
			continue
		}
		m.head(mdText(c.ID + " " + c.Title))
		for _, f := range c.Findings {
			m.line("- %s, %s, %s: %s", mdText(findingWord(f)), mdText(names(f.Cluster)), mdCode(f.Subject.String()), mdText(f.Message))
		}
	}
	_, err := w.Write(m.out.Bytes())
	return err
}

// findingWord is the severity of a finding, or that it was not assessed.
func findingWord(f finding.Finding) string {
	if f.Status == finding.NotAssessed {
		return "not assessed"
	}
	return string(f.Severity)
}

func frameworkCSV(w io.Writer, r FrameworkReport) error {
	cw := csv.NewWriter(w)
	rows := [][]string{{"framework", "edition", "control", "title", "status", "checks", "severity", "finding status", "id", "cluster", "kind", "namespace", "name", "message", "fingerprint"}}
	for _, c := range r.Controls {
		control := []string{r.ID, r.Edition, c.ID, c.Title, string(c.Status), strings.Join(c.Checks, "; ")}
		if len(c.Findings) == 0 {
			rows = append(rows, append(slices.Clone(control), make([]string, 9)...))
		}
		for _, f := range c.Findings {
			rows = append(rows, append(slices.Clone(control), string(f.Severity), string(f.Status), f.ID, f.Cluster,
				f.Subject.Kind, f.Subject.Namespace, f.Subject.Name, f.Message, f.Fingerprint))
		}
	}
	for _, row := range rows {
		for i, cell := range row {
			row[i] = csvCell(cell)
		}
		if err := cw.Write(row); err != nil {
			return err
		}
	}
	cw.Flush()
	return cw.Error()
}
