package s3

import (
	"context"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"drawbridge/internal/stream"
)

// maxAttempts is how often the SDK makes a call that is throttled or unanswered.
const maxAttempts = 8

// Rights are what a stream takes. Objects and queues that a key of KMS encrypts take kms:Decrypt on that key as well.
func Rights() []stream.Right {
	return []stream.Right{
		{Action: "s3:GetObject", On: "the objects that are announced", Why: "reads the logs"},
		{Action: "sqs:ChangeMessageVisibility", On: "the queue", Why: "keeps others from a message while its objects are read"},
		{Action: "sqs:DeleteMessage", On: "the queue", Why: "takes messages off whose objects are done"},
		{Action: "sqs:ReceiveMessage", On: "the queue", Why: "learns of new objects"},
	}
}

type objectsAPI interface {
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

type queueAPI interface {
	ChangeMessageVisibility(context.Context, *sqs.ChangeMessageVisibilityInput, ...func(*sqs.Options)) (*sqs.ChangeMessageVisibilityOutput, error)
	DeleteMessage(context.Context, *sqs.DeleteMessageInput, ...func(*sqs.Options)) (*sqs.DeleteMessageOutput, error)
	ReceiveMessage(context.Context, *sqs.ReceiveMessageInput, ...func(*sqs.Options)) (*sqs.ReceiveMessageOutput, error)
}

func clients(cfg awssdk.Config) (objectsAPI, queueAPI) {
	if cfg.Retryer == nil {
		cfg.RetryMode, cfg.RetryMaxAttempts = awssdk.RetryModeStandard, maxAttempts
	}
	return s3.NewFromConfig(cfg, func(o *s3.Options) {
		o.DisableLogOutputChecksumValidationSkipped = true // else a line for each object that has none
		o.UsePathStyle = cfg.BaseEndpoint != nil           // an endpoint of one's own has no name for every bucket
	}), sqs.NewFromConfig(cfg)
}
