package report

import (
	"encoding/csv"
	"io"
	"strings"
	"time"

	"drawbridge/internal/finding"
)

// csvHeader names the columns. Suppressed findings have the status "suppressed"; gaps are not findings and not here.
var csvHeader = []string{
	"severity", "status", "id", "title", "cluster", "kind", "namespace", "name", "arn", "message",
	"evidence", "remediation", "controls", "techniques", "location", "time", "fingerprint", "suppression",
}

func writeCSV(w io.Writer, r *finding.Result, _ Options) error {
	cw := csv.NewWriter(w)
	if err := cw.Write(csvHeader); err != nil {
		return err
	}
	for _, f := range r.Findings {
		if err := cw.Write(csvRow(f, string(f.Status), "")); err != nil {
			return err
		}
	}
	for _, s := range r.Suppressed {
		if err := cw.Write(csvRow(s.Finding, "suppressed", strings.Join(decision(s.Suppression), "; "))); err != nil {
			return err
		}
	}
	cw.Flush()
	return cw.Error()
}

func csvRow(f finding.Finding, status, suppression string) []string {
	location, when := "", ""
	if f.Location != nil {
		location = place(*f.Location)
	}
	if f.Time != nil {
		when = f.Time.UTC().Format(time.RFC3339)
	}
	row := []string{
		string(f.Severity), status, f.ID, f.Title, f.Cluster, f.Subject.Kind, f.Subject.Namespace, f.Subject.Name,
		f.Subject.ARN, f.Message, strings.Join(evidenceLines(f.Evidence), "; "), strings.TrimSpace(f.Remediation.Text),
		strings.Join(controlWords(f.Controls), "; "), strings.Join(f.Techniques, "; "), location, when, f.Fingerprint, suppression,
	}
	for i, cell := range row {
		row[i] = csvCell(cell)
	}
	return row
}

// csvCell is text on one line that no spreadsheet takes for a formula: what starts like one, also after spaces and in the
// full-width forms, gets the apostrophe that marks text (OWASP, "CSV Injection", 2026-11).
func csvCell(s string) string {
	text := visible(s)
	if strings.IndexAny(strings.TrimLeft(text, " "), "=+-@＝＋－＠") == 0 || strings.IndexAny(s, "\t\r") == 0 {
		return "'" + text
	}
	return text
}
