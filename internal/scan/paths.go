package scan

import (
	"fmt"
	"time"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/graph"
	"drawbridge/internal/model"
)

// Paths answers a question about attack paths; from is how its entry point was written. It is an error if nothing in the
// snapshot is such an entry point or target.
func Paths(s *model.Snapshot, q graph.Question, from, version string, now time.Time) (*graph.Result, error) {
	s.Complete(model.NotInInput)
	s.Sort()
	g := graph.New(access.New(s), s, q.To...)
	if q.Of.Kind != "" && !g.Knows(q.Of) {
		return nil, fmt.Errorf("%s is not in the snapshot", graph.Name(q.Of))
	}
	for _, t := range q.To {
		if !g.Has(t) {
			return nil, fmt.Errorf("%s is not in the snapshot", graph.Name(t))
		}
	}
	r := &graph.Result{
		Version: finding.Version, Kind: graph.KindPaths, Tool: finding.Tool{Version: version}, Time: now.UTC(), Clusters: []finding.Cluster{},
		From: from, Answer: *g.Ask(q), Gaps: s.Gaps,
	}
	if r.Gaps == nil {
		r.Gaps = []finding.Gap{}
	}
	for _, c := range s.Clusters {
		r.Clusters = append(r.Clusters, c.Facts())
	}
	return r, nil
}
