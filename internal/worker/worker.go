// Package worker carries events from a stream through an engine to those who want the findings, and keeps what it takes to
// go on after a crash: positions of the inputs and the engine's state, saved together or not at all. It decides nothing about
// events, and knows no transport.
package worker

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/stream"
)

// Options are a run's.
type Options struct {
	Program *detect.Program
	Context *detect.Context
	Engine  detect.Options
	// Cluster is the name or ARN of the cluster whose audit logs do not say theirs.
	Cluster string
	// MaxRecord is the size of the largest record that is read, in bytes; 0 is the decoder's default.
	MaxRecord int
	// Store keeps the run's checkpoints, and Checkpoint is the one to go on from, as it was loaded; nil keeps none. Whoever
	// loads it starts the stream at its positions.
	Store      stream.Store
	Checkpoint *stream.Checkpoint
	// Every is how often one is saved, at most: a save that takes long is followed by ten times as long without. 0 is every
	// second, and less than 0 after each batch.
	Every time.Duration
	// Deliver takes findings as they are made, in order. An error ends the run; the findings come again after a restart.
	Deliver func(context.Context, []finding.Finding) error
	// Progress is told how far the run is: before it reads, now and then while it does, within a second after, and at its end. Nil if
	// nobody wants to know. It may be called by two goroutines, never at the same time.
	Progress func(Status)
}

type run struct {
	Options
	engine   *detect.Engine
	summary  Summary
	position map[string]string
	clusters map[string]bool
	last     event.Cluster
	found    []finding.Finding
	acks     []func(context.Context) error

	mu sync.Mutex // a batch, or a save
	// dirty says that batches were read since the last save; half that one was read in part, and untold that findings were not
	// handed on, which the engine takes for told: then nothing is to be saved.
	dirty, half, untold bool

	rest time.Time // when the next save may be
	// stirred says that a batch came since the last look for quiet.
	stirred bool
	// told is what Progress was told, and ended says that it is told the last time.
	told  told
	ended bool
}

// Run reads a stream to its end, or until the context is done, and returns what it has seen, also with an error. What the
// stream could not read is its error; all the rest was read.
func Run(ctx context.Context, in stream.Stream, o Options) (*Summary, error) {
	if o.Every == 0 {
		o.Every = time.Second
	}
	r := &run{Options: o, clusters: map[string]bool{}, position: map[string]string{}, told: told{unparsed: map[string]int64{}, places: map[string]Place{}}}
	report := func(f finding.Finding) { r.found = append(r.found, f) }
	r.engine = detect.New(o.Program, o.Context, o.Engine, report)
	if c := o.Checkpoint; c != nil && len(c.State) > 0 {
		if err := r.restore(c, report); err != nil {
			return nil, err
		}
	}
	r.tell(true)
	reading, stop := context.WithCancelCause(ctx)
	var aside sync.WaitGroup
	if o.Store != nil && o.Every > 0 {
		aside.Go(func() { every(reading, o.Every, stop, r.saveDirty) })
	}
	if o.Progress != nil {
		aside.Go(func() { every(reading, time.Second, stop, r.tellNow) })
	}
	if late := o.Engine.Lateness; late > 0 {
		aside.Go(func() { every(reading, late, stop, r.quiet) })
	}
	batches := newAhead(reading, r, stop)
	err := in.Receive(reading, batches.handle)
	if failed := batches.close(); failed != nil && !errors.Is(err, failed) {
		err = failed
	}
	broken := context.Cause(reading) // of saving, or the caller's
	stop(nil)
	aside.Wait()
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		err = nil // asked to stop is no failure: what was read is saved
	case broken != nil && (errors.Is(err, context.Canceled) || err == nil && ctx.Err() == nil):
		err = broken
	case o.Engine.Lateness == 0:
		r.engine.Flush()
	}
	// What was read counts, whether or not all could be.
	end := context.WithoutCancel(ctx)
	err = errors.Join(err, r.deliver(end))
	if o.Store != nil && err == nil && !r.half && !r.untold {
		err = r.save(end)
	}
	r.ended = true
	r.tell(true)
	all := r.seen()
	return &all, err
}

// batch reads a batch. While it is half read there is nothing to save: the engine has what the position has not.
func (r *run) batch(ctx context.Context, b stream.Batch, d *event.Decoder) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.half, r.stirred = true, true
	r.told.note(&b)
	if err := r.read(ctx, b, d); err != nil {
		return err
	}
	r.half = false
	return r.done(ctx, b)
}

func (r *run) decoder(b stream.Batch) *event.Decoder {
	return event.NewDecoder(b.Body, event.Options{Input: b.Input, Cluster: orElse(b.Cluster, r.Cluster), MaxRecord: r.MaxRecord})
}

func (r *run) read(ctx context.Context, b stream.Batch, d *event.Decoder) error {
	var e event.Event
	for n := 0; ; n++ {
		err := d.Next(&e)
		var bad *event.Unparsed
		switch {
		case err == nil:
			r.engine.Add(&e)
			r.see(&e)
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &bad):
			r.unparsed(bad)
		default:
			return fmt.Errorf("read %s: %w", b.Input, err)
		}
		if n&0x3ff == 0 {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.tell(false)
		}
		if len(r.found) > 0 {
			if err := r.deliver(ctx); err != nil {
				return err
			}
		}
	}
}

// tellNow hands out a status while nothing is read.
func (r *run) tellNow(context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell(true)
	return nil
}

// see notes the cluster that an event is about.
func (r *run) see(e *event.Event) {
	c := e.Cluster()
	if c == r.last || c.Name == "" {
		return
	}
	c = event.Cluster{Name: strings.Clone(c.Name), Account: strings.Clone(c.Account), Region: strings.Clone(c.Region)}
	r.last = c
	r.clusters[orElse(c.ARN(), c.Name)] = true
}

func (r *run) deliver(ctx context.Context) error {
	if len(r.found) == 0 {
		return nil
	}
	found := r.found
	r.found = nil
	if r.Deliver == nil {
		return nil
	}
	if err := r.Deliver(ctx, found); err != nil {
		r.untold = true
		return fmt.Errorf("hand on %d findings: %w", len(found), err)
	}
	return nil
}

// done notes where the input stands after a batch.
func (r *run) done(ctx context.Context, b stream.Batch) error {
	if r.Store == nil {
		if b.Ack != nil {
			return b.Ack(ctx)
		}
		return nil
	}
	if b.Position != "" {
		r.position[b.Input] = b.Position
	}
	if b.Ack != nil {
		r.acks = append(r.acks, b.Ack)
	}
	if r.Every < 0 {
		return r.save(ctx)
	}
	r.dirty = true
	return nil
}

// every does something now and then until the context is done. What fails ends the run.
func every(ctx context.Context, d time.Duration, stop context.CancelCauseFunc, do func(context.Context) error) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := do(ctx); err != nil {
				stop(err)
				return
			}
		}
	}
}

// saveDirty saves what was read, whether or not more comes.
func (r *run) saveDirty(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.dirty || r.half || r.untold || time.Now().Before(r.rest) {
		return nil
	}
	r.dirty = false
	start := time.Now()
	err := r.save(ctx)
	r.rest = time.Now().Add(10 * time.Since(start))
	return err
}

// quiet ends the wait for late events when none at all came for as long as they may be late: a cluster in which nothing happens
// any more is told of what happened last.
func (r *run) quiet(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stirred {
		r.stirred = false
		return nil
	}
	r.engine.Flush()
	if len(r.found) == 0 {
		return nil
	}
	r.dirty = true
	return r.deliver(ctx)
}

// saved is a run as a checkpoint holds it; its engine's own state follows it.
type saved struct {
	Unparsed []Unparsed
	Count    int64
	Clusters []string
	In       map[string]int64 // unparsed, by transport
}

func (r *run) restore(c *stream.Checkpoint, report func(finding.Finding)) error {
	var s saved
	state := bytes.NewReader(c.State)
	if err := gob.NewDecoder(state).Decode(&s); err != nil {
		return fmt.Errorf("restore a checkpoint: %w", err)
	}
	engine, err := detect.Restore(state, r.Program, r.Context, r.Options.Engine, report)
	if err != nil {
		return err
	}
	r.engine, r.summary.Unparsed, r.summary.Events.Unparsed = engine, s.Unparsed, s.Count
	for _, name := range s.Clusters {
		r.clusters[name] = true
	}
	maps.Copy(r.told.unparsed, s.In)
	maps.Copy(r.position, c.Positions)
	return nil
}

// save writes a checkpoint, and only then tells the transport that it need not send again.
func (r *run) save(ctx context.Context) error {
	var state bytes.Buffer
	err := gob.NewEncoder(&state).Encode(saved{r.summary.Unparsed, r.summary.Events.Unparsed, slices.Sorted(maps.Keys(r.clusters)), r.told.unparsed})
	if err != nil {
		return fmt.Errorf("save a checkpoint: %w", err)
	}
	if err := r.engine.Save(&state); err != nil {
		return err
	}
	if err := r.Store.Save(ctx, &stream.Checkpoint{Positions: maps.Clone(r.position), State: state.Bytes()}); err != nil {
		return fmt.Errorf("save a checkpoint: %w", err)
	}
	r.told.saved, r.told.size = time.Now(), state.Len()
	for _, ack := range r.acks {
		if err := ack(ctx); err != nil {
			return fmt.Errorf("acknowledge what was read: %w", err)
		}
	}
	r.acks = nil
	return nil
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
