package kafka_test

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// start makes three brokers with a topic of events.
func start(t testing.TB, more ...kfake.Opt) (*kfake.Cluster, string) {
	t.Helper()
	c, err := kfake.NewCluster(append(more, kfake.NumBrokers(3), kfake.SeedTopics(partitions, "audit"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, "kafka://" + strings.Join(c.ListenAddrs(), ",") + "/audit"
}

// rough are brokers that break.
type rough struct {
	*kfake.Cluster

	ports []int // by node

	mu    sync.Mutex
	on    bool
	r     *rand.Rand
	conns map[net.Conn]bool
	// What was done to clients: connections cut before a request was carried out, after it and before its answer, answers that
	// are errors, requests without an answer, and brokers that were lost.
	refused, unanswered, failed, silent, lost int
}

func startRough(t testing.TB) (*rough, string) {
	b := &rough{r: rand.New(rand.NewPCG(9, 9)), conns: map[net.Conn]bool{}}
	c, url := start(t, kfake.ListenFn(func(network, address string) (net.Listener, error) {
		l, err := net.Listen(network, address)
		return listener{l, b}, err
	}))
	b.Cluster = c
	for _, addr := range c.ListenAddrs() {
		_, p, _ := net.SplitHostPort(addr)
		port, err := strconv.Atoi(p)
		if err != nil {
			t.Fatal(err)
		}
		b.ports = append(b.ports, port)
	}
	c.Control(b.control)
	return b, url
}

// breaks begins to break brokers, or ends it.
func (b *rough) breaks(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.on = on
}

func (b *rough) chance(in int) bool { return b.on && b.r.IntN(in) == 0 }

type listener struct {
	net.Listener
	b *rough
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	l.b.conns[c] = true
	return conn{c, l.b}, nil
}

type conn struct {
	net.Conn
	b *rough
}

// Write loses some answers, with their connections: what was asked for is done, and who asked does not know.
func (c conn) Write(p []byte) (int, error) {
	c.b.mu.Lock()
	lose := c.b.chance(200)
	if lose {
		c.b.unanswered++
	}
	c.b.mu.Unlock()
	if lose {
		_ = c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func (c conn) Close() error {
	c.b.mu.Lock()
	delete(c.b.conns, c.Conn)
	c.b.mu.Unlock()
	return c.Conn.Close()
}

// lose takes a broker away with all connections to it, and hands out what brings it back.
func (b *rough) lose(t testing.TB, node int) (back func()) {
	port := b.ports[node]
	if err := b.RemoveNode(int32(node)); err != nil {
		t.Error(err)
	}
	b.mu.Lock()
	b.lost++
	for c := range b.conns {
		if c.LocalAddr().(*net.TCPAddr).Port == port {
			_ = c.Close()
			delete(b.conns, c)
		}
	}
	b.mu.Unlock()
	return func() {
		if _, _, err := b.AddNode(int32(node), port); err != nil {
			t.Error(err)
		}
	}
}

// control refuses some requests.
func (b *rough) control(q kmsg.Request) (kmsg.Response, error, bool) {
	b.KeepControl()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.chance(200):
		b.refused++
		return nil, errors.New("cut"), true
	case b.silent < 2 && b.chance(400):
		b.silent++
		return nil, nil, true
	case b.chance(30):
		if answer := fault(b.r, q); answer != nil {
			b.failed++
			return answer, nil, true
		}
	}
	return nil, nil, false
}

func pick(r *rand.Rand, of ...*kerr.Error) int16 { return of[r.IntN(len(of))].Code }

// fault is an answer that says what brokers say when one of them is lost, loaded or slow; nil if there is none for a request.
func fault(r *rand.Rand, q kmsg.Request) kmsg.Response {
	coordinator := pick(r, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress)
	switch q := q.(type) {
	case *kmsg.ProduceRequest:
		a := q.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range q.Topics {
			at := kmsg.NewProduceResponseTopic()
			at.Topic, at.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				ap := kmsg.NewProduceResponseTopicPartition()
				ap.Partition, ap.ErrorCode = p.Partition, pick(r, kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicas, kerr.KafkaStorageError)
				at.Partitions = append(at.Partitions, ap)
			}
			a.Topics = append(a.Topics, at)
		}
		return a
	case *kmsg.FetchRequest:
		a := q.ResponseKind().(*kmsg.FetchResponse)
		a.ErrorCode = pick(r, kerr.FetchSessionIDNotFound)
		return a
	case *kmsg.FindCoordinatorRequest:
		a := q.ResponseKind().(*kmsg.FindCoordinatorResponse)
		a.ErrorCode = kerr.CoordinatorNotAvailable.Code
		for _, key := range q.CoordinatorKeys {
			one := kmsg.NewFindCoordinatorResponseCoordinator()
			one.Key, one.ErrorCode = key, kerr.CoordinatorNotAvailable.Code
			a.Coordinators = append(a.Coordinators, one)
		}
		return a
	case *kmsg.ListOffsetsRequest:
		a := q.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, t := range q.Topics {
			at := kmsg.NewListOffsetsResponseTopic()
			at.Topic = t.Topic
			for _, p := range t.Partitions {
				ap := kmsg.NewListOffsetsResponseTopicPartition()
				ap.Partition, ap.ErrorCode = p.Partition, pick(r, kerr.NotLeaderForPartition, kerr.LeaderNotAvailable)
				at.Partitions = append(at.Partitions, ap)
			}
			a.Topics = append(a.Topics, at)
		}
		return a
	case *kmsg.InitProducerIDRequest:
		a := q.ResponseKind().(*kmsg.InitProducerIDResponse)
		if a.ErrorCode = kerr.CoordinatorLoadInProgress.Code; q.TransactionalID != nil {
			a.ErrorCode = pick(r, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.ConcurrentTransactions)
		}
		return a
	case *kmsg.AddPartitionsToTxnRequest:
		a := q.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
		for _, t := range q.Topics {
			at := kmsg.NewAddPartitionsToTxnResponseTopic()
			at.Topic = t.Topic
			for _, p := range t.Partitions {
				ap := kmsg.NewAddPartitionsToTxnResponseTopicPartition()
				ap.Partition, ap.ErrorCode = p, pick(r, kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator)
				at.Partitions = append(at.Partitions, ap)
			}
			a.Topics = append(a.Topics, at)
		}
		return a
	case *kmsg.EndTxnRequest:
		a := q.ResponseKind().(*kmsg.EndTxnResponse)
		a.ErrorCode = coordinator
		return a
	case *kmsg.JoinGroupRequest:
		a := q.ResponseKind().(*kmsg.JoinGroupResponse)
		a.ErrorCode = coordinator
		return a
	case *kmsg.SyncGroupRequest:
		a := q.ResponseKind().(*kmsg.SyncGroupResponse)
		a.ErrorCode = coordinator
		return a
	case *kmsg.HeartbeatRequest:
		a := q.ResponseKind().(*kmsg.HeartbeatResponse)
		a.ErrorCode = coordinator
		return a
	}
	return nil
}
