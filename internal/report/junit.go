package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"drawbridge/internal/finding"
)

// The elements are those that Jenkins, GitLab and GitHub actions read: suites of cases, a failure or skipped in a case.
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr"`
	Properties []junitProperty `xml:"properties>property,omitempty"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   string        `xml:"classname,attr"`
	File    string        `xml:"file,attr,omitempty"`
	Line    int           `xml:"line,attr,omitempty"`
	Time    string        `xml:"time,attr"`
	Failure *junitMessage `xml:"failure,omitempty"`
	Error   *junitMessage `xml:"error,omitempty"`
	Skipped *junitMessage `xml:"skipped,omitempty"`
}

type junitMessage struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",cdata"`
}

// writeJUnit makes a suite of each cluster and a case of each finding. A failed finding is a failure; what was not
// assessed and every gap is an error, since "skipped" turns green; a suppressed finding is skipped.
func writeJUnit(w io.Writer, r *finding.Result, _ Options) error {
	v := newView(r)
	doc := junitSuites{Name: "drawbridge " + visible(r.Tool.Version)}
	index := map[string]int{}
	suite := func(name string) *junitSuite {
		i, ok := index[name]
		if !ok {
			i = len(doc.Suites)
			index[name] = i
			doc.Suites = append(doc.Suites, junitSuite{Name: visible(name), Time: "0", Timestamp: r.Time.UTC().Format("2006-01-02T15:04:05")})
		}
		return &doc.Suites[i]
	}
	for _, c := range v.clusters {
		s := suite(c.Label)
		for _, fact := range c.facts() {
			s.Properties = append(s.Properties, junitProperty{"cluster", visible(fact)})
		}
		for _, g := range c.Groups {
			for _, f := range g.Findings {
				s.add(junitFinding(f, &junitMessage{Message: visible(f.Message), Type: visible(string(f.Severity)), Text: junitText(f)}, nil, nil))
			}
		}
	}
	for _, f := range v.notAssessed {
		suite(v.name(f.Cluster)).add(junitFinding(f, nil, &junitMessage{Message: visible(f.Message), Type: "not-assessed"}, nil))
	}
	for _, g := range v.gaps {
		suite("could not be read").add(junitCase{
			Name: visible(strings.Join(append([]string{g.Area}, g.Where...), " ")), Class: "gap", Time: "0",
			Error: &junitMessage{Message: visible(gapText(g)), Type: "gap"},
		})
	}
	for _, f := range r.Suppressed {
		text := visible(strings.Join(decision(f.Suppression), "; "))
		suite(v.name(f.Cluster)).add(junitFinding(f.Finding, nil, nil, &junitMessage{Message: text}))
	}
	for _, s := range doc.Suites {
		doc.Tests += s.Tests
		doc.Failures += s.Failures
		doc.Errors += s.Errors
		doc.Skipped += s.Skipped
	}
	text, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("encode JUnit: %w", err)
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

func (s *junitSuite) add(c junitCase) {
	s.Cases = append(s.Cases, c)
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
}

func junitFinding(f finding.Finding, failure, problem, skipped *junitMessage) junitCase {
	c := junitCase{
		Name: visible(f.Title + ": " + f.Subject.String()), Class: visible(f.ID), Time: "0",
		Failure: failure, Error: problem, Skipped: skipped,
	}
	if f.Location != nil {
		c.File, c.Line = visible(f.Location.File), f.Location.Line
	}
	return c
}

// junitText is what a person reads who opens the failure.
func junitText(f finding.Finding) string {
	lines := append([]string{visible(f.Message)}, evidenceLines(f.Evidence)...)
	if fix := visibleLines(f.Remediation.Text); len(fix) > 0 {
		lines = append(append(lines, "", "Remediation:"), fix...)
	}
	return strings.Join(lines, "\n")
}
