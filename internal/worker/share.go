package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"drawbridge/internal/finding"
	"drawbridge/internal/stream"
)

// Log is a log of events in partitions that workers share.
type Log interface {
	// Size is the number of partitions.
	Size() int
	// Stream is a partition from a checkpoint on, without end.
	Stream(partition int, from *stream.Checkpoint) stream.Stream
	// Store keeps a partition's checkpoints.
	Store(partition int) stream.Store
	// Hold takes a partition until release is called; its context is done when the partition is lost. It is nil if another
	// worker has it.
	Hold(ctx context.Context, partition int, worker string) (held context.Context, release context.CancelFunc, err error)
	// Announce counts a worker among those that share until the context is done, and Workers is their number.
	Announce(ctx context.Context, worker string) error
	Workers(ctx context.Context) (int, error)
}

// look is how often a worker looks for partitions that are free.
const look = time.Second

// Share reads a worker's part of a log until the context is done: as many partitions as fall to it, more when another worker
// dies, fewer when one comes. Each partition has an engine of its own that goes on from the partition's checkpoint. What went
// wrong with a partition is handed to trouble; the partition is then given back, and somebody takes it again.
func Share(ctx context.Context, log Log, worker string, o Options, trouble func(partition int, err error)) error {
	if err := log.Announce(ctx, worker); err != nil {
		return err
	}
	s := &sharing{log: log, worker: worker, options: o, trouble: trouble, running: map[int]context.CancelFunc{}}
	deliver := o.Deliver
	s.options.Deliver = func(ctx context.Context, found []finding.Finding) error {
		s.out.Lock()
		defer s.out.Unlock()
		return deliver(ctx, found)
	}
	defer s.wait.Wait()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		s.balance(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

type sharing struct {
	log     Log
	worker  string
	options Options
	trouble func(int, error)

	out     sync.Mutex // one finding is handed on at a time
	mu      sync.Mutex
	running map[int]context.CancelFunc
	wait    sync.WaitGroup
}

// balance takes partitions up to this worker's share, or gives one back.
func (s *sharing) balance(ctx context.Context) {
	workers, err := s.log.Workers(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.trouble(-1, err)
		}
		return
	}
	size := s.log.Size()
	share := (size + max(workers, 1) - 1) / max(workers, 1)
	s.mu.Lock()
	have := len(s.running)
	for _, stop := range s.running {
		if have > share {
			stop()
			have--
		}
	}
	s.mu.Unlock()
	for n := range size {
		if have >= share {
			return
		}
		s.mu.Lock()
		_, mine := s.running[n]
		s.mu.Unlock()
		if mine {
			continue
		}
		held, release, err := s.log.Hold(ctx, n, s.worker)
		if err != nil {
			if ctx.Err() == nil {
				s.trouble(n, err)
			}
			return
		}
		if held != nil {
			have++
			s.start(held, release, n)
		}
	}
}

func (s *sharing) start(held context.Context, release context.CancelFunc, n int) {
	held, stop := context.WithCancel(held)
	s.mu.Lock()
	s.running[n] = stop
	s.mu.Unlock()
	s.wait.Go(func() {
		defer func() {
			stop()
			release()
			s.mu.Lock()
			delete(s.running, n)
			s.mu.Unlock()
		}()
		if err := s.partition(held, n); err != nil && !errors.Is(err, context.Canceled) {
			s.trouble(n, err)
		}
	})
}

func (s *sharing) partition(ctx context.Context, n int) error {
	o := s.options
	o.Store = s.log.Store(n)
	var err error
	if o.Checkpoint, err = o.Store.Load(ctx); err != nil {
		return err
	}
	if tell := o.Progress; tell != nil {
		o.Progress = func(at Status) { tell(at.of(n)) }
	}
	if _, err = Run(ctx, s.log.Stream(n, o.Checkpoint), o); err != nil {
		return fmt.Errorf("partition %d: %w", n, err)
	}
	return nil
}
