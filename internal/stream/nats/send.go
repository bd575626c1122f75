package nats

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"drawbridge/internal/event"
)

// The headers of a block.
const (
	headerCluster = "Drawbridge-Cluster"
	headerInput   = "Drawbridge-Input"
)

// blockSize is how many bytes of records are sent at once: a message of half a megabyte costs little more than one of a
// record. A server takes a megabyte unless it is told otherwise.
const blockSize = 512 << 10

// block is records that are sent at once. Blocks are big, and making them anew costs more than filling them.
type block struct {
	records []byte
	ends    []int // of each
	// clean and packed are room for what becomes of them.
	clean, packed []byte
}

var blocks = sync.Pool{New: func() any { return &block{records: make([]byte, 0, blockSize+blockSize/8)} }}

func newBlock() *block {
	b := blocks.Get().(*block)
	b.records, b.ends = b.records[:0], b.ends[:0]
	return b
}

// add appends a record, and says whether the block is full.
func (b *block) add(record []byte) (full bool) {
	b.records = append(b.records, record...)
	b.ends = append(b.ends, len(b.records))
	return len(b.records) >= blockSize
}

// sending is a block that is to be sent or on its way, or the end of a batch.
type sending struct {
	packed         chan struct{} // closed when msg is there; nil at the end of a batch
	msg            *nats.Msg
	ack            jetstream.PubAckFuture
	records, bytes int64
	done           func(context.Context) error // what to do at the end of a batch
}

// pack makes the message of a block: without credentials, compressed, and under an id that its content decides. Sent again, it
// is stored once.
func (s *sending) pack(b *block, subject, cluster, input string) {
	defer close(s.packed)
	defer blocks.Put(b)
	b.clean = b.clean[:0]
	begin := 0
	for _, end := range b.ends {
		b.clean = append(event.Redact(b.clean, b.records[begin:end]), '\n')
		begin = end
	}
	b.packed = s2.Encode(b.packed[:cap(b.packed)], b.clean)
	sum := sha256.Sum256(b.packed)
	s.records, s.bytes = int64(len(b.ends)), int64(len(b.clean))
	s.msg = nats.NewMsg(subject)
	s.msg.Header.Set(nats.MsgIdHdr, hex.EncodeToString(sum[:16]))
	s.msg.Header.Set(headerCluster, cluster)
	s.msg.Header.Set(headerInput, input)
	s.msg.Data = bytes.Clone(b.packed)
}

// underWay is how many blocks may be on their way at once.
const underWay = 64

// sender publishes blocks in the order in which they come, and counts those that are stored.
type sender struct {
	Forwarded
	log   *Log
	queue chan *sending
	sent  []*sending
}

func newSender(l *Log) *sender {
	return &sender{log: l, queue: make(chan *sending, runtime.GOMAXPROCS(0))}
}

// run ends when the queue is closed and all that was in it is stored.
func (s *sender) run(ctx context.Context) error {
	queue := s.queue
	for queue != nil || len(s.sent) > 0 {
		var ok <-chan *jetstream.PubAck
		var failed <-chan error
		if len(s.sent) > 0 {
			ok, failed = s.sent[0].ack.Ok(), s.sent[0].ack.Err()
		}
		next := queue
		if len(s.sent) >= underWay {
			next = nil
		}
		select {
		case x, open := <-next:
			if !open {
				queue = nil
				continue
			}
			if err := s.send(ctx, x); err != nil {
				return err
			}
		case <-ok:
			if err := s.stored(ctx); err != nil {
				return err
			}
		case err := <-failed:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			x := s.sent[0]
			if !passes(err) {
				return fmt.Errorf("store a block in %s: %w", x.msg.Subject, err)
			}
			if err := s.publish(ctx, x); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// send publishes a block, or notes the end of a batch.
func (s *sender) send(ctx context.Context, x *sending) error {
	if x.packed == nil {
		s.sent = append(s.sent, x)
		return s.settle(ctx)
	}
	<-x.packed
	s.sent = append(s.sent, x)
	return s.publish(ctx, x)
}

// publish waits while there is no server and no room to keep what is for it.
func (s *sender) publish(ctx context.Context, x *sending) error {
	for {
		var err error
		if x.ack, err = s.log.js.PublishMsgAsync(x.msg); err == nil {
			return nil
		}
		if !passes(err) {
			return fmt.Errorf("publish to %s: %w", x.msg.Subject, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(reconnectWait):
		}
	}
}

// stored counts the first block of those on their way.
func (s *sender) stored(ctx context.Context) error {
	s.Blocks++
	s.Records += s.sent[0].records
	s.Bytes += s.sent[0].bytes
	s.sent = s.sent[1:]
	return s.settle(ctx)
}

// settle acknowledges batches of which nothing is on its way any more.
func (s *sender) settle(ctx context.Context) error {
	for len(s.sent) > 0 && s.sent[0].done != nil {
		done := s.sent[0].done
		s.sent = s.sent[1:]
		if err := done(ctx); err != nil {
			return err
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
		nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded, nats.ErrStaleConnection, nats.ErrTimeout, context.DeadlineExceeded,
	} {
		if errors.Is(err, soon) {
			return true
		}
	}
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.Code == 503 || api.Code == 500)
}
