package checktest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// Plans makes the plan of every finding that a check has in its archive, each in the snapshot of its case: see Follow. It returns
// how many plans there were.
func Plans(t *testing.T, ch *check.Check, all []*check.Check, archive []byte) (plans int) {
	t.Helper()
	for _, f := range txtar.Parse(archive).Files {
		c, err := Parse(f.Name, f.Data)
		if err != nil {
			t.Fatal(err)
		}
		settings := check.Settings{TrustedAccounts: c.Trusted}
		for _, found := range check.Run([]*check.Check{ch}, c.Snapshot, settings) {
			if found.Remediation.Plan != nil {
				plans++
			}
		}
		t.Run(f.Name, func(t *testing.T) { Follow(t, c.Snapshot, settings, all, ch.ID) })
	}
	return plans
}

// Follow makes every plan that the findings of a snapshot have, each by itself, and looks at what comes of it: the finding is
// gone, no check of all has anything new to say that is of medium severity or more, nobody can do what they could not before, and
// the way back leads back. With ids it looks at the plans of those checks only.
func Follow(t *testing.T, s *model.Snapshot, settings check.Settings, all []*check.Check, ids ...string) {
	t.Helper()
	before, text := check.Run(all, s, settings), written(t, s)
	for _, found := range before {
		if len(ids) > 0 && !slices.Contains(ids, found.ID) {
			continue
		}
		if strings.Contains(found.Remediation.Text, check.NoPlan) {
			t.Errorf("%s: %s", line(found), found.Remediation.Text)
		}
		if found.Remediation.Plan == nil {
			continue
		}
		t.Run(fmt.Sprintf("%s %s line %d", found.ID, found.Subject, lineOf(found)), func(t *testing.T) {
			p, err := plan.Read(found.Remediation.Plan)
			if err != nil {
				t.Fatal(err)
			}
			after, err := p.Simulate(s)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(text, written(t, s)) {
				t.Error("simulating the plan changed the snapshot that it was simulated on")
			}
			fixed(t, found, before, check.Run(all, after, settings))
			if gained := gains(s, after); len(gained) > 0 {
				t.Errorf("the plan gives access:\n%s\n%s", p, strings.Join(gained, "\n"))
			}
			undone(t, p, found.Remediation.Plan, s, after)
		})
	}
}

// fixed looks at the findings before and after. One that was there may weigh more than before: that somebody can make itself
// admin weighs little as long as it is admin anyway.
func fixed(t *testing.T, fix finding.Finding, before, after []finding.Finding) {
	t.Helper()
	known := map[string]bool{}
	for _, f := range before {
		known[f.Fingerprint] = true
	}
	for _, f := range after {
		switch {
		case f.Fingerprint == fix.Fingerprint:
			t.Errorf("the plan leaves what it is for: %s", line(f))
		case !known[f.Fingerprint] && f.Severity.Rank() >= finding.Medium.Rank():
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

// gains lists what somebody can do after and could not before, by the algebra of package access, or may for all that is known.
func gains(before, after *model.Snapshot) []string {
	var gained []string
	d := access.Diff(access.New(before), access.New(after))
	for _, one := range d.Identities {
		for _, c := range one.Gained {
			gained = append(gained, fmt.Sprintf("%s gains %s", one.Identity, c.Witness))
		}
		for _, u := range one.Unknown {
			if u.Side != access.SideLost {
				gained = append(gained, fmt.Sprintf("%s may gain %s on %s: %s", one.Identity, u.What, u.Scope, u.Reason))
			}
		}
	}
	for _, u := range d.Unknown {
		gained = append(gained, fmt.Sprintf("somebody may gain %s: %s", u.What, u.Reason))
	}
	return gained
}
