package report

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"

	"drawbridge/internal/finding"
)

var controlStatuses = []finding.ControlStatus{finding.ControlFail, finding.ControlNotAssessed, finding.ControlPass, finding.ControlNotCovered}

// statusWords is the status of a control as people read it.
func statusWords(s finding.ControlStatus) string {
	return visible(strings.ReplaceAll(string(s), "-", " "))
}

// FrameworkFormats lists the formats that Framework writes.
var FrameworkFormats = []string{"table", "markdown", "html", "json", "csv"}

// Framework writes the report in one of FrameworkFormats.
func Framework(w io.Writer, format string, r finding.FrameworkReport, o Options) error {
	r.Version, r.Kind = finding.Version, finding.KindFramework
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

func controlsWith(r finding.FrameworkReport, s finding.ControlStatus) int {
	n := 0
	for _, c := range r.Controls {
		if c.Status == s {
			n++
		}
	}
	return n
}

// frameworkVerdict is the sentence for those who read only one. It never says that the framework is met: no tool can.
func frameworkVerdict(r finding.FrameworkReport) string {
	counts := make([]string, 0, len(controlStatuses))
	for _, s := range controlStatuses {
		if n := controlsWith(r, s); n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", n, statusWords(s)))
		}
	}
	if len(counts) == 0 {
		return "No controls."
	}
	return plural(len(r.Controls), "control") + ": " + strings.Join(counts, ", ") + "."
}

// frameworkMeaning stands on every page that people read.
const frameworkMeaning = "Pass: every check that bears on the control was assessed and found nothing. Not covered: no check bears on it. This is evidence for an assessment, not an assessment."

func frameworkHeading(r finding.FrameworkReport) string {
	return strings.Join(nonEmpty(cmp.Or(r.Title, r.ID), r.Edition), ", ")
}

func frameworkTable(w io.Writer, r finding.FrameworkReport, o Options) error {
	t := newTerminal(o)
	names := clusterLabels(r)
	t.wrapped(0, t.bold(visible(frameworkHeading(r))))
	if r.Source != "" {
		t.wrapped(0, t.dim(visible(r.Source)))
	}
	t.wrapped(0, t.bold(frameworkVerdict(r)))
	t.wrapped(0, t.dim(frameworkMeaning))
	t.line("")
	for _, c := range r.Controls {
		word := strings.ToUpper(statusWords(c.Status))
		if c.Status == finding.ControlFail {
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
		if len(c.Checks) > 0 && (o.Wide || c.Status == finding.ControlPass) {
			t.wrapped(18, t.dim(visible(strings.Join(c.Checks, ", "))))
		}
	}
	_, err := w.Write(t.out.Bytes())
	return err
}

// clusterLabels is the name of a cluster, from its ARN.
func clusterLabels(r finding.FrameworkReport) func(string) string {
	names := map[string]bool{}
	for _, c := range r.Clusters {
		name := c[strings.LastIndex(c, "/")+1:]
		names[name] = !slices.Contains(r.Clusters, name) && strings.Contains(c, "/") && !names[name]
	}
	return func(cluster string) string {
		if name := cluster[strings.LastIndex(cluster, "/")+1:]; names[name] {
			return name
		}
		return cmp.Or(cluster, noCluster)
	}
}

func frameworkMarkdown(w io.Writer, r finding.FrameworkReport) error {
	m := &markdown{}
	names := clusterLabels(r)
	m.line("# %s", mdText(frameworkHeading(r)))
	m.line("")
	m.line("**%s**", mdText(frameworkVerdict(r)))
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
		m.row(mdText(c.ID), mdText(statusWords(c.Status)), mdText(c.Title), strings.Join(checks, " "), fmt.Sprint(len(c.Findings)))
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

func frameworkCSV(w io.Writer, r finding.FrameworkReport) error {
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
