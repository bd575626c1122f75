package aws

import (
	"context"
	"fmt"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Options says what to read and as whom.
type Options struct {
	// Clusters are names of EKS clusters; AllClusters asks for every cluster of the regions instead.
	Clusters    []string
	AllClusters bool
	// Regions to look in; none is the region of the base configuration.
	Regions []string

	// Config returns the base configuration of a region, where "" is the default region; nil is LoadConfig("").
	Config func(ctx context.Context, region string) (awssdk.Config, error)
	// RoleChain are ARNs of IAM roles to assume one after the other. ExternalID is presented to the last of them.
	RoleChain  []string
	ExternalID string

	// Principals are ARNs of IAM roles and users that are of interest besides those that EKS names, such as those in
	// aws-auth or in annotations of service accounts. They matter only where IAM cannot be read as a whole.
	Principals []string

	// Limit is the number of calls in flight per region, and for IAM; 0 is 8.
	Limit int
	// Progress is told of every finished task, one call at a time; nil is nobody.
	Progress func(done, total int, what string)
	// Now is the clock that dates the snapshot; nil is time.Now.
	Now func() time.Time
}

const (
	defaultLimit = 8
	sessionName  = "drawbridge"
)

func (o Options) withDefaults() Options {
	if o.Config == nil {
		o.Config = LoadConfig("")
	}
	if len(o.Regions) == 0 {
		o.Regions = []string{""}
	}
	if o.Limit <= 0 {
		o.Limit = defaultLimit
	}
	if o.Progress == nil {
		o.Progress = func(int, int, string) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// LoadConfig returns a base configuration from the environment and the shared files, as the AWS CLI finds it. An empty
// profile is the default one.
func LoadConfig(profile string) func(context.Context, string) (awssdk.Config, error) {
	return func(ctx context.Context, region string) (awssdk.Config, error) {
		var options []func(*config.LoadOptions) error
		if profile != "" {
			options = append(options, config.WithSharedConfigProfile(profile))
		}
		if region != "" {
			options = append(options, config.WithRegion(region))
		}
		return config.LoadDefaultConfig(ctx, options...)
	}
}

// configs returns one configuration per region, all with the same credentials: those at the end of the role chain. And it
// returns those on the way there, in the first region, from the end.
func (o Options) configs(ctx context.Context) (all, before []awssdk.Config, err error) {
	seen := map[string]bool{}
	for _, name := range o.Regions {
		cfg, err := o.Config(ctx, name)
		if err != nil {
			return nil, nil, fmt.Errorf("load the AWS configuration of region %q: %w; check --profile, AWS_PROFILE and ~/.aws/config", name, err)
		}
		if cfg.Region == "" {
			return nil, nil, fmt.Errorf("load the AWS configuration: no region is set; pass --region or set AWS_REGION")
		}
		if seen[cfg.Region] {
			continue
		}
		seen[cfg.Region] = true
		if cfg.Retryer == nil {
			cfg.Retryer = patient
		}
		if len(all) == 0 {
			cfg, before = o.assume(cfg)
		} else if len(o.RoleChain) > 0 {
			cfg.Credentials = all[0].Credentials
		}
		all = append(all, cfg)
	}
	return all, before, nil
}

func (o Options) assume(cfg awssdk.Config) (end awssdk.Config, before []awssdk.Config) {
	for i, role := range o.RoleChain {
		before = append([]awssdk.Config{cfg}, before...)
		last := i == len(o.RoleChain)-1
		provider := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), role, func(a *stscreds.AssumeRoleOptions) {
			a.RoleSessionName = sessionName
			if last && o.ExternalID != "" {
				a.ExternalID = &o.ExternalID
			}
		})
		cfg.Credentials = awssdk.NewCredentialsCache(provider)
	}
	return cfg, before
}
