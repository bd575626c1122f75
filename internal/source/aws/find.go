package aws

import (
	"context"
	"fmt"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	arn "drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// find returns the clusters to read, described as far as that is allowed.
func (c *collector) find(ctx context.Context) ([]*reader, error) {
	names := map[*region][]string{}
	for _, r := range c.regions {
		names[r] = c.Clusters
	}
	if c.AllClusters {
		listed, err := c.list(ctx)
		if err != nil {
			return nil, err
		}
		names = listed
	}
	var clusters []*reader
	for _, r := range c.regions {
		there, _ := each(ctx, r.slots, slices.Compact(sorted(names[r])), func(name string) (*reader, error) {
			return c.describe(ctx, r, name), nil
		}, nil)
		clusters = append(clusters, there...)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("find the EKS clusters of account %s: %w", c.account.ID, context.Cause(ctx))
	}
	if !c.AllClusters {
		clusters = c.located(ctx, clusters)
	}
	return clusters, c.missing(clusters)
}

// list names the clusters of every region. Regions that refuse are gaps, as long as one answers.
func (c *collector) list(ctx context.Context) (map[*region][]string, error) {
	names := map[*region][]string{}
	var first error
	answered := false
	for _, r := range c.regions {
		listed, err := r.clusters(ctx)
		names[r] = listed
		switch {
		case err == nil:
			answered = true
			c.account.AllClustersOf = append(c.account.AllClustersOf, r.name)
		case first == nil:
			first = err
		}
		if err != nil {
			c.accountGap(model.AreaCluster, "eks:ListClusters", "region "+r.name, err)
		}
	}
	slices.Sort(c.account.AllClustersOf)
	if !answered {
		return nil, fmt.Errorf("list the EKS clusters of account %s in %s: %w; grant eks:ListClusters, or name clusters with --cluster",
			c.account.ID, c.regionNames(), first)
	}
	return names, nil
}

func (r *region) clusters(ctx context.Context) ([]string, error) {
	return pages(ctx, r.slots, eks.NewListClustersPaginator(r.eks, &eks.ListClustersInput{}), func(p *eks.ListClustersOutput) []string { return p.Clusters })
}

// describe returns a cluster, or nil if there is none of that name in the region.
func (c *collector) describe(ctx context.Context, r *region, name string) *reader {
	k := &reader{collector: c, region: r, cluster: &model.Cluster{
		Name: name, Account: c.account.ID, Region: r.name, Partition: c.account.Partition,
		ARN: "arn:" + c.account.Partition + ":eks:" + r.name + ":" + c.account.ID + ":cluster/" + name,
	}}
	out, err := call(ctx, r.slots, func() (*eks.DescribeClusterOutput, error) {
		return r.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &name})
	})
	switch {
	case gone(err):
		return nil
	case err != nil:
		k.gap(model.AreaCluster, "eks:DescribeCluster", "", err)
	case out.Cluster != nil:
		k.cluster.Description = description(out.Cluster)
		if a, err := arn.ParseARN(awssdk.ToString(out.Cluster.Arn)); err == nil {
			k.cluster.ARN, k.cluster.Account, k.cluster.Region, k.cluster.Partition = *out.Cluster.Arn, a.Account, a.Region, a.Partition
		}
		k.read(model.AreaCluster)
	}
	return k
}

// located drops what is only supposed to exist, because a region refused to say whether it has a cluster of that name:
// where another region described one, or where the region's list lacks it.
func (c *collector) located(ctx context.Context, clusters []*reader) []*reader {
	described := map[string]bool{}
	for _, k := range clusters {
		described[k.cluster.Name] = described[k.cluster.Name] || k.cluster.Description != nil
	}
	return slices.DeleteFunc(clusters, func(k *reader) bool {
		if k.cluster.Description != nil || len(c.regions) == 1 {
			return false
		}
		if !described[k.cluster.Name] {
			listed, err := k.clusters(ctx)
			if err != nil || slices.Contains(listed, k.cluster.Name) {
				return false
			}
		}
		c.disown(k.cluster)
		return true
	})
}

// disown makes the failures about a cluster that is dropped failures of the account.
func (c *collector) disown(k *model.Cluster) {
	for i, f := range c.failures {
		if f.cluster == k {
			c.failures[i].item, c.failures[i].cluster = k.ARN, nil
		}
	}
}

// missing returns an error if a named cluster was not found, or none at all.
func (c *collector) missing(clusters []*reader) error {
	if c.AllClusters {
		if len(clusters) == 0 {
			return fmt.Errorf("find EKS clusters of account %s in %s: there are none; check --region and the account", c.account.ID, c.regionNames())
		}
		return nil
	}
	for _, name := range c.Clusters {
		if !slices.ContainsFunc(clusters, func(k *reader) bool { return k.cluster.Name == name }) {
			return fmt.Errorf("find EKS cluster %q of account %s in %s: no such cluster; check the name, --region and the account, or pass --all-clusters",
				name, c.account.ID, c.regionNames())
		}
	}
	return nil
}

func (c *collector) regionNames() string {
	var names []string
	for _, r := range c.regions {
		names = append(names, r.name)
	}
	return strings.Join(names, ", ")
}

func description(c *types.Cluster) *model.Description {
	d := &model.Description{
		KubernetesVersion: awssdk.ToString(c.Version),
		PlatformVersion:   awssdk.ToString(c.PlatformVersion),
		Status:            string(c.Status),
		Created:           instant(c.CreatedAt),
		RoleARN:           awssdk.ToString(c.RoleArn),
		Tags:              labels(c.Tags),
	}
	if a := c.AccessConfig; a != nil {
		d.AuthenticationMode, d.BootstrapAdmin = string(a.AuthenticationMode), a.BootstrapClusterCreatorAdminPermissions
	}
	if c.Identity != nil && c.Identity.Oidc != nil {
		d.Issuer = awssdk.ToString(c.Identity.Oidc.Issuer)
	}
	if c.Logging != nil {
		for _, l := range c.Logging.ClusterLogging {
			if awssdk.ToBool(l.Enabled) {
				for _, t := range l.Types {
					d.EnabledLogs = append(d.EnabledLogs, string(t))
				}
			}
		}
		d.EnabledLogs = sorted(d.EnabledLogs)
	}
	if v := c.ResourcesVpcConfig; v != nil {
		d.EndpointPublic, d.EndpointPrivate, d.PublicCIDRs = v.EndpointPublicAccess, v.EndpointPrivateAccess, sorted(v.PublicAccessCidrs)
	}
	if m := c.ComputeConfig; m != nil {
		d.AutoMode, d.AutoNodeRoleARN = awssdk.ToBool(m.Enabled), awssdk.ToString(m.NodeRoleArn)
	}
	d.HybridNodes = c.RemoteNetworkConfig != nil && len(c.RemoteNetworkConfig.RemoteNodeNetworks) > 0
	return d
}
