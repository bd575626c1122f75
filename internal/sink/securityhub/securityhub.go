// Package securityhub imports findings into AWS Security Hub, in the format that package report writes. They belong to the account
// that calls: the hub takes no others from it (AWS Security Hub API Reference, "BatchImportFindings", 2026-11); resources keep
// the account they are in.
package securityhub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/securityhub"
	"github.com/aws/aws-sdk-go-v2/service/securityhub/types"

	"drawbridge/internal/finding"
	"drawbridge/internal/sink"
	"drawbridge/internal/stream"
)

const (
	// atOnce is the most findings that a call takes.
	atOnce = 100
	// maxAttempts is how often the SDK makes a call that is throttled or unanswered.
	maxAttempts = 8
)

// Rights are what a sink takes.
func Rights() []stream.Right {
	return []stream.Right{{Action: "securityhub:BatchImportFindings", On: "the hub", Why: "hands on findings"}}
}

type api interface {
	BatchImportFindings(context.Context, *securityhub.BatchImportFindingsInput, ...func(*securityhub.Options)) (*securityhub.BatchImportFindingsOutput, error)
}

// Options are the hub. Its region is the configuration's.
type Options struct {
	Account   string // that calls
	Partition string // "" is aws
	Frame     sink.Frame
	Dead      sink.Dead
}

// Sink is a sink.Sink of a hub.
type Sink struct {
	o       Options
	product string
	api     api
	done    *stream.Recent
}

// New returns a sink. Nothing is called before Deliver.
func New(cfg awssdk.Config, o Options) *Sink {
	if cfg.Retryer == nil {
		cfg.RetryMode, cfg.RetryMaxAttempts = awssdk.RetryModeStandard, maxAttempts
	}
	if o.Partition == "" {
		o.Partition = "aws"
	}
	return &Sink{
		o: o, api: securityhub.NewFromConfig(cfg), done: stream.NewRecent(sink.Remembered),
		product: fmt.Sprintf("arn:%s:securityhub:%s:%s:product/%s/default", o.Partition, cfg.Region, o.Account, o.Account),
	}
}

// Deliver imports findings by the hundred. The hub knows one that comes again by its id, and updates it.
func (s *Sink) Deliver(ctx context.Context, fs []finding.Finding) error {
	fresh := slices.DeleteFunc(slices.Clone(fs), func(f finding.Finding) bool { return s.done.Has(f.Fingerprint) })
	for some := range slices.Chunk(fresh, atOnce) {
		if err := s.deliver(ctx, some); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sink) deliver(ctx context.Context, fs []finding.Finding) error {
	formatted, err := s.o.Frame.Format("asff", fs)
	if err != nil {
		return err
	}
	in := &securityhub.BatchImportFindingsInput{}
	byID := map[string]finding.Finding{}
	for i, one := range formatted {
		var f types.AwsSecurityFinding // its fields are called as the format's
		if err := json.Unmarshal(one, &f); err != nil {
			return fmt.Errorf("write finding %s for Security Hub: %w", fs[i].Fingerprint, err)
		}
		f.AwsAccountId, f.ProductArn = &s.o.Account, &s.product
		in.Findings = append(in.Findings, f)
		byID[awssdk.ToString(f.Id)] = fs[i]
	}
	out, err := s.api.BatchImportFindings(ctx, in)
	if err != nil {
		return fmt.Errorf("import %d findings into Security Hub: %w", len(fs), err)
	}
	for _, refused := range out.FailedFindings {
		f, ok := byID[awssdk.ToString(refused.Id)]
		if !ok {
			continue
		}
		if err := s.o.Dead.Bury(f, "Security Hub", awssdk.ToString(refused.ErrorCode)+": "+awssdk.ToString(refused.ErrorMessage)); err != nil {
			return err
		}
	}
	for _, f := range fs {
		s.done.Add(f.Fingerprint)
	}
	return nil
}
