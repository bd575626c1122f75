package aws

import (
	"context"
	"strings"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"drawbridge/internal/model"
)

// readOIDCProviders reads the OpenID Connect providers that IAM trusts. The list has no pages.
func (c *collector) readOIDCProviders(ctx context.Context) {
	out, err := call(ctx, c.iamSlots, func() (*iam.ListOpenIDConnectProvidersOutput, error) {
		return c.iam.ListOpenIDConnectProviders(ctx, &iam.ListOpenIDConnectProvidersInput{})
	})
	if err != nil {
		c.accountGap(model.AreaOIDCProviders, "iam:ListOpenIDConnectProviders", "", err)
		return
	}
	c.readAccount(model.AreaOIDCProviders)
	var arns []string
	for _, p := range out.OpenIDConnectProviderList {
		arns = append(arns, awssdk.ToString(p.Arn))
	}
	c.account.OIDCProviders, _ = each(ctx, c.iamSlots, sorted(arns), func(arn string) (*model.OIDCProvider, error) {
		out, err := call(ctx, c.iamSlots, func() (*iam.GetOpenIDConnectProviderOutput, error) {
			return c.iam.GetOpenIDConnectProvider(ctx, &iam.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
		})
		if err != nil {
			return nil, err
		}
		return &model.OIDCProvider{
			ARN:       arn,
			URL:       strings.TrimPrefix(awssdk.ToString(out.Url), "https://"),
			ClientIDs: sorted(out.ClientIDList),
			Created:   instant(out.CreateDate),
		}, nil
	}, func(arn string, err error) {
		c.accountGap(model.AreaOIDCProviders, "iam:GetOpenIDConnectProvider", arn, err)
	})
}
