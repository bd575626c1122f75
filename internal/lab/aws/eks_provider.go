package aws

import (
	"maps"
	"slices"
)

// PutIdentityProviderConfig adds an OIDC provider to an existing cluster as it is.
func (r *Region) PutIdentityProviderConfig(o OIDCConfig) {
	r.acct.srv.mu.Lock()
	defer r.acct.srv.mu.Unlock()
	r.mustCluster(o.ClusterName).putProvider(r, o)
}

func (s *clusterState) putProvider(r *Region, o OIDCConfig) *OIDCConfig {
	o.ClusterName = s.Name
	fill(&o.Status, "ACTIVE")
	fill(&o.IdentityProviderConfigARN, r.arn("eks", "identityproviderconfig/"+s.Name+"/oidc/"+o.IdentityProviderConfigName+"/"+r.acct.srv.uuid("oidc", s.ARN, o.IdentityProviderConfigName)))
	s.providers[o.IdentityProviderConfigName] = &o
	return &o
}

// providerName names a provider; the only type is "oidc".
type providerName struct {
	Type string `json:"type"`
	Name string `json:"name"`
}

type listProvidersOutput struct {
	IdentityProviderConfigs []providerName `json:"identityProviderConfigs"`
	NextToken               string         `json:"nextToken,omitempty"`
}

func listIdentityProviderConfigs(c *call, in *listInput) (listProvidersOutput, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return listProvidersOutput{}, err
	}
	all := []providerName{}
	for _, name := range slices.Sorted(maps.Keys(cluster.providers)) {
		all = append(all, providerName{"oidc", name})
	}
	items, next, err := page(c, all, in.ClusterName, in.NextToken, in.MaxResults, eksPages)
	return listProvidersOutput{items, next}, err
}

type providerInput struct {
	ClusterName            string       `json:"clusterName"`
	IdentityProviderConfig providerName `json:"identityProviderConfig"`
	ClientRequestToken     string       `json:"clientRequestToken"`
}

type describeProviderOutput struct {
	IdentityProviderConfig struct {
		OIDC OIDCConfig `json:"oidc"`
	} `json:"identityProviderConfig"`
}

func (c *call) provider(in *providerInput) (*clusterState, *OIDCConfig, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return nil, nil, err
	}
	o := cluster.providers[in.IdentityProviderConfig.Name]
	if o == nil || in.IdentityProviderConfig.Type != "oidc" {
		return nil, nil, refuse("ResourceNotFoundException", "Identity provider config not found")
	}
	return cluster, o, nil
}

func describeIdentityProviderConfig(c *call, in *providerInput) (describeProviderOutput, error) {
	var out describeProviderOutput
	_, o, err := c.provider(in)
	if err == nil {
		out.IdentityProviderConfig.OIDC = *o
	}
	return out, err
}

type associateProviderInput struct {
	ClusterName string `json:"clusterName"`
	OIDC        struct {
		IdentityProviderConfigName string            `json:"identityProviderConfigName"`
		IssuerURL                  string            `json:"issuerUrl"`
		ClientID                   string            `json:"clientId"`
		UsernameClaim              string            `json:"usernameClaim"`
		UsernamePrefix             string            `json:"usernamePrefix"`
		GroupsClaim                string            `json:"groupsClaim"`
		GroupsPrefix               string            `json:"groupsPrefix"`
		RequiredClaims             map[string]string `json:"requiredClaims"`
	} `json:"oidc"`
	Tags               map[string]string `json:"tags"`
	ClientRequestToken string            `json:"clientRequestToken"`
}

type associateProviderOutput struct {
	Update Update            `json:"update"`
	Tags   map[string]string `json:"tags"`
}

// associateIdentityProviderConfig: a cluster has one OIDC provider at most (EKS User Guide, "Grant users
// access to Kubernetes with an external OIDC provider", 2026-11).
func associateIdentityProviderConfig(c *call, in *associateProviderInput) (associateProviderOutput, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return associateProviderOutput{}, err
	}
	if len(cluster.providers) > 0 {
		return associateProviderOutput{}, refuse("ResourceInUseException", "The cluster has an identity provider config")
	}
	apply := func() {
		o := in.OIDC
		cluster.putProvider(c.reg, OIDCConfig{
			IdentityProviderConfigName: o.IdentityProviderConfigName, IssuerURL: o.IssuerURL, ClientID: o.ClientID,
			UsernameClaim: o.UsernameClaim, UsernamePrefix: o.UsernamePrefix, GroupsClaim: o.GroupsClaim, GroupsPrefix: o.GroupsPrefix,
			RequiredClaims: o.RequiredClaims, Tags: in.Tags,
		})
	}
	u := cluster.update(c, "", change{"AssociateIdentityProviderConfig", nil, apply}, &cluster.Status)
	return associateProviderOutput{u, in.Tags}, nil
}

func disassociateIdentityProviderConfig(c *call, in *providerInput) (updateOutput, error) {
	cluster, _, err := c.provider(in)
	if err != nil {
		return updateOutput{}, err
	}
	apply := func() { delete(cluster.providers, in.IdentityProviderConfig.Name) }
	return updateOutput{cluster.update(c, "", change{"DisassociateIdentityProviderConfig", nil, apply}, &cluster.Status)}, nil
}
