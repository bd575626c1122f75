package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"drawbridge/internal/event"
)

// Sender puts blocks of records into a log that workers share.
type Sender interface {
	// PartitionOf is the partition of all events of an account: what is joined is in one account, and so on one worker.
	PartitionOf(account string) int
	// Pack makes a message of a block, of which it keeps nothing. It is called for several at the same time.
	Pack(*Block) Message
	// Close ends the connection.
	Close()
}

// Message is a block as a log takes it.
type Message interface {
	// Send puts it on its way.
	Send(context.Context) error
	// Stored waits until it is stored for good. What fails and can pass is sent again: who waits loses nothing.
	Stored(context.Context) error
}

// Forwarded counts what was forwarded and is stored.
type Forwarded struct {
	Records, Bytes, Blocks, Unparsed int64
}

// blocksOpen is how many blocks may be filled at once. There are as many as partitions, and clusters in one batch, which whoever
// wrote the batch may name as he likes.
const blocksOpen = 128

// underWay is how many messages may be on their way at once.
const underWay = 64

// Forward puts the records of a stream into a log, each in the partition of its account and without credentials, and
// acknowledges a batch once all of it is stored; meanwhile it reads the next ones. The cluster is that of audit logs that do not
// say theirs. What is no record is handed to unparsed, and counted.
func Forward(ctx context.Context, from Stream, to Sender, cluster string, unparsed func(*event.Unparsed)) (Forwarded, error) {
	f := &forwarder{
		to: to, cluster: cluster, unparsed: unparsed, blocks: map[blockKey]*Block{},
		queue: make(chan *sending, runtime.GOMAXPROCS(0)), sent: make(chan *sending, underWay),
	}
	sending, reading := errgroup.WithContext(ctx)
	sending.Go(func() error { return f.send(reading) })
	sending.Go(func() error { return f.settle(reading) })
	err := from.Receive(reading, f.batch)
	close(f.queue)
	failed := sending.Wait()
	switch {
	case failed == nil:
	case err == nil || errors.Is(err, context.Canceled):
		err = failed
	default:
		err = errors.Join(err, failed)
	}
	return f.Forwarded, err
}

type blockKey struct {
	partition      int
	cluster, input string
}

// forwarder sorts records into blocks, and sends them in the order in which they are full.
type forwarder struct {
	Forwarded
	to       Sender
	cluster  string
	unparsed func(*event.Unparsed)
	blocks   map[blockKey]*Block
	// queue has what is to be sent, and sent what is on its way.
	queue, sent chan *sending
}

// sending is a block that is to be sent or on its way, or the end of a batch.
type sending struct {
	packed         chan struct{} // closed when message is there; nil at the end of a batch
	message        Message
	records, bytes int64
	done           func(context.Context) error // what to do at the end of a batch
}

// batch hands the blocks of a batch out, and behind them that it is done.
func (f *forwarder) batch(ctx context.Context, b Batch) error {
	defer b.Release() // blocks have copies
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
			if err := f.packAll(ctx); err != nil {
				return err
			}
			if b.Ack == nil {
				return nil
			}
			return hand(ctx, f.queue, &sending{done: b.Ack})
		case errors.As(err, &bad):
			f.Unparsed++
			f.unparsed(bad)
		default:
			return fmt.Errorf("read %s: %w", b.Input, err)
		}
	}
}

// add puts a record into the block of its partition. Blocks are of one batch, one input and one cluster.
func (f *forwarder) add(ctx context.Context, e *event.Event) error {
	c := e.Cluster()
	account := c.Account
	if e.Plane() == event.CloudTrail {
		account = cmp.Or(e.Field(event.RecipientAccount).String(), e.Actor().Account)
	}
	account = cmp.Or(account, c.Name)
	k := blockKey{partition: f.to.PartitionOf(account), input: e.Input()}
	if e.Plane() == event.Kubernetes {
		k.cluster = cmp.Or(c.ARN(), c.Name)
	}
	b := f.blocks[k]
	if b == nil {
		if len(f.blocks) == blocksOpen {
			if err := f.packAll(ctx); err != nil {
				return err
			}
		}
		k.cluster, k.input = strings.Clone(k.cluster), strings.Clone(k.input)
		b = newBlock(k, strings.Clone(account))
		f.blocks[k] = b
	}
	if b.add(e.Raw()) {
		return f.pack(ctx, k)
	}
	return nil
}

func (f *forwarder) packAll(ctx context.Context) error {
	for k := range f.blocks {
		if err := f.pack(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// pack has a block packed beside the next ones, and hands it out in its turn.
func (f *forwarder) pack(ctx context.Context, k blockKey) error {
	b := f.blocks[k]
	delete(f.blocks, k)
	s := &sending{packed: make(chan struct{}), records: int64(len(b.ends))}
	go func() {
		defer close(s.packed)
		b.redact()
		s.bytes = int64(len(b.Lines))
		s.message = f.to.Pack(b)
		blocks.Put(b)
	}()
	return hand(ctx, f.queue, s)
}

func hand(ctx context.Context, to chan<- *sending, s *sending) error {
	select {
	case to <- s:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *forwarder) send(ctx context.Context) error {
	defer close(f.sent)
	for s := range f.queue {
		if s.packed != nil {
			<-s.packed
			if err := s.message.Send(ctx); err != nil {
				return err
			}
		}
		if err := hand(ctx, f.sent, s); err != nil {
			return err
		}
	}
	return nil
}

// settle counts what is stored, and acknowledges batches of which nothing is on its way any more.
func (f *forwarder) settle(ctx context.Context) error {
	for s := range f.sent {
		if s.packed == nil {
			if err := s.done(ctx); err != nil {
				return err
			}
			continue
		}
		if err := s.message.Stored(ctx); err != nil {
			return err
		}
		f.Blocks++
		f.Records += s.records
		f.Bytes += s.bytes
	}
	return nil
}
