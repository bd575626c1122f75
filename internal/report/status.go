package report

import (
	_ "embed"
	"encoding/csv"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"
	"time"

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
var statusHeader = []string{"cluster", "account", "region", "mode", "next", "access entries", "rows left", "blocked rows", "in both", "IRSA", "Pod Identity", "both", "blockers"}

// statusCells are a cluster's cells, the blockers left to the format.
func statusCells(c migrate.ClusterStatus) []string {
	mode := c.AuthenticationMode
	if mode == "" {
		mode = "not known"
	}
	cells := []string{c.Label, c.Account, c.Region, mode, c.Next}
	for _, n := range []int{c.AccessEntries, c.Left(), c.Rows[migrate.Blocked], c.Both, c.IRSA, c.PodIdentity, c.Moving} {
		cells = append(cells, strconv.Itoa(n))
	}
	return cells
}

func writeStatusTable(w io.Writer, s *migrate.Status, o Options) error {
	t := newTerminal(o)
	t.line(t.bold("migrations") + "  " + t.dim(visible(fmt.Sprintf("drawbridge %s, %s", s.Tool.Version, s.Time.UTC().Format("2006-01-02 15:04 UTC")))))
	t.wrapped(0, s.Sum())
	for _, c := range s.Clusters {
		cells := statusCells(c)
		t.heading(c.Label, []string{cells[2], "account " + cells[1], cells[3]})
		t.wrapped(2, "next: "+t.bold(visible(c.Next)))
		t.wrapped(2, fmt.Sprintf("%s, %s of aws-auth to move, %d blocked, %d with an entry already",
			entries(c.AccessEntries), plural(c.Left(), "row"), c.Rows[migrate.Blocked], c.Both))
		t.wrapped(2, fmt.Sprintf("%s with IRSA, %d with Pod Identity, %d with both", plural(c.IRSA, "service account"), c.PodIdentity, c.Moving))
		for _, b := range c.Blockers {
			t.wrapped(2, t.bold("blocked: ")+visible(b))
		}
	}
	if len(s.Clusters) == 0 {
		t.line("")
		t.wrapped(0, "No cluster was read.")
	}
	_, err := w.Write(t.out.Bytes())
	return err
}

func entries(n int) string {
	if n == 1 {
		return "1 access entry"
	}
	return fmt.Sprintf("%d access entries", n)
}

func writeStatusCSV(w io.Writer, s *migrate.Status) error {
	cw := csv.NewWriter(w)
	if err := cw.Write(statusHeader); err != nil {
		return err
	}
	for _, c := range s.Clusters {
		row := append(statusCells(c), strings.Join(c.Blockers, "; "))
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

var statusTemplate = template.Must(template.New("status").Parse(statusSource))

type statusPage struct {
	CSP, Title, Tool, Stamp, Time, Sum, Footer string
	CSS                                        template.CSS
	Bar                                        template.HTML
	Header                                     []string
	Rows                                       []statusRow
	Gaps                                       []string
}

type statusRow struct {
	Cells    []string
	Class    string
	Blockers []string
}

// writeStatusHTML writes one page with no script at all.
func writeStatusHTML(w io.Writer, s *migrate.Status) error {
	p := statusPage{
		CSP: contentPolicy(htmlStyle, ""), CSS: template.CSS(htmlStyle), //nolint:gosec // embedded
		Title: "Migration of " + plural(len(s.Clusters), "cluster"), Tool: visible(s.Tool.Version), Sum: s.Sum(), Header: statusHeader[:len(statusHeader)-1],
		Stamp: s.Time.UTC().Format(time.RFC3339), Time: s.Time.UTC().Format("2 January 2006, 15:04 UTC"),
	}
	p.Footer = fmt.Sprintf("Made by drawbridge %s. This page loads nothing from anywhere.", p.Tool)
	count := map[string]int{}
	for _, c := range s.Clusters {
		class := "unknown"
		switch {
		case c.Next == migrate.NextDone:
			class = "pass"
		case len(c.Blockers) > 0 && c.Next != migrate.NextUnknown:
			class = "fail"
		}
		count[class]++
		row := statusRow{Class: class}
		for _, cell := range statusCells(c) {
			row.Cells = append(row.Cells, visible(cell))
		}
		for _, b := range c.Blockers {
			row.Blockers = append(row.Blockers, visible(b))
		}
		p.Rows = append(p.Rows, row)
	}
	p.Bar = stackOf([]part{{"pass", "done", count["pass"]}, {"unknown", "under way or not known", count["unknown"]}, {"fail", "blocked", count["fail"]}}, "no clusters")
	for _, g := range s.Gaps {
		p.Gaps = append(p.Gaps, visible(fmt.Sprintf("%s %s: %s (%s)", g.Cluster, g.Area, g.Reason, g.Action)))
	}
	return statusTemplate.Execute(w, p)
}
