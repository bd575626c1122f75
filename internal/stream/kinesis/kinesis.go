// Package kinesis streams events from a data stream of Kinesis: records of CloudTrail or audit logs, or what a subscription of
// CloudWatch Logs writes, one by one or put together by the Kinesis Producer Library. One process reads all shards; it leases none from others.
package kinesis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"golang.org/x/sync/errgroup"

	"drawbridge/internal/stream"
)

// Options are what to read, and how. Zero values are usable but for the stream.
type Options struct {
	Stream string // name or ARN
	// Resume is the last acknowledged Position of each input. A shard without one is read from its oldest record.
	Resume map[string]string
	// Drain ends the stream when all shards are read up to now; else it waits for more.
	Drain bool
	// Every is how often a shard without new records is asked for some; 0 is a second.
	Every time.Duration
	// Dead is told of records that cannot be decompressed or taken apart, and why; an error ends the stream. Nil ends it with the first.
	Dead func(input, reason string) error
}

const (
	every = time.Second
	// atEnd is the Position of a shard that was closed and read to its end.
	atEnd = "end"
	// maxRecord is how large a record may be when it is decompressed, in bytes; compressed it is 10 MiB at most
	// (Kinesis Data Streams, "Quotas and limits", 2026-11).
	maxRecord = 256 << 20
	// maxAttempts is how often the SDK makes a call that is throttled or unanswered.
	maxAttempts = 8
)

// Rights are what a stream takes. A stream that a key of KMS encrypts takes kms:Decrypt on that key as well.
func Rights() []stream.Right {
	return []stream.Right{
		{Action: "kinesis:GetRecords", On: "the data stream", Why: "reads the logs"},
		{Action: "kinesis:GetShardIterator", On: "the data stream", Why: "goes on where it was"},
		{Action: "kinesis:ListShards", On: "the data stream", Why: "finds the shards, also after it was resharded"},
	}
}

type kinesisAPI interface {
	GetRecords(context.Context, *kinesis.GetRecordsInput, ...func(*kinesis.Options)) (*kinesis.GetRecordsOutput, error)
	GetShardIterator(context.Context, *kinesis.GetShardIteratorInput, ...func(*kinesis.Options)) (*kinesis.GetShardIteratorOutput, error)
	ListShards(context.Context, *kinesis.ListShardsInput, ...func(*kinesis.Options)) (*kinesis.ListShardsOutput, error)
}

// Stream is a stream.Stream of a data stream.
type Stream struct {
	o         Options
	api       kinesisAPI
	name, arn *string
	unpack    stream.Decompressor
	wait      func(context.Context) error
}

// New returns a stream. Nothing is called before Receive.
func New(cfg awssdk.Config, o Options) *Stream {
	if o.Every <= 0 {
		o.Every = every
	}
	if cfg.Retryer == nil {
		cfg.RetryMode, cfg.RetryMaxAttempts = awssdk.RetryModeStandard, maxAttempts
	}
	s := &Stream{o: o, api: kinesis.NewFromConfig(cfg)}
	if len(o.Stream) > 4 && o.Stream[:4] == "arn:" {
		s.arn = &o.Stream
	} else {
		s.name = &o.Stream
	}
	s.wait = func(ctx context.Context) error {
		timer := time.NewTimer(o.Every)
		defer timer.Stop()
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return s
}

// input is a shard's name, as findings and checkpoints have it.
func (s *Stream) input(shard string) string { return "kinesis://" + s.o.Stream + "/" + shard }

// part is some records of a shard.
type part struct {
	shard    string
	position string
	behind   time.Duration
	body     bytes.Buffer
	dead     []stream.DeadLetter
	ended    bool // of the shard: closed, or, if it is to be drained, read up to now
}

// Receive hands out the records of one call a batch. A Position is a sequence number. A shard is read when those that it was
// split or merged from are done (Kinesis Data Streams, "Resharding", 2026-11).
func (s *Stream) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	group, ctx := errgroup.WithContext(ctx)
	parts := make(chan *part)
	group.Go(func() error { return s.hand(ctx, group, parts, handle) })
	return group.Wait()
}

func (s *Stream) hand(ctx context.Context, group *errgroup.Group, parts chan *part, handle func(context.Context, stream.Batch) error) error {
	started, finished, running := map[string]bool{}, map[string]bool{}, 0
	start := func() error {
		shards, err := s.shards(ctx)
		if err != nil {
			return err
		}
		for _, id := range s.ready(shards, started, finished) {
			started[id] = true
			running++
			group.Go(func() error { return s.read(ctx, id, parts) })
		}
		return nil
	}
	if err := start(); err != nil {
		return err
	}
	for running > 0 {
		var p *part
		select {
		case p = <-parts:
		case <-ctx.Done():
			return ctx.Err()
		}
		for _, d := range p.dead {
			if s.o.Dead == nil {
				return fmt.Errorf("read %s: %s", d.Input, d.Reason)
			}
			if err := s.o.Dead(d.Input, d.Reason); err != nil {
				return err
			}
		}
		if p.position != "" {
			if err := handle(ctx, stream.Batch{Input: s.input(p.shard), Position: p.position, Backlog: &stream.Backlog{Messages: -1, Behind: p.behind}, Body: &p.body}); err != nil {
				return err
			}
		}
		if !p.ended {
			continue
		}
		running--
		if p.position != atEnd {
			continue
		}
		finished[p.shard] = true
		if err := start(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stream) shards(ctx context.Context) ([]types.Shard, error) {
	var all []types.Shard
	in := &kinesis.ListShardsInput{StreamName: s.name, StreamARN: s.arn}
	for {
		got, err := s.api.ListShards(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("list the shards of %s: %w", s.o.Stream, err)
		}
		all = append(all, got.Shards...)
		if awssdk.ToString(got.NextToken) == "" {
			return all, nil
		}
		in = &kinesis.ListShardsInput{NextToken: got.NextToken, StreamARN: s.arn}
	}
}

// ready are the shards that may be read now. A parent that is not listed any more has no records left.
func (s *Stream) ready(shards []types.Shard, started, finished map[string]bool) []string {
	open := map[string]bool{}
	for _, shard := range shards {
		id := awssdk.ToString(shard.ShardId)
		open[id] = !finished[id] && s.o.Resume[s.input(id)] != atEnd
	}
	var ids []string
	for _, shard := range shards {
		id := awssdk.ToString(shard.ShardId)
		if open[id] && !started[id] && !open[awssdk.ToString(shard.ParentShardId)] && !open[awssdk.ToString(shard.AdjacentParentShardId)] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// read sends a shard's records from where the last run was.
func (s *Stream) read(ctx context.Context, shard string, parts chan<- *part) error {
	last, iterator := s.o.Resume[s.input(shard)], (*string)(nil)
	for {
		if iterator == nil {
			var err error
			if iterator, err = s.iterator(ctx, shard, last); err != nil {
				return err
			}
		}
		got, err := s.api.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator, StreamARN: s.arn})
		if _, expired := errors.AsType[*types.ExpiredIteratorException](err); expired {
			iterator = nil
			continue
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", s.input(shard), err)
		}
		p := &part{shard: shard, behind: time.Duration(awssdk.ToInt64(got.MillisBehindLatest)) * time.Millisecond}
		for _, r := range got.Records {
			last = awssdk.ToString(r.SequenceNumber)
			p.position = last
			s.take(p, s.input(shard)+"/"+last, r.Data)
		}
		iterator = got.NextShardIterator
		current := awssdk.ToInt64(got.MillisBehindLatest) == 0
		if iterator == nil {
			p.position, p.ended = atEnd, true
		} else if current && len(got.Records) == 0 {
			p.ended = s.o.Drain
		}
		if p.position != "" || p.ended {
			select {
			case parts <- p:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if p.ended {
			return nil
		}
		if len(got.Records) == 0 || current {
			if err := s.wait(ctx); err != nil {
				return err
			}
		}
	}
}

func (s *Stream) iterator(ctx context.Context, shard, after string) (*string, error) {
	in := &kinesis.GetShardIteratorInput{StreamName: s.name, StreamARN: s.arn, ShardId: &shard, ShardIteratorType: types.ShardIteratorTypeTrimHorizon}
	if after != "" {
		in.ShardIteratorType, in.StartingSequenceNumber = types.ShardIteratorTypeAfterSequenceNumber, &after
	}
	got, err := s.api.GetShardIterator(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("go on with %s after %q: %w", s.input(shard), after, err)
	}
	return got.ShardIterator, nil
}

// take appends a record, or those that it consists of; what is broken becomes a dead letter.
func (s *Stream) take(p *part, name string, data []byte) {
	all, err := records(data)
	if err != nil {
		p.dead = append(p.dead, stream.DeadLetter{Input: name, Reason: err.Error()})
		return
	}
	for i, one := range all {
		if err := s.add(p, one); err != nil {
			broken := name
			if len(all) > 1 {
				broken += "/" + strconv.Itoa(i)
			}
			p.dead = append(p.dead, stream.DeadLetter{Input: broken, Reason: err.Error()})
		}
	}
}

// add appends a record's bytes, decompressed, or nothing of them.
func (s *Stream) add(p *part, data []byte) error {
	in, done, err := s.unpack.Open(bytes.NewReader(data), func() {})
	defer done()
	if err != nil {
		return err
	}
	before := p.body.Len()
	n, err := io.Copy(&p.body, io.LimitReader(in, maxRecord))
	if err == nil && n == maxRecord {
		err = fmt.Errorf("more than %d bytes", int64(maxRecord))
	}
	if err != nil {
		p.body.Truncate(before)
		return err
	}
	p.body.WriteByte('\n')
	return nil
}
