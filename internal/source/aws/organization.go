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
// Organizations API Reference, 2026-11), so that for any other account the second call is the last. Where the account's
// role was assumed, whoever assumed it may be one of those: they are asked next.
func (c *collector) readOrganization(ctx context.Context) {
	var first, refused error
	for i, api := range c.organizations {
		o, err := c.describeOrganization(ctx, api)
		if i == 0 {
			if first = err; code(err) == "AWSOrganizationsNotInUseException" {
				c.readAccount(model.AreaOrganization)
				return
			}
			c.account.Organization = o
		}
		if err != nil {
			continue
		}
		levels, err := c.organizationLevels(ctx, api) // which nobody of another organization gets
		if err == nil {
			o.Levels, c.account.Organization = levels, o
			c.readAccount(model.AreaOrganization)
			c.organizationPolicies(ctx, api, o)
			return
		}
		if refused == nil {
			refused = err
		}
	}
	if o := c.account.Organization; o != nil {
		o.SCPsUnknown, o.RCPsUnknown = o.Binds(c.account.ID), o.Binds(c.account.ID)
		c.readAccount(model.AreaOrganization)
	}
	if first != nil {
		c.accountGap(model.AreaOrganization, "organizations:DescribeOrganization", "", first)
	} else {
		c.accountGap(model.AreaOrganization, "organizations:ListParents", "", refused)
	}
}

func (c *collector) describeOrganization(ctx context.Context, api organizationsAPI) (*model.Organization, error) {
	out, err := call(ctx, c.iamSlots, func() (*organizations.DescribeOrganizationOutput, error) {
		return api.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	})
	if err != nil {
		return nil, err
	}
	if out.Organization == nil {
		return nil, errors.New("the answer holds no organization")
	}
	return &model.Organization{
		ID: awssdk.ToString(out.Organization.Id), ManagementAccount: awssdk.ToString(out.Organization.MasterAccountId),
		FeatureSet: string(out.Organization.FeatureSet),
	}, nil
}

// organizationLevels returns the levels from the root down to the account, without their policies.
func (c *collector) organizationLevels(ctx context.Context, api organizationsAPI) ([]model.OrganizationLevel, error) {
	levels := []model.OrganizationLevel{{ID: c.account.ID}}
	for len(levels) < maxLevels {
		child := levels[len(levels)-1].ID
		parents, err := pages(ctx, c.iamSlots, organizations.NewListParentsPaginator(api, &organizations.ListParentsInput{ChildId: &child}),
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

// organizationPolicies reads the policies that bind the account, with their documents.
func (c *collector) organizationPolicies(ctx context.Context, api organizationsAPI, o *model.Organization) {
	if !o.Binds(c.account.ID) {
		return
	}
	o.SCPsUnknown = !c.attachedPolicies(ctx, api, o, types.PolicyTypeServiceControlPolicy, func(l *model.OrganizationLevel) *[]model.OrganizationPolicy { return &l.SCPs })
	o.RCPsUnknown = !c.attachedPolicies(ctx, api, o, types.PolicyTypeResourceControlPolicy, func(l *model.OrganizationLevel) *[]model.OrganizationPolicy { return &l.RCPs })
	c.organizationDocuments(ctx, api, o)
}

// attachedPolicies lists the policies of one type at every level, and says whether it could. Where the type is not
// enabled, no level has any.
func (c *collector) attachedPolicies(
	ctx context.Context, api organizationsAPI, o *model.Organization, kind types.PolicyType, of func(*model.OrganizationLevel) *[]model.OrganizationPolicy,
) bool {
	for i := range o.Levels {
		level := &o.Levels[i]
		listed, err := pages(ctx, c.iamSlots, organizations.NewListPoliciesForTargetPaginator(api, &organizations.ListPoliciesForTargetInput{TargetId: &level.ID, Filter: kind}),
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
func (c *collector) organizationDocuments(ctx context.Context, api organizationsAPI, o *model.Organization) {
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
			return api.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: &id})
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
