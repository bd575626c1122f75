package stream

import (
	"context"
	"errors"
	"sync"
)

// Merge is several streams as one: they are read at the same time, and their batches handed out one after the other. It ends
// when all have ended, or one has failed.
func Merge(streams ...Stream) Stream {
	if len(streams) == 1 {
		return streams[0]
	}
	return merged(streams)
}

type merged []Stream

func (m merged) Receive(ctx context.Context, handle func(context.Context, Batch) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var one sync.Mutex
	var running sync.WaitGroup
	errs := make([]error, len(m))
	for i, s := range m {
		running.Go(func() {
			errs[i] = s.Receive(ctx, func(ctx context.Context, b Batch) error {
				one.Lock()
				defer one.Unlock()
				if ctx.Err() != nil {
					return ctx.Err()
				}
				return handle(ctx, b)
			})
			if errs[i] != nil {
				stop()
			}
		})
	}
	running.Wait()
	return first(errs)
}

// first is what went wrong first: the others were told to stop because of it.
func first(errs []error) error {
	var stopped error
	var rest []error
	for _, err := range errs {
		if errors.Is(err, context.Canceled) {
			stopped = err
			continue
		}
		rest = append(rest, err)
	}
	if err := errors.Join(rest...); err != nil {
		return err
	}
	return stopped
}
