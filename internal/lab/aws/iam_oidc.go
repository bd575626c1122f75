package aws

import (
	"slices"
	"strings"

	"drawbridge/internal/lab/aws/wire"
)

type oidcIn struct {
	OpenIDConnectProviderArn string `form:"OpenIDConnectProviderArn,required"`
}

func (c *call) oidc(arn string) (*OIDCProvider, error) {
	if o := c.acct.iam.providers[arn]; o != nil {
		return o, nil
	}
	return nil, refuse("NoSuchEntity", "OpenIDConnect Provider not found for arn %s", arn)
}

type createOIDCIn struct {
	Url            string `form:"Url,required"`
	ClientIDList   []string
	ThumbprintList []string
	Tags           []Tag
}

type createOIDCOut struct {
	OpenIDConnectProviderArn string
	Tags                     members[Tag]
}

func createOpenIDConnectProvider(c *call, in *createOIDCIn) (createOIDCOut, error) {
	url, ok := strings.CutPrefix(in.Url, "https://")
	if !ok || url == "" {
		return createOIDCOut{}, invalid("Invalid Open ID Connect Provider URL")
	}
	if c.acct.iam.providers[c.acct.ARN("iam", "", "oidc-provider/"+url)] != nil {
		return createOIDCOut{}, refuse("EntityAlreadyExists", "Provider with url %s already exists.", in.Url)
	}
	o := c.acct.iam.putProvider(OIDCProvider{URL: url, ClientIDList: in.ClientIDList, ThumbprintList: in.ThumbprintList, Tags: in.Tags})
	return createOIDCOut{o.ARN, o.Tags}, nil
}

type getOIDCOut struct {
	Url            string
	ClientIDList   []string `xml:"ClientIDList>member"`
	ThumbprintList []string `xml:"ThumbprintList>member"`
	CreateDate     *wire.Time
	Tags           members[Tag]
}

func getOpenIDConnectProvider(c *call, in *oidcIn) (getOIDCOut, error) {
	o, err := c.oidc(in.OpenIDConnectProviderArn)
	if err != nil {
		return getOIDCOut{}, err
	}
	return getOIDCOut{o.URL, o.ClientIDList, o.ThumbprintList, o.CreateDate, o.Tags}, nil
}

type oidcArn struct {
	Arn string
}

type listOIDCOut struct {
	OpenIDConnectProviderList []oidcArn `xml:"OpenIDConnectProviderList>member"`
}

func listOpenIDConnectProviders(c *call, _ *struct{}) (listOIDCOut, error) {
	var out listOIDCOut
	for _, o := range sorted(c.acct.iam.providers) {
		out.OpenIDConnectProviderList = append(out.OpenIDConnectProviderList, oidcArn{o.ARN})
	}
	return out, nil
}

type clientIDIn struct {
	OpenIDConnectProviderArn string `form:"OpenIDConnectProviderArn,required"`
	ClientID                 string `form:"ClientID,required"`
}

func addClientID(c *call, in *clientIDIn) (none, error) {
	o, err := c.oidc(in.OpenIDConnectProviderArn)
	if err != nil {
		return none{}, err
	}
	if !slices.Contains(o.ClientIDList, in.ClientID) {
		o.ClientIDList = append(o.ClientIDList, in.ClientID)
	}
	return none{}, nil
}

func removeClientID(c *call, in *clientIDIn) (none, error) {
	o, err := c.oidc(in.OpenIDConnectProviderArn)
	if err != nil {
		return none{}, err
	}
	o.ClientIDList = slices.DeleteFunc(o.ClientIDList, func(id string) bool { return id == in.ClientID })
	return none{}, nil
}

type thumbprintIn struct {
	OpenIDConnectProviderArn string   `form:"OpenIDConnectProviderArn,required"`
	ThumbprintList           []string `form:"ThumbprintList,required"`
}

func updateThumbprint(c *call, in *thumbprintIn) (none, error) {
	o, err := c.oidc(in.OpenIDConnectProviderArn)
	if err != nil {
		return none{}, err
	}
	o.ThumbprintList = in.ThumbprintList
	return none{}, nil
}

// deleteOpenIDConnectProvider succeeds also for a provider that is not there (DeleteOpenIDConnectProvider,
// IAM API Reference, 2026-11: the call is idempotent).
func deleteOpenIDConnectProvider(c *call, in *oidcIn) (none, error) {
	delete(c.acct.iam.providers, in.OpenIDConnectProviderArn)
	return none{}, nil
}
