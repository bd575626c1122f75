package aws

import (
	"encoding/json"

	"drawbridge/internal/lab/aws/wire"
)

// The EKS structures have the members of the API's own, in its spelling. Members that the lab only keeps
// and gives back are raw JSON.

// Cluster is what DescribeCluster shows.
type Cluster struct {
	Name                      string            `json:"name"`
	ARN                       string            `json:"arn,omitempty"`
	CreatedAt                 *wire.Time        `json:"createdAt,omitempty"`
	Version                   string            `json:"version,omitempty"`
	Endpoint                  string            `json:"endpoint,omitempty"`
	RoleARN                   string            `json:"roleArn,omitempty"`
	ResourcesVpcConfig        *VpcConfig        `json:"resourcesVpcConfig,omitempty"`
	KubernetesNetworkConfig   json.RawMessage   `json:"kubernetesNetworkConfig,omitempty"`
	Logging                   *Logging          `json:"logging,omitempty"`
	Identity                  *Identity         `json:"identity,omitempty"`
	Status                    string            `json:"status,omitempty"`
	CertificateAuthority      *Certificate      `json:"certificateAuthority,omitempty"`
	PlatformVersion           string            `json:"platformVersion,omitempty"`
	Tags                      map[string]string `json:"tags,omitempty"`
	EncryptionConfig          []Encryption      `json:"encryptionConfig,omitempty"`
	ConnectorConfig           json.RawMessage   `json:"connectorConfig,omitempty"`
	Health                    json.RawMessage   `json:"health,omitempty"`
	OutpostConfig             json.RawMessage   `json:"outpostConfig,omitempty"`
	AccessConfig              *AccessConfig     `json:"accessConfig,omitempty"`
	UpgradePolicy             json.RawMessage   `json:"upgradePolicy,omitempty"`
	ZonalShiftConfig          json.RawMessage   `json:"zonalShiftConfig,omitempty"`
	RemoteNetworkConfig       json.RawMessage   `json:"remoteNetworkConfig,omitempty"`
	ComputeConfig             *ComputeConfig    `json:"computeConfig,omitempty"`
	StorageConfig             json.RawMessage   `json:"storageConfig,omitempty"`
	DeletionProtection        *bool             `json:"deletionProtection,omitempty"`
	ControlPlaneScalingConfig json.RawMessage   `json:"controlPlaneScalingConfig,omitempty"`
	KubeAPIServerConfig       json.RawMessage   `json:"kubeApiServerConfig,omitempty"`
	KubeControllerManager     json.RawMessage   `json:"kubeControllerManagerConfig,omitempty"`
	KubeSchedulerConfig       json.RawMessage   `json:"kubeSchedulerConfig,omitempty"`
}

// VpcConfig is a cluster's network.
type VpcConfig struct {
	SubnetIDs              []string `json:"subnetIds,omitempty"`
	SecurityGroupIDs       []string `json:"securityGroupIds,omitempty"`
	ClusterSecurityGroupID string   `json:"clusterSecurityGroupId,omitempty"`
	VpcID                  string   `json:"vpcId,omitempty"`
	EndpointPublicAccess   *bool    `json:"endpointPublicAccess,omitempty"`
	EndpointPrivateAccess  *bool    `json:"endpointPrivateAccess,omitempty"`
	PublicAccessCIDRs      []string `json:"publicAccessCidrs,omitempty"`
	ControlPlaneEgressMode string   `json:"controlPlaneEgressMode,omitempty"`
}

// Logging says which control plane logs are on.
type Logging struct {
	ClusterLogging []LogSetup `json:"clusterLogging"`
}

// LogSetup switches log types on or off.
type LogSetup struct {
	Types   []string `json:"types,omitempty"`
	Enabled *bool    `json:"enabled,omitempty"`
}

// Identity holds the cluster's OIDC issuer.
type Identity struct {
	OIDC *OIDC `json:"oidc,omitempty"`
}

// OIDC is the cluster's issuer of service account tokens.
type OIDC struct {
	Issuer string `json:"issuer,omitempty"`
}

// Certificate is the cluster's certificate authorities, base64, and the one that signs.
type Certificate struct {
	Data   string           `json:"data,omitempty"`
	Active *ActiveAuthority `json:"active,omitempty"`
}

// ActiveAuthority names the certificate authority that signs and who made it do so: EKS or CUSTOMER.
type ActiveAuthority struct {
	ID          string `json:"id,omitempty"`
	ActivatedBy string `json:"activatedBy,omitempty"`
}

// CertificateAuthority is one of a cluster's certificate authorities.
type CertificateAuthority struct {
	ID                 string     `json:"id"`
	CreatedAt          *wire.Time `json:"createdAt,omitempty"`
	CreatedBy          string     `json:"createdBy,omitempty"` // EKS or CUSTOMER
	ActivatedAt        *wire.Time `json:"activatedAt,omitempty"`
	ActivatedBy        string     `json:"activatedBy,omitempty"`
	SigningStatus      string     `json:"signingStatus,omitempty"`      // NOT_USED, ACTIVATING or IN_USE
	DistributionStatus string     `json:"distributionStatus,omitempty"` // COMPLETE once it may be activated
	RollbackAvailable  *bool      `json:"rollbackAvailable,omitempty"`
	Data               string     `json:"data,omitempty"`
}

// Encryption names the KMS key for Kubernetes secrets.
type Encryption struct {
	Resources []string `json:"resources,omitempty"`
	Provider  *struct {
		KeyARN string `json:"keyArn,omitempty"`
	} `json:"provider,omitempty"`
}

// AccessConfig is a cluster's authentication mode.
type AccessConfig struct {
	BootstrapClusterCreatorAdminPermissions *bool  `json:"bootstrapClusterCreatorAdminPermissions,omitempty"`
	AuthenticationMode                      string `json:"authenticationMode,omitempty"`
}

// ComputeConfig is EKS Auto Mode.
type ComputeConfig struct {
	Enabled     *bool    `json:"enabled,omitempty"`
	NodePools   []string `json:"nodePools,omitempty"`
	NodeRoleARN string   `json:"nodeRoleArn,omitempty"`
}

// AccessEntry maps an IAM principal to a Kubernetes username and groups.
type AccessEntry struct {
	ClusterName      string            `json:"clusterName"`
	PrincipalARN     string            `json:"principalArn"`
	KubernetesGroups []string          `json:"kubernetesGroups"`
	AccessEntryARN   string            `json:"accessEntryArn,omitempty"`
	CreatedAt        *wire.Time        `json:"createdAt,omitempty"`
	ModifiedAt       *wire.Time        `json:"modifiedAt,omitempty"`
	Tags             map[string]string `json:"tags,omitempty"`
	Username         string            `json:"username,omitempty"`
	Type             string            `json:"type,omitempty"`
}

// AssociatedAccessPolicy is a policy association of an access entry.
type AssociatedAccessPolicy struct {
	PolicyARN    string      `json:"policyArn"`
	AccessScope  AccessScope `json:"accessScope"`
	AssociatedAt *wire.Time  `json:"associatedAt,omitempty"`
	ModifiedAt   *wire.Time  `json:"modifiedAt,omitempty"`
}

// AccessScope is the whole cluster or some namespaces.
type AccessScope struct {
	Type       string   `json:"type,omitempty"`
	Namespaces []string `json:"namespaces,omitempty"`
}

// AccessPolicy is one item of ListAccessPolicies.
type AccessPolicy struct {
	Name string `json:"name"`
	ARN  string `json:"arn"`
}

// PodIdentityAssociation gives a service account's pods an IAM role.
type PodIdentityAssociation struct {
	ClusterName        string            `json:"clusterName"`
	Namespace          string            `json:"namespace"`
	ServiceAccount     string            `json:"serviceAccount"`
	RoleARN            string            `json:"roleArn,omitempty"`
	AssociationARN     string            `json:"associationArn,omitempty"`
	AssociationID      string            `json:"associationId,omitempty"`
	Tags               map[string]string `json:"tags,omitempty"`
	CreatedAt          *wire.Time        `json:"createdAt,omitempty"`
	ModifiedAt         *wire.Time        `json:"modifiedAt,omitempty"`
	OwnerARN           string            `json:"ownerArn,omitempty"`
	DisableSessionTags *bool             `json:"disableSessionTags,omitempty"`
	TargetRoleARN      string            `json:"targetRoleArn,omitempty"`
	ExternalID         string            `json:"externalId,omitempty"`
	Policy             string            `json:"policy,omitempty"`
}

// Nodegroup is a managed node group.
type Nodegroup struct {
	NodegroupName    string            `json:"nodegroupName"`
	NodegroupARN     string            `json:"nodegroupArn,omitempty"`
	ClusterName      string            `json:"clusterName"`
	Version          string            `json:"version,omitempty"`
	ReleaseVersion   string            `json:"releaseVersion,omitempty"`
	CreatedAt        *wire.Time        `json:"createdAt,omitempty"`
	ModifiedAt       *wire.Time        `json:"modifiedAt,omitempty"`
	Status           string            `json:"status,omitempty"`
	CapacityType     string            `json:"capacityType,omitempty"`
	ScalingConfig    json.RawMessage   `json:"scalingConfig,omitempty"`
	InstanceTypes    []string          `json:"instanceTypes,omitempty"`
	Subnets          []string          `json:"subnets,omitempty"`
	RemoteAccess     *RemoteAccess     `json:"remoteAccess,omitempty"`
	AMIType          string            `json:"amiType,omitempty"`
	NodeRole         string            `json:"nodeRole,omitempty"`
	Labels           map[string]string `json:"labels,omitempty"`
	Taints           json.RawMessage   `json:"taints,omitempty"`
	Resources        json.RawMessage   `json:"resources,omitempty"`
	DiskSize         *int              `json:"diskSize,omitempty"`
	Health           json.RawMessage   `json:"health,omitempty"`
	UpdateConfig     json.RawMessage   `json:"updateConfig,omitempty"`
	NodeRepairConfig json.RawMessage   `json:"nodeRepairConfig,omitempty"`
	LaunchTemplate   *LaunchTemplate   `json:"launchTemplate,omitempty"`
	Tags             map[string]string `json:"tags,omitempty"`
	WarmPoolConfig   json.RawMessage   `json:"warmPoolConfig,omitempty"`
}

// RemoteAccess is SSH access to a node group's nodes.
type RemoteAccess struct {
	EC2SSHKey            string   `json:"ec2SshKey,omitempty"`
	SourceSecurityGroups []string `json:"sourceSecurityGroups,omitempty"`
}

// LaunchTemplate names the EC2 launch template of a node group.
type LaunchTemplate struct {
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
	ID      string `json:"id,omitempty"`
}

// FargateProfile says which pods run on Fargate.
type FargateProfile struct {
	FargateProfileName  string            `json:"fargateProfileName"`
	FargateProfileARN   string            `json:"fargateProfileArn,omitempty"`
	ClusterName         string            `json:"clusterName"`
	CreatedAt           *wire.Time        `json:"createdAt,omitempty"`
	PodExecutionRoleARN string            `json:"podExecutionRoleArn,omitempty"`
	Subnets             []string          `json:"subnets,omitempty"`
	Selectors           []FargateSelector `json:"selectors,omitempty"`
	Status              string            `json:"status,omitempty"`
	Tags                map[string]string `json:"tags,omitempty"`
	Health              json.RawMessage   `json:"health,omitempty"`
}

// FargateSelector picks pods by namespace and labels.
type FargateSelector struct {
	Namespace string            `json:"namespace,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
}

// Addon is an EKS add-on.
type Addon struct {
	AddonName               string            `json:"addonName"`
	ClusterName             string            `json:"clusterName"`
	Status                  string            `json:"status,omitempty"`
	AddonVersion            string            `json:"addonVersion,omitempty"`
	Health                  json.RawMessage   `json:"health,omitempty"`
	AddonARN                string            `json:"addonArn,omitempty"`
	CreatedAt               *wire.Time        `json:"createdAt,omitempty"`
	ModifiedAt              *wire.Time        `json:"modifiedAt,omitempty"`
	ServiceAccountRoleARN   string            `json:"serviceAccountRoleArn,omitempty"`
	Tags                    map[string]string `json:"tags,omitempty"`
	Publisher               string            `json:"publisher,omitempty"`
	Owner                   string            `json:"owner,omitempty"`
	ConfigurationValues     string            `json:"configurationValues,omitempty"`
	PodIdentityAssociations []string          `json:"podIdentityAssociations,omitempty"`
	NamespaceConfig         *AddonNamespace   `json:"namespaceConfig,omitempty"`
}

// AddonNamespace is where an add-on is installed.
type AddonNamespace struct {
	Namespace string `json:"namespace,omitempty"`
}

// Capability is an EKS capability: ACK, KRO or ARGOCD, run by AWS with an IAM role of its own.
type Capability struct {
	CapabilityName          string            `json:"capabilityName"`
	ARN                     string            `json:"arn,omitempty"`
	ClusterName             string            `json:"clusterName"`
	Type                    string            `json:"type,omitempty"`
	RoleARN                 string            `json:"roleArn,omitempty"`
	Status                  string            `json:"status,omitempty"`
	Version                 string            `json:"version,omitempty"`
	Configuration           json.RawMessage   `json:"configuration,omitempty"`
	Tags                    map[string]string `json:"tags,omitempty"`
	Health                  json.RawMessage   `json:"health,omitempty"`
	CreatedAt               *wire.Time        `json:"createdAt,omitempty"`
	ModifiedAt              *wire.Time        `json:"modifiedAt,omitempty"`
	DeletePropagationPolicy string            `json:"deletePropagationPolicy,omitempty"`
}

// OIDCConfig is an OIDC identity provider of a cluster: a third way for people to sign in.
type OIDCConfig struct {
	IdentityProviderConfigName string            `json:"identityProviderConfigName"`
	IdentityProviderConfigARN  string            `json:"identityProviderConfigArn,omitempty"`
	ClusterName                string            `json:"clusterName"`
	IssuerURL                  string            `json:"issuerUrl,omitempty"`
	ClientID                   string            `json:"clientId,omitempty"`
	UsernameClaim              string            `json:"usernameClaim,omitempty"`
	UsernamePrefix             string            `json:"usernamePrefix,omitempty"`
	GroupsClaim                string            `json:"groupsClaim,omitempty"`
	GroupsPrefix               string            `json:"groupsPrefix,omitempty"`
	RequiredClaims             map[string]string `json:"requiredClaims,omitempty"`
	Tags                       map[string]string `json:"tags,omitempty"`
	Status                     string            `json:"status,omitempty"`
}

// Update is an asynchronous change of a cluster or of something in it.
type Update struct {
	ID        string        `json:"id"`
	Status    string        `json:"status"`
	Type      string        `json:"type"`
	Params    []UpdateParam `json:"params"`
	CreatedAt *wire.Time    `json:"createdAt,omitempty"`
	Errors    []struct{}    `json:"errors"`
}

// UpdateParam is one parameter of an update.
type UpdateParam struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}
