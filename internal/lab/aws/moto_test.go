package aws_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	logs "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/lab/aws"
)

// motoAccount is moto's own account id.
const motoAccount = "123456789012"

// step is one SDK call, made on the lab and on moto; differs names members that the two may answer
// differently, with the reason beside it.
type step struct {
	name, differs string
	call          func(context.Context, clients) (any, error)
}

type clients struct {
	iam   *iam.Client
	sts   *sts.Client
	logs  *logs.Client
	trail *cloudtrail.Client
}

func newClients(cfg awssdk.Config) clients {
	return clients{iam.NewFromConfig(cfg), sts.NewFromConfig(cfg), logs.NewFromConfig(cfg), cloudtrail.NewFromConfig(cfg)}
}

// TestAgainstMoto makes the same calls on the lab and on moto, an independent reimplementation, and
// compares every answer and every error code. It is skipped where moto_server is missing, in CI too: moto
// is Python, and the project does not depend on it.
func TestAgainstMoto(t *testing.T) {
	endpoint := startMoto(t)
	srv := aws.New(aws.Options{}).Start(t)
	srv.Account(motoAccount, "aws")
	ours := newClients(noRetry(srv.Config(motoAccount, region)))
	cfg := noRetry(srv.Config(motoAccount, region))
	cfg.BaseEndpoint = &endpoint
	theirs := newClients(cfg)
	for _, s := range motoSteps() {
		t.Run(s.name, func(t *testing.T) {
			want := outcome(t, s, theirs)
			got := outcome(t, s, ours)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-moto +lab)\n%s", diff)
			}
		})
	}
}

func outcome(t *testing.T, s step, c clients) any {
	t.Helper()
	out, err := s.call(t.Context(), c)
	var api smithy.APIError
	if errors.As(err, &api) {
		return "error " + api.ErrorCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(b, &plain); err != nil {
		t.Fatal(err)
	}
	return normal("", plain, strings.Fields("ResultMetadata "+s.differs))
}

var volatile = regexp.MustCompile(`(Id|Date|Time|Expiration|SecretAccessKey|SessionToken)$`)

// normal leaves out what is empty or may differ, and keeps of ids and times only that they are there.
func normal(key string, v any, leave []string) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, x := range v {
			if n := normal(k, x, leave); n != nil && !slices.Contains(leave, k) {
				out[k] = n
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		var out []any
		for _, x := range v {
			out = append(out, normal(key, x, leave))
		}
		if len(out) == 0 {
			return nil
		}
		slices.SortFunc(out, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }) // AWS promises no order
		return out
	case string:
		switch {
		case v == "":
			return nil
		case volatile.MatchString(key) && key != "VersionId" && key != "DefaultVersionId":
			return "set"
		case strings.HasSuffix(key, "Document"):
			if plain, err := url.QueryUnescape(v); err == nil {
				return plain // moto encodes some documents; IAM encodes all
			}
		}
	case bool:
		if !v {
			return nil // the SDK gives false for an absent member of some structures
		}
	}
	return v
}

func startMoto(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skipf("moto_server is not installed: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	host, port, _ := net.SplitHostPort(address)
	cmd := exec.CommandContext(t.Context(), program, "-H", host, "-p", port)
	if err := cmd.Start(); err != nil {
		t.Skipf("moto_server does not start: %v", err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // ended by the test's context
	deadline := time.NewTimer(60 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-deadline.C:
			t.Skip("moto_server does not answer within a minute")
		case <-tick.C:
			if r, err := http.Get("http://" + address + "/moto-api/data.json"); err == nil {
				r.Body.Close()
				return "http://" + address
			}
		}
	}
}

// motoSteps differ where moto leaves members out that IAM documents (PermissionsBoundaryUsageCount, the
// names in PolicyDetail, LogGroupClass, PackedPolicySize) or shows a document that IAM does not
// (PolicyVersion, IAM API Reference: not for CreatePolicyVersion and ListPolicyVersions, 2026-11).
func motoSteps() []step {
	trust := str(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`)
	policy := str(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`)
	policyARN := str("arn:aws:iam::" + motoAccount + ":policy/team/read")
	provider := str("arn:aws:iam::" + motoAccount + ":oidc-provider/oidc.example/id/A")
	type ctx = context.Context
	return []step{
		{"create role", "", func(x ctx, k clients) (any, error) {
			return k.iam.CreateRole(x, &iam.CreateRoleInput{
				RoleName: str("app"), Path: str("/team/"), AssumeRolePolicyDocument: trust, Description: str("d"),
				Tags: []iamtypes.Tag{{Key: str("a"), Value: str("b")}},
			})
		}},
		{"create it again", "", func(x ctx, k clients) (any, error) {
			return k.iam.CreateRole(x, &iam.CreateRoleInput{RoleName: str("app"), AssumeRolePolicyDocument: trust})
		}},
		{"create policy", "PermissionsBoundaryUsageCount", func(x ctx, k clients) (any, error) {
			return k.iam.CreatePolicy(x, &iam.CreatePolicyInput{PolicyName: str("read"), Path: str("/team/"), PolicyDocument: policy})
		}},
		{"attach", "", func(x ctx, k clients) (any, error) {
			return k.iam.AttachRolePolicy(x, &iam.AttachRolePolicyInput{RoleName: str("app"), PolicyArn: policyARN})
		}},
		{"attach what is not there", "", func(x ctx, k clients) (any, error) {
			return k.iam.AttachRolePolicy(x, &iam.AttachRolePolicyInput{RoleName: str("app"), PolicyArn: str("arn:aws:iam::123456789012:policy/none")})
		}},
		{"put role policy", "", func(x ctx, k clients) (any, error) {
			return k.iam.PutRolePolicy(x, &iam.PutRolePolicyInput{RoleName: str("app"), PolicyName: str("in"), PolicyDocument: policy})
		}},
		{"get role policy", "", func(x ctx, k clients) (any, error) {
			return k.iam.GetRolePolicy(x, &iam.GetRolePolicyInput{RoleName: str("app"), PolicyName: str("in")})
		}},
		{"get role policy that is not there", "", func(x ctx, k clients) (any, error) {
			return k.iam.GetRolePolicy(x, &iam.GetRolePolicyInput{RoleName: str("app"), PolicyName: str("none")})
		}},
		{"list role policies", "", func(x ctx, k clients) (any, error) {
			return k.iam.ListRolePolicies(x, &iam.ListRolePoliciesInput{RoleName: str("app")})
		}},
		{"list attached", "", func(x ctx, k clients) (any, error) {
			return k.iam.ListAttachedRolePolicies(x, &iam.ListAttachedRolePoliciesInput{RoleName: str("app")})
		}},
		{"get role", "", func(x ctx, k clients) (any, error) {
			return k.iam.GetRole(x, &iam.GetRoleInput{RoleName: str("app")})
		}},
		{"get role that is not there", "", func(x ctx, k clients) (any, error) {
			return k.iam.GetRole(x, &iam.GetRoleInput{RoleName: str("none")})
		}},
		{"list roles", "", func(x ctx, k clients) (any, error) {
			return k.iam.ListRoles(x, &iam.ListRolesInput{PathPrefix: str("/team/")})
		}},
		{"new default version", "Document", func(x ctx, k clients) (any, error) {
			return k.iam.CreatePolicyVersion(x, &iam.CreatePolicyVersionInput{PolicyArn: policyARN, PolicyDocument: policy, SetAsDefault: true})
		}},
		{"get policy", "PermissionsBoundaryUsageCount", func(x ctx, k clients) (any, error) {
			return k.iam.GetPolicy(x, &iam.GetPolicyInput{PolicyArn: policyARN})
		}},
		{"get policy version", "", func(x ctx, k clients) (any, error) {
			return k.iam.GetPolicyVersion(x, &iam.GetPolicyVersionInput{PolicyArn: policyARN, VersionId: str("v2")})
		}},
		{"list policy versions", "Document", func(x ctx, k clients) (any, error) {
			return k.iam.ListPolicyVersions(x, &iam.ListPolicyVersionsInput{PolicyArn: policyARN})
		}},
		{"create group", "", func(x ctx, k clients) (any, error) {
			return k.iam.CreateGroup(x, &iam.CreateGroupInput{GroupName: str("ops")})
		}},
		{"create user", "", func(x ctx, k clients) (any, error) {
			return k.iam.CreateUser(x, &iam.CreateUserInput{UserName: str("eve"), Path: str("/team/")})
		}},
		{"add user to group", "", func(x ctx, k clients) (any, error) {
			return k.iam.AddUserToGroup(x, &iam.AddUserToGroupInput{UserName: str("eve"), GroupName: str("ops")})
		}},
		{"get user", "", func(x ctx, k clients) (any, error) {
			return k.iam.GetUser(x, &iam.GetUserInput{UserName: str("eve")})
		}},
		{"list users", "", func(x ctx, k clients) (any, error) { return k.iam.ListUsers(x, &iam.ListUsersInput{}) }},
		{"groups of the user", "", func(x ctx, k clients) (any, error) {
			return k.iam.ListGroupsForUser(x, &iam.ListGroupsForUserInput{UserName: str("eve")})
		}},
		{"create instance profile", "", func(x ctx, k clients) (any, error) {
			return k.iam.CreateInstanceProfile(x, &iam.CreateInstanceProfileInput{InstanceProfileName: str("node")})
		}},
		{"add role to it", "", func(x ctx, k clients) (any, error) {
			return k.iam.AddRoleToInstanceProfile(x, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: str("node"), RoleName: str("app")})
		}},
		{"get instance profile", "", func(x ctx, k clients) (any, error) {
			return k.iam.GetInstanceProfile(x, &iam.GetInstanceProfileInput{InstanceProfileName: str("node")})
		}},
		{"create OIDC provider", "", func(x ctx, k clients) (any, error) {
			return k.iam.CreateOpenIDConnectProvider(x, &iam.CreateOpenIDConnectProviderInput{
				Url: str("https://oidc.example/id/A"), ClientIDList: []string{"sts.amazonaws.com"},
				ThumbprintList: []string{strings.Repeat("a", 40)},
			})
		}},
		{"create it again", "", func(x ctx, k clients) (any, error) {
			return k.iam.CreateOpenIDConnectProvider(x, &iam.CreateOpenIDConnectProviderInput{Url: str("https://oidc.example/id/A"), ThumbprintList: []string{strings.Repeat("a", 40)}})
		}},
		{"get OIDC provider", "", func(x ctx, k clients) (any, error) {
			return k.iam.GetOpenIDConnectProvider(x, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: provider})
		}},
		{"list OIDC providers", "", func(x ctx, k clients) (any, error) {
			return k.iam.ListOpenIDConnectProviders(x, &iam.ListOpenIDConnectProvidersInput{})
		}},
		{"account sweep", "PermissionsBoundaryUsageCount PolicyId PolicyName", func(x ctx, k clients) (any, error) {
			return k.iam.GetAccountAuthorizationDetails(x, &iam.GetAccountAuthorizationDetailsInput{Filter: []iamtypes.EntityType{"Role", "User", "Group", "LocalManagedPolicy"}})
		}},
		{"delete role in use", "", func(x ctx, k clients) (any, error) {
			return k.iam.DeleteRole(x, &iam.DeleteRoleInput{RoleName: str("app")})
		}},
		{"assume role", "PackedPolicySize", func(x ctx, k clients) (any, error) {
			return k.sts.AssumeRole(x, &sts.AssumeRoleInput{RoleArn: str("arn:aws:iam::123456789012:role/team/app"), RoleSessionName: str("s1")})
		}},
		{"create log group", "", func(x ctx, k clients) (any, error) {
			return k.logs.CreateLogGroup(x, &logs.CreateLogGroupInput{LogGroupName: str("/aws/eks/prod/cluster")})
		}},
		{"create log group again", "", func(x ctx, k clients) (any, error) {
			return k.logs.CreateLogGroup(x, &logs.CreateLogGroupInput{LogGroupName: str("/aws/eks/prod/cluster")})
		}},
		{"put retention policy", "", func(x ctx, k clients) (any, error) {
			return k.logs.PutRetentionPolicy(x, &logs.PutRetentionPolicyInput{LogGroupName: str("/aws/eks/prod/cluster"), RetentionInDays: awssdk.Int32(30)})
		}},
		{"describe log groups", "CreationTime LogGroupClass", func(x ctx, k clients) (any, error) {
			return k.logs.DescribeLogGroups(x, &logs.DescribeLogGroupsInput{LogGroupNamePrefix: str("/aws/eks")})
		}},
		{"filters of a group that is not there", "", func(x ctx, k clients) (any, error) {
			return k.logs.DescribeSubscriptionFilters(x, &logs.DescribeSubscriptionFiltersInput{LogGroupName: str("none")})
		}},
		{"no trails", "", func(x ctx, k clients) (any, error) {
			return k.trail.DescribeTrails(x, &cloudtrail.DescribeTrailsInput{})
		}},
		{"status of a trail that is not there", "", func(x ctx, k clients) (any, error) {
			return k.trail.GetTrailStatus(x, &cloudtrail.GetTrailStatusInput{Name: str("none")})
		}},
	}
}
