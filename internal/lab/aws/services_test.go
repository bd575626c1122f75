package aws_test

import (
	"encoding/json"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"drawbridge/internal/lab/aws"
)

func TestCloudTrail(t *testing.T) {
	srv, acct, reg := newLab(t, aws.Options{})
	reg.PutTrail(aws.Trail{
		Name: "org", S3BucketName: "logs", IsMultiRegionTrail: true, IsOrganizationTrail: true, Logging: true,
		AdvancedEventSelectors: json.RawMessage(`[{"Name":"m","FieldSelectors":[{"Field":"eventCategory","Equals":["Management"]}]}]`),
	})
	acct.Region("eu-west-1").PutTrail(aws.Trail{Name: "local", S3BucketName: "logs"})
	c, ctx := cloudtrail.NewFromConfig(noRetry(srv.Config(account, "eu-west-1"))), t.Context()
	names := func(in *cloudtrail.DescribeTrailsInput) (out []string) {
		for _, trail := range must(c.DescribeTrails(ctx, in))(t).TrailList {
			out = append(out, *trail.Name+" "+*trail.HomeRegion)
		}
		return out
	}
	equal(t, []string{"local eu-west-1", "org us-east-1"}, names(&cloudtrail.DescribeTrailsInput{})) // the shadow of a multi-region trail
	equal(t, []string{"local eu-west-1"}, names(&cloudtrail.DescribeTrailsInput{IncludeShadowTrails: awssdk.Bool(false)}))
	arn := str("arn:aws:cloudtrail:us-east-1:111122223333:trail/org")
	status := must(c.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: arn}))(t)
	equal(t, []bool{true, true}, []bool{*status.IsLogging, status.StartLoggingTime.Equal(aws.Epoch)})
	selectors := must(c.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: arn}))(t)
	equal(t, []string{"Management"}, selectors.AdvancedEventSelectors[0].FieldSelectors[0].Equals)
	usual := must(c.GetEventSelectors(ctx, &cloudtrail.GetEventSelectorsInput{TrailName: str("local")}))(t).EventSelectors[0]
	equal(t, []any{trailtypes.ReadWriteTypeAll, true}, []any{usual.ReadWriteType, *usual.IncludeManagementEvents})
	_, err := c.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: str("org")}) // another region's trail goes by its ARN
	wantCode(t, err, "TrailNotFoundException", 400)

	must(c.CreateTrail(ctx, &cloudtrail.CreateTrailInput{Name: str("new"), S3BucketName: str("b"), IsMultiRegionTrail: awssdk.Bool(true)}))(t)
	_, err = c.CreateTrail(ctx, &cloudtrail.CreateTrailInput{Name: str("new"), S3BucketName: str("b")})
	wantCode(t, err, "TrailAlreadyExistsException", 400)
	equal(t, false, *must(c.GetTrailStatus(ctx, &cloudtrail.GetTrailStatusInput{Name: str("new")}))(t).IsLogging)
	must(c.StartLogging(ctx, &cloudtrail.StartLoggingInput{Name: str("new")}))(t)
	must(c.PutEventSelectors(ctx, &cloudtrail.PutEventSelectorsInput{TrailName: str("new"), EventSelectors: []trailtypes.EventSelector{{ReadWriteType: trailtypes.ReadWriteTypeWriteOnly}}}))(t)
	must(c.UpdateTrail(ctx, &cloudtrail.UpdateTrailInput{Name: str("new"), EnableLogFileValidation: awssdk.Bool(true)}))(t)
	trail := must(c.GetTrail(ctx, &cloudtrail.GetTrailInput{Name: str("new")}))(t).Trail
	equal(t, []bool{true, true, true}, []bool{*trail.HasCustomEventSelectors, *trail.LogFileValidationEnabled, *trail.IsMultiRegionTrail})
	must(c.StopLogging(ctx, &cloudtrail.StopLoggingInput{Name: str("new")}))(t)
	must(c.DeleteTrail(ctx, &cloudtrail.DeleteTrailInput{Name: str("new")}))(t)
	equal(t, 2, len(must(c.ListTrails(ctx, &cloudtrail.ListTrailsInput{}))(t).Trails))

	srv.Deny("cloudtrail:DescribeTrails")
	_, err = c.DescribeTrails(ctx, &cloudtrail.DescribeTrailsInput{})
	wantCode(t, err, "AccessDeniedException", 400)
}

func TestCloudWatchLogs(t *testing.T) {
	srv, _, reg := newLab(t, aws.Options{PageSize: 1})
	days := 90
	reg.PutLogGroup(aws.LogGroup{
		LogGroupName: "/aws/eks/prod/cluster", RetentionInDays: &days,
		SubscriptionFilters: []aws.SubscriptionFilter{{FilterName: "f", DestinationARN: "arn:aws:lambda:us-east-1:111122223333:function:x"}},
	})
	reg.PutLogGroup(aws.LogGroup{LogGroupName: "/aws/eks/test/cluster"})
	reg.PutLogGroup(aws.LogGroup{LogGroupName: "/other"})
	c, ctx := logs.NewFromConfig(noRetry(srv.Config(account, region))), t.Context()
	var found []string
	for p := logs.NewDescribeLogGroupsPaginator(c, &logs.DescribeLogGroupsInput{LogGroupNamePrefix: str("/aws/eks/")}); p.HasMorePages(); {
		for _, g := range must(p.NextPage(ctx))(t).LogGroups {
			found = append(found, *g.Arn)
		}
	}
	equal(t, []string{"arn:aws:logs:us-east-1:111122223333:log-group:/aws/eks/prod/cluster:*", "arn:aws:logs:us-east-1:111122223333:log-group:/aws/eks/test/cluster:*"}, found)
	filters := must(c.DescribeSubscriptionFilters(ctx, &logs.DescribeSubscriptionFiltersInput{LogGroupName: str("/aws/eks/prod/cluster")}))(t).SubscriptionFilters
	equal(t, []string{"f", "/aws/eks/prod/cluster"}, []string{*filters[0].FilterName, *filters[0].LogGroupName})
	_, err := c.DescribeSubscriptionFilters(ctx, &logs.DescribeSubscriptionFiltersInput{LogGroupName: str("none")})
	wantCode(t, err, "ResourceNotFoundException", 400)

	must(c.CreateLogGroup(ctx, &logs.CreateLogGroupInput{LogGroupName: str("g")}))(t)
	_, err = c.CreateLogGroup(ctx, &logs.CreateLogGroupInput{LogGroupName: str("g")})
	wantCode(t, err, "ResourceAlreadyExistsException", 400)
	must(c.PutRetentionPolicy(ctx, &logs.PutRetentionPolicyInput{LogGroupName: str("g"), RetentionInDays: awssdk.Int32(7)}))(t)
	equal(t, int32(7), *must(c.DescribeLogGroups(ctx, &logs.DescribeLogGroupsInput{LogGroupNamePrefix: str("g")}))(t).LogGroups[0].RetentionInDays)
	must(c.DeleteRetentionPolicy(ctx, &logs.DeleteRetentionPolicyInput{LogGroupName: str("g")}))(t)
	put := func(name string) error {
		_, err := c.PutSubscriptionFilter(ctx, &logs.PutSubscriptionFilterInput{LogGroupName: str("g"), FilterName: &name, FilterPattern: str(""), DestinationArn: str("arn")})
		return err
	}
	must(0, put("1"))(t)
	must(0, put("2"))(t)
	wantCode(t, put("3"), "LimitExceededException", 400)
	must(c.DeleteSubscriptionFilter(ctx, &logs.DeleteSubscriptionFilterInput{LogGroupName: str("g"), FilterName: str("1")}))(t)
	must(c.DeleteLogGroup(ctx, &logs.DeleteLogGroupInput{LogGroupName: str("g")}))(t)
	_, err = c.DeleteLogGroup(ctx, &logs.DeleteLogGroupInput{LogGroupName: str("g")})
	wantCode(t, err, "ResourceNotFoundException", 400)
}

func TestEC2(t *testing.T) {
	srv, _, reg := newLab(t, aws.Options{PageSize: 1})
	profile := "arn:aws:iam::111122223333:instance-profile/node"
	for _, id := range []string{"i-0a", "i-0b"} {
		reg.PutInstance(aws.Instance{
			InstanceID: id, PrivateDNSName: id + ".ec2.internal", Tags: []aws.EC2Tag{{Key: "eks:cluster-name", Value: "prod"}},
			IAMInstanceProfile: &aws.IAMInstanceProfile{ARN: profile, ID: "AIPA"}, MetadataOptions: &aws.MetadataOptions{HTTPTokens: "optional", HTTPPutResponseHopLimit: 2, HTTPEndpoint: "enabled"},
		})
	}
	reg.PutInstance(aws.Instance{InstanceID: "i-0c", State: aws.InstanceState{Code: 80, Name: "stopped"}})
	reg.PutLaunchTemplate(aws.Template{LaunchTemplateID: "lt-1", LaunchTemplateName: "nodes", Versions: []aws.TemplateData{
		{MetadataOptions: &aws.MetadataOptions{HTTPTokens: "optional"}}, {MetadataOptions: &aws.MetadataOptions{HTTPTokens: "required", HTTPPutResponseHopLimit: 1}, SecurityGroupIDs: []string{"sg-1"}},
	}})
	c, ctx := ec2.NewFromConfig(noRetry(srv.Config(account, region))), t.Context()
	filter := func(name string, values ...string) []ec2types.Filter {
		return []ec2types.Filter{{Name: &name, Values: values}}
	}
	ids := func(in *ec2.DescribeInstancesInput) (out []string) {
		for p := ec2.NewDescribeInstancesPaginator(c, in); p.HasMorePages(); {
			for _, r := range must(p.NextPage(ctx))(t).Reservations {
				out = append(out, *r.Instances[0].InstanceId)
			}
		}
		return out
	}
	tests := []struct {
		name string
		in   ec2.DescribeInstancesInput
		want []string
	}{
		{"all", ec2.DescribeInstancesInput{}, []string{"i-0a", "i-0b", "i-0c"}},
		{"ids", ec2.DescribeInstancesInput{InstanceIds: []string{"i-0b"}}, []string{"i-0b"}},
		{"tag", ec2.DescribeInstancesInput{Filters: filter("tag:eks:cluster-name", "prod")}, []string{"i-0a", "i-0b"}},
		{"tag with a wildcard", ec2.DescribeInstancesInput{Filters: filter("tag:eks:cluster-name", "x", "pr*")}, []string{"i-0a", "i-0b"}},
		{"tag key", ec2.DescribeInstancesInput{Filters: filter("tag-key", "none")}, nil},
		{"state", ec2.DescribeInstancesInput{Filters: filter("instance-state-name", "stopped")}, []string{"i-0c"}},
		{"dns name", ec2.DescribeInstancesInput{Filters: filter("private-dns-name", "i-0a.ec2.internal")}, []string{"i-0a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { equal(t, tt.want, ids(&tt.in)) })
	}
	i := must(c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{"i-0a"}}))(t).Reservations[0].Instances[0]
	equal(t, []any{profile, ec2types.HttpTokensStateOptional, int32(2), ec2types.InstanceStateNameRunning},
		[]any{*i.IamInstanceProfile.Arn, i.MetadataOptions.HttpTokens, *i.MetadataOptions.HttpPutResponseHopLimit, i.State.Name})
	must(c.ModifyInstanceMetadataOptions(ctx, &ec2.ModifyInstanceMetadataOptionsInput{InstanceId: str("i-0a"), HttpTokens: ec2types.HttpTokensStateRequired}))(t)
	i = must(c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{"i-0a"}}))(t).Reservations[0].Instances[0]
	equal(t, ec2types.HttpTokensStateRequired, i.MetadataOptions.HttpTokens)
	_, err := c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{"i-none"}})
	wantCode(t, err, "InvalidInstanceID.NotFound", 400)
	_, err = c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: filter("colour", "red")})
	wantCode(t, err, "InvalidParameterValue", 400)

	versions := must(c.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: str("lt-1"), Versions: []string{"$Latest"}}))(t).LaunchTemplateVersions
	equal(t, []any{1, int64(2), ec2types.LaunchTemplateHttpTokensStateRequired, "sg-1"},
		[]any{len(versions), *versions[0].VersionNumber, versions[0].LaunchTemplateData.MetadataOptions.HttpTokens, versions[0].LaunchTemplateData.SecurityGroupIds[0]})
	_, err = c.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateId: str("lt-none")})
	wantCode(t, err, "InvalidLaunchTemplateId.NotFound", 400)
	srv.Deny("ec2:*")
	_, err = c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{})
	wantCode(t, err, "UnauthorizedOperation", 403)
}
