package finding

import "time"

// Result is what `drawbridge scan -o json` prints: the findings of one run with the gaps of what could not be read.
type Result struct {
	Version    string       `json:"version"`
	Kind       string       `json:"kind"`
	Tool       Tool         `json:"tool"`
	Time       time.Time    `json:"time"`
	Clusters   []Cluster    `json:"clusters"`
	Findings   []Finding    `json:"findings"`
	Gaps       []Gap        `json:"gaps"`
	Suppressed []Suppressed `json:"suppressed"`
	Summary    Summary      `json:"summary"`
	// Events is set in a DetectResult.
	Events *Events `json:"events,omitempty"`
}

// KindScan is the kind of a result of `drawbridge scan`.
const KindScan = "ScanResult"

// KindDetect is the kind of a result of `drawbridge detect`.
const KindDetect = "DetectResult"

// Events counts the log records that a DetectResult rests on.
type Events struct {
	Read int64 `json:"read"`
	// Matched are those that led to a finding.
	Matched int64 `json:"matched"`
	// Unparsed could not be read; the result's gaps say which.
	Unparsed int64 `json:"unparsed"`
	// Duplicates were delivered more than once, or logged in more than one stage.
	Duplicates int64 `json:"duplicates"`
}

// Tool says which drawbridge made a result.
type Tool struct {
	Version string `json:"version"`
}

// Cluster is what a result says of a cluster it looked at.
type Cluster struct {
	Name               string `json:"name"`
	ARN                string `json:"arn"`
	Account            string `json:"account"`
	Region             string `json:"region"`
	Partition          string `json:"partition"`
	AuthenticationMode string `json:"authenticationMode"`
	KubernetesVersion  string `json:"kubernetesVersion"`
}

// Gap is something that could not be read: which area of the snapshot, the AWS action or Kubernetes verb that was
// missing to read it, and why it could not be used.
type Gap struct {
	Area    string `json:"area"`
	Action  string `json:"action"`
	Reason  string `json:"reason"`
	Cluster string `json:"cluster,omitempty"`
	// Account is the AWS account of a gap that is about an account; Cluster is then empty.
	Account string `json:"account,omitempty"`
}

// Suppressed is a finding that somebody decided to accept, with that decision.
type Suppressed struct {
	Finding
	Suppression Suppression `json:"suppression"`
}

// Suppression is a recorded decision to accept a finding.
type Suppression struct {
	Reason string `json:"reason"`
	Owner  string `json:"owner,omitempty"`
	Expiry string `json:"expiry,omitempty"`
	// Source is where the decision stands: a suppressions file, or a baseline.
	Source string `json:"source"`
}

// Summary counts the findings of a result.
type Summary struct {
	Fail        Counts `json:"fail"`
	NotAssessed int    `json:"notAssessed"`
	ChecksRun   int    `json:"checksRun"`
}

// Counts is a number of findings by severity.
type Counts struct {
	Critical      int `json:"critical"`
	High          int `json:"high"`
	Medium        int `json:"medium"`
	Low           int `json:"low"`
	Informational int `json:"informational"`
}

// Of is the count of one severity.
func (c Counts) Of(s Severity) int {
	switch s {
	case Critical:
		return c.Critical
	case High:
		return c.High
	case Medium:
		return c.Medium
	case Low:
		return c.Low
	case Informational:
		return c.Informational
	}
	return 0
}

// Total is the number of findings of all severities.
func (c Counts) Total() int { return c.Critical + c.High + c.Medium + c.Low + c.Informational }

// Count counts findings by severity and status; checksRun is left to the caller.
func Count(fs []Finding) Summary {
	var s Summary
	for _, f := range fs {
		if f.Status == NotAssessed {
			s.NotAssessed++
			continue
		}
		switch f.Severity {
		case Critical:
			s.Fail.Critical++
		case High:
			s.Fail.High++
		case Medium:
			s.Fail.Medium++
		case Low:
			s.Fail.Low++
		case Informational:
			s.Fail.Informational++
		}
	}
	return s
}
