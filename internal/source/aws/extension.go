package aws

import (
	"cmp"
	"context"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"drawbridge/internal/model"
)

// readPodIdentityAssociations reads the Pod Identity associations. The list names no roles, so each is described.
func (r *reader) readPodIdentityAssociations(ctx context.Context) {
	listed, err := pages(ctx, r.slots, eks.NewListPodIdentityAssociationsPaginator(r.eks, &eks.ListPodIdentityAssociationsInput{ClusterName: &r.cluster.Name}),
		func(p *eks.ListPodIdentityAssociationsOutput) []types.PodIdentityAssociationSummary {
			return p.Associations
		})
	r.listed(model.AreaPodIdentityAssociations, "eks:ListPodIdentityAssociations", len(listed), err)
	r.cluster.PodIdentityAssociations, _ = each(ctx, r.slots, listed, func(s types.PodIdentityAssociationSummary) (*model.PodIdentityAssociation, error) {
		return r.podIdentityAssociation(ctx, s.AssociationId)
	}, func(s types.PodIdentityAssociationSummary, err error) {
		name := awssdk.ToString(s.Namespace) + "/" + awssdk.ToString(s.ServiceAccount)
		r.gap(model.AreaPodIdentityAssociations, "eks:DescribePodIdentityAssociation", name, err)
	})
	slices.SortFunc(r.cluster.PodIdentityAssociations, func(a, b *model.PodIdentityAssociation) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.ServiceAccount, b.ServiceAccount), cmp.Compare(a.ID, b.ID))
	})
}

func (r *reader) podIdentityAssociation(ctx context.Context, id *string) (*model.PodIdentityAssociation, error) {
	out, err := call(ctx, r.slots, func() (*eks.DescribePodIdentityAssociationOutput, error) {
		return r.eks.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: &r.cluster.Name, AssociationId: id})
	})
	if err != nil || out.Association == nil {
		return nil, err
	}
	a := out.Association
	return &model.PodIdentityAssociation{
		ID:                 awssdk.ToString(a.AssociationId),
		ARN:                awssdk.ToString(a.AssociationArn),
		Namespace:          awssdk.ToString(a.Namespace),
		ServiceAccount:     awssdk.ToString(a.ServiceAccount),
		RoleARN:            awssdk.ToString(a.RoleArn),
		TargetRoleARN:      awssdk.ToString(a.TargetRoleArn),
		ExternalID:         awssdk.ToString(a.ExternalId),
		DisableSessionTags: awssdk.ToBool(a.DisableSessionTags),
		OwnerARN:           awssdk.ToString(a.OwnerArn),
		Policy:             model.Document(awssdk.ToString(a.Policy)),
		Tags:               labels(a.Tags),
		Created:            instant(a.CreatedAt),
		Modified:           instant(a.ModifiedAt),
	}, nil
}

// listed records how the list of an area ended. An area of which a part was read is read and has a gap.
func (r *reader) listed(area model.Area, action string, items int, err error) {
	if err != nil {
		r.gap(area, action, "", err)
	}
	if err == nil || items > 0 {
		r.read(area)
	}
}

func (r *reader) readAddons(ctx context.Context) {
	names, err := pages(ctx, r.slots, eks.NewListAddonsPaginator(r.eks, &eks.ListAddonsInput{ClusterName: &r.cluster.Name}),
		func(p *eks.ListAddonsOutput) []string { return p.Addons })
	r.listed(model.AreaAddons, "eks:ListAddons", len(names), err)
	r.cluster.Addons, _ = each(ctx, r.slots, sorted(names), func(name string) (*model.Addon, error) {
		out, err := call(ctx, r.slots, func() (*eks.DescribeAddonOutput, error) {
			return r.eks.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: &r.cluster.Name, AddonName: &name})
		})
		if err != nil || out.Addon == nil {
			return nil, err
		}
		a := out.Addon
		return &model.Addon{
			Name:                       cmp.Or(awssdk.ToString(a.AddonName), name),
			ARN:                        awssdk.ToString(a.AddonArn),
			Version:                    awssdk.ToString(a.AddonVersion),
			Status:                     string(a.Status),
			ServiceAccountRoleARN:      awssdk.ToString(a.ServiceAccountRoleArn),
			PodIdentityAssociationARNs: sorted(a.PodIdentityAssociations),
		}, nil
	}, func(name string, err error) { r.gap(model.AreaAddons, "eks:DescribeAddon", name, err) })
}

func (r *reader) readCapabilities(ctx context.Context) {
	listed, err := pages(ctx, r.slots, eks.NewListCapabilitiesPaginator(r.eks, &eks.ListCapabilitiesInput{ClusterName: &r.cluster.Name}),
		func(p *eks.ListCapabilitiesOutput) []types.CapabilitySummary { return p.Capabilities })
	r.listed(model.AreaCapabilities, "eks:ListCapabilities", len(listed), err)
	var names []string
	for _, c := range listed {
		names = append(names, awssdk.ToString(c.CapabilityName))
	}
	r.cluster.Capabilities, _ = each(ctx, r.slots, sorted(names), func(name string) (*model.Capability, error) {
		out, err := call(ctx, r.slots, func() (*eks.DescribeCapabilityOutput, error) {
			return r.eks.DescribeCapability(ctx, &eks.DescribeCapabilityInput{ClusterName: &r.cluster.Name, CapabilityName: &name})
		})
		if err != nil || out.Capability == nil {
			return nil, err
		}
		c := out.Capability
		return &model.Capability{
			Name:    cmp.Or(awssdk.ToString(c.CapabilityName), name),
			ARN:     awssdk.ToString(c.Arn),
			Type:    string(c.Type),
			RoleARN: awssdk.ToString(c.RoleArn),
			Status:  string(c.Status),
		}, nil
	}, func(name string, err error) { r.gap(model.AreaCapabilities, "eks:DescribeCapability", name, err) })
}

func (r *reader) readIdentityProviders(ctx context.Context) {
	listed, err := pages(ctx, r.slots, eks.NewListIdentityProviderConfigsPaginator(r.eks, &eks.ListIdentityProviderConfigsInput{ClusterName: &r.cluster.Name}),
		func(p *eks.ListIdentityProviderConfigsOutput) []types.IdentityProviderConfig {
			return p.IdentityProviderConfigs
		})
	r.listed(model.AreaIdentityProviders, "eks:ListIdentityProviderConfigs", len(listed), err)
	r.cluster.IdentityProviders, _ = each(ctx, r.slots, listed, func(named types.IdentityProviderConfig) (*model.IdentityProvider, error) {
		return r.identityProvider(ctx, named)
	}, func(named types.IdentityProviderConfig, err error) {
		r.gap(model.AreaIdentityProviders, "eks:DescribeIdentityProviderConfig", awssdk.ToString(named.Name), err)
	})
	slices.SortFunc(r.cluster.IdentityProviders, func(a, b *model.IdentityProvider) int { return cmp.Compare(a.Name, b.Name) })
}

func (r *reader) identityProvider(ctx context.Context, named types.IdentityProviderConfig) (*model.IdentityProvider, error) {
	out, err := call(ctx, r.slots, func() (*eks.DescribeIdentityProviderConfigOutput, error) {
		return r.eks.DescribeIdentityProviderConfig(ctx, &eks.DescribeIdentityProviderConfigInput{ClusterName: &r.cluster.Name, IdentityProviderConfig: &named})
	})
	if err != nil {
		return nil, err
	}
	p := &model.IdentityProvider{Name: awssdk.ToString(named.Name), Type: awssdk.ToString(named.Type)}
	if out.IdentityProviderConfig == nil || out.IdentityProviderConfig.Oidc == nil {
		return p, nil
	}
	o := out.IdentityProviderConfig.Oidc
	p.ARN = awssdk.ToString(o.IdentityProviderConfigArn)
	p.IssuerURL, p.ClientID = awssdk.ToString(o.IssuerUrl), awssdk.ToString(o.ClientId)
	p.UsernameClaim, p.UsernamePrefix = awssdk.ToString(o.UsernameClaim), awssdk.ToString(o.UsernamePrefix)
	p.GroupsClaim, p.GroupsPrefix = awssdk.ToString(o.GroupsClaim), awssdk.ToString(o.GroupsPrefix)
	p.RequiredClaims, p.Status = labels(o.RequiredClaims), string(o.Status)
	return p, nil
}
