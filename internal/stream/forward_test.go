package stream_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"drawbridge/internal/event"
	"drawbridge/internal/stream"
)

// counted is a log that keeps nothing, and knows how much memory was used while it was sent to.
type counted struct{ blocks, most atomic.Uint64 }

func (*counted) PartitionOf(string) int { return 0 }
func (*counted) Close()                 {}

func (c *counted) Pack(*stream.Block) stream.Message {
	if c.blocks.Add(1)%500 == 1 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		c.most.Store(max(c.most.Load(), m.HeapInuse))
	}
	return sent{}
}

type sent struct{}

func (sent) Send(context.Context) error   { return nil }
func (sent) Stored(context.Context) error { return nil }

// single is a stream of one batch.
type single []byte

func (s single) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	return handle(ctx, stream.Batch{Input: "in", Body: bytes.NewReader(s)})
}

// TestForwardManyClusters: a batch whose records say each that they are of another cluster takes no more memory than others.
func TestForwardManyClusters(t *testing.T) {
	const clusters = 4000
	var b bytes.Buffer
	for i := range clusters {
		fmt.Fprintf(&b, `{"owner":"111122223333","logGroup":"/aws/eks/c%d/cluster","logEvents":[{"message":"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"auditID\":\"%d\",\"verb\":\"get\"}"}]}`+"\n", i, i)
	}
	to := &counted{}
	got, err := stream.Forward(t.Context(), single(b.Bytes()), to, "", func(u *event.Unparsed) { t.Error(u) })
	if err != nil || got.Records != clusters || got.Blocks != clusters {
		t.Errorf("%+v, %v; want %d records, each in a block", got, err, clusters)
	}
	if most := to.most.Load() >> 20; most > 600 {
		t.Errorf("%d MiB for %d clusters", most, clusters)
	}
}
