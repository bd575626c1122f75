// Package nats keeps events in partitions, each a stream of NATS JetStream with a leader of its own, from which workers read
// blocks of them, and what workers share: who reads which partition, and their checkpoints. Findings go to a stream of their
// own, each once.
//
// Everything that must hold when servers and workers die holds by JetStream's own means: a block has an id by which it is
// stored once, a checkpoint is replaced only by who read the last one (compare and set), and a partition is held by a key
// that runs out.
package nats

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// maxPartitions is how many partitions a log may have: each is a stream, and its replicas a group that votes.
const maxPartitions = 256

// minKeep is the shortest time that events may be kept.
const minKeep = time.Second

// Config is a log's place and shape, as a URL says them: nats://host1:4222,host2:4222/NAME?partitions=16&replicas=3.
// The shape counts when the log is made; an existing log keeps its own.
type Config struct {
	Servers    string
	Name       string
	Partitions int
	Replicas   int
	// Credentials is the path of a credentials file; "" for none.
	Credentials string
	// MaxAge is how long events are kept.
	MaxAge time.Duration
	// Lost is told of blocks of events that were deleted before they were read: those of a partition from one sequence number up
	// to another. Nil if nobody wants to know.
	Lost func(partition int, from, to uint64)
}

// ParseURL reads a log's URL.
func ParseURL(s string) (Config, error) {
	c := Config{Name: "drawbridge", Partitions: 16, Replicas: 1, MaxAge: 24 * time.Hour}
	bad := func(what string) (Config, error) {
		return c, fmt.Errorf("%q: %s; want nats://host:4222[,host:4222]/NAME?partitions=16&replicas=3&creds=FILE", s, what)
	}
	rest, ok := strings.CutPrefix(s, "nats://")
	if !ok {
		return bad("not a NATS URL")
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, name, _ := strings.Cut(rest, "/")
	if hosts == "" {
		return bad("no server")
	}
	var servers []string
	for _, h := range strings.Split(hosts, ",") {
		servers = append(servers, "nats://"+h)
	}
	c.Servers = strings.Join(servers, ",")
	if name != "" {
		c.Name = name
	}
	if strings.ContainsAny(c.Name, ".*> /\\") {
		return bad("the name holds a dot, a wildcard, a slash or a blank")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return bad(err.Error())
	}
	for key := range values {
		v := values.Get(key)
		n, numErr := strconv.Atoi(v)
		switch {
		case key == "creds":
			c.Credentials = v
		case key == "partitions" && numErr == nil && n > 0 && n <= maxPartitions:
			c.Partitions = n
		case key == "replicas" && numErr == nil && n > 0 && n <= 5:
			c.Replicas = n
		case key == "keep":
			if c.MaxAge, err = time.ParseDuration(v); err != nil || c.MaxAge < minKeep {
				return bad(fmt.Sprintf("keep=%s is no time of %s or more", v, minKeep))
			}
		default:
			return bad(fmt.Sprintf("%s=%s", key, v))
		}
	}
	return c, nil
}

// Log is an open log.
type Log struct {
	Config
	conn    *nats.Conn
	js      jetstream.JetStream
	states  jetstream.KeyValue
	owners  jetstream.KeyValue
	objects jetstream.ObjectStore
}

// ownerTTL is how long a partition stays with a worker that is gone.
const ownerTTL = 6 * time.Second

// reconnectWait is how long to wait before a server is tried again.
const reconnectWait = 200 * time.Millisecond

// ackWait is how long a publisher waits for a block to be stored before it sends it again, under the same id.
const ackWait = 3 * time.Second

// Open connects to a log and makes it, with its buckets and the stream of findings, where it is not there. The caller closes
// it.
func Open(ctx context.Context, c Config) (*Log, error) {
	options := []nats.Option{nats.Name("drawbridge"), nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait)}
	if c.Credentials != "" {
		options = append(options, nats.UserCredentials(c.Credentials))
	}
	conn, err := nats.Connect(c.Servers, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", c.Servers, err)
	}
	l := &Log{Config: c, conn: conn}
	if err := l.open(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("open the log %s on NATS: %w", c.Name, err)
	}
	return l, nil
}

func (l *Log) open(ctx context.Context) error {
	js, err := jetstream.New(l.conn, jetstream.WithPublishAsyncTimeout(ackWait), jetstream.WithPublishAsyncMaxPending(256))
	if err != nil {
		return err
	}
	l.js = js
	have, err := js.Stream(ctx, l.stream(0))
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		if err := l.make(ctx); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		info := have.CachedInfo().Config
		n, err := strconv.Atoi(info.Metadata["partitions"])
		if err != nil || n < 1 || n > maxPartitions {
			return fmt.Errorf("the stream %s is none of drawbridge's: it does not say how many partitions there are", l.stream(0))
		}
		l.Partitions, l.Replicas = n, info.Replicas
	}
	return l.buckets(ctx)
}

// make makes the partitions, the first one last: if it is there, all are.
func (l *Log) make(ctx context.Context) error {
	for n := l.Partitions - 1; n >= 0; n-- {
		_, err := l.js.CreateStream(ctx, jetstream.StreamConfig{
			Name: l.stream(n), Subjects: []string{l.subject(n)}, Replicas: l.Replicas, MaxAge: l.MaxAge, Duplicates: min(10*time.Minute, l.MaxAge),
			Storage: jetstream.FileStorage, Metadata: map[string]string{"partitions": strconv.Itoa(l.Partitions)},
		})
		if err != nil {
			return fmt.Errorf("make %s: %w", l.stream(n), err)
		}
	}
	return nil
}

// buckets opens what workers share. A finding is a subject of its own that takes one message: it is there once, however often
// it is told.
func (l *Log) buckets(ctx context.Context) (err error) {
	if l.states, err = l.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: l.Name + "-states", Replicas: l.Replicas, History: 1}); err != nil {
		return err
	}
	if l.owners, err = l.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: l.Name + "-owners", Replicas: l.Replicas, History: 1, TTL: ownerTTL}); err != nil {
		return err
	}
	if l.objects, err = l.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: l.Name + "-objects", Replicas: l.Replicas}); err != nil {
		return err
	}
	_, err = l.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: l.Name + "-findings", Subjects: []string{l.Name + ".findings.*"}, Replicas: l.Replicas, Storage: jetstream.FileStorage,
		MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
	})
	return err
}

// Size is the number of partitions.
func (l *Log) Size() int { return l.Partitions }

// Close ends the connection.
func (l *Log) Close() { l.conn.Close() }

// PartitionOf is the partition of all events of an account: what is joined is in one account, and so on one worker.
func (l *Log) PartitionOf(account string) int {
	h := fnv.New32a()
	h.Write([]byte(account))
	return int(h.Sum32() % uint32(l.Partitions)) //nolint:gosec // 2026-11: G115: 1 to maxPartitions
}

func (l *Log) stream(partition int) string {
	return l.Name + "-events-" + strconv.Itoa(partition)
}

func (l *Log) subject(partition int) string {
	return l.Name + ".events." + strconv.Itoa(partition)
}
