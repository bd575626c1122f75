package aws_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/lab/aws"
)

func TestPartitionsAndRegions(t *testing.T) {
	for _, tt := range []struct{ partition, region, elsewhere, issuer string }{
		{"aws", "eu-west-1", "eu-west-2", "https://oidc.eks.eu-west-1.amazonaws.com/id/"},
		{"aws-cn", "cn-north-1", "cn-northwest-1", "https://oidc.eks.cn-north-1.amazonaws.com.cn/id/"},
		{"aws-us-gov", "us-gov-west-1", "us-gov-east-1", "https://oidc.eks.us-gov-west-1.amazonaws.com/id/"},
	} {
		t.Run(tt.partition, func(t *testing.T) {
			srv := aws.New(aws.Options{}).Start(t)
			acct := srv.Account(account, tt.partition)
			role := acct.PutRole(aws.Role{RoleName: "dev"})
			acct.Region(tt.region).PutCluster(aws.Cluster{Name: "c", AccessConfig: &aws.AccessConfig{AuthenticationMode: "API"}})
			c, ctx := eks.NewFromConfig(noRetry(srv.Config(account, tt.region))), t.Context()
			cluster := must(c.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: str("c")}))(t).Cluster
			equal(t, fmt.Sprintf("arn:%s:eks:%s:%s:cluster/c", tt.partition, tt.region, account), *cluster.Arn)
			if !strings.HasPrefix(*cluster.Identity.Oidc.Issuer, tt.issuer) {
				t.Errorf("issuer %s", *cluster.Identity.Oidc.Issuer)
			}
			entry := must(c.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: str("c"), PrincipalArn: &role}))(t).AccessEntry
			equal(t, fmt.Sprintf("arn:%s:sts::%s:assumed-role/dev/{{SessionName}}", tt.partition, account), *entry.Username)
			policy := fmt.Sprintf("arn:%s:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", tt.partition)
			must(c.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{
				ClusterName: str("c"), PrincipalArn: &role, PolicyArn: &policy,
				AccessScope: &types.AccessScope{Type: types.AccessScopeTypeCluster},
			}))(t)
			equal(t, 0, len(must(eks.NewFromConfig(srv.Config(account, tt.elsewhere)).ListClusters(ctx, &eks.ListClustersInput{}))(t).Clusters))
		})
	}
}

func TestConfigAsAndKeys(t *testing.T) {
	srv, acct, _ := newLab(t, aws.Options{})
	user := acct.PutUser(aws.User{UserName: "eve"})
	who := func(principal string) string {
		return *must(sts.NewFromConfig(srv.ConfigAs(principal, region)).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}))(t).Arn
	}
	session := "arn:aws:sts::111122223333:assumed-role/admin/alice"
	equal(t, []string{user, session}, []string{who(user), who(session)})
	c := iamClient(srv)
	key := must(c.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: str("eve")}))(t).AccessKey
	must(c.UpdateAccessKey(t.Context(), &iam.UpdateAccessKeyInput{UserName: str("eve"), AccessKeyId: key.AccessKeyId, Status: "Inactive"}))(t)
	must(c.DeleteAccessKey(t.Context(), &iam.DeleteAccessKeyInput{UserName: str("eve"), AccessKeyId: key.AccessKeyId}))(t)
}

// TestEnv loads the SDK's configuration from the environment that Env gives to subprocesses.
func TestEnv(t *testing.T) {
	srv, _, _ := newLab(t, aws.Options{})
	for _, kv := range srv.Env(account, region) {
		name, value, _ := strings.Cut(kv, "=")
		t.Setenv(name, value)
	}
	for _, name := range []string{"AWS_PROFILE", "AWS_ENDPOINT_URL_EKS", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"} {
		if old, ok := os.LookupEnv(name); ok {
			t.Setenv(name, old) // restored after the test
			os.Unsetenv(name)
		}
	}
	cfg := must(config.LoadDefaultConfig(t.Context()))(t)
	equal(t, []string{"prod"}, must(eks.NewFromConfig(cfg).ListClusters(t.Context(), &eks.ListClustersInput{}))(t).Clusters)
}

func TestCallsAreRecorded(t *testing.T) {
	now := aws.Epoch.Add(time.Hour)
	srv, _, _ := newLab(t, aws.Options{Clock: func() time.Time { return now }})
	c := eksClient(srv)
	must(c.CreateAccessEntry(t.Context(), &eks.CreateAccessEntryInput{ClusterName: str("prod"), PrincipalArn: str(roleARN("dev"))}))(t)
	must(c.DescribeAccessEntry(t.Context(), &eks.DescribeAccessEntryInput{ClusterName: str("prod"), PrincipalArn: str(roleARN("dev"))}))(t)
	must(iamClient(srv).GetRole(t.Context(), &iam.GetRoleInput{RoleName: str("dev")}))(t)
	calls := srv.Calls()
	cluster := "arn:aws:eks:us-east-1:111122223333:cluster/prod"
	caller := "arn:aws:sts::111122223333:assumed-role/lab-caller/lab"
	want := []aws.Call{
		{
			Time: now, Action: "eks:CreateAccessEntry", Account: account, Region: region, Principal: caller, Resource: cluster,
			Parameters: map[string]any{"clusterName": "prod", "principalArn": roleARN("dev")},
		},
		{
			Time: now, Action: "eks:DescribeAccessEntry", Account: account, Region: region, Principal: caller,
			Parameters: map[string]any{"clusterName": "prod", "principalArn": roleARN("dev")},
		},
		{
			Time: now, Action: "iam:GetRole", Account: account, Region: region, Principal: caller, Resource: roleARN("dev"),
			Parameters: map[string]any{"RoleName": "dev"},
		},
	}
	if !strings.HasPrefix(calls[1].Resource, "arn:aws:eks:us-east-1:111122223333:access-entry/prod/role/111122223333/dev/") {
		t.Errorf("an entry's calls are about the entry, not %s", calls[1].Resource)
	}
	for i := range calls {
		calls[i].UserAgent = ""
		delete(calls[i].Parameters, "clientRequestToken")
	}
	calls[1].Resource = ""
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Error(diff)
	}
	equal(t, []string{"eks:CreateAccessEntry"}, actions(srv.Writes()))
	srv.ForgetCalls()
	equal(t, 0, len(srv.Calls()))
}

func actions(calls []aws.Call) []string {
	var out []string
	for _, c := range calls {
		out = append(out, c.Action)
	}
	return out
}

// recorder is a test that the lab fails.
type recorder struct {
	testing.TB
	errors  []string
	cleanup []func()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func (r *recorder) Cleanup(f func()) { r.cleanup = append(r.cleanup, f) }

func (r *recorder) end() {
	for _, f := range slices.Backward(r.cleanup) {
		f()
	}
}

// TestDefectsFailTheTest seeds what EKS could not answer: the SDK's model catches it.
func TestDefectsFailTheTest(t *testing.T) {
	r := &recorder{TB: t}
	srv := aws.New(aws.Options{}).Start(r)
	reg := srv.Account(account, "aws").Region(region)
	reg.PutCluster(aws.Cluster{Name: "odd", Status: "SLEEPING", Health: json.RawMessage(`{"mood":"bad"}`)})
	_, err := eksClient(srv).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: str("odd")})
	wantCode(t, err, "ServerException", 500)
	r.end()
	if len(r.errors) != 1 || !strings.Contains(r.errors[0], `"SLEEPING" is not one of`) || !strings.Contains(r.errors[0], "ClusterHealth has no such member") {
		t.Errorf("got %q", r.errors)
	}
}

func TestLoopbackOnly(t *testing.T) {
	if stop, err := aws.New(aws.Options{}).Listen("0.0.0.0:0"); err == nil {
		stop()
		t.Error("the lab listens on all addresses")
	}
}

// TestOperations: the list is sorted, and an operation outside it is refused as unknown.
func TestOperations(t *testing.T) {
	all := aws.Operations()
	for _, action := range []string{"eks:ListAccessEntries", "iam:GetAccountAuthorizationDetails", "sts:AssumeRole", "cloudtrail:GetTrailStatus", "logs:DescribeLogGroups", "ec2:DescribeInstances"} {
		if _, found := slices.BinarySearch(all, action); !found {
			t.Errorf("%s is not in the list", action)
		}
	}
	if slices.Contains(all, "eks:ListInsights") {
		t.Error("insights are in the list; TestEKSTypedErrors says that they are not there")
	}
}
