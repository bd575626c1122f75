package report

import (
	"cmp"
	_ "embed"
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"drawbridge/internal/finding"
	"drawbridge/internal/migrate"
)

// MigrationStatusFormats are the formats that the status of migrations can be written in, the default first.
var MigrationStatusFormats = []string{"table", "json", "yaml", "csv", "html"}

// MigrationStatus writes in one of the formats how far migrations are.
func MigrationStatus(w io.Writer, format string, s *migrate.Status, o Options) error {
	switch format {
	case "table":
		return writeStatusTable(w, s, o)
	case "json":
		return encodeJSON(w, s)
	case "yaml":
		return encodeYAML(w, s)
	case "csv":
		return writeStatusCSV(w, s)
	case "html":
		return writeStatusHTML(w, s)
	}
	return fmt.Errorf("the status of migrations is written as %s, not as %s", strings.Join(MigrationStatusFormats, ", "), format)
}

// statusHeader names the columns of a table and of CSV.
var statusHeader = []string{"cluster", "account", "region", "mode", "next", "access entries", "rows left", "blocked rows", "in both", "IRSA", "Pod Identity", "both", "phases done", "blockers", "Pod Identity blockers"}

// modeOf is a cluster's authentication mode.
func modeOf(c migrate.ClusterStatus) string { return cmp.Or(c.AuthenticationMode, "not known") }

// statusCells are a cluster's cells in CSV, the blockers left out.
func statusCells(c migrate.ClusterStatus) []string {
	cells := []string{c.Label, c.Account, c.Region, modeOf(c), c.Next}
	for _, n := range []int{c.AccessEntries, c.Left(), c.Rows[migrate.Blocked], c.Both, c.IRSA, c.PodIdentity, c.Moving, c.PhasesDone} {
		cells = append(cells, strconv.Itoa(n))
	}
	return cells
}

// fleetLines are the lines for a whole fleet.
func fleetLines(s *migrate.Status) []string {
	n := s.Totals()
	lines := []string{s.Sum()}
	rows := plural(n.Rows, "row") + " of aws-auth to move"
	if n.Blocked > 0 {
		rows += fmt.Sprintf(", %d of them blocked", n.Blocked)
	}
	lines = append(lines, rows+"; "+fmt.Sprintf("%s with IRSA, %d with Pod Identity, %d with both", plural(n.IRSA, "service account"), n.PodIdentity, n.Moving))
	if n.Waiting > 0 {
		lines = append(lines, plural(n.Waiting, "cluster")+" in which somebody has to decide something")
	}
	return lines
}

// mostBlockers is how many of a cluster's blockers a table shows: what is left out is counted.
const mostBlockers = 5

func writeStatusTable(w io.Writer, s *migrate.Status, o Options) error {
	t := newTerminal(o)
	t.line(t.bold("migrations") + "  " + t.dim(visible(fmt.Sprintf("drawbridge %s, %s", s.Tool.Version, s.Time.UTC().Format("2006-01-02 15:04 UTC")))))
	for _, line := range fleetLines(s) {
		t.wrapped(0, line)
	}
	if len(s.Clusters) == 0 {
		t.line("")
		t.wrapped(0, "No cluster was read.")
	}
	t.line("")
	t.statusRows(s.Clusters)
	heading := false
	for _, c := range s.Clusters {
		if c.Decide() == 0 {
			continue
		}
		if !heading {
			t.heading("To decide", nil)
			heading = true
		}
		t.wrapped(2, t.bold(visible(c.Label))+"  "+t.dim(visible(strings.Join([]string{c.Region, "account " + c.Account}, t.dot()))))
		t.blockers("", c.Blockers)
		t.blockers("Pod Identity: ", c.PodIdentityBlockers)
	}
	t.sentences(logsTitle, "by the audit logs", logLines(s.Evidence))
	t.gaps(&view{gaps: newView(&finding.Result{Clusters: statusFacts(s), Gaps: s.Gaps}).gaps})
	_, err := w.Write(t.out.Bytes())
	return err
}

func statusFacts(s *migrate.Status) []finding.Cluster {
	facts := make([]finding.Cluster, len(s.Clusters))
	for i, c := range s.Clusters {
		facts[i] = c.Cluster
	}
	return facts
}

// statusRows are the clusters, a line each.
func (t *terminal) statusRows(clusters []migrate.ClusterStatus) {
	if len(clusters) == 0 {
		return
	}
	rows := [][]string{{"cluster", "mode", "next", "phases", "rows left", "blocked", "IRSA", "Pod Identity"}}
	for _, c := range clusters {
		pods := strconv.Itoa(c.PodIdentity)
		if c.Moving > 0 {
			pods += fmt.Sprintf(", %d both", c.Moving)
		}
		rows = append(rows, []string{
			visible(c.Label), visible(modeOf(c)), visible(c.Next), fmt.Sprintf("%d of %d", c.PhasesDone, c.Phases),
			strconv.Itoa(c.Left()), strconv.Itoa(c.Rows[migrate.Blocked]), strconv.Itoa(c.IRSA), pods,
		})
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = min(max(widths[i], lipgloss.Width(cell)), 30)
		}
	}
	for i, row := range rows {
		if i == 0 {
			for j := range row {
				row[j] = t.dim(row[j])
			}
		} else {
			row[0] = t.bold(row[0])
		}
		t.columns(2, widths, row)
	}
}

func (t *terminal) blockers(prefix string, blockers []string) {
	for i, b := range blockers {
		if i == mostBlockers {
			t.wrapped(4, t.dim(fmt.Sprintf("%s… and %d more: -o json and -o html have them all", prefix, len(blockers)-i)))
			return
		}
		t.wrapped(4, "- "+prefix+visible(b))
	}
}

func writeStatusCSV(w io.Writer, s *migrate.Status) error {
	cw := csv.NewWriter(w)
	if err := cw.Write(statusHeader); err != nil {
		return err
	}
	for _, c := range s.Clusters {
		row := append(statusCells(c), strings.Join(c.Blockers, "; "), strings.Join(c.PodIdentityBlockers, "; "))
		for i := range row {
			row[i] = csvCell(row[i])
		}
		if err := cw.Write(row); err != nil {
			return err
		}
	}
	cw.Flush()
	return cw.Error()
}

//go:embed assets/status.html
var statusSource string

var statusTemplate = pageTemplate("status", statusSource)

type statusPage struct {
	CSP, Title, Tool, Stamp, Time, Footer string
	CSS                                   template.CSS
	Lines                                 []string
	Bar                                   template.HTML
	Counts                                []part
	Rows                                  []statusRow
	Waiting                               bool
	Evidence, Gaps                        []string
}

// statusRow is a cluster on the page.
type statusRow struct {
	Label, Region, Account, Mode, Class, Next, Phases, Entries, Accounts string
	PhaseBar, RowBar, AccountBar                                         template.HTML
	Decide                                                               int
	Blockers, PodIdentityBlockers                                        []string
}

// writeStatusHTML writes one page with no script at all.
func writeStatusHTML(w io.Writer, s *migrate.Status) error {
	p := statusPage{
		CSP: contentPolicy(htmlStyle, ""), CSS: template.CSS(htmlStyle), //nolint:gosec // embedded
		Title: "Migration of " + plural(len(s.Clusters), "cluster"), Tool: visible(s.Tool.Version), Lines: fleetLines(s),
		Stamp: s.Time.UTC().Format(time.RFC3339), Time: s.Time.UTC().Format("2 January 2006, 15:04 UTC"),
	}
	p.Footer = fmt.Sprintf("Made by drawbridge %s. This page loads nothing from anywhere.", p.Tool)
	count := map[string]int{}
	for _, c := range s.Clusters {
		row := newStatusRow(c)
		count[row.Class]++
		p.Waiting = p.Waiting || row.Decide > 0
		p.Rows = append(p.Rows, row)
	}
	p.Counts = []part{{"pass", "done", count["pass"]}, {"not-assessed", "under way", count["not-assessed"]}, {"fail", "waiting for a decision", count["fail"]}, {"unknown", "not known", count["unknown"]}}
	p.Bar = stackOf(p.Counts, "no clusters")
	for _, g := range newView(&finding.Result{Clusters: statusFacts(s), Gaps: s.Gaps}).gaps {
		text := g.Area + " of " + strings.Join(g.Where, ", ")
		if a := g.advice(); a != "" {
			text += ": " + a
		}
		p.Gaps = append(p.Gaps, visible(text+" ("+g.Reason+")"))
	}
	for _, line := range logLines(s.Evidence) {
		p.Evidence = append(p.Evidence, visible(line))
	}
	return statusTemplate.Execute(w, p)
}

func newStatusRow(c migrate.ClusterStatus) statusRow {
	row := statusRow{
		Label: visible(c.Label), Region: visible(c.Region), Account: visible(c.Account), Mode: visible(modeOf(c)), Next: visible(c.Next),
		Phases: fmt.Sprintf("%d of %d phases done", c.PhasesDone, c.Phases), Class: "not-assessed", Decide: c.Decide(),
		Entries:  fmt.Sprintf("%s left, %d blocked; %s, %d beside a row", plural(c.Left(), "row"), c.Rows[migrate.Blocked], entriesOf(c.AccessEntries), c.Both),
		Accounts: fmt.Sprintf("%d with IRSA, %d with Pod Identity, %d with both", c.IRSA, c.PodIdentity, c.Moving),
	}
	switch {
	case c.Next == migrate.NextUnknown:
		row.Class = "unknown"
	case c.Decide() > 0:
		row.Class = "fail"
	case c.Next == migrate.NextDone:
		row.Class = "pass"
	}
	row.PhaseBar = stackOf([]part{{"pass", "phases done", c.PhasesDone}, {"unknown", "to do", c.Phases - c.PhasesDone}}, "no phases")
	row.RowBar = stackOf([]part{{"pass", "rows that need nothing any more", c.Rows[migrate.Nothing]}, {"not-assessed", "rows to move", c.Left() - c.Rows[migrate.Blocked]}, {"fail", "blocked", c.Rows[migrate.Blocked]}}, "no rows")
	row.AccountBar = stackOf([]part{{"pass", "with Pod Identity", c.PodIdentity}, {"not-assessed", "with both", c.Moving}, {"unknown", "with IRSA", c.IRSA}}, "no service accounts with roles")
	for _, b := range c.Blockers {
		row.Blockers = append(row.Blockers, visible(b))
	}
	for _, b := range c.PodIdentityBlockers {
		row.PodIdentityBlockers = append(row.PodIdentityBlockers, visible(b))
	}
	return row
}

func entriesOf(n int) string {
	if n == 1 {
		return "1 access entry"
	}
	return fmt.Sprintf("%d access entries", n)
}
