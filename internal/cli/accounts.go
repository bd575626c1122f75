package cli

import (
	"context"
	"fmt"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/source/aws"
)

// otherAccounts are options for the accounts of --account-role, by account id: each role is assumed with the credentials that
// the clusters are read with.
func (in *inputs) otherAccounts(o aws.Options, region string) (map[string]aws.Options, error) {
	base := o
	all := map[string]aws.Options{}
	for _, text := range in.others {
		role, err := iam.ParseARN(text)
		if err != nil || !role.IsRole() {
			return nil, usage("--account-role %q is no ARN of an IAM role", text)
		}
		if _, twice := all[role.Account]; twice {
			return nil, usage("--account-role names two roles of account %s", role.Account)
		}
		all[role.Account] = aws.Options{
			Regions: []string{region}, RoleChain: []string{text}, Principals: o.Principals, Progress: o.Progress,
			Config: func(ctx context.Context, region string) (awssdk.Config, error) { return aws.Config(ctx, base, region) },
		}
	}
	return all, nil
}

// readOthers reads the accounts of --account-role, each as a snapshot without clusters.
func (in *inputs) readOthers(ctx context.Context, o aws.Options, region string) ([]*model.Snapshot, error) {
	others, err := in.otherAccounts(o, region)
	if err != nil {
		return nil, err
	}
	var parts []*model.Snapshot
	for id, of := range others {
		s, err := aws.CollectAccount(ctx, of)
		if err != nil {
			return nil, failed(fmt.Errorf("read account %s: %w", id, err), "")
		}
		parts = append(parts, s)
	}
	return parts, nil
}
