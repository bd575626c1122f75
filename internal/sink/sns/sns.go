// Package sns publishes findings to a topic of SNS, one a message, in the form they have in results.
package sns

import (
	"cmp"
	"context"
	"errors"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"drawbridge/internal/finding"
	"drawbridge/internal/sink"
	"drawbridge/internal/stream"
)

// maxAttempts is how often the SDK makes a call that is throttled or unanswered.
const maxAttempts = 8

// Rights are what a sink takes. A topic that a key of KMS encrypts takes kms:GenerateDataKey and kms:Decrypt on that key as well.
func Rights() []stream.Right {
	return []stream.Right{{Action: "sns:Publish", On: "the topic", Why: "hands on findings"}}
}

type api interface {
	Publish(context.Context, *sns.PublishInput, ...func(*sns.Options)) (*sns.PublishOutput, error)
}

// Sink is a sink.Sink of a topic.
type Sink struct {
	topic string
	api   api
	dead  sink.Dead
	done  *stream.Recent
}

// New returns a sink of the topic with that ARN.
func New(cfg awssdk.Config, topic string, dead sink.Dead) *Sink {
	if cfg.Retryer == nil {
		cfg.RetryMode, cfg.RetryMaxAttempts = awssdk.RetryModeStandard, maxAttempts
	}
	if parts := strings.Split(topic, ":"); len(parts) == 6 && parts[3] != "" {
		cfg.Region = parts[3]
	}
	return &Sink{topic: topic, api: sns.NewFromConfig(cfg), dead: dead, done: stream.NewRecent(sink.Remembered)}
}

// Deliver publishes findings one after the other, with their detection and severity as attributes, to filter by. A FIFO topic
// leaves out by itself what it was given in the last five minutes, and keeps each cluster's order.
func (s *Sink) Deliver(ctx context.Context, fs []finding.Finding) error {
	return sink.OneByOne(fs, s.done, s.topic, s.dead, func(f finding.Finding, body []byte) (string, error) {
		in := &sns.PublishInput{TopicArn: &s.topic, Message: awssdk.String(string(body)), MessageAttributes: map[string]types.MessageAttributeValue{
			"id": text(f.ID), "severity": text(string(f.Severity)), "fingerprint": text(f.Fingerprint),
		}}
		if strings.HasSuffix(s.topic, ".fifo") {
			in.MessageDeduplicationId, in.MessageGroupId = &f.Fingerprint, awssdk.String(group(f))
		}
		_, err := s.api.Publish(ctx, in)
		if refused(err) {
			return err.Error(), nil
		}
		return "", err
	})
}

func text(s string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: awssdk.String("String"), StringValue: awssdk.String(cmp.Or(s, "-"))}
}

// group is what keeps its order: a cluster, in the letters that a group's name may have, 128 of them.
func group(f finding.Finding) string {
	name := strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, cmp.Or(f.Cluster, "drawbridge"))
	return name[max(0, len(name)-128):]
}

// refused says whether the topic will not take a message because of what it is: it is too long, or has letters that none may.
func refused(err error) bool {
	_, invalid := errors.AsType[*types.InvalidParameterException](err)
	_, value := errors.AsType[*types.InvalidParameterValueException](err)
	return invalid || value
}
