package detect

import (
	"bytes"
	"cmp"
	"container/heap"
	"strings"
	"time"

	"drawbridge/internal/event"
	"drawbridge/internal/finding"
)

// Options bound an engine. The zero value is for a run over files: late arrivals are over when the input is.
type Options struct {
	// Lateness is how much later than others an event may come; 0 is without end: [Engine.Flush] ends it.
	Lateness time.Duration
	// Windows, Facts and Pending bound the state: open windows, facts of each kind, and events that wait for a second look.
	// 0 is the default. What is full gives up its oldest, and [Stats] say so.
	Windows, Facts, Pending int
	// Now is the wall clock. An event of the future does not move the watermark beyond it, and one of a day or more ahead not at
	// all. Nil: no clock.
	Now func() time.Time
}

// The default bounds.
const (
	DefaultWindows = 1 << 20
	DefaultFacts   = 1 << 18
	DefaultPending = 1 << 17
)

// reporter takes the findings of an engine, one after the other.
type reporter = func(finding.Finding)

// Stats count what an engine has seen.
type Stats struct {
	// Read are all events, Matched those that led to a finding, Duplicates those that came twice or in two stages.
	Read, Matched, Duplicates int64
	// Early are events whose second look came before late arrivals were over, for want of room; Evicted are windows, and
	// Forgotten facts, given up for want of room.
	Early, Evicted, Forgotten int64
}

// Engine runs a program over events. Events may come in any order: what is certain is reported at once, and every event
// that others can still decide is looked at again when late arrivals are over. An engine is used by one goroutine.
type Engine struct {
	program *Program
	ctx     *Context
	options Options
	report  reporter

	ledger  *Ledger
	windows *windows
	seen    *seen
	pending pending
	waits   waits
	alike   *alike
	// watermark is the time of the newest event.
	watermark time.Time
	// now is the wall clock when it was last looked at.
	now time.Time
	// first is the time of the oldest event.
	first   time.Time
	expired time.Time
	stats   Stats

	look, again look
	// deep is set during a second look.
	deep    bool
	classes [event.CloudTrail + 1]classes
}

// New is an engine that hands its findings to report.
func New(p *Program, ctx *Context, o Options, report reporter) *Engine {
	o.Windows, o.Facts, o.Pending = or(o.Windows, DefaultWindows), or(o.Facts, DefaultFacts), or(o.Pending, DefaultPending)
	g := &Engine{program: p, ctx: ctx, options: o, report: report, ledger: newLedger(o.Facts), windows: newWindows(o.Windows), seen: newSeen(o.Windows), alike: newAlike()}
	for _, p := range []event.Plane{event.Kubernetes, event.CloudTrail} {
		g.classes[p] = newClasses(p)
	}
	g.waits.first = map[[2]uint64]Fact{}
	g.wire()
	return g
}

func (g *Engine) wire() {
	g.look, g.again = *g.newLook(), *g.newLook()
	g.look.lists, g.again.lists = make([]answers, g.program.lists), make([]answers, g.program.lists)
}

func (g *Engine) newLook() *look {
	return &look{ctx: g.ctx, ledger: g.ledger, memo: make([]remembered, len(enrichments))}
}

func or(n, otherwise int) int {
	if n <= 0 {
		return otherwise
	}
	return n
}

// Stats are the counts so far.
func (g *Engine) Stats() Stats {
	s := g.stats
	s.Evicted, s.Forgotten = int64(g.windows.evicted), int64(g.ledger.Forgotten())
	return s
}

// Span is the times of the oldest and the newest event so far; zero before the first.
func (g *Engine) Span() (from, to time.Time) { return g.first, g.watermark }

// Add takes one event. It keeps nothing of it that is not copied.
func (g *Engine) Add(e *event.Event) {
	g.stats.Read++
	if e.Plane() == event.Kubernetes && e.Field(event.Stage).Is("RequestReceived") {
		g.stats.Duplicates++ // the API server logs the request again with its outcome
		return
	}
	l := &g.look
	l.reset(e, false)
	g.classify(l)
	g.ledger.note(l)
	at := e.Time()
	if g.first.IsZero() || at.Before(g.first) {
		g.first = at
	}
	g.advance(at)

	matched, wait := 0, time.Duration(-1)
	for _, r := range g.rules(l) {
		if r.via != nil && !l.mayBe(r.via) || r.ledger && !r.likely(l) {
			continue
		}
		if r.wait == 0 && r.meant(l) {
			matched = max(matched, g.fire(r, l))
		}
		if (r.ledger || r.doubt != nil && r.doubt(l) && r.likely(l)) && g.worth(r, l) {
			wait = max(wait, r.wait)
		}
	}
	g.count(matched)
	if l.unlike && matched == nothing {
		g.alike.put(l)
	}
	if wait >= 0 {
		g.wait(&waiting{event: e.Copy(), due: earlier(at, g.until(at)).Add(wait), after: wait})
	}
}

// classify looks up what an event can match.
func (g *Engine) classify(l *look) {
	l.class = g.classes[l.Plane()].of(l, &g.program.indexes[l.Plane()])
}

// rules are those that an event can match, until the next look.
func (g *Engine) rules(l *look) []*rule {
	x := &g.program.indexes[l.Plane()]
	pinned := l.class.rules
	spoken := x.asked != nil && !l.final && g.alike.spoken(l, x.asked)
	behind := l.open[:0]
	shut := x.shutFor(l)
	for _, i := range l.class.gates {
		if shut&(1<<i) != 0 {
			continue
		}
		p := &x.gates[i]
		if (!p.alike || !spoken) && (p.open == nil || p.open(l)) {
			behind = append(behind, p.rules...)
		}
	}
	if len(behind) == 0 {
		return pinned
	}
	l.open = append(behind, pinned...)
	return l.open
}

// worth says whether a second look at the event can tell more than those that are due anyway: not where the same was reported,
// and not where it is sampled and an earlier event of the same minute waits, or of the time for which the rule waits anyway.
func (g *Engine) worth(r *rule, l *look) bool {
	if !r.sampled || len(r.feeds) > 0 {
		return true
	}
	id := r.variant.hash(l, run{})
	if _, ok := g.seen.In[id]; ok {
		return false
	}
	at := l.Time()
	k := [2]uint64{id ^ r.id, uint64(at.Unix() / int64(max(r.wait, time.Minute)/time.Second))} //nolint:gosec // 2026-11: G115: one of the two that make a key
	if first, ok := g.waits.first[k]; ok && !l.now().before(first) {
		return false
	}
	g.waits.put(k, l.fact(), g.options.Pending)
	return true
}

// waits are the earliest events that wait, of those that a rule samples; bounded, the oldest are forgotten first.
type waits struct {
	first map[[2]uint64]Fact
	order [][2]uint64
}

func (w *waits) put(k [2]uint64, f Fact, limit int) {
	if _, ok := w.first[k]; !ok {
		w.order = append(w.order, k)
	}
	w.first[k] = f
	if len(w.order) > limit {
		n := max(1, limit/16)
		for _, old := range w.order[:n] {
			delete(w.first, old)
		}
		w.order = append(w.order[:0], w.order[n:]...)
	}
}

// The outcomes of an event: none, one that was reported before, and a new one.
const (
	nothing = iota
	repeated
	reported
)

func (g *Engine) count(outcome int) {
	switch outcome {
	case repeated:
		g.stats.Duplicates++
	case reported:
		g.stats.Matched++
	}
}

// skew is how far ahead a clock may be that writes events. What is dated later than that moves nothing.
const skew = 24 * time.Hour

// until is the wall clock as far as it matters for a time: later than it, or the present.
func (g *Engine) until(at time.Time) time.Time {
	if g.options.Now == nil {
		return at
	}
	if at.After(g.now) {
		g.now = g.options.Now()
	}
	return g.now
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// advance moves the watermark and looks again at what is due.
func (g *Engine) advance(to time.Time) {
	if !to.After(g.watermark) {
		return
	}
	now := g.until(to)
	if to.Sub(now) > skew {
		return
	}
	if to = earlier(to, now); !to.After(g.watermark) {
		return
	}
	g.watermark, g.ledger.Newest = to, to
	if g.options.Lateness == 0 {
		return
	}
	for len(g.pending) > 0 && g.pending[0].due.Add(g.options.Lateness).Before(to) {
		g.second(heap.Pop(&g.pending).(*waiting))
	}
	if to.Sub(g.expired) > time.Minute {
		g.expired = to
		g.expire()
	}
}

// expire closes windows that nothing can complete any more.
func (g *Engine) expire() {
	spans := map[uint64]int64{}
	for _, c := range g.program.correlations {
		spans[c.id] = g.watermark.Add(-g.options.Lateness - 2*c.span).UnixNano()
	}
	g.windows.expire(func(k windowKey) int64 { return spans[k[0]] })
}

// Flush is the end of the input: nothing comes late any more.
func (g *Engine) Flush() {
	for len(g.pending) > 0 {
		g.second(heap.Pop(&g.pending).(*waiting))
	}
}

// waiting is an event that is looked at again.
type waiting struct {
	event *event.Event
	// clean says that it has no credentials, as what is saved: most events wait for less long than the next save takes.
	clean bool
	due   time.Time
	// after is the longest time after which a rule is to judge it: those that want longer judge another event, which stands for
	// this one.
	after time.Duration
	// absence names the correlation whose first event it is; for all others it is empty.
	absence string
}

func (g *Engine) wait(w *waiting) {
	heap.Push(&g.pending, w)
	if len(g.pending) > g.options.Pending {
		g.stats.Early++
		g.second(heap.Pop(&g.pending).(*waiting))
	}
}

// second looks again at an event.
func (g *Engine) second(w *waiting) {
	l := &g.again
	if g.deep {
		l = g.newLook() // a second look at one event made another one due, for want of room
	}
	defer func(was bool) { g.deep = was }(g.deep)
	g.deep = true
	l.reset(w.event, true)
	if w.absence != "" {
		g.absent(w, l)
		return
	}
	g.classify(l)
	matched := 0
	for _, r := range g.rules(l) {
		if (r.ledger || r.doubt != nil) && r.wait <= w.after && (r.via == nil || l.mayBe(r.via)) && r.meant(l) {
			matched = max(matched, g.fire(r, l))
		}
	}
	if matched == reported {
		g.count(matched)
	}
}

// absent reports the first event of an absence if nothing came after it, provided that the events go on long enough to
// tell.
func (g *Engine) absent(w *waiting, l *look) {
	if g.watermark.Before(w.due) {
		return
	}
	for i := range g.program.absences[w.absence] {
		f := &g.program.absences[w.absence][i]
		if f.plane != l.Plane() {
			continue
		}
		k, ok := f.key(l)
		if win := g.windows.open[k]; ok && win != nil && !win.broken(f.correlation, l.Time().UnixNano()) {
			g.count(g.complete(f.correlation, l, nil, k))
		}
		return
	}
}

// fire is a rule that an event matched.
func (g *Engine) fire(r *rule, l *look) int {
	outcome := nothing
	if r.variant != nil {
		outcome = g.emit(r.variant, l, run{})
	}
	for i := range r.feeds {
		outcome = max(outcome, g.feed(&r.feeds[i], l))
	}
	return outcome
}

func (g *Engine) feed(f *feed, l *look) int {
	k, ok := f.key(l)
	if !ok || f.closes && l.final && g.windows.open[k] == nil {
		return nothing
	}
	c := f.correlation
	e := entry{At: l.Time().UnixNano(), Rule: uint8(f.at), ID: short(l.ID())} //nolint:gosec // 2026-11: G115: below maxRules
	w := g.windows.at(k)
	if w.described(c) {
		e.Text = short(eventText(l))
	}
	if c.kind == valueCount {
		if e.Value, ok = f.value.one(l); !ok {
			return nothing
		}
		e.Value = short(e.Value)
	}
	if c.kind == absence {
		w.add(c, e)
		if f.at == 0 {
			g.wait(&waiting{event: l.Copy(), due: l.Time().Add(c.span), absence: c.rule.Name})
		}
		return nothing
	}
	if c.kind == temporalOrdered && f.at == c.rules-1 && c.variant != nil {
		kept := l.Copy()
		e.End = &ending{Raw: kept.Raw(), Origin: kept.Origin()}
	}
	run := w.add(c, e)
	if run == nil {
		return nothing
	}
	return g.complete(c, l, run, k)
}

// complete is a correlation that an event completed.
func (g *Engine) complete(c *correlation, l *look, entries []entry, k windowKey) int {
	if c.variant == nil {
		return nothing
	}
	return g.emit(c.variant, g.ending(l, entries), run{entries, c, k[1]})
}

// ending is the event that ends a run, which is not always the one that came last.
func (g *Engine) ending(l *look, run []entry) *look {
	if len(run) == 0 {
		return l
	}
	last := run[len(run)-1]
	e := new(event.Event)
	if last.End == nil || last.ID == short(l.ID()) && last.At == l.Time().UnixNano() || event.Scan(last.End.Raw, e) != nil {
		return l
	}
	e.SetOrigin(last.End.Origin)
	end := g.newLook()
	end.reset(e, l.final)
	return end
}

// emit reports a finding, once.
func (g *Engine) emit(v *variant, l *look, of run) int {
	if !g.seen.add(v.hash(l, of)) {
		return repeated
	}
	if clean := l.Clean(); clean != l.Event {
		redacted := g.newLook()
		redacted.reset(clean, l.final)
		l = redacted
	}
	g.report(g.finding(v, l, of))
	return reported
}

// pending is a heap of events by the time of their second look, and then by their own time and id, so that equal input gives
// equal output.
type pending []*waiting

func (p pending) Len() int { return len(p) }
func (p pending) Less(i, j int) bool {
	a, b := p[i], p[j]
	if !a.due.Equal(b.due) {
		return a.due.Before(b.due)
	}
	if t, u := a.event.Time(), b.event.Time(); !t.Equal(u) {
		return t.Before(u)
	}
	return cmp.Or(strings.Compare(a.event.ID(), b.event.ID()), strings.Compare(a.absence, b.absence), bytes.Compare(a.event.Raw(), b.event.Raw())) < 0
}
func (p pending) Swap(i, j int) { p[i], p[j] = p[j], p[i] }

// Push and Pop are container/heap's.
func (p *pending) Push(x any) { *p = append(*p, x.(*waiting)) }

// Pop takes the last one.
func (p *pending) Pop() any {
	old := *p
	x := old[len(old)-1]
	old[len(old)-1] = nil
	*p = old[:len(old)-1]
	return x
}

// seen are the findings reported so far, bounded: the oldest are forgotten first.
type seen struct {
	In    map[uint64]struct{}
	Order []uint64
	limit int
}

func newSeen(limit int) *seen { return &seen{In: map[uint64]struct{}{}, limit: limit} }

func (s *seen) add(h uint64) bool {
	if _, ok := s.In[h]; ok {
		return false
	}
	s.In[h] = struct{}{}
	s.Order = append(s.Order, h)
	if len(s.Order) > s.limit {
		n := max(1, s.limit/16)
		for _, old := range s.Order[:n] {
			delete(s.In, old)
		}
		s.Order = append(s.Order[:0], s.Order[n:]...)
	}
	return true
}
