package report

import (
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/finding"
)

//go:embed assets/report.html
var htmlSource string

//go:embed assets/report.css
var htmlStyle string

//go:embed assets/report.js
var htmlScript string

// What pages share: their head and masthead, and a finding.
var (
	//go:embed assets/head.html
	htmlHeadSource string
	//go:embed assets/finding.html
	htmlFindingSource string
)

func pageTemplate(name, source string) *template.Template {
	page := template.New(name)
	for _, s := range []string{source, htmlHeadSource, htmlFindingSource} {
		template.Must(page.Parse(s))
	}
	return page
}

var htmlTemplate = pageTemplate("report", htmlSource)

// openUpTo is the number of findings up to which the checks of a page are unfolded.
const openUpTo = 60

// htmlPage is everything the template shows. All text in it has been through visible.
type htmlPage struct {
	CSP, Title, Tone, Verdict, Filtered, Tool, Stamp, Time, Footer string
	CSS                                                            template.CSS
	JS                                                             template.JS
	Bar                                                            template.HTML
	Counts                                                         []htmlCount
	Apart                                                          []htmlApart
	Clusters                                                       []htmlCluster
	Gaps                                                           []htmlGap
	Groups                                                         []htmlGroup
	NotAssessed, Suppressed                                        []htmlFinding
	ClusterOptions, CheckOptions                                   []string
	Total                                                          int
	// TestWord is check or detection, and Test the same as a heading.
	Test, TestWord string
	Open           bool
	// Settings says that of some cluster more is known than events tell.
	Settings bool
}

type htmlCount struct {
	Severity finding.Severity
	N        int
}

type htmlApart struct {
	Name string
	N    int
}

type htmlCluster struct {
	Label, Where, Mode, ModeNote, Version, Words string
	Bar                                          template.HTML
}

type htmlGap struct{ Area, Where, Advice, Reason string }

// htmlGroup is one check with its failed findings on all clusters.
type htmlGroup struct {
	ID, Title, Clusters string
	Severity            finding.Severity
	Why                 template.HTML
	More                []section
	Items               []htmlFinding
}

type htmlFinding struct {
	Anchor, Check, Title, Kind, Name, Cluster, Time, Message, Remediation, Decision string
	Severity                                                                        finding.Severity
	Evidence                                                                        []finding.Evidence
	Meta                                                                            []htmlMeta
	Techniques                                                                      []htmlTechnique
}

type htmlMeta struct{ Name, Text string }

type htmlTechnique struct{ ID, URL string }

// writeHTML writes one page that needs nothing else: its policy allows its own style and script by their hashes, and
// nothing from anywhere.
func writeHTML(w io.Writer, r *finding.Result, o Options) error {
	v := newView(r)
	p := &htmlPage{
		CSP:   contentPolicy(htmlStyle, htmlScript),
		CSS:   template.CSS(htmlStyle), //nolint:gosec // embedded
		JS:    template.JS(htmlScript), //nolint:gosec // embedded
		Title: "Identity report", Verdict: visible(v.verdict()), Tone: "calm",
		Tool: visible(r.Tool.Version), Stamp: r.Time.UTC().Format(time.RFC3339), Time: r.Time.UTC().Format("2 January 2006, 15:04 UTC"),
		Bar: stack(v.counts),
	}
	if v.counts.Critical+v.counts.High > 0 {
		p.Tone = "bad"
	}
	if v.filtered > 0 && v.counts.Total() > 0 {
		p.Filtered = plural(v.filtered, "more finding")
	}
	if n := len(r.Clusters); n == 1 {
		p.Title += ": " + visible(r.Clusters[0].Name)
	} else if n > 1 {
		p.Title += ": " + plural(n, "cluster")
	}
	p.TestWord = v.test()
	p.Test = capital(p.TestWord)
	over := plural(len(r.Clusters), "cluster")
	if e := r.Events; e != nil {
		over = fmt.Sprintf("%s of %s, %d of which could not be read", plural(int(e.Read), "event"), over, e.Unparsed)
	}
	p.Footer = fmt.Sprintf("Made by drawbridge %s from %s on %s. This page loads nothing from anywhere.",
		p.Tool, plural(r.Summary.ChecksRun, v.test()), over)
	for _, s := range finding.Severities {
		p.Counts = append(p.Counts, htmlCount{s, v.counts.Of(s)})
	}
	p.Apart = []htmlApart{{"Not assessed", len(v.notAssessed)}, {"Unreadable", len(v.gaps)}, {"Suppressed", len(v.Suppressed)}}
	p.addClusters(v)
	p.addGaps(v)
	p.addFindings(v, o)
	if err := htmlTemplate.Execute(w, p); err != nil {
		return fmt.Errorf("write HTML: %w", err)
	}
	return nil
}

// contentPolicy allows exactly one style and one script, or none.
func contentPolicy(style, script string) string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	policy := "default-src 'none'; style-src " + hash(style) + "; base-uri 'none'; form-action 'none'"
	if script != "" {
		policy += "; script-src " + hash(script)
	}
	return policy
}

func (p *htmlPage) addClusters(v *view) {
	for _, c := range v.clusters {
		p.Settings = p.Settings || c.AuthenticationMode != "" || c.KubernetesVersion != ""
		words := countWords(c.Counts)
		if len(words) == 0 {
			words = []string{c.nothing()}
		}
		p.Clusters = append(p.Clusters, htmlCluster{
			Label: visible(c.Label), Where: visible(strings.Join(nonEmpty(c.Account, c.Region), ", ")),
			Mode: visible(c.AuthenticationMode), ModeNote: modeNotes[c.AuthenticationMode],
			Version: visible(c.KubernetesVersion), Words: strings.Join(words, ", "), Bar: stack(c.Counts),
		})
	}
}

// modeNotes says what an authentication mode means (EKS User Guide, "Change authentication mode", 2026-11).
var modeNotes = map[string]string{
	"CONFIG_MAP":         "aws-auth only",
	"API_AND_CONFIG_MAP": "access entries, then aws-auth",
	"API":                "access entries only",
}

func countWords(c finding.Counts) []string {
	var words []string
	for _, s := range finding.Severities {
		if n := c.Of(s); n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, s))
		}
	}
	return words
}

// stack draws the counts of findings.
func stack(c finding.Counts) template.HTML {
	var parts []part
	for _, s := range finding.Severities {
		parts = append(parts, part{string(s), string(s), c.Of(s)})
	}
	return stackOf(parts, "no findings")
}

func (p *htmlPage) addGaps(v *view) {
	for _, g := range v.gaps {
		p.Gaps = append(p.Gaps, htmlGap{visible(g.Area), visible(strings.Join(g.Where, ", ")), visible(g.advice()), visible(g.Reason)})
	}
}

func (p *htmlPage) addFindings(v *view, o Options) {
	clusters, checks := map[string]bool{}, map[string]bool{}
	note := func(f htmlFinding) {
		clusters[f.Cluster], checks[f.Check] = true, true
		p.Total++
	}
	index := map[[2]string]int{}
	for _, c := range v.clusters {
		for _, g := range c.Groups {
			key := [2]string{g.ID, string(g.Severity)}
			i, ok := index[key]
			if !ok {
				i = len(p.Groups)
				index[key] = i
				p.Groups = append(p.Groups, newHTMLGroup(g, o))
			}
			for _, f := range g.Findings {
				item := newHTMLFinding(v, f)
				note(item)
				p.Groups[i].Items = append(p.Groups[i].Items, item)
			}
		}
	}
	slices.SortStableFunc(p.Groups, func(a, b htmlGroup) int {
		return cmp.Or(b.Severity.Rank()-a.Severity.Rank(), cmp.Compare(a.ID, b.ID))
	})
	for i, g := range p.Groups {
		on := map[string]bool{}
		for _, f := range g.Items {
			on[f.Cluster] = true
		}
		switch p.Groups[i].Clusters = "on " + plural(len(on), "cluster"); {
		case on[noCluster] && len(on) == 1:
			p.Groups[i].Clusters = noCluster
		case len(on) == 1:
			p.Groups[i].Clusters = "on " + g.Items[0].Cluster
		}
	}
	p.Open = p.Total <= openUpTo
	for _, f := range v.notAssessed {
		item := newHTMLFinding(v, f)
		note(item)
		p.NotAssessed = append(p.NotAssessed, item)
	}
	for _, s := range v.Suppressed {
		item := newHTMLFinding(v, s.Finding)
		item.Decision = visible(strings.Join(decision(s.Suppression), "; "))
		note(item)
		p.Suppressed = append(p.Suppressed, item)
	}
	p.ClusterOptions, p.CheckOptions = sortedKeys(clusters), sortedKeys(checks)
}

func newHTMLGroup(g group, o Options) htmlGroup {
	h := htmlGroup{ID: visible(g.ID), Title: visible(g.Title), Severity: g.Severity}
	page, ok := o.page(g.ID)
	if !ok {
		return h
	}
	for _, s := range sections(page.Markdown) {
		if s.Title == "Why it matters" {
			h.Why = s.Body
		} else {
			h.More = append(h.More, s)
		}
	}
	return h
}

var (
	anchorForm    = regexp.MustCompile(`^[0-9a-f]{8,64}$`)
	techniqueForm = regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)
)

func newHTMLFinding(v *view, f finding.Finding) htmlFinding {
	h := htmlFinding{
		Check: visible(f.ID), Title: visible(cmp.Or(f.Title, f.ID)), Kind: visible(f.Subject.Kind),
		Name: visible(strings.Join(nonEmpty(f.Subject.Namespace, f.Subject.Name), "/")), Cluster: visible(v.name(f.Cluster)),
		Message: visible(f.Message), Remediation: visibleText(f.Remediation.Text), Severity: f.Severity,
	}
	if anchorForm.MatchString(f.Fingerprint) {
		h.Anchor = "f-" + f.Fingerprint
	}
	if f.Time != nil {
		h.Time = instant(*f.Time)
	}
	for _, e := range f.Evidence {
		h.Evidence = append(h.Evidence, finding.Evidence{Text: visible(e.Text), Source: visible(e.Source)})
	}
	meta := func(name, text string) {
		if text != "" {
			h.Meta = append(h.Meta, htmlMeta{name, visible(text)})
		}
	}
	meta("ARN", f.Subject.ARN)
	if f.Location != nil {
		meta("File", place(*f.Location))
	}
	meta("Plan", planWords(f.Remediation.Plan))
	meta("Controls", strings.Join(controlWords(f.Controls), ", "))
	meta("Fingerprint", f.Fingerprint)
	for _, t := range f.Techniques {
		h.Techniques = append(h.Techniques, newTechnique(t))
	}
	return h
}

// newTechnique links a technique of MITRE ATT&CK to its page.
func newTechnique(id string) htmlTechnique {
	t := htmlTechnique{ID: visible(id)}
	if techniqueForm.MatchString(id) {
		t.URL = "https://attack.mitre.org/techniques/" + strings.ReplaceAll(id, ".", "/") + "/"
	}
	return t
}
