package detect

import (
	"encoding/gob"
	"fmt"
	"io"
	"time"

	"drawbridge/internal/event"
)

// stateVersion changes with the meaning of what is saved; an engine does not restore another's.
const stateVersion = 3

// state is an engine as it is saved: everything that decides what it will report.
type state struct {
	Version                   int
	First, Watermark, Expired time.Time
	Stats                     Stats
	Ledger                    *Ledger
	Windows                   map[windowKey]*window
	WindowOrder               []windowKey
	Evicted                   int
	Seen                      []uint64
	Pending                   []savedEvent
}

// savedEvent is an event that waits for its second look.
type savedEvent struct {
	Raw     []byte
	Origin  event.Origin
	Due     time.Time
	After   time.Duration
	Absence string
}

// Save writes the engine's state. It holds no credentials.
func (g *Engine) Save(w io.Writer) error {
	g.windows.redact()
	s := state{
		Version: stateVersion, First: g.first, Watermark: g.watermark, Expired: g.expired, Stats: g.stats, Ledger: g.ledger,
		Windows: g.windows.open, WindowOrder: g.windows.order, Evicted: g.windows.evicted, Seen: g.seen.Order,
	}
	for _, p := range g.pending {
		if !p.clean {
			p.event, p.clean = p.event.Clean(), true
		}
		s.Pending = append(s.Pending, savedEvent{Raw: p.event.Raw(), Origin: p.event.Origin(), Due: p.due, After: p.after, Absence: p.absence})
	}
	if err := gob.NewEncoder(w).Encode(&s); err != nil {
		return fmt.Errorf("save the state of detections: %w", err)
	}
	return nil
}

// Restore is an engine that goes on from a saved state.
func Restore(r io.Reader, p *Program, c *Context, o Options, report reporter) (*Engine, error) {
	var s state
	if err := gob.NewDecoder(r).Decode(&s); err != nil {
		return nil, fmt.Errorf("restore the state of detections: it is damaged, or of another version: %w; start anew with an empty state folder", err)
	}
	if s.Version != stateVersion {
		return nil, fmt.Errorf("restore the state of detections: it is of version %d, this drawbridge has %d; start anew with an empty state folder", s.Version, stateVersion)
	}
	g := New(p, c, o, report)
	g.first, g.watermark, g.expired, g.stats = s.First, s.Watermark, s.Expired, s.Stats
	s.Ledger.Limit = g.ledger.Limit
	g.ledger = s.Ledger
	if s.Windows != nil {
		g.windows.open = s.Windows
	}
	g.windows.order, g.windows.evicted = s.WindowOrder, s.Evicted
	for _, h := range s.Seen {
		g.seen.add(h)
	}
	for _, w := range s.Pending {
		e := new(event.Event)
		if err := event.Scan(w.Raw, e); err != nil {
			return nil, fmt.Errorf("restore the state of detections: %w", err)
		}
		e.SetOrigin(w.Origin)
		g.pending = append(g.pending, &waiting{event: e, clean: true, due: w.Due, after: w.After, absence: w.Absence})
	}
	g.wire()
	return g, nil
}
