package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/sigma"
)

// record is one event as a line, with its id.
type record struct {
	id    string
	audit bool
	line  []byte
}

func recordOf(t testing.TB, line []byte) record {
	t.Helper()
	var ids struct {
		EventID string `json:"eventID"`
		AuditID string `json:"auditID"`
	}
	if err := json.Unmarshal(line, &ids); err != nil {
		t.Fatalf("%v in %s", err, line)
	}
	return record{ids.EventID + ids.AuditID, ids.AuditID != "", line}
}

// alone makes rules one detection, whatever file they are from, so that only their conditions decide. The first reports.
func alone(rules ...*sigma.Rule) []*sigma.Rule {
	var out []*sigma.Rule
	for i, r := range rules {
		c := *r
		c.File, c.Line, c.Level, c.Custom = "alone.yml", i+1, "low", nil
		if i == 0 {
			c.Name = "alone"
		} else {
			c.Name = "alone." + r.Name
		}
		out = append(out, &c)
	}
	if k := out[0].Correlation; k != nil {
		c := *k
		c.Rules = nil
		for _, name := range k.Rules {
			c.Rules = append(c.Rules, "alone."+name)
		}
		c.Aliases = map[string]map[string]string{}
		for alias, fields := range k.Aliases {
			c.Aliases[alias] = map[string]string{}
			for rule, field := range fields {
				c.Aliases[alias]["alone."+rule] = field
			}
		}
		out[0].Correlation = &c
	}
	return out
}

// run is how often drawbridge's engine reports over events.
func run(t testing.TB, p *detect.Program, records ...record) int {
	t.Helper()
	found := 0
	g := detect.New(p, &detect.Context{}, detect.Options{}, func(finding.Finding) { found++ })
	var all bytes.Buffer
	for _, r := range records {
		all.Write(append(bytes.TrimSpace(r.line), '\n'))
	}
	d := event.NewDecoder(&all, event.Options{Input: "oracle", Cluster: "arn:aws:eks:eu-central-1:111122223333:cluster/prod"})
	var e event.Event
	for {
		err := d.Next(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		g.Add(&e)
	}
	g.Flush()
	return found
}

func compile(t testing.TB, rules []*sigma.Rule) *detect.Program {
	t.Helper()
	p, err := detect.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// matched are the ids of the events that a rule matches, each looked at alone.
func matched(t testing.TB, rules []*sigma.Rule, records []record) map[string]bool {
	p := compile(t, rules)
	out := map[string]bool{}
	for _, r := range records {
		if run(t, p, r) > 0 {
			out[r.id] = true
		}
	}
	return out
}

// differ tells the first ids that only one side found.
func differ(want, got map[string]bool) (missing, extra []string) {
	for id := range want {
		if !got[id] {
			missing = append(missing, id)
		}
	}
	for id := range got {
		if !want[id] {
			extra = append(extra, id)
		}
	}
	return missing, extra
}
