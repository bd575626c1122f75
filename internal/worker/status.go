package worker

import (
	"maps"
	"slices"
	"time"

	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/stream"
)

// Summary is what a run has seen.
type Summary struct {
	Events finding.Events
	// Stats are the engine's counts, with what it gave up for want of room.
	Stats detect.Stats
	// Unparsed are the records that could not be read, by input: how many, and the first reason.
	Unparsed []Unparsed
	// Clusters are those that events were about, by ARN or name, sorted.
	Clusters []string
	// From and To are the times of the first and last event.
	From, To time.Time
}

// Unparsed is the records of one input that could not be read.
type Unparsed struct {
	Input  string
	Count  int64
	Offset int64 // of the first one
	Reason string
}

// unparsedKept is how many inputs with unreadable records are named; the rest are counted under the last.
const unparsedKept = 100

// Status is how far a run is. It is a copy: the run does not change it.
type Status struct {
	Summary
	// Partition is of a log that workers share; -1 of all else.
	Partition int
	// UnparsedIn are the records that could not be read, by transport: stream.Transport's words.
	UnparsedIn map[string]int64
	// Held is what the engine keeps in memory.
	Held detect.Held
	// Input is what is read, and Places are where inputs stand that have positions or a backlog: the last ones that were read, by
	// Batch.Input.
	Input  string
	Places map[string]Place
	// Saved is when the last checkpoint of this run was saved, zero before, and SavedSize how many bytes it has.
	Saved     time.Time
	SavedSize int
	// Ended says that this is the last one: the run is over.
	Ended bool
}

// Place is where an input stands after the batch that is read.
type Place struct {
	Position string
	Backlog  *stream.Backlog
}

// placesKept is how many inputs have a place in a status.
const placesKept = 1000

// told is what a status has besides the summary, and when the last one was handed out.
type told struct {
	input     string
	places    map[string]Place
	order     []string // of places, by when they came first
	unparsed  map[string]int64
	at, saved time.Time
	size      int
}

func (t *told) note(b *stream.Batch) {
	t.input = b.Input
	if b.Position == "" && b.Backlog == nil {
		return
	}
	if _, known := t.places[b.Input]; !known {
		if len(t.order) == placesKept {
			delete(t.places, t.order[0])
			t.order = t.order[1:]
		}
		t.order = append(t.order, b.Input)
	}
	t.places[b.Input] = Place{b.Position, b.Backlog}
}

// seldom is how far statuses are apart, at least: they are made for people.
const seldom = 200 * time.Millisecond

// tell hands out a status, unless the last one is fresh and need not be followed by another.
func (r *run) tell(always bool) {
	now := time.Now()
	if r.Progress == nil || !always && now.Sub(r.told.at) < seldom {
		return
	}
	r.told.at = now
	r.Progress(Status{
		Summary: r.seen(), Partition: -1, UnparsedIn: maps.Clone(r.told.unparsed), Held: r.engine.Held(),
		Input: r.told.input, Places: maps.Clone(r.told.places), Saved: r.told.saved, SavedSize: r.told.size, Ended: r.ended,
	})
}

// seen is the summary so far, of which nothing is shared with the run.
func (r *run) seen() Summary {
	s := r.summary
	s.Unparsed = slices.Clone(s.Unparsed)
	s.Stats = r.engine.Stats()
	s.Events.Read, s.Events.Matched, s.Events.Duplicates = s.Stats.Read, s.Stats.Matched, s.Stats.Duplicates
	s.From, s.To = r.engine.Span()
	s.Clusters = slices.Sorted(maps.Keys(r.clusters))
	return s
}

func (r *run) unparsed(u *event.Unparsed) {
	r.summary.Events.Unparsed++
	r.told.unparsed[stream.Transport(u.Input)]++
	for i := range r.summary.Unparsed {
		if r.summary.Unparsed[i].Input == u.Input || i == unparsedKept-1 {
			r.summary.Unparsed[i].Count++
			return
		}
	}
	r.summary.Unparsed = append(r.summary.Unparsed, Unparsed{Input: u.Input, Count: 1, Offset: u.Offset, Reason: u.Reason})
}

// of is the status of a partition.
func (s Status) of(partition int) Status {
	s.Partition = partition
	var n int64
	for _, k := range s.UnparsedIn {
		n += k
	}
	s.UnparsedIn = map[string]int64{stream.Shared: n}
	return s
}
