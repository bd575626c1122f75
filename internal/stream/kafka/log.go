// Package kafka keeps events in a Kafka topic that others fill, from whose partitions workers read, and what workers share:
// who reads which partition, which a consumer group decides, and their checkpoints.
//
// Where a partition's reader stands is in its checkpoint, together with its state, and not in the group: an offset that was
// committed says nothing of the state. Checkpoints lie in a compacted topic and are written in transactions. Who loads one
// fences all others: Kafka refuses what they write from then on. What is joined must be in one partition, so whoever fills
// the topic gives records of one account one key.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Log is an open log.
type Log struct {
	Config
	options []kgo.Opt
	client  *kgo.Client
	size    int

	mu     sync.Mutex
	stores map[int]*store
	parts  map[int32]*part // that the group gave to this worker
}

// answerWait bounds what is asked of Kafka aside from reading.
const answerWait = 30 * time.Second

// Open connects to a log, which must be there, and makes the topics of checkpoints and findings where they are not. The
// caller closes it.
func Open(ctx context.Context, c Config) (*Log, error) {
	options, err := c.connection()
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("connect to Kafka: %w", err)
	}
	l := &Log{Config: c, options: options, client: client, stores: map[int]*store{}, parts: map[int32]*part{}}
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	if err := l.open(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("open the log %s on Kafka at %s: %w", c.Topic, strings.Join(c.Brokers, ","), err)
	}
	return l, nil
}

func (l *Log) open(ctx context.Context) (err error) {
	if l.size, err = partitions(ctx, l.client, l.Topic, false); err != nil {
		return err
	}
	// A checkpoint a few seconds old is worth nothing: small segments let Kafka forget it soon.
	n, err := l.need(ctx, l.states(), l.size, map[string]string{"cleanup.policy": "compact", "segment.ms": "600000", "min.cleanable.dirty.ratio": "0.1"})
	if err == nil && n < l.size {
		err = fmt.Errorf("%s has %d partitions and %s %d: give it as many", l.states(), n, l.Topic, l.size)
	}
	if err != nil {
		return err
	}
	_, err = l.need(ctx, l.findings(), -1, map[string]string{"cleanup.policy": "compact"})
	return err
}

// need makes a topic if it is not there. Who may not make topics finds them made.
func (l *Log) need(ctx context.Context, topic string, size int, config map[string]string) (int, error) {
	n, err := partitions(ctx, l.client, topic, false)
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return n, err
	}
	if err := l.make(ctx, topic, size, config); err != nil {
		return 0, err
	}
	return partitions(ctx, l.client, topic, true)
}

func (l *Log) states() string   { return l.Topic + "-" + l.Group + "-states" }
func (l *Log) findings() string { return l.Topic + "-" + l.Group + "-findings" }

// partitions is how many partitions a topic has. One that was just made is not known to every broker, and waited for.
func partitions(ctx context.Context, client *kgo.Client, topic string, made bool) (int, error) {
	for {
		request := kmsg.NewPtrMetadataRequest()
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topic
		request.Topics = append(request.Topics, t)
		answer, err := request.RequestWith(ctx, client)
		if err != nil {
			return 0, err
		}
		if len(answer.Topics) != 1 {
			return 0, fmt.Errorf("the topic %s: Kafka tells of %d topics", topic, len(answer.Topics))
		}
		err = kerr.ErrorForCode(answer.Topics[0].ErrorCode)
		if err == nil {
			return len(answer.Topics[0].Partitions), nil
		}
		if !kerr.IsRetriable(err) || !made && errors.Is(err, kerr.UnknownTopicOrPartition) {
			return 0, fmt.Errorf("the topic %s: %w", topic, err)
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("the topic %s: %w", topic, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// make makes a topic, if nobody else did meanwhile, with as many replicas as the brokers make by default.
func (l *Log) make(ctx context.Context, topic string, partitions int, config map[string]string) error {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, int32(partitions), -1 //nolint:gosec // 2026-11: G115: from Kafka's own int32
	for name, value := range config {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = name, &value
		t.Configs = append(t.Configs, c)
	}
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Topics = append(request.Topics, t)
	answer, err := request.RequestWith(ctx, l.client)
	if err == nil && len(answer.Topics) == 1 {
		err = kerr.ErrorForCode(answer.Topics[0].ErrorCode)
	}
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("make the topic %s: %w", topic, err)
	}
	return nil
}

// offset is where a partition begins (-2) or ends (-1), for those who read what is committed.
func (l *Log) offset(ctx context.Context, topic string, n int32, at int64) (int64, error) {
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp = n, at
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	request := kmsg.NewPtrListOffsetsRequest()
	request.IsolationLevel, request.Topics = 1, append(request.Topics, t)
	answer, err := request.RequestWith(ctx, l.client)
	if err == nil && (len(answer.Topics) != 1 || len(answer.Topics[0].Partitions) != 1) {
		err = errors.New("no answer")
	}
	if err == nil {
		err = kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		return 0, fmt.Errorf("where %s/%d stands: %w", topic, n, err)
	}
	return answer.Topics[0].Partitions[0].Offset, nil
}

// Size is the number of partitions.
func (l *Log) Size() int { return l.size }

// Close ends the connections.
func (l *Log) Close() {
	l.mu.Lock()
	stores := l.stores
	l.stores = map[int]*store{}
	l.mu.Unlock()
	for _, s := range stores {
		s.close()
	}
	l.client.Close()
}
