package nats

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"drawbridge/internal/event"
	"drawbridge/internal/stream"
)

// The headers of a block.
const (
	headerCluster = "Drawbridge-Cluster"
	headerInput   = "Drawbridge-Input"
)

// blockSize is how many bytes of records are sent at once: a message of half a megabyte costs little more than one of a
// record. A server takes a megabyte unless it is told otherwise.
const blockSize = 512 << 10

// Forwarded counts what was forwarded.
type Forwarded struct {
	Records, Bytes, Blocks, Unparsed int64
}

// Forward puts the records of a stream into the log, each in the partition of its account and without credentials, and
// acknowledges a batch once all of it is stored. What is no record is handed to unparsed, and counted.
func (l *Log) Forward(ctx context.Context, s stream.Stream, cluster string, unparsed func(*event.Unparsed)) (Forwarded, error) {
	f := &forwarder{log: l, blocks: map[blockKey][]byte{}, unparsed: unparsed}
	err := s.Receive(ctx, func(ctx context.Context, b stream.Batch) error {
		if b.Cluster == "" {
			b.Cluster = cluster
		}
		if err := f.batch(ctx, b); err != nil {
			return err
		}
		if b.Ack != nil {
			return b.Ack(ctx)
		}
		return nil
	})
	return f.Forwarded, err
}

type blockKey struct {
	partition      int
	cluster, input string
}

type forwarder struct {
	Forwarded
	log      *Log
	blocks   map[blockKey][]byte
	sent     []sending
	unparsed func(*event.Unparsed)
	// free has room for blocks, and packed for what was sent and is stored: blocks are big, and making them anew costs more
	// than filling them.
	free, packed [][]byte
}

// sending is a block that is on its way.
type sending struct {
	msg *nats.Msg
	ack jetstream.PubAckFuture
}

func (f *forwarder) batch(ctx context.Context, b stream.Batch) error {
	d := event.NewDecoder(b.Body, event.Options{Input: b.Input, Cluster: b.Cluster})
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
			return f.stored(ctx, 0)
		case errors.As(err, &bad):
			f.Unparsed++
			f.unparsed(bad)
		default:
			return fmt.Errorf("read %s: %w", b.Input, err)
		}
	}
}

// add puts a record into the block of its partition. Blocks are of one input and one cluster, which their headers say.
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
	block, ok := f.blocks[k]
	if !ok {
		block = room(&f.free, blockSize+blockSize/8)
		k.cluster, k.input = strings.Clone(k.cluster), strings.Clone(k.input)
	}
	before := len(block)
	block = append(event.Redact(block, e.Raw()), '\n')
	f.blocks[k] = block
	f.Records++
	f.Bytes += int64(len(block) - before)
	if len(block) >= blockSize {
		return f.send(ctx, k)
	}
	return nil
}

// room takes a slice from those that are free, an empty one of at least size.
func room(free *[][]byte, size int) []byte {
	if n := len(*free); n > 0 && cap((*free)[n-1]) >= size {
		b := (*free)[n-1]
		*free = (*free)[:n-1]
		return b[:0]
	}
	return make([]byte, 0, size)
}

// send publishes a block under an id that its content decides: sent again, it is stored once.
func (f *forwarder) send(ctx context.Context, k blockKey) error {
	block := f.blocks[k]
	delete(f.blocks, k)
	sum := sha256.Sum256(block)
	msg := nats.NewMsg(f.log.subject(k.partition))
	msg.Header.Set(nats.MsgIdHdr, hex.EncodeToString(sum[:16]))
	msg.Header.Set(headerCluster, k.cluster)
	msg.Header.Set(headerInput, k.input)
	size := s2.MaxEncodedLen(len(block))
	msg.Data = s2.Encode(room(&f.packed, size)[:size], block)
	f.free = append(f.free, block)
	f.Blocks++
	ack, err := f.log.js.PublishMsgAsync(msg)
	if err != nil {
		return fmt.Errorf("publish to %s: %w", msg.Subject, err)
	}
	f.sent = append(f.sent, sending{msg, ack})
	return f.stored(ctx, 128)
}

// stored waits until no more than so many blocks are on their way. A block whose storing was not confirmed is sent again.
func (f *forwarder) stored(ctx context.Context, most int) error {
	for len(f.sent) > most {
		s := f.sent[0]
		f.sent = f.sent[1:]
		select {
		case <-s.ack.Ok():
			f.packed = append(f.packed, s.msg.Data)
		case err := <-s.ack.Err():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if passes(err) {
				ack, err := f.log.js.PublishMsgAsync(s.msg)
				if err != nil {
					return fmt.Errorf("publish to %s again: %w", s.msg.Subject, err)
				}
				f.sent = append(f.sent, sending{s.msg, ack})
				continue
			}
			return fmt.Errorf("store a block in %s: %w", s.msg.Subject, err)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// passes says whether an error can pass by itself: a lost connection, a stream without a leader or that is being moved, an
// answer that did not come. A full disk is refused as such a stream is, and passes when there is room: a forwarder that
// waits loses nothing.
func passes(err error) bool {
	for _, soon := range []error{
		jetstream.ErrNoStreamResponse, jetstream.ErrAsyncPublishTimeout, nats.ErrNoResponders, nats.ErrDisconnected,
		nats.ErrConnectionReconnecting, nats.ErrStaleConnection, nats.ErrTimeout, context.DeadlineExceeded,
	} {
		if errors.Is(err, soon) {
			return true
		}
	}
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.Code == 503 || api.Code == 500)
}
