package checktest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// Plans makes the plan of every finding that a check has in its archive, in the snapshot of the case, and looks at what comes
// of it: the finding is gone, no check of all has anything new to say that is of medium severity or more, nobody can do what
// they could not before, and the way back leads back. It returns how many plans there were.
func Plans(t *testing.T, ch *check.Check, all []*check.Check, archive []byte) (plans int) {
	t.Helper()
	for _, f := range txtar.Parse(archive).Files {
		c, err := Parse(f.Name, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		settings := check.Settings{TrustedAccounts: c.Trusted}
		before := check.Run(all, c.Snapshot, settings)
		text := written(t, c.Snapshot)
		for _, found := range before {
			if found.ID != ch.ID {
				continue
			}
			if strings.Contains(found.Remediation.Text, check.NoPlan) {
				t.Errorf("%s: %s: %s", f.Name, line(found), found.Remediation.Text)
			}
			if found.Remediation.Plan == nil {
				continue
			}
			plans++
			t.Run(fmt.Sprintf("%s line %d", f.Name, lineOf(found)), func(t *testing.T) {
				p, err := plan.Read(found.Remediation.Plan)
				if err != nil {
					t.Fatal(err)
				}
				after, err := p.Simulate(c.Snapshot)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(text, written(t, c.Snapshot)) {
					t.Error("simulating the plan changed the snapshot that it was simulated on")
				}
				fixed(t, found, before, check.Run(all, after, settings))
				if gained := gains(c.Snapshot, after); len(gained) > 0 {
					t.Errorf("the plan gives access:\n%s\n%s", p, strings.Join(gained, "\n"))
				}
				undone(t, p, found.Remediation.Plan, c.Snapshot, after)
			})
		}
	}
	return plans
}

// fixed looks at the findings before and after.
func fixed(t *testing.T, fix finding.Finding, before, after []finding.Finding) {
	t.Helper()
	was := map[string]finding.Finding{}
	for _, f := range before {
		was[f.Fingerprint] = f
	}
	for _, f := range after {
		old, known := was[f.Fingerprint]
		switch {
		case f.Fingerprint == fix.Fingerprint:
			t.Errorf("the plan leaves what it is for: %s", line(f))
		case f.Severity.Rank() < finding.Medium.Rank() || f.Status == finding.NotAssessed && known:
		case !known || f.Severity.Rank() > old.Severity.Rank():
			t.Errorf("the plan brings: %s: %s", f.ID, line(f))
		}
	}
}

// undone looks at the way back, and that what the plan says of it is true.
func undone(t *testing.T, p plan.Plan, said *finding.Plan, before, after *model.Snapshot) {
	t.Helper()
	back, err := p.Inverse(before)
	_, irreversible := errors.AsType[*plan.Irreversible](err)
	if said := slices.ContainsFunc(said.Steps, func(s finding.Step) bool { return !s.Reversible && s.Irreversible != "" }); said != irreversible {
		t.Errorf("the plan says that it cannot be undone: %t; and: %v", said, err)
	}
	if irreversible {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	restored, err := back.Simulate(after)
	if err != nil {
		t.Fatal(err)
	}
	if same, err := plan.Equal(before, restored); err != nil || !same {
		t.Errorf("undone by\n%sthe snapshot is not as it was: %v", back, err)
	}
}

func lineOf(f finding.Finding) int {
	if f.Location == nil {
		return 0
	}
	return f.Location.Line
}

func written(t *testing.T, s *model.Snapshot) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := model.Write(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// gains lists what somebody can do after and could not before.
func gains(before, after *model.Snapshot) []string {
	had := held(before)
	gained := held(after)
	maps.DeleteFunc(gained, func(k string, _ bool) bool { return had[k] })
	return slices.Sorted(maps.Keys(gained))
}
