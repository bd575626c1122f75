// Package detect turns events into findings. Detections are Sigma rules and correlations, compiled to predicates that are
// looked up by what an event does; what Sigma cannot say is computed before matching as fields `drawbridge.*`, from the
// snapshot and from a ledger of what the events themselves have told. It reads no files and no clock: time is the events'.
// The knowledge of what is wrong is in detections/, not here.
package detect

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/sigma"
)

// Detection is one detection: the documents of one file.
type Detection struct {
	// ID is the name of the file, with dashes.
	ID string
	// Rules are its documents as they are written, variants and parts alike.
	Rules []*sigma.Rule

	variants []*variant
}

// Head is the first document that reports: whose title, description and tags are the detection's.
func (d *Detection) Head() *sigma.Rule { return d.variants[0].rule }

// Severity is the highest that the detection reports.
func (d *Detection) Severity() finding.Severity {
	worst := d.variants[0].severity
	for _, v := range d.variants[1:] {
		if !worst.AtLeast(v.severity) {
			worst = v.severity
		}
	}
	return worst
}

// Planes are the logs that the detection reads, in order.
func (d *Detection) Planes() []event.Plane {
	var planes []event.Plane
	for _, r := range d.Rules {
		if p, ok := planeOf(r.LogSource); ok && r.Correlation == nil && !slices.Contains(planes, p) {
			planes = append(planes, p)
		}
	}
	slices.Sort(planes)
	return planes
}

// Text is a field of the head that stands under `drawbridge:`, for example triage; empty where there is none.
func (d *Detection) Text(key string) string { return text(d.Head().Custom, key) }

// Techniques are the ATT&CK techniques of the tags, as ATT&CK writes them: T1098.006.
func (d *Detection) Techniques() []string { return d.Head().Techniques() }

// variant is a document that reports.
type variant struct {
	detection *Detection
	rule      *sigma.Rule
	severity  finding.Severity
	message   template
	subject   subject
	// once are the fields that tell one report from another; without them each event is one. Unless they are of the ledger
	// themselves, they decide together with the ledger whether the event is meant: of several events with the same values
	// not each is looked at again.
	once []field
	// cluster is the cluster that it is about, where the event itself names none; nil is the event's.
	cluster *field
	// remediation is shown with each finding.
	remediation template
}

type subject struct{ kind, namespace, name, arn template }

// Program is compiled detections. It is safe for concurrent use by several engines.
type Program struct {
	Detections []*Detection

	indexes      [3]index // by event.Plane
	correlations []*correlation
	lists        int // conditions that may be asked of a list
	// absences are the first feeds of the correlations of that kind, by name.
	absences map[string][]feed
}

// Detection is the detection of that id, and nil if there is none.
func (p *Program) Detection(id string) *Detection {
	i, ok := slices.BinarySearchFunc(p.Detections, id, func(d *Detection, id string) int { return cmp.Compare(d.ID, id) })
	if !ok {
		return nil
	}
	return p.Detections[i]
}

// Load reads and compiles every *.yml of a folder. Every mistake is reported, with file, line and column.
func Load(folder fs.FS) (*Program, error) {
	rules, err := Rules(folder)
	if err != nil {
		return nil, err
	}
	return Compile(rules)
}

// Rules reads the documents of every *.yml of a folder.
func Rules(folder fs.FS) ([]*sigma.Rule, error) {
	names, err := fs.Glob(folder, "*.yml")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("no detections (*.yml) in the folder")
	}
	var rules []*sigma.Rule
	var bad []error
	for _, name := range names {
		data, err := fs.ReadFile(folder, name)
		if err == nil {
			var parsed []*sigma.Rule
			parsed, err = sigma.Parse(name, data)
			rules = append(rules, parsed...)
		}
		if err != nil {
			bad = append(bad, err)
		}
	}
	return rules, errors.Join(bad...)
}

// Compile makes a program of parsed documents. Those of one file are one detection, named as the file.
func Compile(rules []*sigma.Rule) (*Program, error) {
	c := compiler{program: &Program{absences: map[string][]feed{}}, compiled: map[string][]*rule{}}
	byFile := map[string]*Detection{}
	for _, r := range rules {
		id := strings.ReplaceAll(strings.TrimSuffix(path.Base(r.File), path.Ext(r.File)), "_", "-")
		d := byFile[id]
		if d == nil {
			d = &Detection{ID: id}
			byFile[id] = d
			c.program.Detections = append(c.program.Detections, d)
		}
		d.Rules = append(d.Rules, r)
	}
	slices.SortFunc(c.program.Detections, func(a, b *Detection) int { return cmp.Compare(a.ID, b.ID) })
	for _, correlations := range []bool{false, true} {
		for _, d := range c.program.Detections {
			c.documents(d, correlations)
		}
	}
	for _, d := range c.program.Detections {
		if len(d.variants) == 0 {
			c.fail(d.Rules[0], d.Rules[0].Line, "no document is named %q: nothing would be reported", d.ID)
		}
	}
	c.link()
	c.spare()
	if err := errors.Join(c.errs...); err != nil {
		return nil, err
	}
	return c.program, nil
}

func planeOf(s sigma.LogSource) (event.Plane, bool) {
	switch {
	case s.Product == "aws" && s.Service == "cloudtrail":
		return event.CloudTrail, true
	case s.Product == "kubernetes" && (s.Service == "audit" || s.Category == "audit"):
		return event.Kubernetes, true
	}
	return 0, false
}

func text(custom map[string]any, key string) string {
	s, _ := custom[key].(string)
	return strings.TrimSpace(s)
}

func errorAt(r *sigma.Rule, line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", r.File, max(line, 1), fmt.Sprintf(format, args...))
}
