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

// readAccessEntries reads the access entries and their policy associations.
func (r *reader) readAccessEntries(ctx context.Context) {
	principals, err := pages(ctx, r.slots, eks.NewListAccessEntriesPaginator(r.eks, &eks.ListAccessEntriesInput{ClusterName: &r.cluster.Name}),
		func(p *eks.ListAccessEntriesOutput) []string { return p.AccessEntries })
	if r.withoutEntries(err) {
		r.read(model.AreaAccessEntries, model.AreaPolicyAssociations)
		return
	}
	r.listed(model.AreaAccessEntries, "eks:ListAccessEntries", len(principals), err)
	if err != nil {
		r.gap(model.AreaPolicyAssociations, "eks:ListAccessEntries", "", err)
	}
	principals = sorted(principals)
	r.cluster.AccessEntries, _ = each(ctx, r.slots, principals, func(principal string) (*model.AccessEntry, error) {
		return r.accessEntry(ctx, principal)
	}, func(principal string, err error) {
		r.gap(model.AreaAccessEntries, "eks:DescribeAccessEntry", principal, err)
	})
	if complete := r.readPolicyAssociations(ctx, principals); complete && err == nil || len(r.cluster.PolicyAssociations) > 0 {
		r.read(model.AreaPolicyAssociations)
	}
}

// withoutEntries says that the cluster refuses access-entry calls because of its authentication mode, and so has no
// access entries. EKS then answers InvalidRequestException, "The cluster's authentication mode must be set to one of [API,
// API_AND_CONFIG_MAP] to perform this operation" (aws/containers-roadmap and terraform-aws-eks issues, 2026-08). The same
// code stands for other things, so the mode must be known too.
func (r *reader) withoutEntries(err error) bool {
	return code(err) == "InvalidRequestException" && r.cluster.AuthenticationMode() == model.ModeConfigMap
}

func (r *reader) accessEntry(ctx context.Context, principal string) (*model.AccessEntry, error) {
	out, err := call(ctx, r.slots, func() (*eks.DescribeAccessEntryOutput, error) {
		return r.eks.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: &r.cluster.Name, PrincipalArn: &principal})
	})
	if err != nil || out.AccessEntry == nil {
		return nil, err
	}
	e := out.AccessEntry
	return &model.AccessEntry{
		PrincipalARN: cmp.Or(awssdk.ToString(e.PrincipalArn), principal),
		ARN:          awssdk.ToString(e.AccessEntryArn),
		Type:         awssdk.ToString(e.Type),
		Username:     awssdk.ToString(e.Username),
		Groups:       sorted(e.KubernetesGroups),
		Created:      instant(e.CreatedAt),
		Modified:     instant(e.ModifiedAt),
		Tags:         labels(e.Tags),
	}, nil
}

// readPolicyAssociations reads the access policies of each principal's entry and says whether all of them were read.
func (r *reader) readPolicyAssociations(ctx context.Context, principals []string) bool {
	lists, complete := each(ctx, r.slots, principals, func(principal string) (*[]*model.PolicyAssociation, error) {
		listed, err := pages(ctx, r.slots, eks.NewListAssociatedAccessPoliciesPaginator(r.eks,
			&eks.ListAssociatedAccessPoliciesInput{ClusterName: &r.cluster.Name, PrincipalArn: &principal}),
			func(p *eks.ListAssociatedAccessPoliciesOutput) []types.AssociatedAccessPolicy {
				return p.AssociatedAccessPolicies
			})
		return associations(principal, listed), err
	}, func(principal string, err error) {
		r.gap(model.AreaPolicyAssociations, "eks:ListAssociatedAccessPolicies", principal, err)
	})
	for _, list := range lists {
		r.cluster.PolicyAssociations = append(r.cluster.PolicyAssociations, *list...)
	}
	slices.SortFunc(r.cluster.PolicyAssociations, func(a, b *model.PolicyAssociation) int {
		return cmp.Or(cmp.Compare(a.PrincipalARN, b.PrincipalARN), cmp.Compare(a.PolicyARN, b.PolicyARN))
	})
	return complete
}

func associations(principal string, listed []types.AssociatedAccessPolicy) *[]*model.PolicyAssociation {
	var all []*model.PolicyAssociation
	for _, a := range listed {
		all = append(all, policyAssociation(principal, a))
	}
	return &all
}

func policyAssociation(principal string, a types.AssociatedAccessPolicy) *model.PolicyAssociation {
	p := &model.PolicyAssociation{
		PrincipalARN: principal,
		PolicyARN:    awssdk.ToString(a.PolicyArn),
		Associated:   instant(a.AssociatedAt),
		Modified:     instant(a.ModifiedAt),
	}
	if s := a.AccessScope; s != nil {
		p.Scope = model.AccessScope{Type: string(s.Type), Namespaces: sorted(s.Namespaces)}
	}
	return p
}

// readAccessPolicies reads the access policies that EKS knows in a region, once for all clusters there.
func (c *collector) readAccessPolicies(ctx context.Context, r *region, clusters []*reader) {
	listed, err := pages(ctx, r.slots, eks.NewListAccessPoliciesPaginator(r.eks, &eks.ListAccessPoliciesInput{}),
		func(p *eks.ListAccessPoliciesOutput) []types.AccessPolicy { return p.AccessPolicies })
	for _, k := range clusters {
		for _, p := range listed {
			k.cluster.AccessPolicies = append(k.cluster.AccessPolicies, &model.AccessPolicy{Name: awssdk.ToString(p.Name), ARN: awssdk.ToString(p.Arn)})
		}
		slices.SortFunc(k.cluster.AccessPolicies, func(a, b *model.AccessPolicy) int { return cmp.Compare(a.ARN, b.ARN) })
		k.listed(model.AreaAccessPolicies, "eks:ListAccessPolicies", len(listed), err)
	}
}
