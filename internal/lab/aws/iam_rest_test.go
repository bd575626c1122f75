package aws_test

import (
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"drawbridge/internal/lab/aws"
)

func TestIAMUsersAndGroups(t *testing.T) {
	srv, _, _ := newLab(t, aws.Options{})
	c, ctx := iamClient(srv), t.Context()
	eve := str("eve")
	must(c.CreateUser(ctx, &iam.CreateUserInput{UserName: eve, Path: str("/p/"), Tags: []types.Tag{{Key: str("k"), Value: str("v")}}}))(t)
	_, err := c.CreateUser(ctx, &iam.CreateUserInput{UserName: eve})
	wantCode(t, err, "EntityAlreadyExists", 409)
	must(c.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: str("ops")}))(t)
	must(c.AddUserToGroup(ctx, &iam.AddUserToGroupInput{UserName: eve, GroupName: str("ops")}))(t)
	equal(t, "arn:aws:iam::111122223333:user/p/eve", *must(c.GetUser(ctx, &iam.GetUserInput{UserName: eve}))(t).User.Arn)
	self := iam.NewFromConfig(noRetry(srv.ConfigAs("arn:aws:iam::111122223333:user/p/eve", region)))
	equal(t, "v", *must(self.GetUser(ctx, &iam.GetUserInput{}))(t).User.Tags[0].Value)
	_, err = c.GetUser(ctx, &iam.GetUserInput{})
	wantCode(t, err, "ValidationError", 400)
	equal(t, 1, len(must(c.ListUsers(ctx, &iam.ListUsersInput{PathPrefix: str("/p/")}))(t).Users))
	equal(t, "ops", *must(c.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: eve}))(t).Groups[0].GroupName)
	equal(t, "eve", *must(c.GetGroup(ctx, &iam.GetGroupInput{GroupName: str("ops")}))(t).Users[0].UserName)
	equal(t, 1, len(must(c.ListGroups(ctx, &iam.ListGroupsInput{}))(t).Groups))
	must(c.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: eve, PolicyName: str("p"), PolicyDocument: str(`{}`)}))(t)
	must(c.PutGroupPolicy(ctx, &iam.PutGroupPolicyInput{GroupName: str("ops"), PolicyName: str("p"), PolicyDocument: str(`{"Id":"g"}`)}))(t)
	equal(t, `{"Id":"g"}`, decoded(t, must(c.GetGroupPolicy(ctx, &iam.GetGroupPolicyInput{GroupName: str("ops"), PolicyName: str("p")}))(t).PolicyDocument))
	equal(t, []string{"p"}, must(c.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: eve}))(t).PolicyNames)
	must(c.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: eve}))(t)
	key := must(c.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: eve}))(t).AccessKeyMetadata[0]

	deleteUser := func() error {
		_, err := c.DeleteUser(ctx, &iam.DeleteUserInput{UserName: eve})
		return err
	}
	wantCode(t, deleteUser(), "DeleteConflict", 409)
	must(c.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: eve, PolicyName: str("p")}))(t)
	wantCode(t, deleteUser(), "DeleteConflict", 409)
	must(c.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{UserName: eve, GroupName: str("ops")}))(t)
	wantCode(t, deleteUser(), "DeleteConflict", 409)
	must(c.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: eve, AccessKeyId: key.AccessKeyId}))(t)
	must(0, deleteUser())(t)
	_, err = c.DeleteGroup(ctx, &iam.DeleteGroupInput{GroupName: str("ops")})
	wantCode(t, err, "DeleteConflict", 409)
	must(c.DeleteGroupPolicy(ctx, &iam.DeleteGroupPolicyInput{GroupName: str("ops"), PolicyName: str("p")}))(t)
	must(c.DeleteGroup(ctx, &iam.DeleteGroupInput{GroupName: str("ops")}))(t)
}

func TestIAMRoleSettings(t *testing.T) {
	srv, acct, _ := newLab(t, aws.Options{})
	boundary := acct.PutPolicy(aws.ManagedPolicy{PolicyName: "edge"})
	c, ctx, dev := iamClient(srv), t.Context(), str("dev")
	must(c.TagRole(ctx, &iam.TagRoleInput{RoleName: dev, Tags: []types.Tag{{Key: str("a"), Value: str("1")}, {Key: str("b"), Value: str("2")}}}))(t)
	must(c.TagRole(ctx, &iam.TagRoleInput{RoleName: dev, Tags: []types.Tag{{Key: str("b"), Value: str("3")}}}))(t)
	must(c.UntagRole(ctx, &iam.UntagRoleInput{RoleName: dev, TagKeys: []string{"a"}}))(t)
	tags := must(c.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: dev}))(t).Tags
	equal(t, []string{"b", "3"}, []string{*tags[0].Key, *tags[0].Value})
	must(c.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: dev, MaxSessionDuration: awssdk.Int32(7200), Description: str("d")}))(t)
	must(c.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: dev, PermissionsBoundary: &boundary}))(t)
	_, err := c.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: dev, PermissionsBoundary: str("arn:aws:iam::111122223333:policy/none")})
	wantCode(t, err, "NoSuchEntity", 404)
	role := must(c.GetRole(ctx, &iam.GetRoleInput{RoleName: dev}))(t).Role
	equal(t, []any{int32(7200), "d", boundary}, []any{*role.MaxSessionDuration, *role.Description, *role.PermissionsBoundary.PermissionsBoundaryArn})
	must(c.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: dev}))(t)
	for _, r := range must(c.ListRoles(ctx, &iam.ListRolesInput{}))(t).Roles {
		if r.PermissionsBoundary != nil || r.Tags != nil {
			t.Errorf("ListRoles shows boundary or tags of %s", *r.RoleName)
		}
	}
}

func TestIAMPolicies(t *testing.T) {
	srv, acct, _ := newLab(t, aws.Options{})
	acct.PutPolicy(aws.ManagedPolicy{PolicyName: "AmazonEKSWorkerNodePolicy", ARN: "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"})
	acct.PutAlias("shop-prod")
	c, ctx := iamClient(srv), t.Context()
	arn := must(c.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: str("p"), PolicyDocument: str(`{"Id":"1"}`)}))(t).Policy.Arn
	for range 4 {
		must(c.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: str(`{}`)}))(t)
	}
	_, err := c.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: str(`{}`)})
	wantCode(t, err, "LimitExceeded", 409)
	must(c.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: str("v3")}))(t)
	_, err = c.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: arn, VersionId: str("v3")})
	wantCode(t, err, "DeleteConflict", 409)
	_, err = c.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn})
	wantCode(t, err, "DeleteConflict", 409)
	for _, v := range must(c.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: arn}))(t).Versions {
		if !v.IsDefaultVersion {
			must(c.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: arn, VersionId: v.VersionId}))(t)
		}
	}
	equal(t, 1, len(must(c.ListPolicies(ctx, &iam.ListPoliciesInput{Scope: types.PolicyScopeTypeLocal}))(t).Policies))
	equal(t, 2, len(must(c.ListPolicies(ctx, &iam.ListPoliciesInput{}))(t).Policies))
	must(c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: str("dev"), PolicyArn: arn}))(t)
	equal(t, 1, len(must(c.ListPolicies(ctx, &iam.ListPoliciesInput{OnlyAttached: true}))(t).Policies))
	must(c.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: str("dev"), PolicyArn: arn}))(t)
	_, err = c.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: str("dev"), PolicyArn: arn})
	wantCode(t, err, "NoSuchEntity", 404)
	must(c.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn}))(t)
	equal(t, []string{"shop-prod"}, must(c.ListAccountAliases(ctx, &iam.ListAccountAliasesInput{}))(t).AccountAliases)
}

func TestIAMInstanceProfilesAndProviders(t *testing.T) {
	srv, acct, _ := newLab(t, aws.Options{})
	c, ctx, node := iamClient(srv), t.Context(), str("node")
	must(c.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: node}))(t)
	_, err := c.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: node})
	wantCode(t, err, "EntityAlreadyExists", 409)
	must(c.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: node, RoleName: node}))(t)
	_, err = c.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: node, RoleName: str("dev")})
	wantCode(t, err, "LimitExceeded", 409)
	equal(t, roleARN("node"), *must(c.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: node}))(t).InstanceProfile.Roles[0].Arn)
	equal(t, 1, len(must(c.ListInstanceProfiles(ctx, &iam.ListInstanceProfilesInput{}))(t).InstanceProfiles))
	equal(t, 1, len(must(c.ListInstanceProfilesForRole(ctx, &iam.ListInstanceProfilesForRoleInput{RoleName: node}))(t).InstanceProfiles))
	_, err = c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: node})
	wantCode(t, err, "DeleteConflict", 409)
	_, err = c.DeleteInstanceProfile(ctx, &iam.DeleteInstanceProfileInput{InstanceProfileName: node})
	wantCode(t, err, "DeleteConflict", 409)
	must(c.RemoveRoleFromInstanceProfile(ctx, &iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: node, RoleName: node}))(t)
	must(c.DeleteInstanceProfile(ctx, &iam.DeleteInstanceProfileInput{InstanceProfileName: node}))(t)

	arn := acct.PutOIDCProvider(aws.OIDCProvider{URL: "https://oidc.example/id/A", ClientIDList: []string{"a"}})
	must(c.AddClientIDToOpenIDConnectProvider(ctx, &iam.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, ClientID: str("b")}))(t)
	must(c.RemoveClientIDFromOpenIDConnectProvider(ctx, &iam.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, ClientID: str("a")}))(t)
	print := strings.Repeat("a", 40)
	must(c.UpdateOpenIDConnectProviderThumbprint(ctx, &iam.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: &arn, ThumbprintList: []string{print}}))(t)
	got := must(c.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn}))(t)
	equal(t, []string{"oidc.example/id/A", "b", print}, []string{*got.Url, got.ClientIDList[0], got.ThumbprintList[0]})
	must(c.DeleteOpenIDConnectProvider(ctx, &iam.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn}))(t)
	_, err = c.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	wantCode(t, err, "NoSuchEntity", 404)
}

func TestRestOfEC2AndClusterNetwork(t *testing.T) {
	srv, acct, reg := newLab(t, aws.Options{})
	acct.Region("eu-west-1")
	reg.PutLaunchTemplate(aws.Template{LaunchTemplateID: "lt-1", LaunchTemplateName: "nodes", Versions: []aws.TemplateData{{}, {}}})
	e, ctx := ec2.NewFromConfig(noRetry(srv.Config(account, region))), t.Context()
	equal(t, int64(2), *must(e.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"nodes"}}))(t).LaunchTemplates[0].LatestVersionNumber)
	equal(t, 2, len(must(e.DescribeRegions(ctx, &ec2.DescribeRegionsInput{}))(t).Regions))
	c := eksClient(srv)
	must(c.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: str("prod"), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{EndpointPublicAccess: awssdk.Bool(false)}}))(t)
	equal(t, false, must(c.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: str("prod")}))(t).Cluster.ResourcesVpcConfig.EndpointPublicAccess)
}
