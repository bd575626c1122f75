package worker

import (
	"bytes"
	"context"
	"runtime"
	"sync"

	"drawbridge/internal/event"
	"drawbridge/internal/stream"
)

// batchesAhead is how many batches wait at most, however many cores there are: one engine reads them all.
const batchesAhead = 4

// recordsAhead is how many records of a batch are decoded before its turn; the rest are when it comes.
const recordsAhead = 8192

// ahead is a run's handler of batches that decodes those that wait, on other cores, while the engine works on one. The engine has
// them in their order, as if it were alone.
type ahead struct {
	run   *run
	fail  context.CancelCauseFunc
	queue chan *decoding
	// open counts the batches in the queue, and the one that is worked on.
	open sync.WaitGroup
	over sync.WaitGroup

	mu     sync.Mutex
	err    error
	memory [][]event.Event
}

// decoding is a batch that is being decoded.
type decoding struct {
	batch   stream.Batch
	decoder *event.Decoder
	memory  []event.Event
	ready   chan struct{}
}

// newAhead starts a handler. What goes wrong with a batch is told to fail, too, as the stream may not call again for long.
func newAhead(ctx context.Context, r *run, fail context.CancelCauseFunc) *ahead {
	a := &ahead{run: r, fail: fail}
	if n := runtime.GOMAXPROCS(0); n > 1 {
		a.queue = make(chan *decoding, min(n, batchesAhead))
		a.over.Go(func() { a.work(ctx) })
	}
	return a
}

// handle takes a batch. Those whose bytes can wait are queued, all others are done with when it returns.
func (a *ahead) handle(ctx context.Context, b stream.Batch) error {
	if err := a.failed(); err != nil {
		b.Release()
		return err
	}
	_, whole := b.Body.(*bytes.Buffer)
	if a.queue == nil || b.Free == nil || !whole {
		defer b.Release()
		a.open.Wait()
		if err := a.failed(); err != nil {
			return err
		}
		return a.run.batch(ctx, b, a.run.decoder(b))
	}
	d := &decoding{batch: b, decoder: a.run.decoder(b), memory: a.room(), ready: make(chan struct{})}
	a.open.Add(1)
	go d.decode()
	a.queue <- d // which is always read
	return nil
}

func (d *decoding) decode() {
	d.memory = d.decoder.Ahead(recordsAhead, d.memory)
	close(d.ready)
}

// work has the engine read what is decoded.
func (a *ahead) work(ctx context.Context) {
	for d := range a.queue {
		<-d.ready
		if a.failed() == nil {
			if err := a.run.batch(ctx, d.batch, d.decoder); err != nil {
				a.mu.Lock()
				a.err = err
				a.mu.Unlock()
				a.fail(err)
			}
		}
		d.batch.Release()
		a.mu.Lock()
		a.memory = append(a.memory, d.memory)
		a.mu.Unlock()
		a.open.Done()
	}
}

// close waits for what is queued, and returns what went wrong.
func (a *ahead) close() error {
	if a.queue != nil {
		close(a.queue)
		a.over.Wait()
	}
	return a.failed()
}

func (a *ahead) failed() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// room is memory for records, used again.
func (a *ahead) room() []event.Event {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := len(a.memory)
	if n == 0 {
		return nil
	}
	last := a.memory[n-1]
	a.memory = a.memory[:n-1]
	return last
}
