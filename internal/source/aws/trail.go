package aws

import (
	"cmp"
	"context"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"

	"drawbridge/internal/model"
)

// seenTrail is a trail and a region that answers for it. A trail of many regions shows in each of them.
type seenTrail struct {
	*region
	types.Trail
}

// readTrails reads the CloudTrail trails that record the regions, with what they record.
func (c *collector) readTrails(ctx context.Context) {
	seen := map[string]seenTrail{}
	complete := true
	for _, r := range c.regions {
		out, err := call(ctx, r.slots, func() (*cloudtrail.DescribeTrailsOutput, error) {
			return r.cloudtrail.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{})
		})
		if err != nil {
			complete = false
			c.accountGap(model.AreaTrails, "cloudtrail:DescribeTrails", "region "+r.name, err)
			continue
		}
		for _, t := range out.TrailList {
			arn := awssdk.ToString(t.TrailARN)
			if _, known := seen[arn]; !known || awssdk.ToString(t.HomeRegion) == r.name {
				seen[arn] = seenTrail{r, t}
			}
		}
	}
	var trails []seenTrail
	for _, t := range seen {
		trails = append(trails, t)
	}
	slices.SortFunc(trails, func(a, b seenTrail) int { return cmp.Compare(awssdk.ToString(a.TrailARN), awssdk.ToString(b.TrailARN)) })
	c.account.Trails, _ = each(ctx, c.regions[0].slots, trails, func(t seenTrail) (*model.Trail, error) { return c.trail(ctx, t), nil }, nil)
	if complete || len(trails) > 0 {
		c.readAccount(model.AreaTrails)
	}
}

func (c *collector) trail(ctx context.Context, t seenTrail) *model.Trail {
	arn := awssdk.ToString(t.TrailARN)
	trail := &model.Trail{
		Name:         awssdk.ToString(t.Name),
		ARN:          arn,
		HomeRegion:   awssdk.ToString(t.HomeRegion),
		MultiRegion:  awssdk.ToBool(t.IsMultiRegionTrail),
		Organization: awssdk.ToBool(t.IsOrganizationTrail),
	}
	selected, err := call(ctx, t.slots, func() (*cloudtrail.GetEventSelectorsOutput, error) {
		return t.cloudtrail.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: &arn})
	})
	if err != nil {
		trail.SelectorsUnknown = true
		c.accountGap(model.AreaTrails, "cloudtrail:GetEventSelectors", arn, err)
	} else {
		trail.Selectors, trail.Advanced = basicSelectors(selected.EventSelectors), advancedSelectors(selected.AdvancedEventSelectors)
	}
	status, err := call(ctx, t.slots, func() (*cloudtrail.GetTrailStatusOutput, error) {
		return t.cloudtrail.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: &arn})
	})
	if err != nil {
		c.accountGap(model.AreaTrails, "cloudtrail:GetTrailStatus", arn, err)
	} else {
		trail.Logging = status.IsLogging
	}
	return trail
}

func basicSelectors(list []types.EventSelector) []model.EventSelector {
	var all []model.EventSelector
	for _, s := range list {
		all = append(all, model.EventSelector{
			ReadWriteType:    string(s.ReadWriteType),
			ManagementEvents: s.IncludeManagementEvents == nil || *s.IncludeManagementEvents, // true by default (CloudTrail API, EventSelector, 2026-11)
			ExcludedSources:  sorted(s.ExcludeManagementEventSources),
		})
	}
	return all
}

func advancedSelectors(list []types.AdvancedEventSelector) []model.AdvancedSelector {
	var all []model.AdvancedSelector
	for _, s := range list {
		a := model.AdvancedSelector{Name: awssdk.ToString(s.Name)}
		for _, f := range s.FieldSelectors {
			a.Fields = append(a.Fields, model.FieldSelector{
				Field:         awssdk.ToString(f.Field),
				Equals:        f.Equals,
				NotEquals:     f.NotEquals,
				StartsWith:    f.StartsWith,
				NotStartsWith: f.NotStartsWith,
				EndsWith:      f.EndsWith,
				NotEndsWith:   f.NotEndsWith,
			})
		}
		all = append(all, a)
	}
	return all
}
