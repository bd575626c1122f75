package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/report"
	"drawbridge/internal/scan"
	"drawbridge/internal/source/aws"
	"drawbridge/internal/stream"
	"drawbridge/internal/stream/kafka"
	"drawbridge/internal/stream/nats"
	"drawbridge/internal/worker"
	"drawbridge/internal/worker/metrics"
)

// continuous says that the logs have no end.
func (o *detectOptions) continuous() bool {
	return slices.ContainsFunc(o.logs, isURL)
}

func isURL(s string) bool { return strings.Contains(s, "://") }

// forwardTo puts records into a log that workers share.
func (o *detectOptions) forwardTo(ctx context.Context, e *env) error {
	to, err := openSender(ctx, e, o.forward)
	if err != nil {
		return err
	}
	defer to.Close()
	s, err := o.open(ctx, e, nil)
	if err != nil {
		return err
	}
	sent, err := stream.Forward(ctx, s, to, o.cluster, func(u *event.Unparsed) { fmt.Fprintf(e.stderr, "note: %s\n", printable(u.Error())) })
	fmt.Fprintf(e.stderr, "forwarded %d records, %d bytes in %d blocks; %d could not be read\n", sent.Records, sent.Bytes, sent.Blocks, sent.Unparsed)
	if err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
		return failed(err, "")
	}
	return nil
}

// follow reads streams until it is interrupted.
func (o *detectOptions) follow(ctx context.Context, e *env) error {
	formats := o.specs
	if len(formats) == 0 {
		formats = report.LineFormats[:1]
	}
	if len(formats) > 1 || !slices.Contains(report.LineFormats, formats[0]) {
		return usage("-o %s: of a stream findings are written as they are made, as %s", strings.Join(formats, " -o "), strings.Join(report.LineFormats, " or "))
	}
	r, err := o.prepare(ctx, e)
	if err != nil {
		return err
	}
	counts := metrics.New(e.now)
	o.refused = counts.Refused
	if o.state != "" {
		letters, err := stream.OpenDeadLetters(filepath.Join(o.state, "dead.jsonl"), e.now)
		if err != nil {
			return failed(err, "")
		}
		defer letters.Close()
		o.dead = func(input, reason string) error {
			counts.Dead()
			return letters.Add(input, reason)
		}
	}
	sinks, closeSinks, err := o.openSinks(ctx, e, r.known)
	if err != nil {
		return err
	}
	defer closeSinks()
	options := worker.Options{
		Program: r.program, Context: r.known, Cluster: o.cluster, Engine: detect.Options{Lateness: o.lateness, Now: e.now},
		Deliver: func(ctx context.Context, fs []finding.Finding) error {
			fs, accepted := o.settled(e, r, fs)
			if err := sinks.Deliver(ctx, fs); err != nil {
				return err
			}
			counts.Findings(fs, accepted)
			return o.tell(e, formats[0], fs)
		},
		Progress: counts.Run,
	}
	stop, err := o.watch(ctx, e, counts)
	if err != nil {
		return err
	}
	defer stop()
	if len(o.logs) == 1 && isShared(o.logs[0]) {
		return o.share(ctx, e, options)
	}
	if o.state != "" {
		folder, err := worker.OpenFolder(o.state)
		if err != nil {
			return failed(err, "")
		}
		defer folder.Close()
		options.Store = folder
		if options.Checkpoint, err = folder.Load(ctx); err != nil {
			return failed(err, "")
		}
	}
	s, err := o.open(ctx, e, options.Checkpoint)
	if err != nil {
		return err
	}
	summary, err := worker.Run(ctx, s, options)
	if summary != nil {
		ev := summary.Events
		fmt.Fprintf(e.stderr, "%d events read, %d matched, %d could not be read, %d came more than once\n", ev.Read, ev.Matched, ev.Unparsed, ev.Duplicates)
	}
	if err != nil {
		return failed(err, "")
	}
	return nil
}

// sharedLog is a log that workers share, with a place for findings.
type sharedLog interface {
	worker.Log
	Publish(ctx context.Context, found []finding.Finding, encode func(finding.Finding) ([]byte, error)) error
	Close()
}

// isShared says that a URL is of such a log.
func isShared(s string) bool { return strings.HasPrefix(s, "nats://") || isKafka(s) }

func isKafka(s string) bool {
	scheme, _, ok := strings.Cut(s, "://")
	return ok && slices.Contains(kafka.Schemes, scheme)
}

// kafkaAt reads a URL of Kafka that an option has.
func kafkaAt(ctx context.Context, option, s string) (kafka.Config, error) {
	config, err := kafka.ParseURL(s)
	if err != nil {
		return config, usage("%s %w", option, err)
	}
	if config.SASL == kafka.MSKIAM {
		cfg, err := aws.LoadConfig("")(ctx, "")
		if err != nil {
			return config, failed(fmt.Errorf("load the AWS configuration: %w", err), "check AWS_PROFILE and ~/.aws/config")
		}
		config.Credentials = cfg.Credentials
	}
	return config, nil
}

func openShared(ctx context.Context, e *env, s string) (sharedLog, error) {
	if isKafka(s) {
		config, err := kafkaAt(ctx, "-f", s)
		if err != nil {
			return nil, err
		}
		config.Lost = func(partition int, from, to int64) {
			fmt.Fprintf(e.stderr, "note: partition %d: Kafka deleted offsets %d to %d before they were read: what was in them is missed\n", partition, from, to-1)
		}
		log, err := kafka.Open(ctx, config)
		if err != nil {
			return nil, failed(err, "")
		}
		return log, nil
	}
	log, err := openNATS(ctx, e, "-f", s)
	if err != nil {
		return nil, err
	}
	return log, nil
}

func openNATS(ctx context.Context, e *env, option, s string) (*nats.Log, error) {
	config, err := nats.ParseURL(s)
	if err != nil {
		return nil, usage("%s %w", option, err)
	}
	config.Lost = func(partition int, from, to uint64) {
		fmt.Fprintf(e.stderr, "note: partition %d: %d blocks, %d to %d, were deleted before they were read: what was in them is missed\n", partition, to-from, from, to-1)
	}
	log, err := nats.Open(ctx, config)
	if err != nil {
		return nil, failed(err, "")
	}
	return log, nil
}

// openSender opens such a log to fill it.
func openSender(ctx context.Context, e *env, s string) (stream.Sender, error) {
	if isKafka(s) {
		config, err := kafkaAt(ctx, "--forward", s)
		if err != nil {
			return nil, err
		}
		to, err := kafka.OpenSender(ctx, config)
		if err != nil {
			return nil, failed(err, "")
		}
		return to, nil
	}
	if !strings.HasPrefix(s, "nats://") {
		return nil, usage("--forward %q: want nats://HOST:4222/NAME, kafka://HOST:9092/TOPIC or kafka+tls://HOST:9092/TOPIC", s)
	}
	log, err := openNATS(ctx, e, "--forward", s)
	if err != nil {
		return nil, err
	}
	return log, nil
}

// share reads a log with other workers. Its findings go to the log's own place for findings as well.
func (o *detectOptions) share(ctx context.Context, e *env, options worker.Options) error {
	log, err := openShared(ctx, e, o.logs[0])
	if err != nil {
		return err
	}
	defer log.Close()
	tell := options.Deliver
	options.Deliver = func(ctx context.Context, fs []finding.Finding) error {
		if err := log.Publish(ctx, fs, report.FindingJSON); err != nil {
			return err
		}
		return tell(ctx, fs)
	}
	host, err := os.Hostname()
	if err != nil {
		return failed(fmt.Errorf("name this worker: %w", err), "")
	}
	name := strings.ReplaceAll(host, ".", "-") + "-" + fmt.Sprint(os.Getpid())
	fmt.Fprintf(e.stderr, "worker %s of a log of %d partitions\n", printable(name), log.Size())
	err = worker.Share(ctx, log, name, options, func(n int, err error) {
		if errors.Is(err, stream.ErrFenced) {
			return // another worker has it
		}
		fmt.Fprintf(e.stderr, "note: partition %d: %s; it is tried again\n", n, printable(err.Error()))
	})
	if err != nil && ctx.Err() == nil {
		return failed(err, "")
	}
	return nil
}

// settled is the findings that are wanted and that nobody accepted, and how many were accepted.
func (o *detectOptions) settled(e *env, r *ready, fs []finding.Finding) (left []finding.Finding, accepted int) {
	settled := &finding.Result{}
	scan.Options{Suppressions: r.accepted.Suppressions, Baseline: r.accepted.Baseline, Now: e.now()}.Settle(settled, r.chosen(fs))
	return settled.Findings, len(settled.Suppressed)
}

// tell writes findings that are serious enough, one a line.
func (o *detectOptions) tell(e *env, format string, fs []finding.Finding) error {
	for i := range fs {
		if !o.shows(fs[i]) {
			continue
		}
		if err := report.Line(e.stdout, format, &fs[i], e.terminal()); err != nil {
			return fmt.Errorf("write to standard output: %w", err)
		}
	}
	return nil
}
