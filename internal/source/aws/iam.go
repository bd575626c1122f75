package aws

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"drawbridge/internal/model"
)

var iamAreas = []model.Area{model.AreaIAMRoles, model.AreaIAMUsers, model.AreaIAMGroups, model.AreaIAMPolicies}

// readIAM reads all of the account's IAM by one paginated call. Where that fails, oneByOne follows.
func (c *collector) readIAM(ctx context.Context) {
	all, err := pages(ctx, c.iamSlots, iam.NewGetAccountAuthorizationDetailsPaginator(c.iam, &iam.GetAccountAuthorizationDetailsInput{
		Filter:   types.EntityType("").Values(),
		MaxItems: awssdk.Int32(1000),
	}), func(p *iam.GetAccountAuthorizationDetailsOutput) []*iam.GetAccountAuthorizationDetailsOutput {
		return []*iam.GetAccountAuthorizationDetailsOutput{p}
	})
	var policies []*model.IAMPolicy
	for _, page := range all {
		for _, r := range page.RoleDetailList {
			c.account.Roles = append(c.account.Roles, sweptRole(r))
		}
		for _, u := range page.UserDetailList {
			c.account.Users = append(c.account.Users, sweptUser(u))
		}
		for _, g := range page.GroupDetailList {
			c.account.Groups = append(c.account.Groups, &model.IAMGroup{
				ARN: awssdk.ToString(g.Arn), Name: awssdk.ToString(g.GroupName), Inline: inline(g.GroupPolicyList), Attached: attached(g.AttachedManagedPolicies),
			})
		}
		for _, p := range page.Policies {
			policies = append(policies, sweptPolicy(p))
		}
	}
	c.account.Policies = c.used(policies)
	c.sortIAM()
	if c.sweepErr = err; err == nil {
		c.readAccount(iamAreas...)
	}
}

// used leaves out AWS managed policies that nothing in the account refers to.
func (c *collector) used(policies []*model.IAMPolicy) []*model.IAMPolicy {
	referred := c.policyARNs()
	return slices.DeleteFunc(policies, func(p *model.IAMPolicy) bool { return strings.Contains(p.ARN, ":iam::aws:policy/") && !referred[p.ARN] })
}

// policyARNs are the managed policies that roles, users and groups have attached or as their boundary.
func (c *collector) policyARNs() map[string]bool {
	referred := map[string]bool{}
	add := func(boundary string, attached []string) {
		if boundary != "" {
			referred[boundary] = true
		}
		for _, a := range attached {
			referred[a] = true
		}
	}
	for _, r := range c.account.Roles {
		add(r.Boundary, r.Attached)
	}
	for _, u := range c.account.Users {
		add(u.Boundary, u.Attached)
	}
	for _, g := range c.account.Groups {
		add("", g.Attached)
	}
	return referred
}

func (c *collector) sortIAM() {
	a := c.account
	slices.SortFunc(a.Roles, func(x, y *model.IAMRole) int { return cmp.Compare(x.ARN, y.ARN) })
	slices.SortFunc(a.Users, func(x, y *model.IAMUser) int { return cmp.Compare(x.ARN, y.ARN) })
	slices.SortFunc(a.Groups, func(x, y *model.IAMGroup) int { return cmp.Compare(x.ARN, y.ARN) })
	slices.SortFunc(a.Policies, func(x, y *model.IAMPolicy) int { return cmp.Compare(x.ARN, y.ARN) })
}

func sweptRole(r types.RoleDetail) *model.IAMRole {
	role := &model.IAMRole{
		ARN:      awssdk.ToString(r.Arn),
		ID:       awssdk.ToString(r.RoleId),
		Name:     awssdk.ToString(r.RoleName),
		Created:  instant(r.CreateDate),
		Trust:    document(r.AssumeRolePolicyDocument),
		Inline:   inline(r.RolePolicyList),
		Attached: attached(r.AttachedManagedPolicies),
		Boundary: boundary(r.PermissionsBoundary),
		Tags:     tags(r.Tags),
	}
	for _, p := range r.InstanceProfileList {
		role.InstanceProfiles = append(role.InstanceProfiles, awssdk.ToString(p.Arn))
	}
	role.InstanceProfiles = sorted(role.InstanceProfiles)
	return role
}

func sweptUser(u types.UserDetail) *model.IAMUser {
	return &model.IAMUser{
		ARN:      awssdk.ToString(u.Arn),
		ID:       awssdk.ToString(u.UserId),
		Name:     awssdk.ToString(u.UserName),
		Created:  instant(u.CreateDate),
		Inline:   inline(u.UserPolicyList),
		Attached: attached(u.AttachedManagedPolicies),
		Boundary: boundary(u.PermissionsBoundary),
		Groups:   sorted(u.GroupList),
		Tags:     tags(u.Tags),
	}
}

func sweptPolicy(p types.ManagedPolicyDetail) *model.IAMPolicy {
	policy := &model.IAMPolicy{ARN: awssdk.ToString(p.Arn), Name: awssdk.ToString(p.PolicyName), Version: awssdk.ToString(p.DefaultVersionId)}
	for _, v := range p.PolicyVersionList {
		if v.IsDefaultVersion {
			policy.Document = document(v.Document)
		}
	}
	return policy
}

func inline(policies []types.PolicyDetail) []model.InlinePolicy {
	var all []model.InlinePolicy
	for _, p := range policies {
		all = append(all, model.InlinePolicy{Name: awssdk.ToString(p.PolicyName), Document: document(p.PolicyDocument)})
	}
	slices.SortFunc(all, func(a, b model.InlinePolicy) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func attached(policies []types.AttachedPolicy) []string {
	var arns []string
	for _, p := range policies {
		arns = append(arns, awssdk.ToString(p.PolicyArn))
	}
	return sorted(arns)
}

func boundary(b *types.AttachedPermissionsBoundary) string {
	if b == nil {
		return ""
	}
	return awssdk.ToString(b.PermissionsBoundaryArn)
}

func tags(list []types.Tag) map[string]string {
	m := map[string]string{}
	for _, t := range list {
		m[awssdk.ToString(t.Key)] = awssdk.ToString(t.Value)
	}
	return labels(m)
}

// keys returns the keys of a set in order.
func keys(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
