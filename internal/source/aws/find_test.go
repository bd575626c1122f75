package aws

import (
	"context"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go/middleware"
	"github.com/google/go-cmp/cmp"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/model"
)

// refuse makes calls of one operation in some regions fail as an organization's policy does.
func refuse(o *Options, operation string, regions ...string) {
	base := o.Config
	o.Config = func(ctx context.Context, region string) (awssdk.Config, error) {
		cfg, err := base(ctx, region)
		for _, r := range regions {
			if r != region {
				continue
			}
			cfg.APIOptions = append(cfg.APIOptions, func(stack *middleware.Stack) error {
				return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("refuse", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
					if middleware.GetOperationName(ctx) == operation {
						return middleware.InitializeOutput{}, middleware.Metadata{}, apiError("AccessDeniedException", "explicit deny in a service control policy")
					}
					return next.HandleInitialize(ctx, in)
				}), middleware.After)
			})
		}
		return cfg, err
	}
}

func TestFindInRegions(t *testing.T) {
	const paris = "eu-west-3"
	for _, test := range []struct {
		name     string
		clusters []string
		regions  []string
		refused  string
		where    []string
		want     []string
		gaps     []string
	}{
		{"all of two", nil, []string{home, away}, "", nil, []string{"legacy eu-central-1", "prod eu-central-1", "prod us-east-1"}, nil},
		{"one name in two", []string{"prod"}, []string{home, away}, "", nil, []string{"prod eu-central-1", "prod us-east-1"}, nil},
		{"two names, one region each", []string{"legacy", "prod"}, []string{home, paris}, "", nil, []string{"legacy eu-central-1", "prod eu-central-1"}, nil},
		{
			"a region that may not be listed", nil,
			[]string{home, away},
			"ListClusters",
			[]string{away},
			[]string{"legacy eu-central-1", "prod eu-central-1"},
			[]string{"111122223333 cluster eks:ListClusters: AccessDeniedException for region us-east-1: explicit deny in a service control policy"},
		},
		{
			"a region that may not describe, and another has it",
			[]string{"legacy"},
			[]string{home, paris},
			"DescribeCluster",
			[]string{paris},
			[]string{"legacy eu-central-1"},
			[]string{"111122223333 cluster eks:DescribeCluster: AccessDeniedException for arn:aws:eks:eu-west-3:111122223333:cluster/legacy: explicit deny in a service control policy"},
		},
		{
			"no region may describe, one lists it",
			[]string{"prod"},
			[]string{paris, away},
			"DescribeCluster",
			[]string{paris, away},
			[]string{"prod us-east-1"},
			[]string{
				"prod cluster eks:DescribeCluster: AccessDeniedException: explicit deny in a service control policy",
				"111122223333 cluster eks:DescribeCluster: AccessDeniedException for arn:aws:eks:eu-west-3:111122223333:cluster/prod: explicit deny in a service control policy",
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := fleet(t, lab.Options{})
			o := options(s)
			o.AllClusters, o.Clusters, o.Regions = test.clusters == nil, test.clusters, test.regions
			refuse(&o, test.refused, test.where...)
			got := collect(t, o)
			var found, gaps []string
			for _, c := range got.Clusters {
				found = append(found, c.Name+" "+c.Region)
			}
			for _, line := range gapLines(got) {
				if strings.Contains(line, " cluster ") {
					gaps = append(gaps, line)
				}
			}
			if diff := cmp.Diff(test.want, found); diff != "" {
				t.Errorf("clusters (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(diffable(test.gaps), diffable(gaps)); diff != "" {
				t.Errorf("gaps (-want +got):\n%s", diff)
			}
		})
	}
}

func diffable(lines []string) string { return strings.Join(sorted(lines), "\n") }

// Two clusters of one name are told apart in gaps as the snapshot labels them.
func TestGapsNameTheirCluster(t *testing.T) {
	s := fleet(t, lab.Options{})
	o := options(s)
	o.Regions = []string{home, away}
	s.Deny("eks:ListAddons")
	got := collect(t, o)
	for _, c := range got.Clusters {
		if gaps := got.GapsFor(c, model.AreaAddons); len(gaps) != 1 {
			t.Errorf("%s has %d gaps", c.ARN, len(gaps))
		}
	}
}

func TestPartitionOf(t *testing.T) {
	for _, test := range []struct{ arn, region, want string }{
		{"arn:aws-us-gov:sts::111122223333:assumed-role/a/b", "us-east-1", "aws-us-gov"},
		{"", "cn-northwest-1", "aws-cn"},
		{"", "us-gov-east-1", "aws-us-gov"},
		{"nonsense", "eu-west-1", "aws"},
	} {
		if got := partition(test.arn, test.region); got != test.want {
			t.Errorf("partition(%q, %q) = %q, want %q", test.arn, test.region, got, test.want)
		}
	}
}

func TestDescription(t *testing.T) {
	yes := true
	got := description(&types.Cluster{
		AccessConfig:  &types.AccessConfigResponse{AuthenticationMode: "API", BootstrapClusterCreatorAdminPermissions: new(bool)},
		ComputeConfig: &types.ComputeConfigResponse{Enabled: &yes, NodeRoleArn: awssdk.String(arnOf("role/node"))},
	})
	want := &model.Description{AuthenticationMode: "API", BootstrapAdmin: new(bool), AutoMode: true, AutoNodeRoleARN: arnOf("role/node")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&model.Description{}, description(&types.Cluster{})); diff != "" {
		t.Errorf("of an empty answer (-want +got):\n%s", diff)
	}
}

func TestDocument(t *testing.T) {
	for text, want := range map[string]model.Document{
		"%7B%22a%22%3A%22b+c%2525%22%7D": `{"a":"b+c%25"}`,
		`{"plain":"100%"}`:               `{"plain":"100%"}`, // not encoded: as it is
	} {
		if got := document(&text); got != want {
			t.Errorf("document(%q) = %q, want %q", text, got, want)
		}
	}
	if got := document(nil); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}
