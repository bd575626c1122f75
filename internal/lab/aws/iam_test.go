package aws_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"drawbridge/internal/lab/aws"
)

func TestIAMSweep(t *testing.T) {
	srv, acct, _ := newLab(t, aws.Options{PageSize: 2})
	boundary := acct.PutPolicy(aws.ManagedPolicy{PolicyName: "edge", Versions: []aws.PolicyVersion{{VersionID: "v1", Document: `{"Statement":[]}`, IsDefaultVersion: true}}})
	awsPolicy := acct.PutPolicy(aws.ManagedPolicy{
		PolicyName: "AmazonEKSWorkerNodePolicy", ARN: "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
		Versions: []aws.PolicyVersion{{VersionID: "v3", Document: `{}`, IsDefaultVersion: true}},
	})
	acct.PutPolicy(aws.ManagedPolicy{PolicyName: "AdministratorAccess", ARN: "arn:aws:iam::aws:policy/AdministratorAccess"})
	acct.PutRole(aws.Role{
		RoleName: "path", Path: "/team/a/", AssumeRolePolicyDocument: `{"a":"b +%&<>"}`, PermissionsBoundary: boundary,
		Tags: []aws.Tag{{Key: "k", Value: "v"}}, InlinePolicies: []aws.InlinePolicy{{PolicyName: "in", PolicyDocument: `{"Statement": []}`}}, AttachedPolicies: []string{awsPolicy},
	})
	acct.PutInstanceProfile(aws.InstanceProfile{InstanceProfileName: "node", Roles: []string{"node"}})
	acct.PutGroup(aws.Group{GroupName: "ops", InlinePolicies: []aws.InlinePolicy{{PolicyName: "g", PolicyDocument: `{}`}}})
	acct.PutUser(aws.User{UserName: "eve", Groups: []string{"ops"}})

	roles, policies, users, groups, pages := map[string]types.RoleDetail{}, map[string]types.ManagedPolicyDetail{}, 0, 0, 0
	for p := iam.NewGetAccountAuthorizationDetailsPaginator(iamClient(srv), &iam.GetAccountAuthorizationDetailsInput{}); p.HasMorePages(); pages++ {
		out := must(p.NextPage(t.Context()))(t)
		for _, r := range out.RoleDetailList {
			roles[*r.RoleName] = r
		}
		for _, m := range out.Policies {
			policies[*m.Arn] = m
		}
		users, groups = users+len(out.UserDetailList), groups+len(out.GroupDetailList)
	}
	equal(t, []int{6, 2, 1, 1, 5}, []int{len(roles), len(policies), users, groups, pages})
	r := roles["path"]
	equal(t, "arn:aws:iam::111122223333:role/team/a/path", *r.Arn)
	equal(t, `{"a":"b +%&<>"}`, decoded(t, r.AssumeRolePolicyDocument))
	equal(t, `{"Statement": []}`, decoded(t, r.RolePolicyList[0].PolicyDocument))
	equal(t, awsPolicy, *r.AttachedManagedPolicies[0].PolicyArn)
	equal(t, boundary, *r.PermissionsBoundary.PermissionsBoundaryArn)
	equal(t, "node", *roles["node"].InstanceProfileList[0].InstanceProfileName)
	equal(t, int32(1), *policies[boundary].PermissionsBoundaryUsageCount)
	equal(t, `{"Statement":[]}`, decoded(t, policies[boundary].PolicyVersionList[0].Document))

	out := must(iamClient(srv).GetAccountAuthorizationDetails(t.Context(), &iam.GetAccountAuthorizationDetailsInput{Filter: []types.EntityType{types.EntityTypeUser}}))(t)
	equal(t, []int{1, 0, 0}, []int{len(out.UserDetailList), len(out.RoleDetailList), len(out.Policies)})
	equal(t, []string{"ops"}, out.UserDetailList[0].GroupList)
}

func TestIAMWrites(t *testing.T) {
	srv, _, _ := newLab(t, aws.Options{})
	c, ctx := iamClient(srv), t.Context()
	created := must(c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: str("new"), Path: str("/x/"), AssumeRolePolicyDocument: str(`{"Statement":[]}`), Tags: []types.Tag{{Key: str("a"), Value: str("b")}}}))(t).Role
	_, err := c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: str("new"), AssumeRolePolicyDocument: str(`{}`)})
	wantCode(t, err, "EntityAlreadyExists", 409)
	_, err = c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: str("bad"), AssumeRolePolicyDocument: str(`not json`)})
	wantCode(t, err, "MalformedPolicyDocument", 400)
	must(c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: str("new"), PolicyName: str("p"), PolicyDocument: str(`{"Version":"2012-10-17"}`)}))(t)
	equal(t, `{"Version":"2012-10-17"}`, decoded(t, must(c.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: str("new"), PolicyName: str("p")}))(t).PolicyDocument))
	equal(t, []string{"p"}, must(c.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: str("new")}))(t).PolicyNames)
	policy := must(c.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: str("m"), PolicyDocument: str(`{"Statement":[]}`)}))(t).Policy
	must(c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: str("new"), PolicyArn: policy.Arn}))(t)
	_, err = c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: str("new"), PolicyArn: str("arn:aws:iam::aws:policy/None")})
	wantCode(t, err, "NoSuchEntity", 404)
	equal(t, "m", *must(c.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: str("new")}))(t).AttachedPolicies[0].PolicyName)
	version := must(c.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: policy.Arn, PolicyDocument: str(`{"Id":"2"}`), SetAsDefault: true}))(t).PolicyVersion
	equal(t, "v2", *version.VersionId)
	equal(t, "v2", *must(c.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: policy.Arn}))(t).Policy.DefaultVersionId)
	equal(t, `{"Id":"2"}`, decoded(t, must(c.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: policy.Arn, VersionId: str("v2")}))(t).PolicyVersion.Document))
	must(c.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: str("new"), PolicyDocument: str(`{"Id":"x"}`)}))(t)
	equal(t, `{"Id":"x"}`, decoded(t, must(c.GetRole(ctx, &iam.GetRoleInput{RoleName: str("new")}))(t).Role.AssumeRolePolicyDocument))
	_, err = c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: str("new")})
	wantCode(t, err, "DeleteConflict", 409)
	must(c.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: str("new"), PolicyArn: policy.Arn}))(t)
	must(c.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: str("new"), PolicyName: str("p")}))(t)
	must(c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: str("new")}))(t)
	_, err = c.GetRole(ctx, &iam.GetRoleInput{RoleName: str("new")})
	wantCode(t, err, "NoSuchEntity", 404)
	again := must(c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: str("new"), Path: str("/x/"), AssumeRolePolicyDocument: str(`{}`)}))(t).Role
	if *again.Arn != *created.Arn || *again.RoleId == *created.RoleId {
		t.Errorf("a recreated role has ARN %s and id %s, before %s", *again.Arn, *again.RoleId, *created.RoleId)
	}
	oidc := must(c.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: str("https://oidc.example/id/A"), ClientIDList: []string{"sts.amazonaws.com"}}))(t)
	equal(t, "arn:aws:iam::111122223333:oidc-provider/oidc.example/id/A", *oidc.OpenIDConnectProviderArn)
	equal(t, []string{"sts.amazonaws.com"}, must(c.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: oidc.OpenIDConnectProviderArn}))(t).ClientIDList)
	equal(t, 1, len(must(c.ListOpenIDConnectProviders(ctx, &iam.ListOpenIDConnectProvidersInput{}))(t).OpenIDConnectProviderList))
}

func TestIAMFaults(t *testing.T) {
	srv, _, _ := newLab(t, aws.Options{})
	srv.Deny("iam:GetRole")
	_, err := iamClient(srv).GetRole(t.Context(), &iam.GetRoleInput{RoleName: str("admin")})
	wantCode(t, err, "AccessDenied", 403)
	if want := "is not authorized to perform: iam:GetRole on resource: arn:aws:iam::111122223333:role/admin"; !strings.Contains(err.Error(), want) {
		t.Errorf("message %q lacks %q", err, want)
	}
	srv.ThrottleEvery(1)
	_, err = iamClient(srv).ListUsers(t.Context(), &iam.ListUsersInput{})
	wantCode(t, err, "Throttling", 400)
}

func TestSTS(t *testing.T) {
	srv, _, _ := newLab(t, aws.Options{})
	remote := srv.Account(other, "aws").PutRole(aws.Role{RoleName: "audit", Path: "/sec/", AssumeRolePolicyDocument: `{}`})
	client := sts.NewFromConfig(noRetry(srv.Config(account, region)))
	me := must(client.GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t)
	equal(t, account, *me.Account)
	in := &sts.AssumeRoleInput{
		RoleArn: &remote, RoleSessionName: str("scan"), ExternalId: str("e"), SourceIdentity: str("alice"),
		Tags: []ststypes.Tag{{Key: str("team"), Value: str("red")}}, TransitiveTagKeys: []string{"team"}, PolicyArns: []ststypes.PolicyDescriptorType{{Arn: str("arn:aws:iam::aws:policy/ReadOnlyAccess")}},
	}
	out := must(client.AssumeRole(t.Context(), in))(t)
	equal(t, "arn:aws:sts::444455556666:assumed-role/audit/scan", *out.AssumedRoleUser.Arn)
	cfg := srv.Config(account, region)
	cfg.Credentials = credentials.NewStaticCredentialsProvider(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
	who := must(sts.NewFromConfig(cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t)
	equal(t, fmt.Sprint(other, " ", *out.AssumedRoleUser.Arn), fmt.Sprint(*who.Account, " ", *who.Arn))
	equal(t, 0, len(must(eks.NewFromConfig(cfg).ListClusters(t.Context(), &eks.ListClustersInput{}))(t).Clusters)) // the other account's EKS
	session := srv.Sessions()[0]
	equal(t, []any{"e", "alice", []aws.Tag{{Key: "team", Value: "red"}}, []string{"team"}, []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"}},
		[]any{session.ExternalID, session.SourceIdentity, session.Tags, session.TransitiveTagKeys, session.PolicyARNs})

	_, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: str("arn:aws:iam::" + other + ":role/audit"), RoleSessionName: str("scan")})
	wantCode(t, err, "AccessDenied", 403) // the path is part of the ARN
	_, err = client.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &remote, RoleSessionName: str("scan"), DurationSeconds: awssdk.Int32(7200)})
	wantCode(t, err, "ValidationError", 400)
	web := must(client.AssumeRoleWithWebIdentity(t.Context(), &sts.AssumeRoleWithWebIdentityInput{RoleArn: str(roleARN("app")), RoleSessionName: str("pod"), WebIdentityToken: str("jwt")}))(t)
	equal(t, "arn:aws:sts::111122223333:assumed-role/app/pod", *web.AssumedRoleUser.Arn)
}

func decoded(t *testing.T, document *string) string {
	t.Helper()
	return must(url.QueryUnescape(*document))(t)
}
