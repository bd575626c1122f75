package detect

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/sigma"
)

// The kinds of correlation. The first four are Sigma's (correlations 2.0.2); absence is ours: the first rule was seen, and
// none of the others within the timespan after it.
const (
	eventCount      = "event_count"
	valueCount      = "value_count"
	temporal        = "temporal"
	temporalOrdered = "temporal_ordered"
	absence         = "absence"
)

// maxRules is how many rules a correlation may have: an entry of a window tells them apart by a byte.
const maxRules = 256

// correlation is a compiled correlation.
type correlation struct {
	rule    *sigma.Rule
	variant *variant // nil for a part
	kind    string
	id      uint64
	rules   int
	// least is the number of events, or of values, that make it complete.
	least int
	span  time.Duration
}

func (c *compiler) correlation(r *sigma.Rule, v *variant) {
	k := r.Correlation
	out := &correlation{rule: r, variant: v, kind: k.Type, id: fold(r.Name + "\x00" + r.Level), rules: len(k.Rules), span: k.Timespan, least: k.Count}
	if out.rules > maxRules {
		c.fail(r, r.Line, "correlation: %d rules; %d are the most", out.rules, maxRules)
	}
	switch k.Type {
	case eventCount, valueCount:
		switch k.Op {
		case "gte", "eq":
		case "gt":
			out.least++
		default:
			c.fail(r, r.Line, "correlation: condition %q: a count is complete when it is reached; want gte, gt or eq", k.Op)
		}
		if out.least < 1 {
			c.fail(r, r.Line, "correlation: condition: want a count of at least 1")
		}
		if out.least > maxCount {
			c.fail(r, r.Line, "correlation: condition: counts up to %d are kept, this asks for %d", maxCount, out.least)
		}
	case temporal, temporalOrdered, absence:
		if len(k.Rules) < 2 || len(k.Rules) > 8 {
			c.fail(r, r.Line, "correlation: %s: want 2 to 8 rules", k.Type)
		}
	default:
		c.fail(r, r.Line, "correlation: type %q is not known", k.Type)
	}
	if k.Timespan <= 0 {
		c.fail(r, r.Line, "correlation: want a timespan")
	}
	c.program.correlations = append(c.program.correlations, out)
}

// maxCount is the highest count that a window holds the events for.
const maxCount = 1000

// entry is one event in a window.
type entry struct {
	At    int64 // nanoseconds
	Rule  uint8
	ID    string
	Value string
	Text  string
	// End is the event itself where it ends an ordered correlation: the finding is about it, also when an earlier event comes
	// later and completes the window.
	End *ending
}

// same says that two entries are of one event: its id alone does not, because a client of the API server may choose it (see
// [look.request]).
func (e entry) same(o entry) bool {
	return e.At == o.At && e.ID == o.ID && e.Rule == o.Rule && e.Value == o.Value
}

func (e entry) compare(o entry) int {
	return cmp.Or(cmp.Compare(e.At, o.At), strings.Compare(e.ID, o.ID), strings.Compare(e.Value, o.Value))
}

// ending is an event that is kept.
type ending struct {
	Raw    []byte
	Origin event.Origin
	clean  bool // it has no credentials, as what is saved
}

// redact takes the credentials out of what is kept.
func (ws *windows) redact() {
	for _, window := range ws.open {
		for i := range window.Entries {
			if end := window.Entries[i].End; end != nil && !end.clean {
				end.Raw, end.clean = event.Redact(make([]byte, 0, len(end.Raw)), end.Raw), true
			}
		}
	}
}

// window holds the events of one correlation and one group, in order of their time. It is complete or not whatever the order
// in which they came.
type window struct {
	Entries []entry
	// Quiet is when the last complete window ended: one that overlaps it is the same story.
	Quiet int64
}

type windowKey [2]uint64

// windows are all windows, bounded: when they are too many, those that were opened longest ago go first, and are counted.
type windows struct {
	open map[windowKey]*window
	// order is for eviction: keys in the order in which they were opened.
	order   []windowKey
	limit   int
	evicted int
}

func newWindows(limit int) *windows { return &windows{open: map[windowKey]*window{}, limit: limit} }

// key is the window of a group, and false where the event does not tell its group: such an event joins nothing.
func (f *feed) key(l *look) (windowKey, bool) {
	k := windowKey{f.correlation.id, 14695981039346656037}
	for i := range f.group {
		s, ok := f.group[i].one(l)
		// Audit logs whose cluster nobody named are one cluster's.
		if !ok && (f.group[i].name != "drawbridge.cluster" || l.Plane() != event.Kubernetes) {
			return k, false
		}
		k[1] = (k[1] ^ fold(s)) * 1099511628211
	}
	return k, true
}

func (ws *windows) at(k windowKey) *window {
	w := ws.open[k]
	if w == nil {
		w = &window{}
		ws.open[k] = w
		ws.order = append(ws.order, k)
		if len(ws.open) > ws.limit {
			ws.evict()
		}
	}
	return w
}

// evict gives up the oldest sixteenth.
func (ws *windows) evict() {
	n := max(1, ws.limit/16)
	for _, k := range ws.order[:n] {
		if _, ok := ws.open[k]; ok {
			delete(ws.open, k)
			ws.evicted++
		}
	}
	ws.order = slices.Delete(ws.order, 0, n)
}

// expire closes windows in which nothing can be completed any more.
func (ws *windows) expire(before func(windowKey) int64) {
	kept := ws.order[:0]
	for _, k := range ws.order {
		w := ws.open[k]
		if w == nil {
			continue
		}
		if n := len(w.Entries); n == 0 || w.Entries[n-1].At < before(k) {
			delete(ws.open, k)
			continue
		}
		kept = append(kept, k)
	}
	clear(ws.order[len(kept):])
	ws.order = kept
}

// add puts an event into its window and returns the events of the window if it is complete with it.
func (w *window) add(c *correlation, e entry) []entry {
	if slices.ContainsFunc(w.Entries, e.same) {
		return nil
	}
	if c.kind == valueCount && w.enclosed(c, e) {
		return nil
	}
	i, _ := slices.BinarySearchFunc(w.Entries, e, entry.compare)
	w.Entries = slices.Insert(w.Entries, i, e)
	w.trim(c)
	complete := w.complete(c, e)
	if complete == nil {
		return nil
	}
	from, to := complete[0].At, complete[len(complete)-1].At
	if w.Quiet != 0 && from <= w.Quiet && to >= w.Quiet-int64(c.span) {
		w.Quiet = max(w.Quiet, to)
		return nil
	}
	w.Quiet = to
	return complete
}

// enclosed says whether e lies between two events of its value that are within one timespan: wherever e counts, one of them
// does. If it does not, those that e so encloses are given up.
func (w *window) enclosed(c *correlation, e entry) bool {
	before, before2, after, after2 := -1, -1, -1, -1 // the nearest of its value, and the next but one
	for i := range w.Entries {
		switch o := &w.Entries[i]; {
		case o.Value != e.Value:
		case o.At <= e.At:
			before2, before = before, i
		case after < 0:
			after = i
		case after2 < 0:
			after2 = i
		}
	}
	if before >= 0 && after >= 0 && w.Entries[after].At-w.Entries[before].At <= int64(c.span) {
		return true
	}
	if after2 >= 0 && w.Entries[after2].At-e.At <= int64(c.span) {
		w.Entries = slices.Delete(w.Entries, after, after+1)
	}
	if before2 >= 0 && e.At-w.Entries[before2].At <= int64(c.span) {
		w.Entries = slices.Delete(w.Entries, before, before+1)
	}
	return false
}

// trim keeps what can still matter, and not more than a few times what completes the window. Many events of one kind do not
// push out the few of another: those that come late would find nothing.
func (w *window) trim(c *correlation) {
	most := 4 * max(c.least, 8)
	if len(w.Entries) <= most {
		return
	}
	if c.kind != eventCount {
		w.thin(c, most*3/4)
	}
	if extra := len(w.Entries) - most; extra > 0 {
		w.Entries = slices.Delete(w.Entries, 0, extra)
	}
}

// thin drops entries that others stand for, the oldest first, until no more than want are left.
func (w *window) thin(c *correlation, want int) {
	last := map[string]int{}
	for i := range w.Entries {
		last[w.Entries[i].Value] = i
	}
	drop := len(w.Entries) - want
	kept := w.Entries[:0]
	for i, e := range w.Entries {
		spare := false
		switch {
		case drop == 0:
		case c.kind == valueCount:
			spare = last[e.Value] > i
		case c.kind == absence && e.Rule == 0:
			spare = true // these are not looked up here
		case len(kept) > 0 && i+1 < len(w.Entries):
			// Between two of its kind, which are near enough to each other, it tells nothing that one of them does not.
			before, after := kept[len(kept)-1], w.Entries[i+1]
			alike := before.Rule == e.Rule && after.Rule == e.Rule || c.kind == absence && before.Rule != 0 && after.Rule != 0
			spare = alike && after.At-before.At <= int64(c.span)
		}
		if spare {
			drop--
			continue
		}
		kept = append(kept, e)
	}
	clear(w.Entries[len(kept):])
	w.Entries = kept
}

// complete is the earliest run of entries with e in it that makes the correlation so; nil if there is none.
func (w *window) complete(c *correlation, e entry) []entry {
	if c.kind == valueCount {
		return w.values(c, e)
	}
	for i := range w.Entries {
		first := &w.Entries[i]
		if e.At-first.At > int64(c.span) {
			continue
		}
		if first.At > e.At {
			break
		}
		if c.kind == eventCount && (i+c.least > len(w.Entries) || w.Entries[i+c.least-1].At-first.At > int64(c.span)) {
			continue
		}
		end := i
		for end < len(w.Entries) && w.Entries[end].At-first.At <= int64(c.span) {
			end++
		}
		if run := c.in(w.Entries[i:end]); run != nil {
			return run
		}
	}
	return nil
}

// values is complete for a count of values: a window slides over the entries, with how often each value is in it.
func (w *window) values(c *correlation, e entry) []entry {
	if len(w.Entries) < c.least {
		return nil
	}
	in := make(map[string]int, 2*c.least)
	end := 0
	for i := range w.Entries {
		first := &w.Entries[i]
		if first.At > e.At {
			return nil
		}
		for end < len(w.Entries) && w.Entries[end].At-first.At <= int64(c.span) {
			in[w.Entries[end].Value]++
			end++
		}
		if len(in) >= c.least && e.At-first.At <= int64(c.span) {
			return w.Entries[i:end]
		}
		if in[first.Value]--; in[first.Value] == 0 {
			delete(in, first.Value)
		}
	}
	return nil
}

// in is the part of entries, all within one timespan, that makes the correlation so. It may be a part of the window itself,
// which holds until the next event.
func (c *correlation) in(entries []entry) []entry {
	if !c.enough(entries) {
		return nil
	}
	switch c.kind {
	case eventCount:
		return entries
	case temporal:
		var run []entry
		var seen uint
		for _, e := range entries {
			if seen&(1<<e.Rule) == 0 {
				seen |= 1 << e.Rule
				run = append(run, e)
			}
		}
		return run
	}
	var run []entry
	for _, e := range entries {
		if int(e.Rule) == len(run) {
			run = append(run, e)
		}
	}
	return run
}

// enough says whether the entries make the correlation so, without a list of those that do.
func (c *correlation) enough(entries []entry) bool {
	switch c.kind {
	case eventCount:
		return len(entries) >= c.least
	case temporal:
		var seen uint
		for i := range entries {
			seen |= 1 << entries[i].Rule
		}
		return bits.OnesCount(seen) == c.rules
	case temporalOrdered:
		next := 0
		for i := range entries {
			if int(entries[i].Rule) == next {
				next++
			}
		}
		return next == c.rules
	}
	return false
}

// broken says whether one of the other rules was seen in the timespan after from.
func (w *window) broken(c *correlation, from int64) bool {
	return slices.ContainsFunc(w.Entries, func(o entry) bool { return o.Rule != 0 && o.At >= from && o.At-from <= int64(c.span) })
}

// evidence is the entries as a finding shows them: the first and the last of many.
func evidence(entries []entry) []finding.Evidence {
	const most = 8
	var out []finding.Evidence
	for i, e := range entries {
		if len(entries) > most && i >= most/2 && i < len(entries)-most/2 {
			if i == most/2 {
				out = append(out, finding.Evidence{Text: fmt.Sprintf("%d more events between", len(entries)-most), Source: "events of the same window"})
			}
			continue
		}
		text := e.Text
		if text == "" {
			text = time.Unix(0, e.At).UTC().Format(time.RFC3339) + " another event of this kind"
		}
		out = append(out, finding.Evidence{Text: text, Source: "event " + e.ID})
	}
	return out
}

// described says whether the next event of a window is kept with what it was, in words: of those that are only counted the
// first few are enough.
func (w *window) described(c *correlation) bool {
	return c.kind != eventCount && c.kind != valueCount || len(w.Entries) < 4
}
