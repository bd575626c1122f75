package scan

import (
	"time"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/graph"
	"drawbridge/internal/model"
)

// Paths answers a question about attack paths. From is how the question was written.
func Paths(s *model.Snapshot, q graph.Question, from, version string, now time.Time) *graph.Result {
	s.Complete("not in the input")
	s.Sort()
	g := graph.New(access.New(s), s, q.To...)
	r := &graph.Result{
		Version: finding.Version, Kind: graph.KindPaths, Tool: finding.Tool{Version: version}, Time: now.UTC(), Clusters: []finding.Cluster{},
		From: from, Answer: *g.Ask(q), Gaps: s.Gaps,
	}
	if r.Gaps == nil {
		r.Gaps = []finding.Gap{}
	}
	for _, c := range s.Clusters {
		r.Clusters = append(r.Clusters, describe(c))
	}
	return r
}
