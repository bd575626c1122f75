package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/sync/errgroup"

	arn "drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// Collect reads clusters and their account into a snapshot, whose gaps say what could not be read. It returns an error
// only where the snapshot would be of no use: no credentials, no such cluster, nothing readable at all, or a context
// that ended.
func Collect(ctx context.Context, o Options) (*model.Snapshot, error) {
	o = o.withDefaults()
	if len(o.Clusters) == 0 && !o.AllClusters {
		return nil, errors.New("read EKS clusters: none is named; pass --cluster NAME or --all-clusters")
	}
	c, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	clusters, err := c.find(ctx)
	if err != nil {
		return nil, err
	}
	c.run(ctx, c.tasks(clusters))
	if c.sweepErr != nil {
		c.run(ctx, c.oneByOne(clusters))
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read the EKS clusters of account %s: %w", c.account.ID, context.Cause(ctx))
	}
	return c.snapshot(clusters)
}

// CollectAccount reads the IAM of an account in which no clusters are looked for: who is in it, and what may be done to its
// roles. Its gaps and errors are those of Collect.
func CollectAccount(ctx context.Context, o Options) (*model.Snapshot, error) {
	o = o.withDefaults()
	c, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	c.run(ctx, []task{
		{"account " + c.account.ID + ": IAM", c.readIAM},
		{"account " + c.account.ID + ": OIDC providers", c.readOIDCProviders},
		{"account " + c.account.ID + ": organization", c.readOrganization},
	})
	if c.sweepErr != nil {
		c.run(ctx, c.oneByOne(nil))
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read account %s: %w", c.account.ID, context.Cause(ctx))
	}
	return c.snapshot(nil)
}

// collector is one run of Collect: the account, its regions and what failed so far.
type collector struct {
	Options
	account  *model.Account
	regions  []*region
	iam      iamAPI
	iamSlots slots // for the global services
	// organizations asks with the account's credentials first, then with those on the way to them.
	organizations []organizationsAPI
	// sweepErr is why IAM could not be read as a whole, or nil.
	sweepErr error

	mu       sync.Mutex // guards the fields below and the Read sets
	failures []failure
	done     int
	total    int
}

// reader reads one cluster.
type reader struct {
	*collector
	*region
	cluster *model.Cluster
}

// task is one part of the work that progress counts.
type task struct {
	what string
	run  func(context.Context)
}

func connect(ctx context.Context, o Options) (*collector, error) {
	configs, before, err := o.configs(ctx)
	if err != nil {
		return nil, err
	}
	c := &collector{Options: o, iam: iam.NewFromConfig(configs[0]), iamSlots: make(slots, o.Limit)}
	for _, cfg := range append(configs[:1:1], before...) {
		c.organizations = append(c.organizations, organizations.NewFromConfig(cfg))
	}
	for _, cfg := range configs {
		c.regions = append(c.regions, newRegion(cfg, o.Limit))
	}
	first := c.regions[0]
	who, err := call(ctx, first.slots, func() (*sts.GetCallerIdentityOutput, error) {
		return first.sts.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	})
	if err != nil {
		return nil, fmt.Errorf("find out which AWS account the credentials belong to, in %s%s: %w; "+
			"check --profile or AWS_PROFILE, sign in again (aws sso login), and check --role-arn", first.name, o.through(), err)
	}
	c.account = &model.Account{ID: awssdk.ToString(who.Account), Partition: partition(awssdk.ToString(who.Arn), first.name)}
	return c, nil
}

func (o Options) through() string {
	if len(o.RoleChain) == 0 {
		return ""
	}
	return " through " + strings.Join(o.RoleChain, ", ")
}

// partition takes the partition from an ARN, or from a region's name where there is no ARN.
func partition(text, region string) string {
	if a, err := arn.ParseARN(text); err == nil {
		return a.Partition
	}
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// tasks is everything there is to read, apart from what find has read.
func (c *collector) tasks(clusters []*reader) []task {
	all := []task{
		{"account " + c.account.ID + ": IAM", c.readIAM},
		{"account " + c.account.ID + ": OIDC providers", c.readOIDCProviders},
		{"account " + c.account.ID + ": trails", c.readTrails},
		{"account " + c.account.ID + ": organization", c.readOrganization},
	}
	for _, r := range c.regions {
		var there []*reader
		for _, k := range clusters {
			if k.region == r {
				there = append(there, k)
			}
		}
		if len(there) > 0 {
			all = append(all, task{r.name + ": access policies", func(ctx context.Context) { c.readAccessPolicies(ctx, r, there) }})
		}
	}
	for _, k := range clusters {
		for _, part := range []struct {
			what string
			run  func(context.Context)
		}{
			{"access entries", k.readAccessEntries},
			{"Pod Identity associations", k.readPodIdentityAssociations},
			{"node groups", k.readNodegroups},
			{"Fargate profiles", k.readFargateProfiles},
			{"add-ons", k.readAddons},
			{"capabilities", k.readCapabilities},
			{"identity providers", k.readIdentityProviders},
			{"instances", k.readInstances},
			{"log group", k.readLogGroup},
		} {
			all = append(all, task{k.cluster.Name + ": " + part.what, part.run})
		}
	}
	return all
}

// run carries out tasks at the same time; what bounds them is each region's limit on calls.
func (c *collector) run(ctx context.Context, tasks []task) {
	c.mu.Lock()
	c.total += len(tasks)
	c.mu.Unlock()
	var g errgroup.Group
	g.SetLimit(4 * c.Limit)
	for _, t := range tasks {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			t.run(ctx)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.done++
			c.Progress(c.done, c.total, t.what)
			return nil
		})
	}
	_ = g.Wait() // no task returns an error: failures are gaps
}

func (c *collector) failed(f failure) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures = append(c.failures, f)
}

// accountGap records that a call for an area of the account failed. A call about an item that is gone is no gap.
func (c *collector) accountGap(area model.Area, action, item string, err error) {
	if item == "" || !gone(err) {
		c.failed(failure{area: area, action: action, item: item, err: err})
	}
}

// gap records that a call for an area of the cluster failed. A call about an item that is gone is no gap.
func (r *reader) gap(area model.Area, action, item string, err error) {
	if item == "" || !gone(err) {
		r.failed(failure{cluster: r.cluster, area: area, action: action, item: item, err: err})
	}
}

// read records that areas of the cluster were read.
func (r *reader) read(areas ...model.Area) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cluster.MarkRead(areas...)
}

func (c *collector) readAccount(areas ...model.Area) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.account.MarkRead(areas...)
}

func (c *collector) snapshot(clusters []*reader) (*model.Snapshot, error) {
	s := &model.Snapshot{Time: c.Now().UTC(), Accounts: []*model.Account{c.account}}
	something := false
	for area := range c.account.Read {
		info, _ := area.Info()
		something = something || !info.Optional // which is no use without the others
	}
	for _, k := range clusters {
		s.Clusters = append(s.Clusters, k.cluster)
		something = something || len(k.cluster.Read) > 0
	}
	slices.SortFunc(s.Clusters, func(a, b *model.Cluster) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ARN, b.ARN)) })
	if !something {
		return nil, fmt.Errorf("read account %s: every call failed, the first with: %w; "+
			"grant the read-only policy in README.md", c.account.ID, c.failures[0].err)
	}
	s.Gaps = gaps(c.failures, s.Label, c.account.ID)
	return s, nil
}
