package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"

	"drawbridge/internal/finding"
)

// LineFormats are the formats in which findings are written one by one, as they are made; the default first.
var LineFormats = []string{"table", "json"}

// Line writes one finding as a line.
func Line(w io.Writer, format string, f *finding.Finding, o Options) error {
	if format == "json" {
		text, err := FindingJSON(*f)
		if err != nil {
			return err
		}
		_, err = w.Write(append(text, '\n'))
		return err
	}
	at := ""
	if f.Time != nil {
		at = f.Time.UTC().Format("2006-01-02 15:04:05") + "  "
	}
	t := newTerminal(o)
	_, err := fmt.Fprintf(w, "%s%s  %s  %s\n", at, t.severity(f.Severity, fmt.Sprintf("%-13s", strings.ToUpper(string(f.Severity)))), visible(f.ID), visible(f.Message))
	return err
}

// FindingJSON is one finding as JSON on one line, with every character spelled that a terminal could act on.
func FindingJSON(f finding.Finding) ([]byte, error) {
	text, err := json.Marshal(f, json.Deterministic(true))
	if err != nil {
		return nil, fmt.Errorf("encode JSON: %w", err)
	}
	return spellHidden(text), nil
}
