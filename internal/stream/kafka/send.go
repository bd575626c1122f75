package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"drawbridge/internal/stream"
)

const (
	// oneBatch is how much is sent in one piece, before it is packed: a broker takes a megabyte of it, packed, unless it is
	// told otherwise.
	oneBatch = 1_000_000
	// longest is above the longest block: one record, of the longest that are read.
	longest = 32 << 20
)

// Sender puts blocks into a topic. It needs nothing but to write there.
type Sender struct {
	Config
	size  int
	keyed kgo.TopicPartitioner
	// some sends a few blocks together; one sends those that are long, each for itself, so that what is packed is as small as
	// can be.
	some, one *kgo.Client
}

// OpenSender connects to a topic, which must be there, to fill it. The caller closes the sender.
func OpenSender(ctx context.Context, c Config) (*Sender, error) {
	options, err := c.connection()
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	// What is sent is stored by all replicas in sync, and once, and tried without end.
	options = append(options, kgo.RequiredAcks(kgo.AllISRAcks()), kgo.UnknownTopicRetries(-1), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.ZstdCompression().WithLevel(1), kgo.SnappyCompression()))
	options = options[:len(options):len(options)]
	s := &Sender{Config: c, keyed: kgo.StickyKeyPartitioner(nil).ForTopic(c.Topic)}
	if s.some, err = kgo.NewClient(options...); err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	if s.one, err = kgo.NewClient(append(options, kgo.ProducerBatchMaxBytes(longest), kgo.MaxBufferedRecords(1))...); err != nil {
		s.some.Close()
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	if s.size, err = partitions(ctx, s.some, c.Topic, false); err != nil {
		s.Close()
		return nil, fmt.Errorf("open the topic %s on Kafka at %s: %w", c.Topic, strings.Join(c.Brokers, ","), err)
	}
	return s, nil
}

// PartitionOf implements [stream.Sender]: it is the partition in which Java's clients, too, put a record with this key.
func (s *Sender) PartitionOf(account string) int {
	return s.keyed.Partition(&kgo.Record{Key: []byte(account)}, s.size)
}

// message is a block that is to be sent or on its way.
type message struct {
	client *kgo.Client
	record *kgo.Record
	stored chan error
}

// room has room for blocks.
var room = sync.Pool{New: func() any { return new([]byte) }}

// Pack implements [stream.Sender]. The record is as plain as those that others write; the client compresses it.
func (s *Sender) Pack(b *stream.Block) stream.Message {
	value := room.Get().(*[]byte)
	r := &kgo.Record{
		Topic: s.Topic, Partition: int32(b.Partition), //nolint:gosec // 2026-11: G115: below size
		Key: []byte(b.Account), Value: append((*value)[:0], b.Lines...),
	}
	if b.Cluster != "" {
		r.Headers = []kgo.RecordHeader{{Key: headerCluster, Value: []byte(b.Cluster)}}
	}
	m := &message{client: s.some, record: r, stored: make(chan error, 1)}
	if len(r.Value) > oneBatch-1024 {
		m.client = s.one
	}
	return m
}

// Send implements [stream.Message].
func (m *message) Send(ctx context.Context) error {
	m.client.Produce(ctx, m.record, func(_ *kgo.Record, err error) { m.stored <- err })
	return nil
}

// Stored implements [stream.Message].
func (m *message) Stored(ctx context.Context) error {
	select {
	case err := <-m.stored:
		switch {
		case err == nil:
			room.Put(&m.record.Value)
			return nil
		case errors.Is(err, kerr.MessageTooLarge):
			err = fmt.Errorf("%w: give the topic a greater max.message.bytes", err)
		}
		return fmt.Errorf("store a block in %s/%d: %w", m.record.Topic, m.record.Partition, err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close implements [stream.Sender].
func (s *Sender) Close() {
	s.some.Close()
	s.one.Close()
}
