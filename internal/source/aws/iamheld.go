package aws

import (
	"cmp"
	"context"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"drawbridge/internal/model"
)

// held is the policies of one role, user or group.
type held struct {
	inline   []model.InlinePolicy
	attached []string
	complete bool
}

// holder is how the policies of one kind of principal are read, and the actions that this takes.
type holder struct {
	area                                model.Area
	name                                string
	listInline, getInline, listAttached string
	names                               func() ([]string, error)
	document                            func(policy string) (*string, error)
	attached                            func() ([]types.AttachedPolicy, error)
}

func (c *collector) held(ctx context.Context, h holder) held {
	names, err := h.names()
	all := held{complete: err == nil}
	if err != nil {
		c.accountGap(h.area, h.listInline, h.name, err)
	}
	policies, complete := each(ctx, c.iamSlots, sorted(names), func(policy string) (*model.InlinePolicy, error) {
		text, err := h.document(policy)
		if err != nil {
			return nil, err
		}
		return &model.InlinePolicy{Name: policy, Document: document(text)}, nil
	}, func(_ string, err error) { c.accountGap(h.area, h.getInline, h.name, err) })
	for _, p := range policies {
		all.inline = append(all.inline, *p)
	}
	list, err := h.attached()
	if err != nil {
		c.accountGap(h.area, h.listAttached, h.name, err)
	}
	all.attached = attached(list)
	all.complete = all.complete && complete && err == nil
	return all
}

func (c *collector) heldByRole(ctx context.Context, name string) held {
	return c.held(ctx, holder{
		area: model.AreaIAMRoles, name: name,
		listInline: "iam:ListRolePolicies", getInline: "iam:GetRolePolicy", listAttached: "iam:ListAttachedRolePolicies",
		names: func() ([]string, error) {
			return pages(ctx, c.iamSlots, iam.NewListRolePoliciesPaginator(c.iam, &iam.ListRolePoliciesInput{RoleName: &name}),
				func(p *iam.ListRolePoliciesOutput) []string { return p.PolicyNames })
		},
		document: func(policy string) (*string, error) {
			out, err := call(ctx, c.iamSlots, func() (*iam.GetRolePolicyOutput, error) {
				return c.iam.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &name, PolicyName: &policy})
			})
			if err != nil {
				return nil, err
			}
			return out.PolicyDocument, nil
		},
		attached: func() ([]types.AttachedPolicy, error) {
			return pages(ctx, c.iamSlots, iam.NewListAttachedRolePoliciesPaginator(c.iam, &iam.ListAttachedRolePoliciesInput{RoleName: &name}),
				func(p *iam.ListAttachedRolePoliciesOutput) []types.AttachedPolicy { return p.AttachedPolicies })
		},
	})
}

func (c *collector) heldByUser(ctx context.Context, name string) held {
	return c.held(ctx, holder{
		area: model.AreaIAMUsers, name: name,
		listInline: "iam:ListUserPolicies", getInline: "iam:GetUserPolicy", listAttached: "iam:ListAttachedUserPolicies",
		names: func() ([]string, error) {
			return pages(ctx, c.iamSlots, iam.NewListUserPoliciesPaginator(c.iam, &iam.ListUserPoliciesInput{UserName: &name}),
				func(p *iam.ListUserPoliciesOutput) []string { return p.PolicyNames })
		},
		document: func(policy string) (*string, error) {
			out, err := call(ctx, c.iamSlots, func() (*iam.GetUserPolicyOutput, error) {
				return c.iam.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: &name, PolicyName: &policy})
			})
			if err != nil {
				return nil, err
			}
			return out.PolicyDocument, nil
		},
		attached: func() ([]types.AttachedPolicy, error) {
			return pages(ctx, c.iamSlots, iam.NewListAttachedUserPoliciesPaginator(c.iam, &iam.ListAttachedUserPoliciesInput{UserName: &name}),
				func(p *iam.ListAttachedUserPoliciesOutput) []types.AttachedPolicy { return p.AttachedPolicies })
		},
	})
}

func (c *collector) heldByGroup(ctx context.Context, name string) held {
	return c.held(ctx, holder{
		area: model.AreaIAMGroups, name: name,
		listInline: "iam:ListGroupPolicies", getInline: "iam:GetGroupPolicy", listAttached: "iam:ListAttachedGroupPolicies",
		names: func() ([]string, error) {
			return pages(ctx, c.iamSlots, iam.NewListGroupPoliciesPaginator(c.iam, &iam.ListGroupPoliciesInput{GroupName: &name}),
				func(p *iam.ListGroupPoliciesOutput) []string { return p.PolicyNames })
		},
		document: func(policy string) (*string, error) {
			out, err := call(ctx, c.iamSlots, func() (*iam.GetGroupPolicyOutput, error) {
				return c.iam.GetGroupPolicy(ctx, &iam.GetGroupPolicyInput{GroupName: &name, PolicyName: &policy})
			})
			if err != nil {
				return nil, err
			}
			return out.PolicyDocument, nil
		},
		attached: func() ([]types.AttachedPolicy, error) {
			return pages(ctx, c.iamSlots, iam.NewListAttachedGroupPoliciesPaginator(c.iam, &iam.ListAttachedGroupPoliciesInput{GroupName: &name}),
				func(p *iam.ListAttachedGroupPoliciesOutput) []types.AttachedPolicy { return p.AttachedPolicies })
		},
	})
}

// groupsOf returns the groups of a user; complete says whether these are all.
func (c *collector) groupsOf(ctx context.Context, user string) (groups []*model.IAMGroup, complete bool) {
	listed, err := pages(ctx, c.iamSlots, iam.NewListGroupsForUserPaginator(c.iam, &iam.ListGroupsForUserInput{UserName: &user}),
		func(p *iam.ListGroupsForUserOutput) []types.Group { return p.Groups })
	if err != nil {
		c.accountGap(model.AreaIAMUsers, "iam:ListGroupsForUser", user, err)
	}
	for _, g := range listed {
		groups = append(groups, &model.IAMGroup{ARN: awssdk.ToString(g.Arn), Name: awssdk.ToString(g.GroupName)})
	}
	slices.SortFunc(groups, func(a, b *model.IAMGroup) int { return cmp.Compare(a.Name, b.Name) })
	return groups, err == nil
}
