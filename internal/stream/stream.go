// Package stream is where event logs come from: one Stream per transport, in a package of its own below this one, hands out
// batches of bytes. It does not read records, which event.Decoder does, and keeps no state of what was done, which is its
// caller's.
package stream

import (
	"context"
	"io"
	"strings"
	"time"

	"drawbridge/internal/event"
)

// Batch is a run of log bytes that ends where a record ends: a file or a part of one, an object, some messages.
type Batch struct {
	// Input is where the bytes were read, as findings show it: a path, s3://bucket/key, a shard.
	Input string
	// Position is where the input stands after this batch, in the transport's own words: an offset, a sequence number. A
	// checkpoint keeps the last one of each input, and the stream goes on after it. Empty if the transport itself
	// remembers what was acknowledged.
	Position string
	// Cluster is the name or ARN of the cluster whose audit log it is, as far as the transport tells; else "".
	Cluster string
	// Body has the bytes, decompressed. It holds until the handler returns, and if there is Free, until that is called. A
	// *bytes.Buffer is decoded where it stands. A stream that has nothing new hands out an empty body now and then while
	// batches are not acknowledged, so that its caller may save its state and do so.
	Body io.Reader
	// Backlog is what the transport says it still has of the input; nil if it does not say.
	Backlog *Backlog
	// Free takes the bytes back, once, in whatever goroutine: the handler may return, and be called again, before it is done with
	// them. It is called also for what fails. Nil for bytes that must be done with when the handler returns.
	Free func()
	// Ack tells the transport that the batch need not be sent again. Nil where the transport keeps no account.
	Ack func(context.Context) error
}

// Backlog is what is not read yet of an input.
type Backlog struct {
	Messages int64         // what the transport counts in: records, or blocks of them; -1 if it says none
	Behind   time.Duration // how much older the batch is than the newest there is; -1 if it does not say
}

// Shared is the transport of a log that workers share.
const Shared = "log"

// Transport is the kind of transport that an input came by: s3, kinesis, logs, webhook, or else file. It cannot tell Shared.
func Transport(input string) string {
	scheme, _, _ := strings.Cut(input, ":")
	switch {
	case scheme == "s3" || scheme == "kinesis" || scheme == "logs":
		return scheme
	case input == "webhook" || strings.HasPrefix(input, "webhook of "):
		return "webhook"
	}
	return "file"
}

// Release gives the bytes back.
func (b *Batch) Release() {
	if b.Free != nil {
		b.Free()
	}
}

// Stream hands out batches.
type Stream interface {
	// Receive calls handle with one batch after the other, those of one input in order, never two at a time, until there
	// are no more (it returns nil), the context is done, or handle returns an error, which it returns. What a transport
	// could not read is in the error too, but does not keep it from reading on. A batch whose handler did not acknowledge
	// it is received again, by this process or the next.
	Receive(ctx context.Context, handle func(context.Context, Batch) error) error
}

// Right is an IAM action that a transport takes, and on what.
type Right struct{ Action, On, Why string }

// ClusterOfPath returns the cluster whose log group is part of a path: …/aws/eks/NAME/cluster/…. Its separator
// is a slash.
func ClusterOfPath(path string) string {
	path = "/" + path + "/"
	const group, end = "/aws/eks/", "/cluster/"
	for {
		_, rest, ok := strings.Cut(path, group)
		if !ok {
			return ""
		}
		if name, _, ok := strings.Cut(rest, "/"); ok && strings.HasPrefix(rest[len(name):], end) {
			return event.ClusterOfLogGroup(group + name + strings.TrimSuffix(end, "/"))
		}
		path = "/" + rest
	}
}
