// Package s3 streams event logs from objects in S3 as they are announced through a queue of SQS: by S3 itself, through an SNS
// topic, by EventBridge or by CloudTrail. It lists no buckets: what no message names is not read. A message is deleted when
// all its objects are done, and only then.
package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"

	"drawbridge/internal/stream"
)

// Options are what to read, and how. Zero values are usable but for the queue.
type Options struct {
	Queue string // its URL
	// Drain ends the stream when the queue has no more messages; else it waits for new ones.
	Drain bool
	// Ahead is how many objects are fetched at the same time; 0 is 4.
	Ahead int
	// Tries is how often an object is read that is not there, not for us, corrupt or no log, before it is passed over; 0 is 3.
	Tries int
	// Dead is told of what is passed over, and why, before its message is deleted; an error ends the stream. Nil passes over
	// nothing: the messages stay for the queue's own redrive policy. It may be called by two goroutines at the same time.
	Dead func(input, reason string) error
	// Report is told at once what went wrong with an object and will be tried again; it may be nil.
	Report func(input string, err error)
	// TempFolder is where objects of more than 16 MiB are kept while they are read; "" is the system's.
	TempFolder string
}

const (
	ahead = 4
	tries = 3
	// visibility is for how long, in seconds, others do not see a message; it is renewed while we have it.
	visibility = 120
	// retryAfter is when, in seconds, a message is seen again whose object could not be read.
	retryAfter = 30
	// wait is how long, in seconds, SQS waits for a message: the longest it does.
	wait = 20
	// batchSize is the most messages that SQS gives at once.
	batchSize = 10
	// remembered is how many objects are known to be done when they come again: SQS gives a message at least once.
	remembered = 20_000
	// unrecognised is how many messages that announce nothing are told of just once.
	unrecognised = 1_000
)

// Stream is a stream.Stream of objects.
type Stream struct {
	o      Options
	queue  queueAPI
	reader *reader
	renew  <-chan time.Time // nil: a ticker's

	mu   sync.Mutex
	held map[string]*received // by receipt
	done *stream.Recent       // objects
	odd  *stream.Recent       // messages that announce nothing
}

// received is a message that is being worked on.
type received struct {
	receipt string
	count   int // how often it was received
	left    int // objects that are not done, those that failed among them
}

// fetched is an object that was read, or was not.
type fetched struct {
	message *received
	object  object
	body    body
	err     error
	idle    bool // nothing: there is no message
}

// New returns a stream. Nothing is called before Receive.
func New(cfg awssdk.Config, o Options) *Stream {
	if o.Ahead <= 0 {
		o.Ahead = ahead
	}
	if o.Tries <= 0 {
		o.Tries = tries
	}
	objects, queue := clients(cfg)
	return &Stream{
		o: o, queue: queue, reader: &reader{api: objects, tempFolder: o.TempFolder},
		held: map[string]*received{}, done: stream.NewRecent(remembered), odd: stream.NewRecent(unrecognised),
	}
}

// Receive hands out an object a batch, without a position: the queue remembers what is not done.
func (s *Stream) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	run, ctx := errgroup.WithContext(ctx)
	ready := make(chan fetched)
	run.Go(func() error {
		defer close(ready)
		return s.poll(ctx, ready)
	})
	finished := make(chan struct{})
	run.Go(func() error {
		defer close(finished)
		return s.hand(ctx, ready, handle)
	})
	run.Go(func() error { return s.keep(ctx, finished) })
	return run.Wait()
}

// poll receives messages and has their objects fetched.
func (s *Stream) poll(ctx context.Context, ready chan<- fetched) error {
	f := &fetches{ready: ready, slots: make(chan struct{}, s.o.Ahead)}
	defer f.running.Wait()
	for some := false; ; {
		got, err := s.queue.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
			QueueUrl: &s.o.Queue, MaxNumberOfMessages: batchSize, WaitTimeSeconds: wait, VisibilityTimeout: visibility,
			MessageSystemAttributeNames: []types.MessageSystemAttributeName{types.MessageSystemAttributeNameApproximateReceiveCount},
		})
		if err != nil {
			return fmt.Errorf("receive from %s: %w", s.o.Queue, err)
		}
		for _, m := range got.Messages {
			some = true
			if err := s.take(ctx, m, f); err != nil {
				return err
			}
		}
		if len(got.Messages) > 0 {
			continue
		}
		if s.o.Drain {
			if f.running.Wait(); !some {
				return nil
			}
			some = false // what fails meanwhile comes again
		}
		if err := send(ctx, ready, fetched{idle: true}); err != nil {
			return err
		}
	}
}

// fetches are the objects that are being fetched.
type fetches struct {
	ready   chan<- fetched
	slots   chan struct{}
	running sync.WaitGroup
}

func send(ctx context.Context, ready chan<- fetched, f fetched) error {
	select {
	case ready <- f:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take has the objects of a message fetched.
func (s *Stream) take(ctx context.Context, m types.Message, f *fetches) error {
	objects, err := announced(awssdk.ToString(m.Body))
	if err != nil {
		// It is not deleted: it may be meant for somebody else.
		input := "message " + awssdk.ToString(m.MessageId) + " of " + s.o.Queue
		if s.odd.Add(input) && s.o.Dead != nil {
			return s.o.Dead(input, err.Error()+"; it stays in the queue")
		}
		return nil
	}
	r := &received{receipt: awssdk.ToString(m.ReceiptHandle), left: len(objects)}
	r.count, _ = strconv.Atoi(m.Attributes[string(types.MessageSystemAttributeNameApproximateReceiveCount)])
	s.mu.Lock()
	s.held[r.receipt] = r
	s.mu.Unlock()
	if len(objects) == 0 {
		return s.delete(ctx, r)
	}
	for _, o := range objects {
		if s.done.Has(o.id()) {
			if err := s.finish(ctx, r, o); err != nil {
				return err
			}
			continue
		}
		select {
		case f.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		f.running.Go(func() {
			defer func() { <-f.slots }()
			got := fetched{message: r, object: o}
			got.body, got.err = s.reader.read(ctx, o)
			if send(ctx, f.ready, got) != nil && got.err == nil {
				got.body.close()
			}
		})
	}
	return nil
}

func (o object) id() string { return o.String() + " " + o.version }

// hand gives objects to the handler.
func (s *Stream) hand(ctx context.Context, ready <-chan fetched, handle func(context.Context, stream.Batch) error) error {
	for f := range ready {
		switch {
		case f.idle:
			s.mu.Lock()
			waiting := len(s.held) > 0
			s.mu.Unlock()
			if waiting {
				if err := handle(ctx, stream.Batch{Input: s.o.Queue, Body: new(bytes.Buffer)}); err != nil {
					return err
				}
			}
		case f.err != nil:
			if err := s.failed(ctx, f); err != nil {
				return err
			}
		default:
			b := stream.Batch{
				Input: f.object.String(), Cluster: stream.ClusterOfPath(f.object.key), Body: f.body.Reader,
				Ack: func(ctx context.Context) error { return s.finish(ctx, f.message, f.object) },
			}
			_, memory := f.body.Reader.(*bytes.Buffer)
			if memory {
				b.Free = f.body.close
			}
			err := handle(ctx, b)
			if !memory { // a file does not wait
				f.body.close()
			}
			if err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// failed passes over an object, or leaves its message to be received again.
func (s *Stream) failed(ctx context.Context, f fetched) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if _, hopeless := errors.AsType[poison](f.err); hopeless && f.message.count >= s.o.Tries && s.o.Dead != nil {
		if err := s.o.Dead(f.object.String(), f.err.Error()); err != nil {
			return err
		}
		return s.finish(ctx, f.message, f.object)
	}
	if s.o.Report != nil {
		s.o.Report(f.object.String(), f.err)
	}
	s.mu.Lock()
	delete(s.held, f.message.receipt)
	s.mu.Unlock()
	return s.hide(ctx, f.message, retryAfter)
}

// finish notes that an object is done, and deletes its message if it was the last one.
func (s *Stream) finish(ctx context.Context, m *received, o object) error {
	s.done.Add(o.id())
	s.mu.Lock()
	m.left--
	last := m.left == 0
	s.mu.Unlock()
	if !last {
		return nil
	}
	return s.delete(ctx, m)
}

func (s *Stream) delete(ctx context.Context, m *received) error {
	s.mu.Lock()
	delete(s.held, m.receipt)
	s.mu.Unlock()
	_, err := s.queue.DeleteMessage(ctx, &sqs.DeleteMessageInput{QueueUrl: &s.o.Queue, ReceiptHandle: &m.receipt})
	if err != nil && !outdated(err) {
		return fmt.Errorf("delete a message of %s: %w", s.o.Queue, err)
	}
	return nil
}

// hide keeps a message from being received for some seconds.
func (s *Stream) hide(ctx context.Context, m *received, seconds int32) error {
	_, err := s.queue.ChangeMessageVisibility(ctx, &sqs.ChangeMessageVisibilityInput{QueueUrl: &s.o.Queue, ReceiptHandle: &m.receipt, VisibilityTimeout: seconds})
	if err != nil && !outdated(err) {
		return fmt.Errorf("keep a message of %s: %w", s.o.Queue, err)
	}
	return nil
}

// outdated says that a message is no longer ours: it was received again, or is gone. Its objects are known when they come.
func outdated(err error) bool {
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		return false
	}
	switch api.ErrorCode() {
	case "ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight":
		return true
	}
	return false
}

// keep keeps others from the messages that we have, until all is handed out.
func (s *Stream) keep(ctx context.Context, finished <-chan struct{}) error {
	tick := s.renew
	if tick == nil {
		ticker := time.NewTicker(visibility * time.Second / 3)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-finished:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick:
			s.mu.Lock()
			held := make([]*received, 0, len(s.held))
			for _, m := range s.held {
				held = append(held, m)
			}
			s.mu.Unlock()
			for _, m := range held {
				if err := s.hide(ctx, m, visibility); err != nil {
					return err
				}
			}
		}
	}
}
