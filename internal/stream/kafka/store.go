package kafka

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"drawbridge/internal/stream"
)

// chunkSize is how much of a checkpoint a record holds; brokers take records of a megabyte unless they are told otherwise.
const chunkSize = 512 << 10

// The headers of a chunk: the checkpoint that it is of, and how many chunks that has. Its key is its number.
const (
	headerCheckpoint = "checkpoint"
	headerChunks     = "chunks"
)

// store keeps a partition's checkpoint in the partition of the same number of the topic of checkpoints, in one transaction
// each.
type store struct {
	log *Log
	n   int32

	mu     sync.Mutex
	client *kgo.Client // the fence: from Load on
	chunks int         // of the last checkpoint
}

// Store keeps the checkpoints of a partition.
func (l *Log) Store(n int) stream.Store {
	return &store{log: l, n: int32(n)} //nolint:gosec // 2026-11: G115: below Size
}

// Load implements [stream.Store]. It also makes Kafka refuse whatever another one that loaded this checkpoint wants to save.
func (s *store) Load(ctx context.Context) (*stream.Checkpoint, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*answerWait)
	defer cancel()
	c, err := s.load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the checkpoint of %s/%d: %w", s.log.Topic, s.n, err)
	}
	return c, nil
}

func (s *store) load(ctx context.Context) (*stream.Checkpoint, error) {
	if err := s.fence(ctx); err != nil {
		return nil, err
	}
	packed, chunks, err := s.log.checkpoint(ctx, s.n)
	c := &stream.Checkpoint{}
	if err != nil || packed == nil {
		return c, err
	}
	s.chunks = chunks
	unpack, err := zstd.NewReader(nil)
	if err != nil {
		return nil, err
	}
	defer unpack.Close()
	data, err := unpack.DecodeAll(packed, nil)
	if err != nil {
		return nil, err
	}
	return c, gob.NewDecoder(bytes.NewReader(data)).Decode(c)
}

// transactions are those of Kafka before 4.0, where an epoch lasts as long as its client. With the newer ones a client begins
// an epoch of its own when it learns of them, in the middle of its work, and so might one that was fenced.
var transactions = kversion.V3_8_0()

// fence begins a new epoch of the partition's transactions. What an older one left undone is undone before it returns.
func (s *store) fence(ctx context.Context) error {
	s.log.mu.Lock()
	old := s.log.stores[int(s.n)]
	s.log.stores[int(s.n)] = s
	s.log.mu.Unlock()
	if old != nil {
		old.close()
	}
	client, err := kgo.NewClient(append(s.log.options[:len(s.log.options):len(s.log.options)],
		kgo.TransactionalID(s.log.Group+"/"+s.log.Topic+"/"+strconv.Itoa(int(s.n))), kgo.TransactionTimeout(answerWait),
		kgo.MaxVersions(transactions), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))...)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.client = client
	s.mu.Unlock()
	_, _, err = client.ProducerID(ctx)
	return err
}

func (s *store) close() {
	s.mu.Lock()
	client := s.client
	s.client = nil
	s.mu.Unlock()
	if client != nil {
		client.Close()
	}
}

// checkpoint reads the last checkpoint that was committed; nil if there is none.
func (l *Log) checkpoint(ctx context.Context, n int32) (packed []byte, chunks int, err error) {
	begin, err := l.offset(ctx, l.states(), n, -2)
	if err != nil {
		return nil, 0, err
	}
	end, err := l.offset(ctx, l.states(), n, -1)
	if err != nil || begin == end {
		return nil, 0, err
	}
	// The marks of transactions are read, too: the last record is one.
	client, err := l.reader(l.states(), n, begin, kgo.KeepControlRecords())
	if err != nil {
		return nil, 0, err
	}
	defer client.Close()
	parts, name := map[string][]byte{}, ""
	for at := begin; at < end; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, 0, err
		}
		for _, r := range fetches.Records() {
			at = r.Offset + 1
			if r.Attrs.IsControl() || r.Value == nil {
				continue
			}
			if of := header(r, headerCheckpoint); of != name {
				name = of
				clear(parts)
				if chunks, err = strconv.Atoi(header(r, headerChunks)); err != nil {
					return nil, 0, fmt.Errorf("record %d of %s/%d is no checkpoint", r.Offset, l.states(), n)
				}
			}
			parts[string(r.Key)] = r.Value
		}
	}
	for i := range chunks {
		part, ok := parts[strconv.Itoa(i)]
		if !ok {
			return nil, 0, fmt.Errorf("part %d of %d of the checkpoint in %s/%d is not there", i, chunks, l.states(), n)
		}
		packed = append(packed, part...)
	}
	return packed, chunks, nil
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// Save implements [stream.Store]. It is ErrFenced as soon as another one has loaded the checkpoint, which may save from then
// on.
func (s *store) Save(ctx context.Context, c *stream.Checkpoint) error {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(c); err != nil {
		return err
	}
	pack, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return err
	}
	packed := pack.EncodeAll(b.Bytes(), nil)
	s.mu.Lock()
	client := s.client
	s.mu.Unlock()
	if client == nil {
		return stream.ErrFenced // by another one of this process, or a save that was not told to have been done
	}
	records, chunks := s.records(packed)
	if err := s.commit(ctx, client, records); err != nil {
		s.close() // a client that goes on could make itself the one that fences
		if isFenced(err) {
			return stream.ErrFenced
		}
		return fmt.Errorf("save the checkpoint of %s/%d: %w", s.log.Topic, s.n, err)
	}
	s.chunks = chunks
	return nil
}

// records are a checkpoint's chunks, and empty ones for those that the last one had beyond.
func (s *store) records(packed []byte) (records []*kgo.Record, chunks int) {
	chunks = max(1, (len(packed)+chunkSize-1)/chunkSize)
	headers := []kgo.RecordHeader{
		{Key: headerCheckpoint, Value: strconv.AppendInt(nil, time.Now().UnixNano(), 36)},
		{Key: headerChunks, Value: strconv.AppendInt(nil, int64(chunks), 10)},
	}
	for i := range max(chunks, s.chunks) {
		r := &kgo.Record{Topic: s.log.states(), Partition: s.n, Key: strconv.AppendInt(nil, int64(i), 10), Headers: headers}
		if i < chunks {
			r.Value = packed[i*chunkSize : min(len(packed), (i+1)*chunkSize)]
		}
		records = append(records, r)
	}
	return records, chunks
}

// commit writes records in one transaction. After an error nobody may go on with the client: what it left undone the next
// epoch undoes, or Kafka after a time.
func (s *store) commit(ctx context.Context, client *kgo.Client, records []*kgo.Record) error {
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return err
	}
	return client.EndTransaction(ctx, kgo.TryCommit)
}

func isFenced(err error) bool {
	for _, by := range []error{kerr.ProducerFenced, kerr.InvalidProducerEpoch, kerr.InvalidProducerIDMapping, kerr.TransactionalIDNotFound, kgo.ErrClientClosed} {
		if errors.Is(err, by) {
			return true
		}
	}
	return false
}
