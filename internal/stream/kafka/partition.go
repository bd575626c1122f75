package kafka

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"drawbridge/internal/stream"
)

// headerCluster is the header of a record that names the cluster whose audit log it is of, by name or ARN.
const headerCluster = "cluster"

// free does nothing: the bytes are not used again, so the next record may be handed out before one is done with.
func free() {}

// partition is one partition as a stream: records in their order, from a position on, without end.
type partition struct {
	log  *Log
	n    int32
	from int64 // -1: the beginning
}

// Stream is a partition from its checkpoint on.
func (l *Log) Stream(n int, c *stream.Checkpoint) stream.Stream {
	p := &partition{log: l, n: int32(n), from: -1} //nolint:gosec // 2026-11: G115: below Size
	if at, err := strconv.ParseInt(c.Positions[p.input()], 10, 64); err == nil {
		p.from = at
	}
	return p
}

func (p *partition) input() string { return p.log.Topic + "/" + strconv.Itoa(int(p.n)) }

// Receive implements [stream.Stream]. Every record is a batch of its own, so that one that is broken spoils no other. A broker
// that is lost is waited for.
func (p *partition) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	from, err := p.start(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", p.input(), err)
	}
	client, err := p.log.reader(p.log.Topic, p.n, from)
	if err != nil {
		return fmt.Errorf("read %s: %w", p.input(), err)
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("read %s: %w", p.input(), e.Err)
		}
		var newest int64
		fetches.EachPartition(func(f kgo.FetchTopicPartition) { newest = f.HighWatermark })
		for _, r := range fetches.Records() {
			left := &stream.Backlog{Messages: max(0, newest-r.Offset-1), Behind: -1}
			b := stream.Batch{Input: p.input(), Position: strconv.FormatInt(r.Offset+1, 10), Backlog: left, Body: bytes.NewBuffer(r.Value), Free: free}
			for _, h := range r.Headers {
				if h.Key == headerCluster {
					b.Cluster = string(h.Value)
				}
			}
			if err := handle(ctx, b); err != nil {
				return err
			}
		}
	}
}

// start is where to read from: what Kafka has deleted is told, and passed over.
func (p *partition) start(ctx context.Context) (int64, error) {
	begin, err := p.log.offset(ctx, p.log.Topic, p.n, -2)
	if err != nil || p.from >= begin {
		return p.from, err
	}
	if p.from >= 0 && p.log.Lost != nil {
		p.log.Lost(int(p.n), p.from, begin)
	}
	return begin, nil
}

// reader is a client that reads one partition, and no more than what is committed.
func (l *Log) reader(topic string, n int32, from int64, more ...kgo.Opt) (*kgo.Client, error) {
	options := append(l.options[:len(l.options):len(l.options)], kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {n: kgo.NewOffset().At(from)}}))
	return kgo.NewClient(append(options, more...)...)
}
