// Package controls is the knowledge of which framework's controls which checks speak to: one YAML file an edition of a
// framework, so that a new edition is one file. It draws no conclusion: package scan does.
package controls

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"drawbridge/internal/finding"
)

//go:embed *.yml
var files embed.FS

// Edition is one edition of a framework and the controls of it that drawbridge can speak to.
type Edition struct {
	// Framework is the word for `--framework`: cis-eks, nist-800-53 or iso-27001.
	Framework string `yaml:"framework"`
	Title     string `yaml:"title"`
	Edition   string `yaml:"edition"`
	// Note says where the mapping comes from and what it is not.
	Note     string    `yaml:"note"`
	Controls []Control `yaml:"controls"`
}

// Control is one requirement and the checks whose findings bear on it.
type Control struct {
	ID     string   `yaml:"id"`
	Title  string   `yaml:"title"`
	Checks []string `yaml:"checks"`
}

var editions = sync.OnceValue(func() []Edition {
	names, err := fs.Glob(files, "*.yml")
	if err != nil {
		panic(err)
	}
	var all []Edition
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic(err)
		}
		dec := yaml.NewDecoder(bytes.NewReader(text))
		dec.KnownFields(true)
		var e Edition
		if err := dec.Decode(&e); err != nil {
			panic(fmt.Sprintf("controls/%s: %v", name, err))
		}
		all = append(all, e)
	}
	return all
})

// Editions returns the editions of a framework, or all for "". The caller must not change them.
func Editions(framework string) []Edition {
	var out []Edition
	for _, e := range editions() {
		if framework == "" || e.Framework == framework {
			out = append(out, e)
		}
	}
	return out
}

// Frameworks lists the words that name a framework, sorted.
func Frameworks() []string {
	var all []string
	for _, e := range editions() {
		all = append(all, e.Framework)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var byCheck = sync.OnceValue(func() map[string][]finding.Control {
	by := map[string][]finding.Control{}
	for _, e := range editions() {
		for _, c := range e.Controls {
			for _, id := range c.Checks {
				by[id] = append(by[id], finding.Control{Framework: e.Framework, ID: c.ID})
			}
		}
	}
	for _, list := range by {
		slices.SortFunc(list, func(a, b finding.Control) int {
			return strings.Compare(a.Framework+"\x00"+a.ID, b.Framework+"\x00"+b.ID)
		})
	}
	return by
})

// Of returns the controls that a check's findings bear on, sorted by framework and id.
func Of(checkID string) []finding.Control { return byCheck()[checkID] }

// Report is the page of a framework before anything was assessed: all editions together, whose ids never collide.
func Report(framework string) finding.FrameworkReport {
	r := finding.FrameworkReport{ID: framework, Controls: []finding.FrameworkControl{}}
	var names []string
	for _, e := range Editions(framework) {
		names = append(names, e.Edition)
		r.Title, r.Source = e.Title, e.Note
		for _, c := range e.Controls {
			r.Controls = append(r.Controls, finding.FrameworkControl{
				ID: c.ID, Title: c.Title, Status: finding.ControlNotCovered, Checks: c.Checks, Findings: []finding.Finding{},
			})
		}
	}
	r.Edition = strings.Join(names, "; ")
	return r
}
