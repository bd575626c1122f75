package aws_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/lab/aws"
)

func TestEKSReadsWhatWasSeeded(t *testing.T) {
	srv, _, reg := newLab(t, aws.Options{})
	reg.PutAccessEntry(aws.AccessEntry{ClusterName: "prod", PrincipalARN: roleARN("admin"), KubernetesGroups: []string{"ops"}},
		aws.AssociatedAccessPolicy{PolicyARN: policyARN("AmazonEKSClusterAdminPolicy"), AccessScope: aws.AccessScope{Type: "cluster"}})
	id := reg.PutPodIdentityAssociation(aws.PodIdentityAssociation{
		ClusterName: "prod", Namespace: "shop", ServiceAccount: "cart", RoleARN: roleARN("app"),
		TargetRoleARN: "arn:aws:iam::" + other + ":role/remote",
	})
	reg.PutNodegroup(aws.Nodegroup{ClusterName: "prod", NodegroupName: "blue", NodeRole: roleARN("node")})
	reg.PutFargateProfile(aws.FargateProfile{ClusterName: "prod", FargateProfileName: "batch", PodExecutionRoleARN: roleARN("node"), Selectors: []aws.FargateSelector{{Namespace: "batch"}}})
	reg.PutAddon(aws.Addon{ClusterName: "prod", AddonName: "vpc-cni", ServiceAccountRoleARN: roleARN("app")})
	reg.PutCapability(aws.Capability{ClusterName: "prod", CapabilityName: "ack", Type: "ACK", RoleARN: roleARN("app")})
	reg.PutIdentityProviderConfig(aws.OIDCConfig{ClusterName: "prod", IdentityProviderConfigName: "corp", IssuerURL: "https://idp.example", ClientID: "k8s"})

	c, ctx := eksClient(srv), t.Context()
	clusters := must(c.ListClusters(ctx, &eks.ListClustersInput{}))(t)
	equal(t, []string{"prod"}, clusters.Clusters)
	cluster := must(c.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: str("prod")}))(t).Cluster
	equal(t, "arn:aws:eks:us-east-1:111122223333:cluster/prod", *cluster.Arn)
	equal(t, types.AuthenticationModeApiAndConfigMap, cluster.AccessConfig.AuthenticationMode)
	if issuer := *cluster.Identity.Oidc.Issuer; !strings.HasPrefix(issuer, "https://oidc.eks.us-east-1.amazonaws.com/id/") {
		t.Errorf("issuer %q", issuer)
	}
	if !cluster.CreatedAt.Equal(aws.Epoch) {
		t.Errorf("created at %s", cluster.CreatedAt)
	}
	entry := must(c.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: str("prod"), PrincipalArn: str(roleARN("admin"))}))(t).AccessEntry
	equal(t, []string{"ops"}, entry.KubernetesGroups)
	equal(t, "arn:aws:sts::111122223333:assumed-role/admin/{{SessionName}}", *entry.Username)
	policies := must(c.ListAssociatedAccessPolicies(ctx, &eks.ListAssociatedAccessPoliciesInput{ClusterName: str("prod"), PrincipalArn: str(roleARN("admin"))}))(t)
	equal(t, types.AccessScopeTypeCluster, policies.AssociatedAccessPolicies[0].AccessScope.Type)
	association := must(c.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: str("prod"), AssociationId: &id}))(t).Association
	equal(t, "us-east-1/111122223333/prod/shop/cart", *association.ExternalId)
	equal(t, roleARN("node"), *must(c.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: str("prod"), NodegroupName: str("blue")}))(t).Nodegroup.NodeRole)
	equal(t, "batch", *must(c.DescribeFargateProfile(ctx, &eks.DescribeFargateProfileInput{ClusterName: str("prod"), FargateProfileName: str("batch")}))(t).FargateProfile.Selectors[0].Namespace)
	equal(t, roleARN("app"), *must(c.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: str("prod"), AddonName: str("vpc-cni")}))(t).Addon.ServiceAccountRoleArn)
	equal(t, types.CapabilityTypeAck, must(c.DescribeCapability(ctx, &eks.DescribeCapabilityInput{ClusterName: str("prod"), CapabilityName: str("ack")}))(t).Capability.Type)
	provider := must(c.DescribeIdentityProviderConfig(ctx, &eks.DescribeIdentityProviderConfigInput{
		ClusterName:            str("prod"),
		IdentityProviderConfig: &types.IdentityProviderConfig{Type: str("oidc"), Name: str("corp")},
	}))(t)
	equal(t, "k8s", *provider.IdentityProviderConfig.Oidc.ClientId)

	if w := srv.Writes(); len(w) != 0 {
		t.Errorf("reading wrote: %v", w)
	}
	equal(t, "eks:ListClusters", srv.Calls()[0].Action)
	equal(t, "arn:aws:sts::111122223333:assumed-role/lab-caller/lab", srv.Calls()[0].Principal)
}

func TestEKSPaginators(t *testing.T) {
	srv, _, reg := newLab(t, aws.Options{PageSize: 3})
	var want []string
	for i := range 8 {
		arn := fmt.Sprintf("arn:aws:iam::%s:role/r%d", account, i)
		want = append(want, arn)
		reg.PutAccessEntry(aws.AccessEntry{ClusterName: "prod", PrincipalARN: arn})
		reg.PutPodIdentityAssociation(aws.PodIdentityAssociation{ClusterName: "prod", Namespace: "n", ServiceAccount: fmt.Sprint("s", i), RoleARN: roleARN("app")})
	}
	var entries []string
	for p := eks.NewListAccessEntriesPaginator(eksClient(srv), &eks.ListAccessEntriesInput{ClusterName: str("prod")}); p.HasMorePages(); {
		entries = append(entries, must(p.NextPage(t.Context()))(t).AccessEntries...)
	}
	equal(t, want, entries)
	n := 0
	for p := eks.NewListPodIdentityAssociationsPaginator(eksClient(srv), &eks.ListPodIdentityAssociationsInput{ClusterName: str("prod")}); p.HasMorePages(); {
		n += len(must(p.NextPage(t.Context()))(t).Associations)
	}
	equal(t, 8, n)
	policies := 0
	for p := eks.NewListAccessPoliciesPaginator(eksClient(srv), &eks.ListAccessPoliciesInput{}); p.HasMorePages(); {
		policies += len(must(p.NextPage(t.Context()))(t).AccessPolicies)
	}
	equal(t, 34, policies)
	equal(t, 3+3+12, len(srv.Calls()))

	first := must(eksClient(srv).ListAccessEntries(t.Context(), &eks.ListAccessEntriesInput{ClusterName: str("prod")}))(t)
	_, err := eksClient(srv).ListPodIdentityAssociations(t.Context(), &eks.ListPodIdentityAssociationsInput{ClusterName: str("prod"), NextToken: first.NextToken})
	wantCode(t, err, "InvalidParameterException", 400) // a token of another list
	_, err = eksClient(srv).ListAccessEntries(t.Context(), &eks.ListAccessEntriesInput{ClusterName: str("prod"), MaxResults: awssdk.Int32(101)})
	wantCode(t, err, "InvalidParameterException", 400)
}

func TestInjectedFaults(t *testing.T) {
	t.Run("denied", func(t *testing.T) {
		srv, _, _ := newLab(t, aws.Options{})
		srv.Deny("eks:ListAccessEntries", "eks:DescribeC*")
		_, err := eksClient(srv).ListAccessEntries(t.Context(), &eks.ListAccessEntriesInput{ClusterName: str("prod")})
		wantCode(t, err, "AccessDeniedException", 403)
		want := "User: arn:aws:sts::111122223333:assumed-role/lab-caller/lab is not authorized to perform: eks:ListAccessEntries on resource: arn:aws:eks:us-east-1:111122223333:cluster/prod"
		if !strings.Contains(err.Error(), want) {
			t.Errorf("message %q lacks %q", err, want)
		}
		_, err = eksClient(srv).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: str("prod")})
		wantCode(t, err, "AccessDeniedException", 403)
		srv.Allow()
		must(eksClient(srv).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: str("prod")}))(t)
		equal(t, []string{"AccessDeniedException", "AccessDeniedException", ""}, codes(srv.Calls()))
	})
	t.Run("one account only", func(t *testing.T) {
		srv, acct, _ := newLab(t, aws.Options{})
		srv.Account(other, "aws")
		acct.Deny("eks:*")
		_, err := eksClient(srv).ListClusters(t.Context(), &eks.ListClustersInput{})
		wantCode(t, err, "AccessDeniedException", 403)
		equal(t, 0, len(must(eks.NewFromConfig(srv.Config(other, region)).ListClusters(t.Context(), &eks.ListClustersInput{}))(t).Clusters))
	})
	t.Run("throttled", func(t *testing.T) {
		srv, _, _ := newLab(t, aws.Options{})
		srv.ThrottleEvery(2)
		must(eksClient(srv).ListClusters(t.Context(), &eks.ListClustersInput{}))(t)
		_, err := eksClient(srv).ListClusters(t.Context(), &eks.ListClustersInput{})
		var throttling *types.ThrottlingException
		if !errors.As(err, &throttling) {
			t.Fatalf("got %v", err)
		}
		wantCode(t, err, "ThrottlingException", 429)
		cfg := srv.Config(account, region)
		cfg.Retryer = func() awssdk.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) { o.Backoff = retry.BackoffDelayerFunc(noDelay) })
		}
		for range 6 {
			must(eks.NewFromConfig(cfg).ListClusters(t.Context(), &eks.ListClustersInput{}))(t)
		}
	})
}

func TestEKSTypedErrors(t *testing.T) {
	srv, _, reg := newLab(t, aws.Options{})
	reg.PutCluster(aws.Cluster{Name: "old"})
	c, ctx := eksClient(srv), t.Context()
	_, err := c.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: str("none")})
	var notFound *types.ResourceNotFoundException
	if !errors.As(err, &notFound) {
		t.Errorf("got %v", err)
	}
	wantCode(t, err, "ResourceNotFoundException", 404)
	_, err = c.ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: str("old")})
	wantCode(t, err, "InvalidRequestException", 400)
	_, err = c.ListInsights(ctx, &eks.ListInsightsInput{ClusterName: str("prod")})
	wantCode(t, err, "UnknownOperationException", 404)
	cfg := noRetry(srv.Config(account, "cn-north-1"))
	_, err = eks.NewFromConfig(cfg).ListClusters(ctx, &eks.ListClustersInput{})
	wantCode(t, err, "UnrecognizedClientException", 403)
	cfg = noRetry(srv.Config(account, region))
	cfg.Credentials = awssdk.AnonymousCredentials{}
	_, err = eks.NewFromConfig(cfg).ListClusters(ctx, &eks.ListClustersInput{})
	wantCode(t, err, "MissingAuthenticationTokenException", 403)
}

// must returns a call's output or ends the test.
func must[T any](out T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func equal[T any](t testing.TB, want, got T, options ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, options...); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func wantCode(t testing.TB, err error, code string, status int) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("got %v, want code %s", err, code)
		return
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.HTTPStatusCode() != status {
		t.Errorf("%s with status %d, want %d", code, response.HTTPStatusCode(), status)
	}
}

// ignoreSerde leaves the SDK's marker field out of comparisons.
var ignoreSerde = cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".noSmithyDocumentSerde" }, cmp.Ignore())

func codes(calls []aws.Call) []string {
	var out []string
	for _, c := range calls {
		out = append(out, c.Error)
	}
	return out
}
