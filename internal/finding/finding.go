// Package finding holds the one result type of drawbridge: what a check or a detection reports, about which object,
// with which evidence. Reports, stores and pages know findings and nothing else. It draws no conclusions and imports
// nothing of the project.
package finding

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Version is the version of the result format; see docs/reference/formats.
const Version = "drawbridge/v1"

// Status says how a check ended for a subject.
type Status string

// The statuses that a result can hold. A check that passed reports nothing.
const (
	Fail        Status = "fail"
	NotAssessed Status = "not-assessed"
)

// Finding is one thing that a check or detection has to say about one object.
type Finding struct {
	ID          string      `json:"id"`
	Title       string      `json:"title"`
	Severity    Severity    `json:"severity"`
	Status      Status      `json:"status"`
	Cluster     string      `json:"cluster,omitempty"`
	Subject     Subject     `json:"subject"`
	Message     string      `json:"message"`
	Evidence    []Evidence  `json:"evidence"`
	Remediation Remediation `json:"remediation"`
	Controls    []Control   `json:"controls"`
	Techniques  []string    `json:"techniques"`
	Fingerprint string      `json:"fingerprint"`
	Location    *Location   `json:"location,omitempty"`
	// Time is when an event happened; nil for findings about a snapshot, whose time the result carries.
	Time *time.Time `json:"time,omitempty"`
}

// Evidence is one fact that a finding rests on and where it was read: a field of an object, or a log record.
type Evidence struct {
	Text   string `json:"text"`
	Source string `json:"source"`
}

// Remediation is how to fix a finding: text that can be pasted into a shell or a manifest, and, where the change can be worked
// out from the snapshot and gives nobody anything, the same as a plan that programs can read.
type Remediation struct {
	Text string `json:"text"`
	Plan *Plan  `json:"plan,omitempty"`
}

// Control is one requirement of a framework that a finding bears on.
type Control struct {
	Framework string `json:"framework"`
	ID        string `json:"id"`
}

// Location is where an object stands in a user's file. Line is 1-based; 0 is unknown.
type Location struct {
	File string `json:"file"`
	Line int    `json:"line,omitempty"`
}

// Subject names the object that a finding is about. Kind is one of the kinds in docs/reference/formats.
type Subject struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	ARN       string `json:"arn,omitempty"`
}

// String is the short form a person reads: kind and namespace/name.
func (s Subject) String() string {
	if s.Namespace == "" {
		return s.Kind + " " + s.Name
	}
	return s.Kind + " " + s.Namespace + "/" + s.Name
}

// Fingerprint is a stable identifier of a finding across runs: it depends on what was found where, not on wording,
// severity or order. cluster is the cluster's ARN, or its name where no ARN is known.
func Fingerprint(id, cluster string, s Subject, key string) string {
	h := sha256.New()
	for _, part := range []string{id, cluster, s.Kind, s.Namespace, s.Name, s.ARN, key} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// Sort orders findings for people: by severity, then cluster, id, subject and fingerprint, not-assessed last.
func Sort(fs []Finding) {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(
			strings.Compare(string(a.Status), string(b.Status)),
			b.Severity.Rank()-a.Severity.Rank(),
			strings.Compare(a.Cluster, b.Cluster),
			strings.Compare(a.ID, b.ID),
			strings.Compare(a.Subject.Kind, b.Subject.Kind),
			strings.Compare(a.Subject.Namespace, b.Subject.Namespace),
			strings.Compare(a.Subject.Name, b.Subject.Name),
			strings.Compare(a.Fingerprint, b.Fingerprint),
		)
	})
}
