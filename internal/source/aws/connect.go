package aws

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Connection is how to reach a cluster's Kubernetes API with AWS credentials alone. Token is a bearer token: it is never
// logged or stored, and good for about a quarter of an hour.
type Connection struct {
	Endpoint string
	CA       []byte // PEM
	Token    string
}

// Config returns the configuration with which a region is read: with the credentials at the end of the role chain.
func Config(ctx context.Context, o Options, region string) (awssdk.Config, error) {
	o = o.withDefaults()
	o.Regions = []string{region}
	configs, _, err := o.configs(ctx)
	if err != nil {
		return awssdk.Config{}, err
	}
	return configs[0], nil
}

// Connect finds a cluster's Kubernetes API and makes a token for it, as `aws eks get-token` does: a presigned
// sts:GetCallerIdentity that names the cluster (EKS Best Practices Guide, "Identity and Access Management";
// aws-iam-authenticator, pkg/token, 2026-11).
func Connect(ctx context.Context, o Options, region, cluster string) (Connection, error) {
	cfg, err := Config(ctx, o, region)
	if err != nil {
		return Connection{}, err
	}
	described, err := eks.NewFromConfig(cfg).DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &cluster})
	if err != nil {
		return Connection{}, fmt.Errorf("describe cluster %s in %s: %w", cluster, region, err)
	}
	c := described.Cluster
	if c == nil || c.Endpoint == nil || c.CertificateAuthority == nil || c.CertificateAuthority.Data == nil {
		return Connection{}, fmt.Errorf("cluster %s in %s has no Kubernetes API endpoint yet", cluster, region)
	}
	if !strings.HasPrefix(*c.Endpoint, "https://") {
		return Connection{}, fmt.Errorf("cluster %s in %s: endpoint %q is not https", cluster, region, *c.Endpoint)
	}
	ca, err := base64.StdEncoding.DecodeString(*c.CertificateAuthority.Data)
	if err != nil {
		return Connection{}, fmt.Errorf("certificate authority of cluster %s: %w", cluster, err)
	}
	token, err := Token(ctx, cfg, cluster)
	if err != nil {
		return Connection{}, err
	}
	return Connection{Endpoint: *c.Endpoint, CA: ca, Token: token}, nil
}

// Token presigns the call that an EKS API server replays to learn who is calling, and so makes a bearer token that is good for
// about a quarter of an hour. Nothing is sent.
func Token(ctx context.Context, cfg awssdk.Config, cluster string) (string, error) {
	presigned, err := sts.NewPresignClient(sts.NewFromConfig(cfg)).PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(p *sts.PresignOptions) {
		p.ClientOptions = append(p.ClientOptions, func(o *sts.Options) {
			o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue("x-k8s-aws-id", cluster), smithyhttp.SetHeaderValue("X-Amz-Expires", "60"))
		})
	})
	if err != nil {
		return "", fmt.Errorf("sign a token for cluster %s: %w", cluster, err)
	}
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(presigned.URL)), nil
}
