package graph

import (
	"time"

	"drawbridge/internal/finding"
)

// KindPaths is the kind of a result of `drawbridge paths`.
const KindPaths = "PathResult"

// Result is what `drawbridge paths -o json` prints.
type Result struct {
	Version  string            `json:"version"`
	Kind     string            `json:"kind"`
	Tool     finding.Tool      `json:"tool"`
	Time     time.Time         `json:"time"`
	Clusters []finding.Cluster `json:"clusters"`
	// From is what was asked for: "" is every identity that is not privileged already.
	From string `json:"from,omitempty"`
	Answer
	Gaps []finding.Gap `json:"gaps"`
}
