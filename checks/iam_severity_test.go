package checks

import (
	"testing"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
)

// TestPrivilegeSeverity holds severities to certainty and to what is held: cases look at messages only.
func TestPrivilegeSeverity(t *testing.T) {
	held := func(kind access.PrivilegeKind, a access.Answer) access.Privilege {
		return access.Privilege{Kind: kind, Permit: access.Permit{Answer: a}}
	}
	for _, c := range []struct {
		name string
		held []access.Privilege
		want finding.Severity
	}{
		{"administrator", []access.Privilege{held(access.Administers, access.Yes)}, finding.Critical},
		{"perhaps administrator", []access.Privilege{held(access.Administers, access.Maybe)}, finding.Medium},
		{"a whole service", []access.Privilege{held(access.HasService, access.Yes)}, finding.High},
		{"perhaps administrator, surely a whole service", []access.Privilege{held(access.Administers, access.Maybe), held(access.HasService, access.Yes)}, finding.High},
		{"secrets", []access.Privilege{held(access.ReadsAll, access.Yes)}, finding.Medium},
		{"perhaps secrets", []access.Privilege{held(access.ReadsAll, access.Maybe)}, finding.Low},
		{"nothing", nil, ""},
	} {
		if got := privilegeSeverity(c.held); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTakeoverSeverity(t *testing.T) {
	for _, c := range []struct {
		answer access.Answer
		short  string
		want   finding.Severity
	}{
		{access.Yes, "", finding.High}, {access.Maybe, "", finding.Medium}, {access.Yes, "a node", finding.Medium}, {access.Maybe, "a node", finding.Low},
	} {
		if got := takeoverSeverity(access.Takeover{Short: c.short, Permit: access.Permit{Answer: c.answer}}); got != c.want {
			t.Errorf("%v, %q: %q, want %q", c.answer, c.short, got, c.want)
		}
	}
}
