// Package report writes a result in the formats that people and other tools read, one file per format. It shows what a
// result says and adds no conclusion. Every name, ARN and message in a result is written as an attacker may have chosen
// it: text that a reader or a parser could mistake for something else is made visible, escaped or quoted. It may import
// internal/finding.
package report

import (
	"io"

	"drawbridge/internal/finding"
)

// Options is how a result is to be shown. The zero value is safe for files and pipes.
type Options struct {
	// Width is the number of columns of the terminal; 0 means 100.
	Width int
	// Color allows colour in table and wide; nothing depends on it.
	Color bool
	// Unicode allows lines and marks outside ASCII in table and wide.
	Unicode bool
	// Wide adds evidence, remediation, controls and techniques to the table.
	Wide bool
	// Pages is the page of a check or detection, and false if there is none. It may be nil.
	Pages func(id string) (Page, bool)
}

// Page is what is known about a check or detection besides its findings: its title, its page in Markdown and its usual
// severity.
type Page struct {
	Title    string
	Markdown string
	Severity finding.Severity
}

func (o Options) page(id string) (Page, bool) {
	if o.Pages == nil {
		return Page{}, false
	}
	return o.Pages(id)
}

// Format is one way to write a result.
type Format struct {
	Name        string
	Description string
	Write       func(io.Writer, *finding.Result, Options) error
}

// Formats lists all formats, the default first.
var Formats = []Format{
	{"table", "for people: findings by cluster and severity", writeTable},
	{"wide", "table with evidence, remediation, controls and techniques", writeWide},
	{"json", "everything, in the format that convert reads", writeJSON},
	{"yaml", "the same as YAML", writeYAML},
	{"sarif", "SARIF 2.1.0, for code scanning", writeSARIF},
	{"html", "one page to show and to filter, complete in itself", writeHTML},
	{"markdown", "for pull requests, job summaries and wikis", writeMarkdown},
	{"junit", "JUnit XML, for build servers", writeJUnit},
	{"csv", "one line a finding, for spreadsheets", writeCSV},
	{"ocsf", "OCSF Compliance Findings, a JSON array", writeOCSF},
	{"asff", "AWS Security Finding Format, a JSON array", writeASFF},
}

// Find is the format of that name, and false if there is none.
func Find(name string) (Format, bool) {
	for _, f := range Formats {
		if f.Name == name {
			return f, true
		}
	}
	return Format{}, false
}
