package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"drawbridge/internal/finding"
)

// part is a partition that the group gave to this worker.
type part struct {
	ctx  context.Context // until the group takes it away
	lost context.CancelFunc
	// released is closed when nobody here reads it; nil if nobody does.
	released chan struct{}
}

// sessionWait is how long partitions stay with a worker that is gone. Brokers take six seconds or more unless they are told
// otherwise.
const sessionWait = 8 * time.Second

// Announce joins the consumer group until the context is done. Nothing is read by it: the group only says who reads what.
func (l *Log) Announce(ctx context.Context, worker string) error {
	client, err := kgo.NewClient(append(l.options[:len(l.options):len(l.options)], kgo.ClientID("drawbridge-"+worker), kgo.ConsumerGroup(l.Group),
		kgo.ConsumeTopics(l.Topic), kgo.DisableAutoCommit(), kgo.SessionTimeout(sessionWait), kgo.HeartbeatInterval(sessionWait/8), kgo.OnPartitionsAssigned(l.assigned), kgo.OnPartitionsRevoked(l.revoked),
		kgo.OnPartitionsLost(l.revoked))...)
	if err != nil {
		return fmt.Errorf("join the group %s as %s: %w", l.Group, worker, err)
	}
	client.PauseFetchTopics(l.Topic)
	context.AfterFunc(ctx, client.Close)
	return nil
}

func (l *Log) assigned(ctx context.Context, client *kgo.Client, given map[string][]int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range given[l.Topic] {
		p := &part{}
		p.ctx, p.lost = context.WithCancel(client.Context())
		l.parts[n] = p
	}
}

// revoked takes partitions away. The group waits for it, and it for the last checkpoint: whoever gets the partition goes on
// from there.
func (l *Log) revoked(ctx context.Context, _ *kgo.Client, taken map[string][]int32) {
	var wait []chan struct{}
	l.mu.Lock()
	for _, n := range taken[l.Topic] {
		if p := l.parts[n]; p != nil {
			delete(l.parts, n)
			p.lost()
			if p.released != nil {
				wait = append(wait, p.released)
			}
		}
	}
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	for _, released := range wait {
		select {
		case <-released:
		case <-ctx.Done():
			return // the checkpoint's fence holds in any case
		}
	}
}

// Hold takes a partition that the group gave to this worker, until release is called. Its context is done when ctx is, or when
// the group takes the partition away. It is nil if the group gave it to somebody else.
func (l *Log) Hold(ctx context.Context, n int, _ string) (held context.Context, release context.CancelFunc, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.parts[int32(n)] //nolint:gosec // 2026-11: G115: below Size
	if p == nil || p.released != nil || p.ctx.Err() != nil {
		return nil, nil, nil
	}
	released := make(chan struct{})
	p.released = released
	held, cancel := context.WithCancel(ctx)
	detach := context.AfterFunc(p.ctx, cancel)
	return held, func() {
		detach()
		cancel()
		l.mu.Lock()
		defer l.mu.Unlock()
		if p.released == released {
			p.released = nil
			close(released)
		}
	}, nil
}

// Workers is 1: the group has shared the partitions out already, and each worker takes all that it was given.
func (l *Log) Workers(context.Context) (int, error) { return 1, nil }

// Publish stores findings as JSON by their fingerprints. One that is told again is stored again: compaction leaves one, and
// who reads them before knows it by its key.
func (l *Log) Publish(ctx context.Context, found []finding.Finding, encode func(finding.Finding) ([]byte, error)) error {
	var records []*kgo.Record
	for _, f := range found {
		data, err := encode(f)
		if err != nil {
			return err
		}
		records = append(records, &kgo.Record{Topic: l.findings(), Key: []byte(f.Fingerprint), Value: data})
	}
	if err := l.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("publish %d findings to %s: %w", len(found), l.findings(), err)
	}
	return nil
}
