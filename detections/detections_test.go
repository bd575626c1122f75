package detections_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"drawbridge/detections"
	"drawbridge/internal/detect"
	"drawbridge/internal/finding"
)

var update = flag.Bool("update", false, "write what the cases get as what they want")

func load(t testing.TB) *detect.Program {
	t.Helper()
	p, err := detect.Load(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestCases runs every case of every detection: as written, backwards, and with every event twice. Neither the order in
// which events come nor their repetition changes what is found.
func TestCases(t *testing.T) {
	p := load(t)
	cases, err := detect.CasesOf(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	wants := map[string]map[string][]string{}
	for _, c := range cases {
		t.Run(c.Detection+"/"+c.Name, func(t *testing.T) {
			if p.Detection(c.Detection) == nil {
				t.Fatalf("there is no detection %q", c.Detection)
			}
			got, err := c.Run(p)
			if err != nil {
				t.Fatal(err)
			}
			if *update && c.Match && len(got) > 0 {
				if wants[c.Detection] == nil {
					wants[c.Detection] = map[string][]string{}
				}
				wants[c.Detection][c.Name] = got
				c.Want = got
			}
			if bad := c.Failure(got); bad != "" {
				t.Fatal(bad)
			}
			if c.Match && c.Want == nil {
				t.Errorf("no %s.want says what the finding says: go test ./detections -update", c.Name)
			}
			for name, events := range map[string][]byte{"backwards": backwards(c.Events), "twice": append(slices.Clone(c.Events), c.Events...)} {
				other := *c
				other.Events = events
				again, err := other.Run(p)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, again) {
					t.Errorf("%s: reported\n\t%s\nand in order\n\t%s", name, strings.Join(again, "\n\t"), strings.Join(got, "\n\t"))
				}
			}
		})
	}
	for id, byCase := range wants {
		write(t, id, byCase)
	}
}

func backwards(events []byte) []byte {
	lines := bytes.Split(bytes.TrimSpace(events), []byte("\n"))
	slices.Reverse(lines)
	return append(bytes.Join(lines, []byte("\n")), '\n')
}

func write(t *testing.T, id string, wants map[string][]string) {
	file := strings.ReplaceAll(id, "-", "_") + ".txtar"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	old := txtar.Parse(data)
	fresh := &txtar.Archive{Comment: old.Comment}
	for _, f := range old.Files {
		if strings.HasSuffix(f.Name, ".want") {
			continue
		}
		fresh.Files = append(fresh.Files, f)
		stem := strings.TrimSuffix(f.Name, ".jsonl")
		if want := wants[stem]; stem != f.Name && want != nil {
			fresh.Files = append(fresh.Files, txtar.File{Name: stem + ".want", Data: []byte(strings.Join(want, "\n") + "\n")})
		}
	}
	if err := os.WriteFile(file, txtar.Format(fresh), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestComplete: a detection has a file of cases with a match and a no-match, a description, ATT&CK techniques, false
// positives, triage text, a UUID of its own, and a severity that is drawbridge's.
func TestComplete(t *testing.T) {
	p := load(t)
	cases, err := detect.CasesOf(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	has := map[string][2]bool{}
	for _, c := range cases {
		h := has[c.Detection]
		if c.Match {
			h[0] = true
		} else {
			h[1] = true
		}
		has[c.Detection] = h
	}
	ids := map[string]string{}
	for _, d := range p.Detections {
		head := d.Head()
		for what, ok := range map[string]bool{
			"a match case": has[d.ID][0], "a no-match case": has[d.ID][1], "a description": head.Description != "",
			"ATT&CK techniques": len(d.Techniques()) > 0, "false positives": len(head.FalsePositives) > 0, "triage text": d.Text("triage") != "",
			"a message": d.Text("message") != "", "references": len(head.References) > 0,
		} {
			if !ok {
				t.Errorf("%s: wants %s", d.ID, what)
			}
		}
		if !slices.Contains(finding.Severities, d.Severity()) {
			t.Errorf("%s: level %q", d.ID, head.Level)
		}
		for _, r := range d.Rules {
			if r.ID == "" || ids[r.ID] != "" {
				t.Errorf("%s: id %q: every document wants a UUID of its own (%s has it)", d.ID, r.ID, ids[r.ID])
			}
			ids[r.ID] = d.ID
		}
	}
	files, _ := filepath.Glob("*.txtar")
	for _, f := range files {
		if p.Detection(strings.ReplaceAll(strings.TrimSuffix(f, ".txtar"), "_", "-")) == nil {
			t.Errorf("%s: there is no detection for it", f)
		}
	}
}
