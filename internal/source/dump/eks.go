package dump

import (
	"errors"
	"strings"

	"drawbridge/internal/model"
)

type wireCluster struct {
	Name            string  `json:"name"`
	ARN             string  `json:"arn"`
	Version         string  `json:"version"`
	PlatformVersion string  `json:"platformVersion"`
	Status          string  `json:"status"`
	CreatedAt       instant `json:"createdAt"`
	RoleARN         string  `json:"roleArn"`
	AccessConfig    struct {
		BootstrapAdmin     *bool  `json:"bootstrapClusterCreatorAdminPermissions"`
		AuthenticationMode string `json:"authenticationMode"`
	} `json:"accessConfig"`
	Identity struct {
		OIDC struct {
			Issuer string `json:"issuer"`
		} `json:"oidc"`
	} `json:"identity"`
	Logging struct {
		ClusterLogging []struct {
			Types   []string `json:"types"`
			Enabled bool     `json:"enabled"`
		} `json:"clusterLogging"`
	} `json:"logging"`
	VPC struct {
		EndpointPublicAccess  bool     `json:"endpointPublicAccess"`
		EndpointPrivateAccess bool     `json:"endpointPrivateAccess"`
		PublicAccessCIDRs     []string `json:"publicAccessCidrs"`
	} `json:"resourcesVpcConfig"`
	ComputeConfig struct {
		Enabled     bool   `json:"enabled"`
		NodeRoleARN string `json:"nodeRoleArn"`
	} `json:"computeConfig"`
	RemoteNetworkConfig struct {
		RemoteNodeNetworks []struct{} `json:"remoteNodeNetworks"`
	} `json:"remoteNetworkConfig"`
	Tags map[string]string `json:"tags"`
}

func readCluster(p *part, doc *document) error {
	w, err := of[wireCluster](doc, "cluster")
	if err != nil {
		return err
	}
	r := refOf(w.Name, w.ARN)
	if r.name == "" {
		return errors.New("a cluster without name")
	}
	d := &model.Description{
		KubernetesVersion: w.Version, PlatformVersion: w.PlatformVersion, Status: w.Status, Created: w.CreatedAt.Time,
		AuthenticationMode: w.AccessConfig.AuthenticationMode, BootstrapAdmin: w.AccessConfig.BootstrapAdmin,
		RoleARN: w.RoleARN, Issuer: w.Identity.OIDC.Issuer,
		EndpointPublic: w.VPC.EndpointPublicAccess, EndpointPrivate: w.VPC.EndpointPrivateAccess, PublicCIDRs: sorted(w.VPC.PublicAccessCIDRs),
		AutoMode: w.ComputeConfig.Enabled, AutoNodeRoleARN: w.ComputeConfig.NodeRoleARN,
		HybridNodes: len(w.RemoteNetworkConfig.RemoteNodeNetworks) > 0, Tags: labels(w.Tags),
	}
	for _, l := range w.Logging.ClusterLogging {
		if l.Enabled {
			d.EnabledLogs = append(d.EnabledLogs, l.Types...)
		}
	}
	d.EnabledLogs = sorted(d.EnabledLogs)
	p.item(doc, item{area: model.AreaCluster, cluster: r, key: r.name, value: d})
	return nil
}

// item takes in something that an answer describes.
func (p *part) item(doc *document, i item) {
	i.loc, i.doc = doc.loc, doc.number
	place(i.value, i.loc)
	p.items = append(p.items, i)
}

func readAccessEntry(p *part, doc *document) error {
	w, err := of[struct {
		ClusterName  string            `json:"clusterName"`
		PrincipalARN string            `json:"principalArn"`
		ARN          string            `json:"accessEntryArn"`
		Type         string            `json:"type"`
		Username     string            `json:"username"`
		Groups       []string          `json:"kubernetesGroups"`
		CreatedAt    instant           `json:"createdAt"`
		ModifiedAt   instant           `json:"modifiedAt"`
		Tags         map[string]string `json:"tags"`
	}](doc, "accessEntry")
	if err != nil {
		return err
	}
	if w.PrincipalARN == "" {
		return errors.New("an access entry without principalArn")
	}
	p.item(doc, item{area: model.AreaAccessEntries, cluster: refOf(w.ClusterName, w.ARN), key: w.PrincipalARN, value: &model.AccessEntry{
		PrincipalARN: w.PrincipalARN, ARN: w.ARN, Type: w.Type, Username: w.Username, Groups: sorted(w.Groups),
		Created: w.CreatedAt.Time, Modified: w.ModifiedAt.Time, Tags: labels(w.Tags),
	}})
	return nil
}

func readAssociatedPolicies(p *part, doc *document) error {
	w, err := whole[struct {
		ClusterName  string `json:"clusterName"`
		PrincipalARN string `json:"principalArn"`
		Policies     []struct {
			PolicyARN    string            `json:"policyArn"`
			Scope        model.AccessScope `json:"accessScope"`
			AssociatedAt instant           `json:"associatedAt"`
			ModifiedAt   instant           `json:"modifiedAt"`
		} `json:"associatedAccessPolicies"`
	}](doc)
	if err != nil {
		return err
	}
	if w.PrincipalARN == "" {
		return errors.New("associated access policies without principalArn")
	}
	cluster := refOf(w.ClusterName, "")
	p.listings = append(p.listings, listing{area: model.AreaPolicyAssociations, cluster: cluster, of: w.PrincipalARN, truncated: doc.truncated(), loc: doc.loc})
	for _, a := range w.Policies {
		p.item(doc, item{area: model.AreaPolicyAssociations, cluster: cluster, key: w.PrincipalARN + " " + a.PolicyARN, value: &model.PolicyAssociation{
			PrincipalARN: w.PrincipalARN, PolicyARN: a.PolicyARN,
			Scope:      model.AccessScope{Type: a.Scope.Type, Namespaces: sorted(a.Scope.Namespaces)},
			Associated: a.AssociatedAt.Time, Modified: a.ModifiedAt.Time,
		}})
	}
	return nil
}

// readAssociations notes that the list was there; associationElement takes in what it names.
func readAssociations(p *part, doc *document) error {
	p.listings = append(p.listings, listing{area: model.AreaPodIdentityAssociations, truncated: doc.truncated(), loc: doc.loc, doc: doc.number})
	return nil
}

// associationElement reads a summary. It says neither which IAM role the association gives nor on what terms, so each
// must be described.
func associationElement(b *batch, value []byte) error {
	w, err := element[struct {
		ClusterName string `json:"clusterName"`
		ID          string `json:"associationId"`
		ARN         string `json:"associationArn"`
	}](value)
	if err != nil {
		return err
	}
	if w.ID == "" {
		return errors.New("an association without associationId")
	}
	b.into.listings = append(b.into.listings, listing{area: model.AreaPodIdentityAssociations, cluster: refOf(w.ClusterName, w.ARN), names: []string{w.ID}, part: true, loc: b.loc, doc: b.doc})
	return nil
}

func readAssociation(p *part, doc *document) error {
	w, err := of[struct {
		ClusterName        string            `json:"clusterName"`
		Namespace          string            `json:"namespace"`
		ServiceAccount     string            `json:"serviceAccount"`
		RoleARN            string            `json:"roleArn"`
		ARN                string            `json:"associationArn"`
		ID                 string            `json:"associationId"`
		Tags               map[string]string `json:"tags"`
		CreatedAt          instant           `json:"createdAt"`
		ModifiedAt         instant           `json:"modifiedAt"`
		OwnerARN           string            `json:"ownerArn"`
		DisableSessionTags bool              `json:"disableSessionTags"`
		TargetRoleARN      string            `json:"targetRoleArn"`
		ExternalID         string            `json:"externalId"`
		Policy             policy            `json:"policy"`
	}](doc, "association")
	if err != nil {
		return err
	}
	if w.ServiceAccount == "" || w.Namespace == "" {
		return errors.New("an association without namespace and serviceAccount")
	}
	if w.ID == "" {
		w.ID = w.ARN[strings.LastIndexByte(w.ARN, '/')+1:]
	}
	p.item(doc, item{area: model.AreaPodIdentityAssociations, cluster: refOf(w.ClusterName, w.ARN), key: w.ID, value: &model.PodIdentityAssociation{
		ID: w.ID, ARN: w.ARN, Namespace: w.Namespace, ServiceAccount: w.ServiceAccount, RoleARN: w.RoleARN, TargetRoleARN: w.TargetRoleARN,
		ExternalID: w.ExternalID, DisableSessionTags: w.DisableSessionTags, OwnerARN: w.OwnerARN, Policy: w.Policy.Document,
		Tags: labels(w.Tags), Created: w.CreatedAt.Time, Modified: w.ModifiedAt.Time,
	}})
	return nil
}

func readNodegroup(p *part, doc *document) error {
	w, err := of[struct {
		ClusterName    string            `json:"clusterName"`
		Name           string            `json:"nodegroupName"`
		ARN            string            `json:"nodegroupArn"`
		NodeRole       string            `json:"nodeRole"`
		AMIType        string            `json:"amiType"`
		Labels         map[string]string `json:"labels"`
		LaunchTemplate struct {
			ID      string `json:"id"`
			Version string `json:"version"`
		} `json:"launchTemplate"`
	}](doc, "nodegroup")
	if err != nil {
		return err
	}
	if w.Name == "" {
		return errors.New("a node group without nodegroupName")
	}
	p.item(doc, item{area: model.AreaNodegroups, cluster: refOf(w.ClusterName, w.ARN), key: w.Name, value: &model.Nodegroup{
		Name: w.Name, ARN: w.ARN, NodeRoleARN: w.NodeRole, AMIType: w.AMIType, Labels: labels(w.Labels),
		LaunchTemplateID: w.LaunchTemplate.ID, LaunchTemplateVersion: w.LaunchTemplate.Version,
	}})
	return nil
}

func readFargateProfile(p *part, doc *document) error {
	w, err := of[struct {
		ClusterName      string                  `json:"clusterName"`
		Name             string                  `json:"fargateProfileName"`
		ARN              string                  `json:"fargateProfileArn"`
		ExecutionRoleARN string                  `json:"podExecutionRoleArn"`
		Selectors        []model.FargateSelector `json:"selectors"`
	}](doc, "fargateProfile")
	if err != nil {
		return err
	}
	if w.Name == "" {
		return errors.New("a Fargate profile without fargateProfileName")
	}
	for i := range w.Selectors {
		w.Selectors[i].Labels = labels(w.Selectors[i].Labels)
	}
	p.item(doc, item{area: model.AreaFargateProfiles, cluster: refOf(w.ClusterName, w.ARN), key: w.Name, value: &model.FargateProfile{
		Name: w.Name, ARN: w.ARN, ExecutionRoleARN: w.ExecutionRoleARN, Selectors: w.Selectors,
	}})
	return nil
}

func readAddon(p *part, doc *document) error {
	w, err := of[struct {
		ClusterName           string   `json:"clusterName"`
		Name                  string   `json:"addonName"`
		ARN                   string   `json:"addonArn"`
		Version               string   `json:"addonVersion"`
		Status                string   `json:"status"`
		ServiceAccountRoleARN string   `json:"serviceAccountRoleArn"`
		Associations          []string `json:"podIdentityAssociations"`
	}](doc, "addon")
	if err != nil {
		return err
	}
	if w.Name == "" {
		return errors.New("an add-on without addonName")
	}
	p.item(doc, item{area: model.AreaAddons, cluster: refOf(w.ClusterName, w.ARN), key: w.Name, value: &model.Addon{
		Name: w.Name, ARN: w.ARN, Version: w.Version, Status: w.Status, ServiceAccountRoleARN: w.ServiceAccountRoleARN,
		PodIdentityAssociationARNs: sorted(w.Associations),
	}})
	return nil
}

type wireCapability struct {
	ClusterName string `json:"clusterName"`
	Name        string `json:"capabilityName"`
	ARN         string `json:"arn"`
	Type        string `json:"type"`
	RoleARN     string `json:"roleArn"`
	Status      string `json:"status"`
}

// readCapabilities reads the list, whose summaries do not say which IAM role a capability has.
func readCapabilities(p *part, doc *document) error {
	list, err := of[[]wireCapability](doc, "capabilities")
	if err != nil {
		return err
	}
	p.listings = append(p.listings, listing{area: model.AreaCapabilities, truncated: doc.truncated(), loc: doc.loc, doc: doc.number})
	for _, c := range list {
		p.listings = append(p.listings, listing{area: model.AreaCapabilities, cluster: refOf(c.ClusterName, c.ARN), names: []string{c.Name}, part: true, loc: doc.loc, doc: doc.number})
	}
	return nil
}

func readCapability(p *part, doc *document) error {
	w, err := of[wireCapability](doc, "capability")
	if err != nil {
		return err
	}
	if w.Name == "" {
		return errors.New("a capability without capabilityName")
	}
	p.item(doc, item{area: model.AreaCapabilities, cluster: refOf(w.ClusterName, w.ARN), key: w.Name, value: &model.Capability{
		Name: w.Name, ARN: w.ARN, Type: w.Type, RoleARN: w.RoleARN, Status: w.Status,
	}})
	return nil
}

func readIdentityProviders(p *part, doc *document) error {
	list, err := of[[]struct {
		Name string `json:"name"`
	}](doc, "identityProviderConfigs")
	if err != nil {
		return err
	}
	l := listing{area: model.AreaIdentityProviders, truncated: doc.truncated(), loc: doc.loc}
	for _, c := range list {
		l.names = append(l.names, c.Name)
	}
	p.listings = append(p.listings, l)
	return nil
}

func readIdentityProvider(p *part, doc *document) error {
	w, err := of[struct {
		OIDC struct {
			Name           string            `json:"identityProviderConfigName"`
			ARN            string            `json:"identityProviderConfigArn"`
			ClusterName    string            `json:"clusterName"`
			IssuerURL      string            `json:"issuerUrl"`
			ClientID       string            `json:"clientId"`
			UsernameClaim  string            `json:"usernameClaim"`
			UsernamePrefix string            `json:"usernamePrefix"`
			GroupsClaim    string            `json:"groupsClaim"`
			GroupsPrefix   string            `json:"groupsPrefix"`
			RequiredClaims map[string]string `json:"requiredClaims"`
			Status         string            `json:"status"`
		} `json:"oidc"`
	}](doc, "identityProviderConfig")
	if err != nil {
		return err
	}
	c := w.OIDC
	if c.Name == "" {
		return errors.New("an identity provider configuration without oidc.identityProviderConfigName")
	}
	p.item(doc, item{area: model.AreaIdentityProviders, cluster: refOf(c.ClusterName, c.ARN), key: c.Name, value: &model.IdentityProvider{
		Name: c.Name, Type: "oidc", ARN: c.ARN, IssuerURL: c.IssuerURL, ClientID: c.ClientID, UsernameClaim: c.UsernameClaim,
		UsernamePrefix: c.UsernamePrefix, GroupsClaim: c.GroupsClaim, GroupsPrefix: c.GroupsPrefix,
		RequiredClaims: labels(c.RequiredClaims), Status: c.Status,
	}})
	return nil
}

// readAccessPolicies reads the access policies that EKS knows in a region. They belong to no cluster.
func readAccessPolicies(p *part, doc *document) error {
	list, err := of[[]struct {
		Name string `json:"name"`
		ARN  string `json:"arn"`
	}](doc, "accessPolicies")
	if err != nil {
		return err
	}
	p.listings = append(p.listings, listing{area: model.AreaAccessPolicies, truncated: doc.truncated(), loc: doc.loc})
	for _, a := range list {
		p.item(doc, item{area: model.AreaAccessPolicies, key: a.ARN, value: &model.AccessPolicy{Name: a.Name, ARN: a.ARN}})
	}
	return nil
}
