package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"drawbridge/internal/finding"
)

// Hold takes a partition for a worker, if nobody has it, until release is called. Its context is done when ctx is, or when the
// partition was lost. It is nil if somebody has it. Who holds a partition reads it; that two never save is the checkpoint's
// doing, not this one's.
func (l *Log) Hold(ctx context.Context, n int, worker string) (held context.Context, release context.CancelFunc, err error) {
	key := "p" + strconv.Itoa(n)
	revision, err := l.owners.Create(ctx, key, []byte(worker))
	if errors.Is(err, jetstream.ErrKeyExists) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("take partition %d: %w", n, err)
	}
	held, lost := context.WithCancel(ctx)
	mine, done := context.WithCancel(context.WithoutCancel(ctx)) // also while the last checkpoint is saved
	go func() {
		defer lost()
		l.renew(mine, key, worker, revision)
	}()
	return held, done, nil
}

// renew writes the key again before it runs out, until it cannot.
func (l *Log) renew(ctx context.Context, key, worker string, revision uint64) {
	tick := time.NewTicker(ownerTTL / 4)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			// Given back: the next worker need not wait.
			out, cancel := context.WithTimeout(context.WithoutCancel(ctx), ownerTTL/2)
			defer cancel()
			_ = l.owners.Delete(out, key, jetstream.LastRevision(revision)) // else it runs out
			return
		case <-tick.C:
		}
		short, cancel := context.WithTimeout(ctx, ownerTTL/4)
		next, err := l.owners.Update(short, key, []byte(worker), revision)
		cancel()
		switch {
		case err == nil:
			revision, last = next, time.Now()
		case time.Since(last) > ownerTTL*3/4:
			return
		default:
			// The answer may be lost and the key written: then its revision is ours to go on from.
			if e, err := l.owners.Get(ctx, key); err == nil && string(e.Value()) == worker {
				revision = e.Revision()
			}
		}
	}
}

// Announce keeps a worker's name among those that share the partitions until the context is done.
func (l *Log) Announce(ctx context.Context, worker string) error {
	if _, err := l.owners.Put(ctx, "w-"+worker, nil); err != nil {
		return fmt.Errorf("announce the worker %s: %w", worker, err)
	}
	go func() {
		tick := time.NewTicker(ownerTTL / 4)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				out, cancel := context.WithTimeout(context.WithoutCancel(ctx), ownerTTL/2)
				defer cancel()
				_ = l.owners.Delete(out, "w-"+worker) // else it runs out
				return
			case <-tick.C:
				_, _ = l.owners.Put(ctx, "w-"+worker, nil) // the next one does
			}
		}
	}()
	return nil
}

// Workers is how many workers share the partitions.
func (l *Log) Workers(ctx context.Context) (int, error) {
	keys, err := l.owners.ListKeysFiltered(ctx, "*")
	if err != nil {
		return 0, fmt.Errorf("count the workers: %w", err)
	}
	n := 0
	for key := range keys.Keys() {
		if strings.HasPrefix(key, "w-") {
			n++
		}
	}
	return n, nil
}

// Publish stores findings as JSON, each once: one with the fingerprint of another is there already.
func (l *Log) Publish(ctx context.Context, found []finding.Finding, encode func(finding.Finding) ([]byte, error)) error {
	for _, f := range found {
		data, err := encode(f)
		if err != nil {
			return err
		}
		for {
			_, err = l.js.Publish(ctx, l.Name+".findings."+f.Fingerprint, data, jetstream.WithMsgID(f.Fingerprint))
			var api *jetstream.APIError
			if err == nil || errors.As(err, &api) && strings.Contains(api.Description, there) {
				break
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !passes(err) {
				return fmt.Errorf("publish finding %s: %w", f.Fingerprint, err)
			}
		}
	}
	return nil
}

// there is how JetStream says that a subject has no room for another message: here, that the finding is there already. Its
// error code is that of every message that could not be stored.
const there = "maximum messages per subject exceeded"
