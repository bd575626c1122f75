// Package logs streams events from a group of CloudWatch Logs by asking for them again and again: the audit log of an EKS
// cluster, or a trail of CloudTrail. A subscription through Kinesis is faster and carries more; this takes no setting up.
package logs

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"drawbridge/internal/event"
	"drawbridge/internal/stream"
)

// Options are what to read, and how. Zero values are usable but for the group and the clock.
type Options struct {
	Group string // name or ARN
	// Drain ends the stream when all was read that there was at its start; else it goes on asking.
	Drain bool
	// Resume is the last acknowledged Position; empty starts at From.
	Resume string
	From   time.Time
	// Every is how often is asked for more; 0 is ten seconds.
	Every time.Duration
	// Late is how far back is asked again, for events that reach the group late; 0 is two minutes. What was handed out is not
	// handed out again: a Position names the last 65,536 events. After a restart older ones may be.
	Late time.Duration
	Now  func() time.Time
}

const (
	every = 10 * time.Second
	late  = 2 * time.Minute
	// window is how much time is asked for at once: its pages have no order that one could go on from.
	window = 15 * time.Minute
	// maxAttempts is how often the SDK makes a call that is throttled or unanswered.
	maxAttempts = 8
	// auditStreams is what the names of the log streams with audit events begin with, in a cluster's group: the others hold
	// text (EKS User Guide, "Send control plane logs to CloudWatch Logs", 2026-11).
	auditStreams = "kube-apiserver-audit"
)

// Rights are what a stream takes.
func Rights() []stream.Right {
	return []stream.Right{{Action: "logs:FilterLogEvents", On: "the log group", Why: "reads the logs"}}
}

type logsAPI interface {
	FilterLogEvents(context.Context, *cloudwatchlogs.FilterLogEventsInput, ...func(*cloudwatchlogs.Options)) (*cloudwatchlogs.FilterLogEventsOutput, error)
}

// Stream is a stream.Stream of a log group.
type Stream struct {
	o       Options
	api     logsAPI
	input   string
	cluster string
	prefix  *string
	tick    <-chan time.Time // nil: a ticker's

	handed *handed
}

// New returns a stream. Nothing is called before Receive.
func New(cfg awssdk.Config, o Options) *Stream {
	if o.Every <= 0 {
		o.Every = every
	}
	if o.Late <= 0 {
		o.Late = late
	}
	if cfg.Retryer == nil {
		cfg.RetryMode, cfg.RetryMaxAttempts = awssdk.RetryModeStandard, maxAttempts
	}
	s := &Stream{o: o, api: cloudwatchlogs.NewFromConfig(cfg), input: "logs://" + o.Group, handed: newHanded()}
	if s.cluster = clusterOf(o.Group); s.cluster != "" {
		s.prefix = awssdk.String(auditStreams)
	}
	return s
}

// clusterOf is the name, or of a group's ARN the ARN, of the cluster that writes into a group; "" if none does.
func clusterOf(group string) string {
	parts := strings.SplitN(strings.TrimSuffix(group, ":*"), ":", 7) // arn:aws:logs:region:account:log-group:name
	name := event.ClusterOfLogGroup(parts[len(parts)-1])
	if len(parts) < 7 || name == "" {
		return name
	}
	return "arn:" + parts[1] + ":eks:" + parts[3] + ":" + parts[4] + ":cluster/" + name
}

// Receive hands out a page a batch. A Position is the time, in milliseconds since 1970, up to which all was read, and which
// events after it, and of the time that is asked for again, were.
func (s *Stream) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	at := s.o.From.UnixMilli()
	if s.o.From.IsZero() {
		at = 0
	}
	if s.o.Resume != "" {
		var err error
		if at, err = s.handed.restore(s.o.Resume); err != nil {
			return fmt.Errorf("resume %s: %w", s.input, err)
		}
	}
	tick := s.tick
	if tick == nil {
		ticker := time.NewTicker(s.o.Every)
		defer ticker.Stop()
		tick = ticker.C
	}
	for until := s.o.Now().UnixMilli(); ; until = s.o.Now().UnixMilli() {
		for at < until {
			end := until
			if at > 0 {
				end = min(until, at+window.Milliseconds())
			}
			if err := s.sweep(ctx, at, end, handle); err != nil {
				return err
			}
			at = end
		}
		if s.o.Drain {
			return nil
		}
		select {
		case <-tick:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sweep hands out what there is before end, and from so long before at that late events are among it.
func (s *Stream) sweep(ctx context.Context, at, end int64, handle func(context.Context, stream.Batch) error) error {
	from, again := max(0, at-s.o.Late.Milliseconds()), end-s.o.Late.Milliseconds()
	in := &cloudwatchlogs.FilterLogEventsInput{LogGroupIdentifier: awssdk.String(strings.TrimSuffix(s.o.Group, ":*")), StartTime: &from, EndTime: &end, LogStreamNamePrefix: s.prefix}
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(s.api, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("read %s: %w", s.input, err)
		}
		var body bytes.Buffer
		for _, e := range page.Events {
			if !s.handed.add(awssdk.ToString(e.EventId), awssdk.ToInt64(e.Timestamp)) {
				continue
			}
			body.WriteString(awssdk.ToString(e.Message))
			body.WriteByte('\n')
		}
		if pages.HasMorePages() {
			s.handed.bound(again)
		} else {
			at = end
			s.handed.forget(again)
		}
		left := &stream.Backlog{Messages: -1, Behind: time.Duration(s.o.Now().UnixMilli()-at) * time.Millisecond}
		if err := handle(ctx, stream.Batch{Input: s.input, Position: s.handed.position(at), Backlog: left, Cluster: s.cluster, Body: &body}); err != nil {
			return err
		}
	}
	return nil
}
