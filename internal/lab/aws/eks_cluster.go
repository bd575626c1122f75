package aws

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

type clusterOutput struct {
	Cluster Cluster `json:"cluster"`
}

type updateOutput struct {
	Update Update `json:"update"`
}

type listClustersInput struct {
	MaxResults *int     `json:"maxResults"`
	NextToken  string   `json:"nextToken"`
	Include    []string `json:"include"`
}

type listClustersOutput struct {
	Clusters  []string `json:"clusters"`
	NextToken string   `json:"nextToken,omitempty"`
}

// listClusters leaves clusters of the connector out unless include is "all", as EKS does.
func listClusters(c *call, in *listClustersInput) (listClustersOutput, error) {
	own := map[string]bool{}
	for name, cluster := range c.reg.eks {
		if cluster.ConnectorConfig == nil || slices.Contains(in.Include, "all") {
			own[name] = true
		}
	}
	items, next, err := page(c, slices.Sorted(maps.Keys(own)), strings.Join(in.Include, ","), in.NextToken, in.MaxResults, eksPages)
	return listClustersOutput{items, next}, err
}

func describeCluster(c *call, in *clusterInput) (clusterOutput, error) {
	cluster, err := c.reg.cluster(in.Name)
	if err != nil {
		return clusterOutput{}, err
	}
	cluster.life.look()
	for _, u := range cluster.updates {
		if u.about == "" { // of the cluster itself
			u.life.look()
		}
	}
	if cluster, err = c.reg.cluster(in.Name); err != nil {
		return clusterOutput{}, err
	}
	return clusterOutput{cluster.Cluster}, nil
}

type createClusterInput struct {
	Name                       string            `json:"name"`
	Version                    string            `json:"version"`
	RoleARN                    string            `json:"roleArn"`
	ResourcesVpcConfig         VpcConfig         `json:"resourcesVpcConfig"`
	KubernetesNetworkConfig    json.RawMessage   `json:"kubernetesNetworkConfig"`
	Logging                    *Logging          `json:"logging"`
	ClientRequestToken         string            `json:"clientRequestToken"`
	Tags                       map[string]string `json:"tags"`
	EncryptionConfig           []Encryption      `json:"encryptionConfig"`
	OutpostConfig              json.RawMessage   `json:"outpostConfig"`
	AccessConfig               *AccessConfig     `json:"accessConfig"`
	BootstrapSelfManagedAddons *bool             `json:"bootstrapSelfManagedAddons"`
	UpgradePolicy              json.RawMessage   `json:"upgradePolicy"`
	ZonalShiftConfig           json.RawMessage   `json:"zonalShiftConfig"`
	RemoteNetworkConfig        json.RawMessage   `json:"remoteNetworkConfig"`
	ComputeConfig              *ComputeConfig    `json:"computeConfig"`
	StorageConfig              json.RawMessage   `json:"storageConfig"`
	DeletionProtection         *bool             `json:"deletionProtection"`
	ControlPlaneScalingConfig  json.RawMessage   `json:"controlPlaneScalingConfig"`
	KubeAPIServerConfig        json.RawMessage   `json:"kubeApiServerConfig"`
	KubeControllerManager      json.RawMessage   `json:"kubeControllerManagerConfig"`
	KubeSchedulerConfig        json.RawMessage   `json:"kubeSchedulerConfig"`
}

var clusterName = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)

func createCluster(c *call, in *createClusterInput) (clusterOutput, error) {
	access, err := newAccessConfig(in)
	switch {
	case err != nil:
		return clusterOutput{}, err
	case !clusterName.MatchString(in.Name):
		return clusterOutput{}, refuse("InvalidParameterException", "The name must match %s", clusterName)
	case c.reg.eks[in.Name] != nil:
		return clusterOutput{}, refuse("ResourceInUseException", "Cluster already exists with name: %s", in.Name)
	}
	if err := c.ownRole("roleArn", in.RoleARN); err != nil {
		return clusterOutput{}, err
	}
	vpc := in.ResourcesVpcConfig
	vpc.EndpointPublicAccess = orBool(vpc.EndpointPublicAccess, true)
	vpc.EndpointPrivateAccess = orBool(vpc.EndpointPrivateAccess, false)
	if vpc.PublicAccessCIDRs == nil && *vpc.EndpointPublicAccess {
		vpc.PublicAccessCIDRs = []string{"0.0.0.0/0"}
	}
	cluster := c.reg.putCluster(Cluster{
		Name: in.Name, Version: in.Version, RoleARN: in.RoleARN, ResourcesVpcConfig: &vpc, KubernetesNetworkConfig: in.KubernetesNetworkConfig,
		Logging: in.Logging, Tags: in.Tags, EncryptionConfig: in.EncryptionConfig, OutpostConfig: in.OutpostConfig, AccessConfig: access,
		UpgradePolicy: in.UpgradePolicy, ZonalShiftConfig: in.ZonalShiftConfig, RemoteNetworkConfig: in.RemoteNetworkConfig,
		ComputeConfig: in.ComputeConfig, StorageConfig: in.StorageConfig, DeletionProtection: orBool(in.DeletionProtection, false),
		ControlPlaneScalingConfig: in.ControlPlaneScalingConfig, KubeAPIServerConfig: in.KubeAPIServerConfig,
		KubeControllerManager: in.KubeControllerManager, KubeSchedulerConfig: in.KubeSchedulerConfig, Status: "CREATING",
	})
	cluster.creator = c.callerARN()
	if access.AuthenticationMode != "CONFIG_MAP" && *access.BootstrapClusterCreatorAdminPermissions {
		cluster.bootstrapCreator(c)
	}
	cluster.autoModeEntry(c)
	out := clusterOutput{cluster.Cluster}
	cluster.life.start(c.steps(), func() { cluster.Status = "ACTIVE" })
	return out, nil
}

// newAccessConfig fills the defaults of the API: CONFIG_MAP and an admin entry for the creator
// (CreateAccessConfigRequest, EKS API Reference, 2026-11). Auto Mode and hybrid nodes need access entries.
func newAccessConfig(in *createClusterInput) (*AccessConfig, error) {
	access := AccessConfig{}
	if in.AccessConfig != nil {
		access = *in.AccessConfig
	}
	fill(&access.AuthenticationMode, "CONFIG_MAP")
	access.BootstrapClusterCreatorAdminPermissions = orBool(access.BootstrapClusterCreatorAdminPermissions, true)
	if access.AuthenticationMode != "CONFIG_MAP" {
		return &access, nil
	}
	if in.ComputeConfig.isAutoMode() || in.RemoteNetworkConfig != nil {
		return nil, refuse("InvalidParameterException", "Auto Mode and hybrid nodes need the authentication mode API or API_AND_CONFIG_MAP")
	}
	if !*access.BootstrapClusterCreatorAdminPermissions {
		return nil, refuse("InvalidParameterException", "bootstrapClusterCreatorAdminPermissions must be true if cluster authentication mode is set to CONFIG_MAP")
	}
	return &access, nil
}

// bootstrapCreator makes the visible admin entry of the cluster's creator.
func (s *clusterState) bootstrapCreator(c *call) {
	if s.creator == "" || s.entries[s.creator] != nil {
		return
	}
	e := s.putEntry(c.reg, AccessEntry{PrincipalARN: s.creator})
	e.policies = []AssociatedAccessPolicy{c.clusterWide("AmazonEKSClusterAdminPolicy")}
}

func (m *ComputeConfig) isAutoMode() bool { return m != nil && m.Enabled != nil && *m.Enabled }

// autoModeEntry makes the entry of Auto Mode's node role with its access policy (EKS User Guide, "Learn about
// identity and access in EKS Auto Mode", 2026-11). What EKS adds for the cluster role is not published.
func (s *clusterState) autoModeEntry(c *call) {
	if !s.ComputeConfig.isAutoMode() || s.ComputeConfig.NodeRoleARN == "" || s.mode() == "CONFIG_MAP" || s.entries[s.ComputeConfig.NodeRoleARN] != nil {
		return
	}
	e := s.putEntry(c.reg, AccessEntry{PrincipalARN: s.ComputeConfig.NodeRoleARN, Type: typeEC2})
	e.policies = []AssociatedAccessPolicy{c.clusterWide("AmazonEKSAutoNodePolicy")}
}

// clusterWide is an association of an access policy that EKS makes by itself.
func (c *call) clusterWide(policy string) AssociatedAccessPolicy {
	return AssociatedAccessPolicy{PolicyARN: accessPolicyARN(c.acct.Partition, policy), AccessScope: AccessScope{Type: "cluster"}, AssociatedAt: c.time(), ModifiedAt: c.time()}
}

func deleteCluster(c *call, in *clusterInput) (clusterOutput, error) {
	cluster, err := c.reg.cluster(in.Name)
	switch {
	case err != nil:
		return clusterOutput{}, err
	case cluster.DeletionProtection != nil && *cluster.DeletionProtection:
		return clusterOutput{}, refuse("InvalidRequestException", "Cluster %s has deletion protection", in.Name)
	case len(cluster.nodegroups) > 0:
		return clusterOutput{}, refuse("ResourceInUseException", "Cluster has nodegroups attached")
	case len(cluster.fargate) > 0:
		return clusterOutput{}, refuse("ResourceInUseException", "Cluster has Fargate profiles attached")
	case len(cluster.capabilities) > 0:
		return clusterOutput{}, refuse("ResourceInUseException", "Cluster has capabilities attached")
	}
	cluster.Status = "DELETING"
	cluster.life.start(c.steps(), func() { delete(c.reg.eks, in.Name) })
	return clusterOutput{cluster.Cluster}, nil
}

func orBool(b *bool, otherwise bool) *bool {
	if b == nil {
		return &otherwise
	}
	return b
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
