// Package metrics counts what a continuous run does, and shows it to whoever operates it: as Prometheus' text, and as a line of
// a log. It listens nowhere, keeps nothing, and knows no more of events than their number.
package metrics

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"drawbridge/internal/finding"
	"drawbridge/internal/worker"
)

// Counts are a process's. Its methods may be called by many goroutines.
type Counts struct {
	now func() time.Time

	mu       sync.Mutex
	runs     map[int]worker.Status // by partition
	arrived  time.Time             // when the last event came
	findings map[finding.Severity]int64
	accepted int64
	dead     int64
	refused  int64
	// before is how many events there were when the last line was made, and since is when that was.
	before int64
	since  time.Time
}

// New returns counts that are all zero. The clock is that of lags and ages.
func New(now func() time.Time) *Counts {
	return &Counts{now: now, runs: map[int]worker.Status{}, findings: map[finding.Severity]int64{}, since: now()}
}

// Run takes how far a run is: worker.Options.Progress.
func (c *Counts) Run(s worker.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was, known := c.runs[s.Partition]
	switch {
	case !known:
		c.before += s.Events.Read // the first one has what the checkpoint knows, which was not read now
	case s.Events.Read > was.Events.Read:
		c.arrived = c.now()
	}
	if s.Ended && s.Partition >= 0 { // another worker counts on
		c.before -= s.Events.Read
		delete(c.runs, s.Partition)
		return
	}
	c.runs[s.Partition] = s
}

// Findings takes findings that were handed on, and how many were not because somebody accepted them.
func (c *Counts) Findings(handed []finding.Finding, accepted int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range handed {
		c.findings[handed[i].Severity]++
	}
	c.accepted += int64(accepted)
}

// Dead takes a dead letter.
func (c *Counts) Dead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead++
}

// Refused takes a post that was not taken.
func (c *Counts) Refused() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refused++
}

// total is the runs' counts together.
func (c *Counts) total() (t finding.Events, newest time.Time) {
	for _, s := range c.runs {
		t.Read += s.Events.Read
		t.Matched += s.Events.Matched
		t.Unparsed += s.Events.Unparsed
		t.Duplicates += s.Events.Duplicates
		if s.To.After(newest) {
			newest = s.To
		}
	}
	return t, newest
}

// Line is the counts as a line for people, and whether any event was read since the last one.
func (c *Counts) Line() (line string, news bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, newest := c.total()
	now := c.now()
	var b strings.Builder
	fmt.Fprintf(&b, "%d events read", t.Read)
	news = t.Read > c.before
	if elapsed := now.Sub(c.since); news && elapsed > 0 {
		fmt.Fprintf(&b, " (%.0f a second)", float64(t.Read-c.before)/elapsed.Seconds())
	}
	c.before, c.since = t.Read, now
	fmt.Fprintf(&b, ", %d could not be read, %d came more than once; findings:", t.Unparsed, t.Duplicates)
	none := true
	for _, s := range finding.Severities {
		if n := c.findings[s]; n > 0 {
			fmt.Fprintf(&b, " %d %s", n, s)
			none = false
		}
	}
	if none {
		b.WriteString(" none")
	}
	if c.dead > 0 {
		fmt.Fprintf(&b, "; %d passed over", c.dead)
	}
	if !newest.IsZero() {
		fmt.Fprintf(&b, "; newest event %s old", max(0, now.Sub(newest)).Round(time.Second))
	}
	return b.String(), news
}

// partitions are the runs in order.
func (c *Counts) partitions() []worker.Status {
	return slices.SortedFunc(maps.Values(c.runs), func(a, b worker.Status) int { return cmp.Compare(a.Partition, b.Partition) })
}
