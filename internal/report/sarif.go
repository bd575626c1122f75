package report

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"drawbridge/internal/finding"
)

// sarifSchema is where OASIS publishes the schema of SARIF 2.1.0 with errata 01.
const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// fingerprintKey names our fingerprint and its version, as SARIF wants (2.1.0, 3.27.17).
const fingerprintKey = "drawbridge/v1"

// writeSARIF leaves absent what has the schema's default value: go-sarif's own writer spells out every empty list.
func writeSARIF(w io.Writer, r *finding.Result, o Options) error {
	v := newView(r)
	run := &sarif.Run{
		Tool:        &sarif.Tool{Driver: driver(v, o)},
		Invocations: []*sarif.Invocation{invocation(v)},
		Results:     []*sarif.Result{},
		ColumnKind:  new("utf16CodeUnits"),
		Properties:  &sarif.PropertyBag{Properties: sarif.Properties{"clusters": clusterProperties(r.Clusters), "checksRun": r.Summary.ChecksRun}},
	}
	for _, f := range r.Findings {
		run.Results = append(run.Results, sarifResult(v, f))
	}
	for _, s := range r.Suppressed {
		result := sarifResult(v, s.Finding)
		result.Suppressions = []*sarif.Suppression{sarifSuppression(s.Suppression)}
		run.Results = append(run.Results, result)
	}
	doc := &sarif.Report{Schema: sarifSchema, Version: "2.1.0", Runs: []*sarif.Run{run}}
	return encodeJSON(w, doc, json.OmitZeroStructFields(true))
}

func clusterProperties(cs []finding.Cluster) []string {
	names := make([]string, len(cs))
	for i, c := range cs {
		names[i] = cmp.Or(c.ARN, c.Name)
	}
	return names
}

// driver describes drawbridge and every check that the results name.
func driver(v *view, o Options) *sarif.ToolComponent {
	d := &sarif.ToolComponent{
		Name: new("drawbridge"), Version: optional(v.Tool.Version),
		Rules: []*sarif.ReportingDescriptor{},
		Notifications: []*sarif.ReportingDescriptor{{
			ID: new("gap"), ShortDescription: plain("Something could not be read; what depends on it was not assessed."),
		}},
	}
	rules := map[string]*finding.Finding{}
	all := slices.Clone(v.Findings)
	for _, s := range v.Suppressed {
		all = append(all, s.Finding)
	}
	for _, f := range all {
		if known := rules[f.ID]; known == nil {
			rules[f.ID] = &f
		} else if f.Severity.Rank() > known.Severity.Rank() {
			known.Severity = f.Severity
		}
	}
	for _, id := range sortedKeys(rules) {
		d.Rules = append(d.Rules, sarifRule(*rules[id], o))
	}
	return d
}

// sarifRule describes the check of f, by its page where there is one.
func sarifRule(f finding.Finding, o Options) *sarif.ReportingDescriptor {
	page, known := o.page(f.ID)
	severity := cmp.Or(page.Severity, f.Severity)
	title := cmp.Or(page.Title, f.Title, f.ID)
	properties := sarif.Properties{"precision": "high"}
	if score := securitySeverity[severity]; score != "" {
		properties["security-severity"] = score
	}
	rule := &sarif.ReportingDescriptor{
		ID: new(f.ID), Name: new(pascal(f.ID)),
		ShortDescription:     plain(title),
		FullDescription:      plain(title),
		DefaultConfiguration: &sarif.ReportingConfiguration{Enabled: true, Level: sarifLevel(severity)},
		Properties:           &sarif.PropertyBag{Properties: properties, Tags: sarifTags(f)},
	}
	if known && page.Markdown != "" {
		text := visibleText(page.Markdown)
		rule.Help = &sarif.MultiformatMessageString{Text: &text, Markdown: &text}
	}
	return rule
}

// sarifTags is what GitHub filters by: "security" makes it read security-severity.
func sarifTags(f finding.Finding) []string {
	tags := []string{"security"}
	for _, t := range f.Techniques {
		tags = append(tags, "external/attack/"+visible(t))
	}
	for _, c := range controlWords(f.Controls) {
		tags = append(tags, visible(c))
	}
	slices.Sort(tags)
	return slices.Compact(tags) // the schema wants tags to be unique
}

// securitySeverity is a number inside GitHub's band for the word: above 9 critical, from 7 high, from 4 medium, above 0
// low (GitHub Docs, "SARIF support for code scanning", 2026-11). What informs has none.
var securitySeverity = map[finding.Severity]string{
	finding.Critical: "9.5", finding.High: "8.0", finding.Medium: "5.5", finding.Low: "2.5",
}

func sarifLevel(s finding.Severity) string {
	switch s {
	case finding.Critical, finding.High:
		return sarif.LevelError
	case finding.Medium:
		return sarif.LevelWarning
	}
	return sarif.LevelNote
}

func sarifResult(v *view, f finding.Finding) *sarif.Result {
	properties := sarif.Properties{"severity": f.Severity}
	if f.Cluster != "" {
		properties["cluster"] = visible(f.Cluster)
	}
	if f.Subject.ARN != "" {
		properties["arn"] = visible(f.Subject.ARN)
	}
	if f.Remediation.Text != "" {
		properties["remediation"] = visibleText(f.Remediation.Text)
	}
	if len(f.Evidence) > 0 {
		properties["evidence"] = evidenceLines(f.Evidence)
	}
	result := &sarif.Result{
		RuleID: new(f.ID), Kind: "fail", Level: sarifLevel(f.Severity),
		Message:    sarifMessage(f.Message),
		Locations:  []*sarif.Location{sarifLocation(v, f)},
		Properties: &sarif.PropertyBag{Properties: properties},
	}
	if f.Fingerprint != "" {
		result.PartialFingerprints = map[string]string{fingerprintKey: f.Fingerprint}
	}
	if f.Status == finding.NotAssessed {
		// "open": evaluated, and there was too little information to decide. "notApplicable" would say that the check
		// does not concern the target. A kind other than "fail" must have level "none" (SARIF 2.1.0, 3.27.9 and 3.27.10).
		result.Kind, result.Level = "open", sarif.LevelNone
	}
	return result
}

// sarifLocation is the place in the user's file, and the object in the cluster. Where there is no file, the object's
// path in the cluster stands in for one: GitHub refuses a whole log over one result without a physical location.
func sarifLocation(v *view, f finding.Finding) *sarif.Location {
	cluster := v.name(f.Cluster)
	object := visible(strings.Join(nonEmpty(f.Subject.Kind, f.Subject.Namespace, f.Subject.Name), "/"))
	location := &sarif.Location{LogicalLocations: []*sarif.LogicalLocation{{
		Name: new(visible(f.Subject.Name)), FullyQualifiedName: new(visible(cluster) + "/" + object), Kind: new("resource"),
	}}}
	if f.Location == nil || f.Location.File == "" {
		location.PhysicalLocation = &sarif.PhysicalLocation{ArtifactLocation: &sarif.ArtifactLocation{
			URI:         new(relativeURI(cluster, f.Subject.Kind, f.Subject.Namespace, f.Subject.Name)),
			Description: &sarif.Message{Text: new("An object of a cluster, not a file.")},
		}}
		return location
	}
	location.PhysicalLocation = &sarif.PhysicalLocation{ArtifactLocation: &sarif.ArtifactLocation{URI: new(fileURI(f.Location.File))}}
	if f.Location.Line > 0 {
		location.PhysicalLocation.Region = &sarif.Region{StartLine: new(f.Location.Line)}
	}
	return location
}

// relativeURI is a path with one segment for each part, whatever the parts contain.
func relativeURI(parts ...string) string {
	var segments []string
	for _, p := range nonEmpty(parts...) {
		if p = url.PathEscape(visible(p)); strings.Trim(p, ".") == "" {
			p = strings.ReplaceAll(p, ".", "%2E")
		}
		segments = append(segments, strings.ReplaceAll(p, ":", "%3A"))
	}
	return strings.Join(segments, "/")
}

// fileURI is a file name as a URI reference: relative names stay relative.
func fileURI(file string) string {
	path := filepath.ToSlash(visible(file))
	if strings.HasPrefix(path, "/") {
		return (&url.URL{Scheme: "file", Path: path}).String()
	}
	return (&url.URL{Path: path}).String()
}

// invocation carries the gaps. The run itself succeeded: a gap is something that it has to say.
func invocation(v *view) *sarif.Invocation {
	i := &sarif.Invocation{ExecutionSuccessful: new(true), EndTimeUtc: new(v.Time.UTC().Format("2006-01-02T15:04:05.000Z"))}
	for _, g := range v.gaps {
		text := "could not be read: " + gapText(g)
		properties := sarif.Properties{"area": visible(g.Area)}
		if g.Action != "" {
			properties["action"] = visible(g.Action)
		}
		i.ToolExecutionNotifications = append(i.ToolExecutionNotifications, &sarif.Notification{
			Descriptor: &sarif.ReportingDescriptorReference{ID: new("gap")},
			Level:      sarif.LevelWarning, Message: sarifMessage(text),
			Properties: &sarif.PropertyBag{Properties: properties},
		})
	}
	return i
}

func sarifSuppression(s finding.Suppression) *sarif.Suppression {
	out := &sarif.Suppression{Kind: new("external"), Status: new("accepted"), Justification: new(visible(cmp.Or(s.Reason, "no reason given")))}
	properties := sarif.Properties{"source": visible(s.Source)}
	if s.Owner != "" {
		properties["owner"] = visible(s.Owner)
	}
	if s.Expiry != "" {
		properties["expiry"] = visible(s.Expiry)
	}
	out.Properties = &sarif.PropertyBag{Properties: properties}
	return out
}

// sarifMessage is plain text. In a SARIF message "[text](target)" is a link (2.1.0, 3.11.6), which no finding may plant.
func sarifMessage(s string) *sarif.Message {
	return &sarif.Message{Text: new(cmp.Or(strings.ReplaceAll(visible(s), "](", "] ("), "no message"))}
}

func plain(s string) *sarif.MultiformatMessageString {
	return &sarif.MultiformatMessageString{Text: new(visible(s))}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func evidenceLines(es []finding.Evidence) []string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = visible(fmt.Sprintf("%s (%s)", e.Text, e.Source))
	}
	return lines
}

// pascal turns a check's id into the form that SARIF viewers expect of a name.
func pascal(id string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(id, "-") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return visible(cmp.Or(b.String(), id))
}
