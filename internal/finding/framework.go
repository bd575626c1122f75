package finding

import "time"

// FrameworkReport is the state of every control of a framework: the page of `--framework`. The caller computes it.
type FrameworkReport struct {
	Version string    `json:"version"`
	Kind    string    `json:"kind"`
	Tool    Tool      `json:"tool"`
	Time    time.Time `json:"time"`
	// ID is the word that --framework takes, Title and Edition what the framework calls itself.
	ID      string `json:"id"`
	Title   string `json:"title"`
	Edition string `json:"edition"`
	// Source says where the mapping is from and how far it can be trusted.
	Source   string             `json:"source"`
	Clusters []string           `json:"clusters"`
	Controls []FrameworkControl `json:"controls"`
}

// KindFramework is the kind of a FrameworkReport.
const KindFramework = "FrameworkReport"

// FrameworkControl is one control with the checks that bear on it and what they found.
type FrameworkControl struct {
	ID       string        `json:"id"`
	Title    string        `json:"title"`
	Status   ControlStatus `json:"status"`
	Checks   []string      `json:"checks"`
	Findings []Finding     `json:"findings"`
}

// ControlStatus is the state of a control.
type ControlStatus string

// The states of a control, worst first. A control passes only if at least one check bears on it, and all of them were
// assessed everywhere and found nothing.
const (
	ControlFail        ControlStatus = "fail"
	ControlNotAssessed ControlStatus = "not-assessed"
	ControlPass        ControlStatus = "pass"
	ControlNotCovered  ControlStatus = "not-covered"
)
