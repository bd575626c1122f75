package model

import (
	"strings"
	"time"

	"drawbridge/internal/finding"
)

// Description is what eks:DescribeCluster says of a cluster.
type Description struct {
	KubernetesVersion  string    `json:"kubernetesVersion,omitempty"`
	PlatformVersion    string    `json:"platformVersion,omitempty"`
	Status             string    `json:"status,omitempty"`
	Created            time.Time `json:"created,omitzero"`
	AuthenticationMode string    `json:"authenticationMode,omitempty"`
	// BootstrapAdmin is bootstrapClusterCreatorAdminPermissions, or nil where EKS does not say.
	BootstrapAdmin *bool  `json:"bootstrapAdmin,omitzero"`
	RoleARN        string `json:"roleArn,omitempty"`
	Issuer         string `json:"issuer,omitempty"`
	// EnabledLogs are the control-plane log types that are on: api, audit, authenticator, controllerManager, scheduler.
	EnabledLogs     []string          `json:"enabledLogs,omitempty"`
	EndpointPublic  bool              `json:"endpointPublic,omitzero"`
	EndpointPrivate bool              `json:"endpointPrivate,omitzero"`
	PublicCIDRs     []string          `json:"publicCidrs,omitempty"`
	AutoMode        bool              `json:"autoMode,omitzero"`
	AutoNodeRoleARN string            `json:"autoNodeRoleArn,omitempty"`
	HybridNodes     bool              `json:"hybridNodes,omitzero"`
	Tags            map[string]string `json:"tags,omitempty"`
	At
}

// Access entry types (EKS API, CreateAccessEntry, SDK 2026-11).
const (
	EntryStandard    = "STANDARD"
	EntryEC2Linux    = "EC2_LINUX"
	EntryEC2Windows  = "EC2_WINDOWS"
	EntryFargate     = "FARGATE_LINUX"
	EntryHybrid      = "HYBRID_LINUX"
	EntryEC2         = "EC2"
	EntryHyperpod    = "HYPERPOD_LINUX"
	ScopeCluster     = "cluster"
	ScopeNamespace   = "namespace"
	ModeConfigMap    = "CONFIG_MAP"
	ModeAPIConfigMap = "API_AND_CONFIG_MAP"
	ModeAPI          = "API"
)

// AccessEntry maps an IAM principal to a Kubernetes username and groups.
type AccessEntry struct {
	PrincipalARN string            `json:"principalArn"`
	ARN          string            `json:"arn,omitempty"`
	Type         string            `json:"type,omitempty"`
	Username     string            `json:"username,omitempty"`
	Groups       []string          `json:"groups,omitempty"`
	Created      time.Time         `json:"created,omitzero"`
	Modified     time.Time         `json:"modified,omitzero"`
	Tags         map[string]string `json:"tags,omitempty"`
	At
}

// Subject names the access entry by its principal.
func (e *AccessEntry) Subject() finding.Subject {
	return finding.Subject{Kind: "AccessEntry", Name: e.PrincipalARN, ARN: e.ARN}
}

// IsNode says whether the entry is of a type that lets nodes in.
func (e *AccessEntry) IsNode() bool {
	switch e.Type {
	case EntryEC2Linux, EntryEC2Windows, EntryFargate, EntryHybrid, EntryEC2, EntryHyperpod:
		return true
	}
	return false
}

// PolicyAssociation is an access policy on an access entry with an access scope.
type PolicyAssociation struct {
	PrincipalARN string      `json:"principalArn"`
	PolicyARN    string      `json:"policyArn"`
	Scope        AccessScope `json:"scope"`
	Associated   time.Time   `json:"associated,omitzero"`
	Modified     time.Time   `json:"modified,omitzero"`
	At
}

// PolicyName is the last part of the policy's ARN: AmazonEKSAdminPolicy.
func (a *PolicyAssociation) PolicyName() string {
	return a.PolicyARN[strings.LastIndexByte(a.PolicyARN, '/')+1:]
}

// AccessScope is the whole cluster or a list of namespaces, in which `*` matches any run of characters.
type AccessScope struct {
	Type       string   `json:"type"`
	Namespaces []string `json:"namespaces,omitempty"`
}

// String is the scope as a person reads it.
func (s AccessScope) String() string {
	if s.Type == ScopeNamespace {
		return "namespaces " + strings.Join(s.Namespaces, ", ")
	}
	return "the whole cluster"
}

// Covers says whether the scope reaches a namespace. Wildcards are allowed in namespaces (EKS User Guide,
// "Associate access policies with access entries", 2026-11).
func (s AccessScope) Covers(namespace string) bool {
	if s.Type == ScopeCluster {
		return true
	}
	for _, p := range s.Namespaces {
		if wildcard(p, namespace) {
			return true
		}
	}
	return false
}

// wildcard matches a pattern in which * stands for any run of characters.
func wildcard(pattern, s string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == s
	}
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, parts[len(parts)-1])
}

// PodIdentityAssociation gives a service account an IAM role through EKS Pod Identity.
type PodIdentityAssociation struct {
	ID                 string            `json:"id,omitempty"`
	ARN                string            `json:"arn,omitempty"`
	Namespace          string            `json:"namespace"`
	ServiceAccount     string            `json:"serviceAccount"`
	RoleARN            string            `json:"roleArn,omitempty"`
	TargetRoleARN      string            `json:"targetRoleArn,omitempty"`
	ExternalID         string            `json:"externalId,omitempty"`
	DisableSessionTags bool              `json:"disableSessionTags,omitzero"`
	OwnerARN           string            `json:"ownerArn,omitempty"`
	Policy             Document          `json:"policy,omitempty"`
	Tags               map[string]string `json:"tags,omitempty"`
	Created            time.Time         `json:"created,omitzero"`
	Modified           time.Time         `json:"modified,omitzero"`
	At
}

// Subject names the association by its service account.
func (a *PodIdentityAssociation) Subject() finding.Subject {
	return finding.Subject{Kind: "PodIdentityAssociation", Namespace: a.Namespace, Name: a.ServiceAccount, ARN: a.ARN}
}

// Nodegroup is an EKS managed node group.
type Nodegroup struct {
	Name                  string            `json:"name"`
	ARN                   string            `json:"arn,omitempty"`
	NodeRoleARN           string            `json:"nodeRoleArn,omitempty"`
	AMIType               string            `json:"amiType,omitempty"`
	LaunchTemplateID      string            `json:"launchTemplateId,omitempty"`
	LaunchTemplateVersion string            `json:"launchTemplateVersion,omitempty"`
	Labels                map[string]string `json:"labels,omitempty"`
	At
}

// Subject names the node group.
func (n *Nodegroup) Subject() finding.Subject {
	return finding.Subject{Kind: "Nodegroup", Name: n.Name, ARN: n.ARN}
}

// FargateProfile selects pods that run on Fargate and the role their nodes have.
type FargateProfile struct {
	Name             string            `json:"name"`
	ARN              string            `json:"arn,omitempty"`
	ExecutionRoleARN string            `json:"executionRoleArn,omitempty"`
	Selectors        []FargateSelector `json:"selectors,omitempty"`
	At
}

// FargateSelector selects pods by namespace and labels.
type FargateSelector struct {
	Namespace string            `json:"namespace"`
	Labels    map[string]string `json:"labels,omitempty"`
}

// Subject names the Fargate profile.
func (f *FargateProfile) Subject() finding.Subject {
	return finding.Subject{Kind: "FargateProfile", Name: f.Name, ARN: f.ARN}
}

// Addon is an EKS add-on and the roles it was given.
type Addon struct {
	Name                       string   `json:"name"`
	ARN                        string   `json:"arn,omitempty"`
	Version                    string   `json:"version,omitempty"`
	Status                     string   `json:"status,omitempty"`
	ServiceAccountRoleARN      string   `json:"serviceAccountRoleArn,omitempty"`
	PodIdentityAssociationARNs []string `json:"podIdentityAssociationArns,omitempty"`
	At
}

// Subject names the add-on.
func (a *Addon) Subject() finding.Subject {
	return finding.Subject{Kind: "Addon", Name: a.Name, ARN: a.ARN}
}

// Capability is an EKS capability (ACK, KRO or ARGOCD): a controller that AWS runs with a role and an access entry.
type Capability struct {
	Name    string `json:"name"`
	ARN     string `json:"arn,omitempty"`
	Type    string `json:"type,omitempty"`
	RoleARN string `json:"roleArn,omitempty"`
	Status  string `json:"status,omitempty"`
	At
}

// Subject names the capability.
func (c *Capability) Subject() finding.Subject {
	return finding.Subject{Kind: "Capability", Name: c.Name, ARN: c.ARN}
}

// IdentityProvider is an OIDC provider by which people sign in to the cluster.
type IdentityProvider struct {
	Name           string            `json:"name"`
	Type           string            `json:"type,omitempty"`
	ARN            string            `json:"arn,omitempty"`
	IssuerURL      string            `json:"issuerUrl,omitempty"`
	ClientID       string            `json:"clientId,omitempty"`
	UsernameClaim  string            `json:"usernameClaim,omitempty"`
	UsernamePrefix string            `json:"usernamePrefix,omitempty"`
	GroupsClaim    string            `json:"groupsClaim,omitempty"`
	GroupsPrefix   string            `json:"groupsPrefix,omitempty"`
	RequiredClaims map[string]string `json:"requiredClaims,omitempty"`
	Status         string            `json:"status,omitempty"`
	At
}

// Subject names the identity provider configuration.
func (i *IdentityProvider) Subject() finding.Subject {
	return finding.Subject{Kind: "IdentityProviderConfig", Name: i.Name, ARN: i.ARN}
}

// AccessPolicy is one policy that eks:ListAccessPolicies names. EKS does not tell its rules.
type AccessPolicy struct {
	Name string `json:"name"`
	ARN  string `json:"arn"`
	At
}

// Subject names the access policy.
func (p *AccessPolicy) Subject() finding.Subject {
	return finding.Subject{Kind: "AccessPolicy", Name: p.Name, ARN: p.ARN}
}

// LogGroup is the CloudWatch Logs group of the cluster's control plane; nil where there is none.
type LogGroup struct {
	Name string `json:"name"`
	ARN  string `json:"arn,omitempty"`
	// RetentionDays is how long events are kept; 0 is for ever.
	RetentionDays int `json:"retentionDays,omitzero"`
	// SubscriptionsUnknown says that the subscription filters could not be read.
	SubscriptionsUnknown bool                 `json:"subscriptionsUnknown,omitzero"`
	Subscriptions        []SubscriptionFilter `json:"subscriptions,omitempty"`
	At
}

// SubscriptionFilter sends events of a log group on.
type SubscriptionFilter struct {
	Name           string `json:"name"`
	DestinationARN string `json:"destinationArn,omitempty"`
	Pattern        string `json:"pattern,omitempty"`
}

// Instance is an EC2 instance that runs as a node.
type Instance struct {
	ID                 string `json:"id"`
	InstanceProfileARN string `json:"instanceProfileArn,omitempty"`
	PrivateDNS         string `json:"privateDns,omitempty"`
	Nodegroup          string `json:"nodegroup,omitempty"`
	MetadataOptions
	At
}

// MetadataOptions says who can reach the instance metadata service. A zero HopLimit is unknown.
type MetadataOptions struct {
	HTTPTokens   string `json:"httpTokens,omitempty"`   // required or optional
	HTTPEndpoint string `json:"httpEndpoint,omitempty"` // enabled or disabled
	HopLimit     int    `json:"hopLimit,omitzero"`
}

// LaunchTemplate is one version of a launch template that a node group uses.
type LaunchTemplate struct {
	ID                 string `json:"id"`
	Name               string `json:"name,omitempty"`
	Version            string `json:"version,omitempty"`
	Default            bool   `json:"default,omitzero"`
	InstanceProfileARN string `json:"instanceProfileArn,omitempty"`
	MetadataOptions
	At
}

// Subject names the cluster itself.
func (c *Cluster) Subject() finding.Subject {
	return finding.Subject{Kind: "Cluster", Name: c.Name, ARN: c.ARN}
}

// Place is where the cluster's description stands in a user's file, or nil.
func (c *Cluster) Place() *finding.Location {
	if c.Description == nil {
		return nil
	}
	return c.Description.Loc
}
