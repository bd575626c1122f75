package nats

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"drawbridge/internal/stream"
)

// The headers of a block.
const (
	headerCluster = "Drawbridge-Cluster"
	headerInput   = "Drawbridge-Input"
)

// message is a block that is to be sent or on its way.
type message struct {
	log *Log
	msg *nats.Msg
	ack jetstream.PubAckFuture
}

// packing has room to compress blocks in.
var packing = sync.Pool{New: func() any { return new([]byte) }}

// Pack implements [stream.Sender]. A message has an id that its content decides: sent again, it is stored once.
func (l *Log) Pack(b *stream.Block) stream.Message {
	room := packing.Get().(*[]byte)
	defer packing.Put(room)
	*room = s2.Encode((*room)[:cap(*room)], b.Lines)
	sum := sha256.Sum256(*room)
	msg := nats.NewMsg(l.subject(b.Partition))
	msg.Header.Set(nats.MsgIdHdr, hex.EncodeToString(sum[:16]))
	msg.Header.Set(headerCluster, b.Cluster)
	msg.Header.Set(headerInput, b.Input)
	msg.Data = bytes.Clone(*room)
	return &message{log: l, msg: msg}
}

// Send implements [stream.Message]. It waits while there is no server and no room to keep what is for it.
func (m *message) Send(ctx context.Context) error {
	for {
		var err error
		if m.ack, err = m.log.js.PublishMsgAsync(m.msg); err == nil {
			return nil
		}
		if !passes(err) {
			return fmt.Errorf("publish to %s: %w", m.msg.Subject, err)
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// pause waits before something is tried again.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(reconnectWait):
		return nil
	}
}

// Stored implements [stream.Message].
func (m *message) Stored(ctx context.Context) error {
	for {
		select {
		case <-m.ack.Ok():
			return nil
		case err := <-m.ack.Err():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if !passes(err) {
				return fmt.Errorf("store a block in %s: %w", m.msg.Subject, err)
			}
			if err := pause(ctx); err != nil {
				return err
			}
			if err := m.Send(ctx); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// inProcess is the error code of JetStream for a message whose first copy is not stored yet: a new leader does not know whether
// it will be (nats-server v2.15.2, JSStreamDuplicateMessageConflict).
const inProcess jetstream.ErrorCode = 10158

// passes says whether an error can pass by itself: a lost connection, a stream without a leader or that is being moved, an
// answer that did not come, a first copy that is on its way. A full disk is refused as such a stream is, and passes when there is room: a forwarder that
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
	return errors.As(err, &api) && (api.Code == 503 || api.Code == 500 || api.ErrorCode == inProcess)
}
