package nats

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/nats-io/nats.go/jetstream"

	"drawbridge/internal/stream"
)

// partition is one partition as a stream: blocks in the order of their storing, from a position on, without end.
type partition struct {
	log  *Log
	n    int
	next uint64 // sequence number
}

// Stream is a partition from its checkpoint on.
func (l *Log) Stream(n int, c *stream.Checkpoint) stream.Stream {
	after, _ := strconv.ParseUint(c.Positions[l.subject(n)], 10, 64)
	return &partition{log: l, n: n, next: after + 1}
}

// Receive implements [stream.Stream]. An ordered consumer goes on where it was when a server is lost.
func (p *partition) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	subject := p.log.subject(p.n)
	messages, err := p.messages(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", subject, err)
	}
	defer context.AfterFunc(ctx, messages.Stop)()
	defer messages.Stop()
	for {
		m, err := messages.Next()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, jetstream.ErrNoHeartbeat) {
			continue // the consumer is made anew by the library
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", subject, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read %s: %w", subject, err)
		}
		p.reach(meta.Sequence.Stream)
		b := stream.Batch{Input: subject, Position: strconv.FormatUint(meta.Sequence.Stream, 10), Backlog: backlog(meta), Cluster: m.Headers().Get(headerCluster)}
		unpack(&b, m.Data())
		if err := handle(ctx, b); err != nil {
			return err
		}
		p.next = meta.Sequence.Stream + 1
	}
}

// unpacked has room for blocks that are being read.
var unpacked = sync.Pool{New: func() any { return new([]byte) }}

// longestBlock is more than a block has, with one record that is as long as records may be. Whoever may write to the log could else
// say of a few bytes that they are gigabytes.
const longestBlock = 64 << 20

// unpack gives a batch its bytes. If they are no block of ours, the decoder counts them as unparsed.
func unpack(b *stream.Batch, data []byte) {
	room := unpacked.Get().(*[]byte)
	b.Free = func() { unpacked.Put(room) }
	if n, err := s2.DecodedLen(data); err == nil && n <= longestBlock {
		if block, err := s2.Decode((*room)[:cap(*room)], data); err == nil {
			*room, data = block, block
		}
	}
	b.Body = bytes.NewBuffer(data)
}

// backlog is how many blocks of the partition are still to come.
func backlog(m *jetstream.MsgMetadata) *stream.Backlog {
	return &stream.Backlog{Messages: int64(m.NumPending), Behind: -1} //nolint:gosec // 2026-11: G115: a number of messages
}

// messages are those from the position on.
func (p *partition) messages(ctx context.Context) (jetstream.MessagesContext, error) {
	s, err := p.log.js.Stream(ctx, p.log.stream(p.n))
	if err != nil {
		return nil, err
	}
	p.reach(s.CachedInfo().State.FirstSeq)
	consumer, err := s.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: p.next})
	if err != nil {
		return nil, err
	}
	return consumer.Messages(jetstream.PullMaxBytes(32<<20), jetstream.PullHeartbeat(time.Second))
}

// reach goes on to a sequence number: those that a partition has are without gaps, but for what was deleted.
func (p *partition) reach(sequence uint64) {
	if sequence <= p.next {
		return
	}
	if p.log.Lost != nil {
		p.log.Lost(p.n, p.next, sequence)
	}
	p.next = sequence
}

// store keeps a partition's checkpoint under a key, and what is too big for one in an object that the key names.
type store struct {
	log      *Log
	key      string
	revision uint64
	object   string
}

// Store keeps the checkpoints of a partition.
func (l *Log) Store(n int) stream.Store { return &store{log: l, key: "p" + strconv.Itoa(n)} }

// record is a checkpoint as the key holds it: itself, or the name of its object.
type record struct {
	Data   []byte
	Object string
}

// valueLimit is the largest checkpoint that the key holds itself; servers take messages of a megabyte.
const valueLimit = 512 << 10

// Load implements [stream.Store].
func (s *store) Load(ctx context.Context) (*stream.Checkpoint, error) {
	c := &stream.Checkpoint{}
	entry, err := s.log.states.Get(ctx, s.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		s.revision = 0
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("load the checkpoint %s: %w", s.key, err)
	}
	var r record
	if err := gob.NewDecoder(bytes.NewReader(entry.Value())).Decode(&r); err != nil {
		return nil, fmt.Errorf("load the checkpoint %s: %w", s.key, err)
	}
	s.revision, s.object = entry.Revision(), r.Object
	if r.Object != "" {
		if r.Data, err = s.log.objects.GetBytes(ctx, r.Object); err != nil {
			return nil, fmt.Errorf("load the checkpoint %s: %w", s.key, err)
		}
	}
	unpack, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer unpack.Close()
	data, err := unpack.DecodeAll(r.Data, nil)
	if err != nil {
		return nil, fmt.Errorf("load the checkpoint %s: %w", s.key, err)
	}
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(c); err != nil {
		return nil, fmt.Errorf("load the checkpoint %s: %w", s.key, err)
	}
	return c, nil
}

// Save implements [stream.Store]: it replaces the checkpoint that this store loaded or saved last, and no other.
func (s *store) Save(ctx context.Context, c *stream.Checkpoint) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(c); err != nil {
		return err
	}
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return err
	}
	r := record{Data: pack.EncodeAll(b.Bytes(), nil)}
	if len(r.Data) > valueLimit {
		r.Object = fmt.Sprintf("%s.%d.%d", s.key, s.revision, time.Now().UnixNano())
		if _, err := s.log.objects.PutBytes(ctx, r.Object, r.Data); err != nil {
			return fmt.Errorf("store %s: %w", r.Object, err)
		}
		r.Data = nil
	}
	b.Reset()
	if err := gob.NewEncoder(&b).Encode(r); err != nil {
		return err
	}
	if err := s.replace(ctx, b.Bytes()); err != nil {
		if r.Object != "" {
			err = errors.Join(err, s.log.objects.Delete(context.WithoutCancel(ctx), r.Object))
		}
		return err
	}
	if old := s.object; old != "" && old != r.Object {
		if err := s.log.objects.Delete(ctx, old); err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
			return fmt.Errorf("remove the old checkpoint %s: %w", old, err)
		}
	}
	s.object = r.Object
	return nil
}

// replace is the compare and set. An answer that was lost leaves open whether the value was written: the key tells.
func (s *store) replace(ctx context.Context, value []byte) error {
	for {
		var revision uint64
		var err error
		if s.revision == 0 {
			revision, err = s.log.states.Create(ctx, s.key, value)
		} else {
			revision, err = s.log.states.Update(ctx, s.key, value, s.revision)
		}
		if err == nil {
			s.revision = revision
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		entry, getErr := s.log.states.Get(ctx, s.key)
		switch {
		case errors.Is(getErr, jetstream.ErrKeyNotFound) && s.revision == 0:
		case getErr != nil && ctx.Err() != nil:
			return ctx.Err()
		case getErr != nil:
		case bytes.Equal(entry.Value(), value):
			s.revision = entry.Revision()
			return nil
		case entry.Revision() != s.revision:
			return stream.ErrFenced
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
