package aws

import (
	"cmp"
	"context"
	"slices"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"drawbridge/internal/model"
)

// readLogGroup reads the log group of the control plane and where its events go on to. A cluster may have none.
func (r *reader) readLogGroup(ctx context.Context) {
	name := "/aws/eks/" + r.cluster.Name + "/cluster"
	groups, err := pages(ctx, r.slots, logs.NewDescribeLogGroupsPaginator(r.logs, &logs.DescribeLogGroupsInput{LogGroupNamePrefix: &name}),
		func(p *logs.DescribeLogGroupsOutput) []types.LogGroup { return p.LogGroups })
	r.listed(model.AreaLogGroup, "logs:DescribeLogGroups", len(groups), err)
	i := slices.IndexFunc(groups, func(g types.LogGroup) bool { return awssdk.ToString(g.LogGroupName) == name })
	if i < 0 {
		return
	}
	group := &model.LogGroup{
		Name:          name,
		ARN:           cmp.Or(awssdk.ToString(groups[i].LogGroupArn), strings.TrimSuffix(awssdk.ToString(groups[i].Arn), ":*")),
		RetentionDays: int(awssdk.ToInt32(groups[i].RetentionInDays)),
	}
	r.cluster.LogGroup = group
	filters, err := pages(ctx, r.slots, logs.NewDescribeSubscriptionFiltersPaginator(r.logs, &logs.DescribeSubscriptionFiltersInput{LogGroupName: &name}),
		func(p *logs.DescribeSubscriptionFiltersOutput) []types.SubscriptionFilter {
			return p.SubscriptionFilters
		})
	if err != nil {
		group.SubscriptionsUnknown = true
		r.gap(model.AreaLogGroup, "logs:DescribeSubscriptionFilters", name, err)
	}
	for _, f := range filters {
		group.Subscriptions = append(group.Subscriptions, model.SubscriptionFilter{
			Name:           awssdk.ToString(f.FilterName),
			DestinationARN: awssdk.ToString(f.DestinationArn),
			Pattern:        awssdk.ToString(f.FilterPattern),
		})
	}
	slices.SortFunc(group.Subscriptions, func(a, b model.SubscriptionFilter) int { return cmp.Compare(a.Name, b.Name) })
}
