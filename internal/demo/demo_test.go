package demo_test

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"

	"drawbridge/checks"
	"drawbridge/internal/check"
	"drawbridge/internal/demo"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

const maxSize = 200_000

func snapshot(t *testing.T) *model.Snapshot {
	t.Helper()
	s, err := demo.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEveryCheckFires keeps the demo's promise: whatever drawbridge can find is found in it at least once.
func TestEveryCheckFires(t *testing.T) {
	s := snapshot(t)
	s.Complete("not in the demo")
	fired := map[string]bool{}
	for _, f := range check.Run(checks.All, s, check.Settings{}) {
		fired[f.ID] = fired[f.ID] || f.Status == finding.Fail
	}
	for _, c := range checks.All {
		if !fired[c.ID] {
			t.Errorf("%s does not fire: give it a reason in internal/lab/demo and run `make demo`", c.ID)
		}
	}
}

// TestGaps wants the one call that the generator has refused, and nothing else that was not read.
func TestGaps(t *testing.T) {
	s := snapshot(t)
	s.Complete("not in the demo")
	var got []string
	for _, g := range s.Gaps {
		got = append(got, g.Cluster+g.Account+" "+g.Area+" "+g.Action)
	}
	if want := []string{"platform logGroup logs:DescribeLogGroups"}; !slices.Equal(got, want) {
		t.Errorf("gaps %q, want %q", got, want)
	}
}

func TestFleet(t *testing.T) {
	modes := map[string]string{}
	for _, c := range snapshot(t).Clusters {
		modes[c.Name] = c.AuthenticationMode()
		if n := len(c.Pods); n < 30 || n > 80 {
			t.Errorf("%s has %d pods, want a small cluster of 30 to 80", c.Name, n)
		}
		for _, p := range c.Pods {
			if p.NodeName == "" || p.Phase != "Running" || p.Created.IsZero() {
				t.Errorf("%s: pod %s/%s on node %q, %s, made %s; want it to run", c.Name, p.Namespace, p.Name, p.NodeName, p.Phase, p.Created)
			}
		}
	}
	for name, mode := range map[string]string{"legacy": model.ModeConfigMap, "transition": model.ModeAPIConfigMap, "platform": model.ModeAPI} {
		if modes[name] != mode {
			t.Errorf("cluster %s has mode %q, want %q", name, modes[name], mode)
		}
	}
}

// public are the account ids that may stand in the demo: those of AWS's documentation, and the account from whose
// registry EKS' own images come (EKS User Guide, "View Amazon container image registries for Amazon EKS add-ons", 2026-11).
var public = []string{"111122223333", "444455556666", "777788889999", "123456789012", "602401143452"}

// A UUID may end in twelve digits too.
var uuid = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

var accountID = regexp.MustCompile(`(?:^|[^0-9A-Za-z])([0-9]{12})(?:[^0-9A-Za-z]|$)`)

func TestFile(t *testing.T) {
	file, err := os.ReadFile("demo.json.zst")
	if err != nil {
		t.Fatal(err)
	}
	if len(file) >= maxSize {
		t.Errorf("the demo has %d bytes, want less than %d: it is part of the program", len(file), maxSize)
	}
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	text, err := z.DecodeAll(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range accountID.FindAllSubmatch(uuid.ReplaceAll(text, nil), -1) {
		if !slices.Contains(public, string(m[1])) {
			t.Errorf("account id %s is none of AWS's documentation", m[1])
		}
	}
	if bytes.Contains(text, []byte("lab.drawbridge/")) {
		t.Error("an annotation for the generator got into the demo")
	}
}
