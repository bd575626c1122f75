package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awsarn "github.com/aws/aws-sdk-go-v2/aws/arn"

	"drawbridge/internal/source/aws"
	"drawbridge/internal/stream"
	"drawbridge/internal/stream/file"
	"drawbridge/internal/stream/kinesis"
	"drawbridge/internal/stream/logs"
	"drawbridge/internal/stream/s3"
	"drawbridge/internal/stream/webhook"
)

// transport is a kind of stream that -f takes as a URL.
type transport struct {
	scheme, form, text string
	keys               []string // parameters that the URL may have
	open               func(ctx context.Context, e *env, o *detectOptions, u *url.URL, from *stream.Checkpoint) (stream.Stream, error)
}

// transports are all of them but nats:// and kafka://, which workers share: see detect_stream.go.
var transports = []transport{
	{"sqs", "sqs://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE", "objects in S3 as a queue of SQS announces them", []string{"region"}, openSQS},
	{"kinesis", "kinesis://STREAM?region=REGION or kinesis://ARN", "a data stream of Kinesis", []string{"region"}, openKinesis},
	{"logs", "logs:///aws/eks/CLUSTER/cluster?region=REGION or logs://ARN", "a group of CloudWatch Logs", []string{"region"}, openLogs},
	{
		"webhook", "webhook://HOST:PORT?cert=FILE&key=FILE&client-ca=FILE&token-file=FILE&cluster-from=certificate", "posts of API servers' audit webhooks, at /audit/CLUSTER",
		[]string{"cert", "key", "client-ca", "token-file", "cluster-from"},
		openWebhook,
	},
}

// openURL opens one of them.
func (o *detectOptions) openURL(ctx context.Context, e *env, s string, from *stream.Checkpoint) (stream.Stream, error) {
	u, err := parseStream(s)
	if err != nil {
		return nil, usage("-f %w", err)
	}
	var forms []string
	for _, t := range transports {
		forms = append(forms, t.form)
		if t.scheme != u.Scheme {
			continue
		}
		for key := range u.Query() {
			if !slices.Contains(t.keys, key) {
				return nil, usage("-f %q: %s takes no parameter %q; want %s", s, t.scheme, key, t.form)
			}
		}
		opened, err := t.open(ctx, e, o, u, from)
		if err != nil {
			return nil, failed(fmt.Errorf("open %s: %w", s, err), "the form is "+t.form)
		}
		return opened, nil
	}
	return nil, usage("-f %q: want one of %s; nats://HOST:4222/NAME or kafka://HOST:9092/TOPIC alone", s, strings.Join(forms, ", "))
}

// parseStream reads a URL. After the scheme may be an ARN, which is then its Opaque.
func parseStream(s string) (*url.URL, error) {
	scheme, rest, _ := strings.Cut(s, "://")
	if !strings.HasPrefix(rest, "arn:") {
		return url.Parse(s)
	}
	opaque, query, _ := strings.Cut(rest, "?")
	return &url.URL{Scheme: scheme, Opaque: opaque, RawQuery: query}, nil
}

// named is what a URL names: NAME, or the ARN in it if that is of a kind, whose region then counts. kind is what stands before
// the name in such an ARN.
func named(u *url.URL, name, service, kind string) (what, region string, err error) {
	region = u.Query().Get("region")
	if u.Opaque == "" {
		if name == "" {
			return "", "", errors.New("it names nothing")
		}
		return name, region, nil
	}
	a, err := awsarn.Parse(u.Opaque)
	if err != nil || a.Service != service || !strings.HasPrefix(a.Resource, kind) || a.Resource == kind || a.Region == "" {
		return "", "", fmt.Errorf("want an ARN of the form arn:aws:%s:REGION:ACCOUNT:%sNAME", service, kind)
	}
	if region != "" && region != a.Region {
		return "", "", fmt.Errorf("the ARN is of %s, the parameter region of %s", a.Region, region)
	}
	return u.Opaque, a.Region, nil
}

// awsConfig is the configuration of the environment, in a region.
func awsConfig(ctx context.Context, region string) (awssdk.Config, error) {
	return aws.LoadConfig("")(ctx, region)
}

func openSQS(ctx context.Context, e *env, o *detectOptions, u *url.URL, _ *stream.Checkpoint) (stream.Stream, error) {
	region := u.Query().Get("region")
	if parts := strings.Split(u.Hostname(), "."); region == "" && len(parts) > 2 && parts[0] == "sqs" {
		region = parts[1]
	}
	cfg, err := awsConfig(ctx, region)
	if err != nil {
		return nil, err
	}
	queue := url.URL{Scheme: "https", Host: u.Host, Path: u.Path}
	return s3.New(cfg, s3.Options{Queue: queue.String(), Dead: o.dead, Report: e.reportStream}), nil
}

func openKinesis(ctx context.Context, e *env, o *detectOptions, u *url.URL, from *stream.Checkpoint) (stream.Stream, error) {
	name, region, err := named(u, u.Host, "kinesis", "stream/")
	if err != nil {
		return nil, err
	}
	cfg, err := awsConfig(ctx, region)
	if err != nil {
		return nil, err
	}
	dead := o.dead
	if dead == nil { // a stream that is not read on would be of less use than one whose broken records only the log names
		dead = func(input, reason string) error {
			e.reportStream(input, errors.New(reason+"; passed over"))
			return nil
		}
	}
	return kinesis.New(cfg, kinesis.Options{Stream: name, Resume: from.Positions, Dead: dead}), nil
}

func openLogs(ctx context.Context, e *env, _ *detectOptions, u *url.URL, from *stream.Checkpoint) (stream.Stream, error) {
	group, region, err := named(u, u.Path, "logs", "log-group:")
	if err != nil {
		return nil, err
	}
	cfg, err := awsConfig(ctx, region)
	if err != nil {
		return nil, err
	}
	now := e.now()
	return logs.New(cfg, logs.Options{Group: group, Resume: from.Positions["logs://"+group], From: now, Now: e.now}), nil
}

func openWebhook(_ context.Context, e *env, o *detectOptions, u *url.URL, _ *stream.Checkpoint) (stream.Stream, error) {
	q := u.Query()
	from := q.Get("cluster-from")
	if from != "" && from != "certificate" {
		return nil, fmt.Errorf("cluster-from=%s: want certificate", from)
	}
	s, err := webhook.New(webhook.Options{
		Address: u.Host, Certificate: q.Get("cert"), Key: q.Get("key"), ClientCA: q.Get("client-ca"), TokenFile: q.Get("token-file"),
		ClusterFromCertificate: from != "",
		Report: func(err error) {
			if o.refused != nil {
				o.refused()
			}
			fmt.Fprintf(e.stderr, "note: %s\n", printable(err.Error()))
		},
	})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(e.stderr, "listening for audit webhooks on %s\n", s.Addr())
	return s, nil
}

func (e *env) reportStream(input string, err error) {
	fmt.Fprintf(e.stderr, "note: %s: %s\n", printable(input), printable(err.Error()))
}

// open is the logs as one stream, from the positions of a checkpoint on.
func (o *detectOptions) open(ctx context.Context, e *env, from *stream.Checkpoint) (stream.Stream, error) {
	if from == nil {
		from = &stream.Checkpoint{}
	}
	var paths []string
	var all []stream.Stream
	for _, log := range o.logs {
		if !isURL(log) {
			paths = append(paths, log)
			continue
		}
		s, err := o.openURL(ctx, e, log, from)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if len(paths) > 0 {
		all = append(all, file.New(file.Options{Paths: paths, Stdin: e.stdin, Resume: from.Positions, Report: e.reportStream}))
	}
	return stream.Merge(all...), nil
}
