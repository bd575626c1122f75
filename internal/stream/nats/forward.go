package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"drawbridge/internal/event"
	"drawbridge/internal/stream"
)

// Forwarded counts what was forwarded and is stored.
type Forwarded struct {
	Records, Bytes, Blocks, Unparsed int64
}

// Forward puts the records of a stream into the log, each in the partition of its account and without credentials, and
// acknowledges a batch once all of it is stored; meanwhile it reads the next ones. What is no record is handed to unparsed, and
// counted.
func (l *Log) Forward(ctx context.Context, s stream.Stream, cluster string, unparsed func(*event.Unparsed)) (Forwarded, error) {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	f := &forwarder{log: l, cluster: cluster, unparsed: unparsed, blocks: map[blockKey]*block{}}
	out := newSender(l)
	f.out = out.queue
	stored := make(chan error, 1)
	go func() {
		stored <- out.run(ctx)
		stop()
	}()
	err := s.Receive(reading, f.batch)
	close(out.queue)
	failed := <-stored
	switch {
	case failed == nil:
	case err == nil || errors.Is(err, context.Canceled):
		err = failed
	default:
		err = errors.Join(err, failed)
	}
	out.Unparsed = f.unreadable
	return out.Forwarded, err
}

type blockKey struct {
	partition      int
	cluster, input string
}

// forwarder sorts records into blocks.
type forwarder struct {
	log        *Log
	cluster    string
	unparsed   func(*event.Unparsed)
	unreadable int64
	blocks     map[blockKey]*block
	out        chan<- *sending
}

// batch hands the blocks of a batch out, and behind them that it is done.
func (f *forwarder) batch(ctx context.Context, b stream.Batch) error {
	d := event.NewDecoder(b.Body, event.Options{Input: b.Input, Cluster: cmp.Or(b.Cluster, f.cluster)})
	var e event.Event
	for {
		err := d.Next(&e)
		var bad *event.Unparsed
		switch {
		case err == nil:
			if err := f.add(ctx, &e); err != nil {
				return err
			}
		case errors.Is(err, io.EOF):
			for k := range f.blocks {
				if err := f.send(ctx, k); err != nil {
					return err
				}
			}
			if b.Ack == nil {
				return nil
			}
			return f.hand(ctx, &sending{done: b.Ack})
		case errors.As(err, &bad):
			f.unreadable++
			f.unparsed(bad)
		default:
			return fmt.Errorf("read %s: %w", b.Input, err)
		}
	}
}

// add puts a record into the block of its partition. Blocks are of one batch, one input and one cluster, which their headers
// say.
func (f *forwarder) add(ctx context.Context, e *event.Event) error {
	c := e.Cluster()
	account := c.Account
	if e.Plane() == event.CloudTrail {
		account = cmp.Or(e.Field(event.RecipientAccount).String(), e.Actor().Account)
	}
	k := blockKey{partition: f.log.PartitionOf(cmp.Or(account, c.Name)), input: e.Input()}
	if e.Plane() == event.Kubernetes {
		k.cluster = cmp.Or(c.ARN(), c.Name)
	}
	b := f.blocks[k]
	if b == nil {
		b = newBlock()
		k.cluster, k.input = strings.Clone(k.cluster), strings.Clone(k.input)
		f.blocks[k] = b
	}
	if b.add(e.Raw()) {
		return f.send(ctx, k)
	}
	return nil
}

// send has a block packed beside the next ones, and hands it out in its turn.
func (f *forwarder) send(ctx context.Context, k blockKey) error {
	b := f.blocks[k]
	delete(f.blocks, k)
	s := &sending{packed: make(chan struct{})}
	go s.pack(b, f.log.subject(k.partition), k.cluster, k.input)
	return f.hand(ctx, s)
}

func (f *forwarder) hand(ctx context.Context, s *sending) error {
	select {
	case f.out <- s:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
