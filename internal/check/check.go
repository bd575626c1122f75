// Package check holds the type Check, a pure test over a snapshot, and Run, which runs checks and turns what they report
// into findings. It knows no particular check and reads nothing itself: see package checks for the knowledge.
package check

import (
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// Check is one thing that can be wrong in a snapshot: facts about it, and a function that finds it.
type Check struct {
	// ID is words joined by dashes, and the name of the check's files. It never changes its meaning.
	ID       string
	Title    string
	Severity finding.Severity
	// Needs are the areas the check reads. Where one has a gap the check runs on what there is, its findings stand, and
	// one not-assessed finding names what was missing.
	Needs []model.Area
	// NeedsComplete are areas from whose silence the check concludes. Where one has a gap the check does not run.
	NeedsComplete []model.Area
	// Techniques are MITRE ATT&CK ids.
	Techniques []string
	// Since is the first version of drawbridge that has the check.
	Since string
	// Aliases are ids that the check had before.
	Aliases []string
	// Run looks at one cluster and reports. It is pure: the same snapshot gives the same reports in the same order.
	Run func(*Pass)
}
