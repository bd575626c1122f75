package aws

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"

	"drawbridge/internal/model"
)

// readNodegroups reads the managed node groups and the launch template versions that they use.
func (r *reader) readNodegroups(ctx context.Context) {
	names, err := pages(ctx, r.slots, eks.NewListNodegroupsPaginator(r.eks, &eks.ListNodegroupsInput{ClusterName: &r.cluster.Name}),
		func(p *eks.ListNodegroupsOutput) []string { return p.Nodegroups })
	r.listed(model.AreaNodegroups, "eks:ListNodegroups", len(names), err)
	if err != nil {
		r.gap(model.AreaLaunchTemplates, "eks:ListNodegroups", "", err)
	}
	groups, described := each(ctx, r.slots, sorted(names), func(name string) (*model.Nodegroup, error) {
		return r.nodegroup(ctx, name)
	}, func(name string, err error) {
		r.gap(model.AreaNodegroups, "eks:DescribeNodegroup", name, err)
		r.gap(model.AreaLaunchTemplates, "eks:DescribeNodegroup", name, err)
	})
	r.cluster.Nodegroups = groups
	if complete := r.readLaunchTemplates(ctx); complete && err == nil && described || len(r.cluster.LaunchTemplates) > 0 {
		r.read(model.AreaLaunchTemplates)
	}
}

func (r *reader) nodegroup(ctx context.Context, name string) (*model.Nodegroup, error) {
	out, err := call(ctx, r.slots, func() (*eks.DescribeNodegroupOutput, error) {
		return r.eks.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: &r.cluster.Name, NodegroupName: &name})
	})
	if err != nil || out.Nodegroup == nil {
		return nil, err
	}
	n := out.Nodegroup
	g := &model.Nodegroup{
		Name:        cmp.Or(awssdk.ToString(n.NodegroupName), name),
		ARN:         awssdk.ToString(n.NodegroupArn),
		NodeRoleARN: awssdk.ToString(n.NodeRole),
		AMIType:     string(n.AmiType),
		Labels:      labels(n.Labels),
	}
	if t := n.LaunchTemplate; t != nil {
		g.LaunchTemplateID, g.LaunchTemplateVersion = awssdk.ToString(t.Id), awssdk.ToString(t.Version)
	}
	return g, nil
}

// readLaunchTemplates reads the launch template versions of the node groups and says whether all could be read.
func (r *reader) readLaunchTemplates(ctx context.Context) bool {
	type version struct{ id, version string }
	var used []version
	for _, g := range r.cluster.Nodegroups {
		if g.LaunchTemplateID != "" {
			used = append(used, version{g.LaunchTemplateID, g.LaunchTemplateVersion})
		}
	}
	slices.SortFunc(used, func(a, b version) int { return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.version, b.version)) })
	templates, complete := each(ctx, r.slots, slices.Compact(used), func(v version) (*model.LaunchTemplate, error) {
		return r.launchTemplate(ctx, v.id, v.version)
	}, func(v version, err error) {
		r.gap(model.AreaLaunchTemplates, "ec2:DescribeLaunchTemplateVersions", v.id, err)
	})
	r.cluster.LaunchTemplates = templates
	return complete
}

// launchTemplate keeps the version as the node group names it, which is how the two are joined.
func (r *reader) launchTemplate(ctx context.Context, id, version string) (*model.LaunchTemplate, error) {
	in := &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: &id, Versions: []string{cmp.Or(version, "$Default")}}
	found, err := pages(ctx, r.slots, ec2.NewDescribeLaunchTemplateVersionsPaginator(r.ec2, in),
		func(p *ec2.DescribeLaunchTemplateVersionsOutput) []ec2types.LaunchTemplateVersion {
			return p.LaunchTemplateVersions
		})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	v := found[0]
	t := &model.LaunchTemplate{
		ID:      id,
		Name:    awssdk.ToString(v.LaunchTemplateName),
		Version: cmp.Or(version, strconv.FormatInt(awssdk.ToInt64(v.VersionNumber), 10)),
		Default: awssdk.ToBool(v.DefaultVersion),
	}
	if d := v.LaunchTemplateData; d != nil {
		if p := d.IamInstanceProfile; p != nil {
			t.InstanceProfileARN = awssdk.ToString(p.Arn)
		}
		if m := d.MetadataOptions; m != nil {
			t.MetadataOptions = metadata(string(m.HttpTokens), string(m.HttpEndpoint), m.HttpPutResponseHopLimit)
		}
	}
	return t, nil
}

func metadata(tokens, endpoint string, hops *int32) model.MetadataOptions {
	return model.MetadataOptions{HTTPTokens: tokens, HTTPEndpoint: endpoint, HopLimit: int(awssdk.ToInt32(hops))}
}

func (r *reader) readFargateProfiles(ctx context.Context) {
	names, err := pages(ctx, r.slots, eks.NewListFargateProfilesPaginator(r.eks, &eks.ListFargateProfilesInput{ClusterName: &r.cluster.Name}),
		func(p *eks.ListFargateProfilesOutput) []string { return p.FargateProfileNames })
	r.listed(model.AreaFargateProfiles, "eks:ListFargateProfiles", len(names), err)
	r.cluster.FargateProfiles, _ = each(ctx, r.slots, sorted(names), func(name string) (*model.FargateProfile, error) {
		out, err := call(ctx, r.slots, func() (*eks.DescribeFargateProfileOutput, error) {
			return r.eks.DescribeFargateProfile(ctx, &eks.DescribeFargateProfileInput{ClusterName: &r.cluster.Name, FargateProfileName: &name})
		})
		if err != nil || out.FargateProfile == nil {
			return nil, err
		}
		f := out.FargateProfile
		profile := &model.FargateProfile{
			Name:             cmp.Or(awssdk.ToString(f.FargateProfileName), name),
			ARN:              awssdk.ToString(f.FargateProfileArn),
			ExecutionRoleARN: awssdk.ToString(f.PodExecutionRoleArn),
		}
		for _, s := range f.Selectors {
			profile.Selectors = append(profile.Selectors, model.FargateSelector{Namespace: awssdk.ToString(s.Namespace), Labels: labels(s.Labels)})
		}
		return profile, nil
	}, func(name string, err error) {
		r.gap(model.AreaFargateProfiles, "eks:DescribeFargateProfile", name, err)
	})
}

// readInstances reads the EC2 instances that carry the cluster's tags: eks:cluster-name on those of managed node groups,
// kubernetes.io/cluster/NAME on those and on self-managed, Karpenter's and Auto Mode's (EKS User Guide, "Tag your Amazon EKS
// resources", 2026-11).
func (r *reader) readInstances(ctx context.Context) {
	running := ec2types.Filter{Name: awssdk.String("instance-state-name"), Values: []string{"pending", "running", "stopping", "stopped"}}
	found := map[string]*model.Instance{}
	var failed error
	for _, tag := range []ec2types.Filter{
		{Name: awssdk.String("tag:eks:cluster-name"), Values: []string{r.cluster.Name}},
		{Name: awssdk.String("tag-key"), Values: []string{"kubernetes.io/cluster/" + r.cluster.Name}},
	} {
		listed, err := pages(ctx, r.slots, ec2.NewDescribeInstancesPaginator(r.ec2, &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{tag, running}}),
			func(p *ec2.DescribeInstancesOutput) []ec2types.Reservation { return p.Reservations })
		for _, reservation := range listed {
			for _, i := range reservation.Instances {
				found[awssdk.ToString(i.InstanceId)] = instance(i)
			}
		}
		if err != nil {
			failed = err
			break
		}
	}
	r.listed(model.AreaInstances, "ec2:DescribeInstances", len(found), failed)
	r.cluster.Instances = slices.SortedFunc(maps.Values(found), func(a, b *model.Instance) int { return cmp.Compare(a.ID, b.ID) })
}

func instance(i ec2types.Instance) *model.Instance {
	n := &model.Instance{ID: awssdk.ToString(i.InstanceId), PrivateDNS: awssdk.ToString(i.PrivateDnsName)}
	if i.IamInstanceProfile != nil {
		n.InstanceProfileARN = awssdk.ToString(i.IamInstanceProfile.Arn)
	}
	if m := i.MetadataOptions; m != nil {
		n.MetadataOptions = metadata(string(m.HttpTokens), string(m.HttpEndpoint), m.HttpPutResponseHopLimit)
	}
	for _, t := range i.Tags {
		if awssdk.ToString(t.Key) == "eks:nodegroup-name" {
			n.Nodegroup = awssdk.ToString(t.Value)
		}
	}
	return n
}
