package finding_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drawbridge/internal/finding"
)

// sorted is how findings are shown to people: what is wrong before what is not known, the worst first.
var sorted = []finding.Finding{
	{Status: finding.Fail, Severity: finding.Critical, Cluster: "b", ID: "z"},
	{Status: finding.Fail, Severity: finding.High, Cluster: "a", ID: "y"},
	{Status: finding.Fail, Severity: finding.High, Cluster: "b", ID: "x"},
	{Status: finding.Fail, Severity: finding.High, Cluster: "b", ID: "y", Subject: finding.Subject{Kind: "Pod", Namespace: "a", Name: "b"}},
	{Status: finding.Fail, Severity: finding.High, Cluster: "b", ID: "y", Subject: finding.Subject{Kind: "Pod", Namespace: "b", Name: "a"}, Fingerprint: "1"},
	{Status: finding.Fail, Severity: finding.High, Cluster: "b", ID: "y", Subject: finding.Subject{Kind: "Pod", Namespace: "b", Name: "a"}, Fingerprint: "2"},
	{Status: finding.Fail, Severity: finding.High, Cluster: "b", ID: "y", Subject: finding.Subject{Kind: "Pod", Namespace: "b", Name: "b"}},
	{Status: finding.Fail, Severity: finding.High, Cluster: "b", ID: "y", Subject: finding.Subject{Kind: "Role", Name: "a"}},
	{Status: finding.Fail, Severity: finding.Medium},
	{Status: finding.Fail, Severity: finding.Low},
	{Status: finding.Fail, Severity: finding.Informational},
	{Status: finding.NotAssessed, Severity: finding.Critical},
	{Status: finding.NotAssessed, Severity: finding.Informational},
}

func TestSort(t *testing.T) {
	for range 50 {
		got := slices.Clone(sorted)
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		finding.Sort(got)
		if diff := cmp.Diff(sorted, got); diff != "" {
			t.Fatalf("order (-want +got):\n%s", diff)
		}
	}
}

func TestCount(t *testing.T) {
	got := finding.Count(sorted)
	want := finding.Summary{Fail: finding.Counts{Critical: 1, High: 7, Medium: 1, Low: 1, Informational: 1}, NotAssessed: 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if got := want.Fail.Total(); got != 11 {
		t.Errorf("total %d, want 11", got)
	}
	for s, want := range map[finding.Severity]int{finding.Critical: 1, finding.High: 7, finding.Medium: 1, finding.Low: 1, finding.Informational: 1, "serious": 0} {
		if n := got.Fail.Of(s); n != want {
			t.Errorf("%s: %d, want %d", s, n, want)
		}
	}
	if got := finding.Count(nil); got != (finding.Summary{}) {
		t.Errorf("nothing counts %+v", got)
	}
}

func TestSeverity(t *testing.T) {
	for i, s := range finding.Severities {
		if got, err := finding.ParseSeverity(string(s)); err != nil || got != s {
			t.Errorf("parse %s: %q, %v", s, got, err)
		}
		for j, other := range finding.Severities {
			if got := s.AtLeast(other); got != (i <= j) {
				t.Errorf("%s at least %s: %t", s, other, got)
			}
		}
	}
	for _, word := range []string{"", "serious", "High", "high "} {
		if s, err := finding.ParseSeverity(word); err == nil {
			t.Errorf("%q is taken for %s", word, s)
		}
	}
}

// TestFingerprintStable holds fingerprints to what they were: baselines and other people's trackers store them.
func TestFingerprintStable(t *testing.T) {
	got := finding.Fingerprint("pod-identity-dangling", "arn:aws:eks:us-east-1:111122223333:cluster/prod",
		finding.Subject{Kind: "PodIdentityAssociation", Namespace: "shop", Name: "api", ARN: "arn:aws:eks:us-east-1:111122223333:podidentityassociation/prod/a-1"}, "role")
	if want := "2d2d80cafe059e19469503ec1c5ff8f9"; got != want {
		t.Errorf("fingerprint %s, want %s", got, want)
	}
}

// TestFingerprintParts: each part tells findings apart, and no two splits of the same text are one.
func TestFingerprintParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.RuneFrom([]rune("ab/")), 0, 3, -1)
		draw := func(label string) [7]string {
			var p [7]string
			for i := range p {
				p[i] = word.Draw(t, label)
			}
			return p
		}
		print := func(p [7]string) string {
			return finding.Fingerprint(p[0], p[1], finding.Subject{Kind: p[2], Namespace: p[3], Name: p[4], ARN: p[5]}, p[6])
		}
		a, b := draw("a"), draw("b")
		if (a == b) != (print(a) == print(b)) {
			t.Fatalf("%q and %q: %s and %s", a, b, print(a), print(b))
		}
		if len(print(a)) != 32 || strings.Trim(print(a), "0123456789abcdef") != "" {
			t.Fatalf("fingerprint %q", print(a))
		}
	})
}

func TestSubjectString(t *testing.T) {
	for want, s := range map[string]finding.Subject{
		"Cluster prod":       {Kind: "Cluster", Name: "prod", ARN: "arn:aws:eks:us-east-1:111122223333:cluster/prod"},
		"Pod shop/web":       {Kind: "Pod", Namespace: "shop", Name: "web"},
		"Namespace shop":     {Kind: "Namespace", Name: "shop"},
		"Workload s/ds/node": {Kind: "Workload", Namespace: "s", Name: "ds/node"},
	} {
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
