package aws_test

import (
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"drawbridge/internal/lab/aws"
)

const (
	account = "111122223333"
	other   = "444455556666"
	region  = "us-east-1"
)

// podIdentityTrust lets EKS Pod Identity assume a role.
const podIdentityTrust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}`

// newLab starts a server with one account that has a few roles and a cluster "prod".
func newLab(t *testing.T, options aws.Options) (*aws.Server, *aws.Account, *aws.Region) {
	t.Helper()
	srv := aws.New(options).Start(t)
	acct := srv.Account(account, "aws")
	for _, name := range []string{"admin", "dev", "node", "cluster"} {
		acct.PutRole(aws.Role{RoleName: name, AssumeRolePolicyDocument: `{"Version":"2012-10-17","Statement":[]}`})
	}
	acct.PutRole(aws.Role{RoleName: "app", AssumeRolePolicyDocument: podIdentityTrust})
	reg := acct.Region(region)
	reg.PutCluster(aws.Cluster{Name: "prod", RoleARN: roleARN("cluster"), AccessConfig: &aws.AccessConfig{AuthenticationMode: "API_AND_CONFIG_MAP"}})
	return srv, acct, reg
}

func roleARN(name string) string { return "arn:aws:iam::" + account + ":role/" + name }

func policyARN(name string) string { return "arn:aws:eks::aws:cluster-access-policy/" + name }

// noRetry makes the SDK give injected errors to the test at once.
func noRetry(cfg awssdk.Config) awssdk.Config {
	cfg.Retryer = func() awssdk.Retryer { return awssdk.NopRetryer{} }
	return cfg
}

func eksClient(srv *aws.Server) *eks.Client {
	return eks.NewFromConfig(noRetry(srv.Config(account, region)))
}

func iamClient(srv *aws.Server) *iam.Client {
	return iam.NewFromConfig(noRetry(srv.Config(account, region)))
}

func str(s string) *string { return &s }

func noDelay(int, error) (time.Duration, error) { return 0, nil }
