package cli

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	awsarn "github.com/aws/aws-sdk-go-v2/aws/arn"

	"drawbridge/internal/detect"
	"drawbridge/internal/finding"
	"drawbridge/internal/report"
	"drawbridge/internal/sink"
	"drawbridge/internal/sink/ocsf"
	"drawbridge/internal/sink/securityhub"
	"drawbridge/internal/sink/sns"
	"drawbridge/internal/sink/webhook"
	"drawbridge/internal/source/aws"
	"drawbridge/internal/stream/nats"
)

// sinkForms is what --sink takes.
const sinkForms = "https://HOST/PATH, arn:aws:sns:REGION:ACCOUNT:TOPIC, securityhub://ACCOUNT?region=REGION, nats://HOST:4222/NAME or ocsf:FILE"

// openSinks opens where findings go besides reports. The caller closes them.
func (o *detectOptions) openSinks(ctx context.Context, e *env, known *detect.Context) (all sink.All, closeAll func(), err error) {
	var closers []func()
	closeAll = func() {
		for _, c := range closers {
			c()
		}
	}
	frame := sink.Frame{Version: version(), Now: e.now, Facts: known.Facts}
	for _, to := range o.sinks {
		s, done, err := o.openSink(ctx, to, frame)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		if done != nil {
			closers = append(closers, done)
		}
		all = append(all, s)
	}
	return all, closeAll, nil
}

func (o *detectOptions) openSink(ctx context.Context, to string, frame sink.Frame) (sink.Sink, func(), error) {
	open := func(s sink.Sink, err error) (sink.Sink, func(), error) {
		if err != nil {
			return nil, nil, failed(fmt.Errorf("open the sink %s: %w", to, err), "the forms are "+sinkForms)
		}
		return s, nil, nil
	}
	if path, ok := strings.CutPrefix(to, "ocsf:"); ok && path != "" {
		s, err := ocsf.Open(path, frame)
		if err != nil {
			return nil, nil, failed(err, "")
		}
		return s, func() { _ = s.Close() }, nil // every line was synced
	}
	if topic, err := awsarn.Parse(to); err == nil && topic.Service == "sns" {
		cfg, err := aws.LoadConfig("")(ctx, topic.Region)
		return open(sns.New(cfg, to, o.dead), err)
	}
	u, err := url.Parse(to)
	if err != nil {
		return nil, nil, usage("--sink: %w", err)
	}
	switch u.Scheme {
	case "https", "http":
		return open(webhook.New(webhook.Options{URL: u, SecretFile: o.sinkSecret, Dead: o.dead}))
	case "securityhub":
		if err := accountIDs([]string{u.Host}); err != nil {
			return nil, nil, usage("--sink %q: want securityhub://ACCOUNT?region=REGION", to)
		}
		cfg, err := aws.LoadConfig("")(ctx, u.Query().Get("region"))
		return open(securityhub.New(cfg, securityhub.Options{Account: u.Host, Frame: frame, Dead: o.dead}), err)
	case "nats":
		config, err := nats.ParseURL(to)
		if err != nil {
			return nil, nil, usage("--sink %w", err)
		}
		log, err := nats.Open(ctx, config)
		if err != nil {
			return nil, nil, failed(err, "")
		}
		return published{log}, log.Close, nil
	}
	return nil, nil, usage("--sink %q: want %s", to, sinkForms)
}

// published is a log's stream of findings as a sink.
type published struct{ log *nats.Log }

func (p published) Deliver(ctx context.Context, fs []finding.Finding) error {
	return p.log.Publish(ctx, fs, report.FindingJSON)
}
