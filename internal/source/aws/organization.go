package aws

import (
	"cmp"
	"context"
	"errors"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"drawbridge/internal/model"
)

// maxLevels is more levels than an organization has: root, five of units, and the account (AWS Organizations User Guide,
// "Quotas and service limits", 2026-11).
const maxLevels = 20

// readOrganization reads where the account stands in its organization, and the policies that bind it there. Every account
// may ask what its organization is; all else answers only the management account and delegated administrators (AWS
// Organizations API Reference, 2026-11), so that for any other account the second call is the last.
func (c *collector) readOrganization(ctx context.Context) {
	out, err := call(ctx, c.iamSlots, func() (*organizations.DescribeOrganizationOutput, error) {
		return c.organizations.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	})
	switch {
	case code(err) == "AWSOrganizationsNotInUseException":
		c.readAccount(model.AreaOrganization)
		return
	case err != nil:
		c.accountGap(model.AreaOrganization, "organizations:DescribeOrganization", "", err)
		return
	case out.Organization == nil:
		return
	}
	o := &model.Organization{
		ID: awssdk.ToString(out.Organization.Id), ManagementAccount: awssdk.ToString(out.Organization.MasterAccountId),
		FeatureSet: string(out.Organization.FeatureSet),
	}
	c.account.Organization = o
	c.readAccount(model.AreaOrganization)
	bound := o.Binds(c.account.ID)
	if o.Levels, err = c.organizationLevels(ctx); err != nil {
		o.SCPsUnknown, o.RCPsUnknown = bound, bound
		c.accountGap(model.AreaOrganization, "organizations:ListParents", "", err)
		return
	}
	if bound {
		o.SCPsUnknown = !c.organizationPolicies(ctx, o, types.PolicyTypeServiceControlPolicy, func(l *model.OrganizationLevel) *[]model.OrganizationPolicy { return &l.SCPs })
		o.RCPsUnknown = !c.organizationPolicies(ctx, o, types.PolicyTypeResourceControlPolicy, func(l *model.OrganizationLevel) *[]model.OrganizationPolicy { return &l.RCPs })
		c.organizationDocuments(ctx, o)
	}
}

// organizationLevels returns the levels from the root down to the account, without their policies.
func (c *collector) organizationLevels(ctx context.Context) ([]model.OrganizationLevel, error) {
	levels := []model.OrganizationLevel{{ID: c.account.ID}}
	for len(levels) < maxLevels {
		child := levels[len(levels)-1].ID
		parents, err := pages(ctx, c.iamSlots, organizations.NewListParentsPaginator(c.organizations, &organizations.ListParentsInput{ChildId: &child}),
			func(p *organizations.ListParentsOutput) []types.Parent { return p.Parents })
		if err != nil {
			return nil, err
		}
		if len(parents) != 1 { // "a child can have only a single parent" (API Reference, ListParents, 2026-11)
			break
		}
		levels = append(levels, model.OrganizationLevel{ID: awssdk.ToString(parents[0].Id)})
		if parents[0].Type == types.ParentTypeRoot {
			slices.Reverse(levels)
			return levels, nil
		}
	}
	return nil, errors.New("the levels above the account lead to no root")
}

// organizationPolicies lists the policies of one type at every level, and says whether it could. Where the type is not
// enabled, no level has any.
func (c *collector) organizationPolicies(ctx context.Context, o *model.Organization, kind types.PolicyType, of func(*model.OrganizationLevel) *[]model.OrganizationPolicy) bool {
	for i := range o.Levels {
		level := &o.Levels[i]
		listed, err := pages(ctx, c.iamSlots, organizations.NewListPoliciesForTargetPaginator(c.organizations, &organizations.ListPoliciesForTargetInput{TargetId: &level.ID, Filter: kind}),
			func(p *organizations.ListPoliciesForTargetOutput) []types.PolicySummary { return p.Policies })
		if err != nil {
			c.accountGap(model.AreaOrganization, "organizations:ListPoliciesForTarget", string(kind)+" at "+level.ID, err)
			return false
		}
		for _, p := range listed {
			*of(level) = append(*of(level), model.OrganizationPolicy{ID: awssdk.ToString(p.Id), Name: awssdk.ToString(p.Name)})
		}
		slices.SortFunc(*of(level), func(a, b model.OrganizationPolicy) int { return cmp.Compare(a.ID, b.ID) })
	}
	return true
}

// organizationDocuments reads the documents of the listed policies, each once.
func (c *collector) organizationDocuments(ctx context.Context, o *model.Organization) {
	places := map[string][]*model.OrganizationPolicy{}
	var ids []string
	for i := range o.Levels {
		for _, list := range [][]model.OrganizationPolicy{o.Levels[i].SCPs, o.Levels[i].RCPs} {
			for j := range list {
				if places[list[j].ID] == nil {
					ids = append(ids, list[j].ID)
				}
				places[list[j].ID] = append(places[list[j].ID], &list[j])
			}
		}
	}
	documents, _ := each(ctx, c.iamSlots, ids, func(id string) (*model.OrganizationPolicy, error) {
		out, err := call(ctx, c.iamSlots, func() (*organizations.DescribePolicyOutput, error) {
			return c.organizations.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: &id})
		})
		if err != nil || out.Policy == nil {
			return nil, err
		}
		return &model.OrganizationPolicy{ID: id, Document: model.Document(awssdk.ToString(out.Policy.Content))}, nil
	}, func(id string, err error) {
		c.accountGap(model.AreaOrganization, "organizations:DescribePolicy", id, err)
	})
	for _, d := range documents {
		for _, place := range places[d.ID] {
			place.Document = d.Document
		}
	}
}
