package aws

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"drawbridge/internal/lab/aws/wire"
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
	if err := c.pass(in.RoleARN); err != nil {
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
		ControlPlaneScalingConfig: in.ControlPlaneScalingConfig, Status: "CREATING",
	})
	cluster.creator = c.callerARN()
	if access.AuthenticationMode != "CONFIG_MAP" && *access.BootstrapClusterCreatorAdminPermissions {
		cluster.bootstrapCreator(c)
	}
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
	auto := in.ComputeConfig != nil && in.ComputeConfig.Enabled != nil && *in.ComputeConfig.Enabled
	if auto || in.RemoteNetworkConfig != nil {
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
	e.policies = []AssociatedAccessPolicy{{PolicyARN: accessPolicyARN(c.acct.Partition, "AmazonEKSClusterAdminPolicy"),
		AccessScope: AccessScope{Type: "cluster"}, AssociatedAt: c.time(), ModifiedAt: c.time()}}
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

type updateClusterConfigInput struct {
	Name                      string          `json:"name"`
	ClientRequestToken        string          `json:"clientRequestToken"`
	ResourcesVpcConfig        *VpcConfig      `json:"resourcesVpcConfig"`
	Logging                   *Logging        `json:"logging"`
	AccessConfig              *AccessConfig   `json:"accessConfig"`
	UpgradePolicy             json.RawMessage `json:"upgradePolicy"`
	ZonalShiftConfig          json.RawMessage `json:"zonalShiftConfig"`
	RemoteNetworkConfig       json.RawMessage `json:"remoteNetworkConfig"`
	ControlPlaneScalingConfig json.RawMessage `json:"controlPlaneScalingConfig"`
	DeletionProtection        *bool           `json:"deletionProtection"`
}

// updateClusterConfig takes one kind of change at a time.
func updateClusterConfig(c *call, in *updateClusterConfigInput) (updateOutput, error) {
	cluster, err := c.reg.cluster(in.Name)
	if err != nil {
		return updateOutput{}, err
	}
	if cluster.Status != "ACTIVE" {
		return updateOutput{}, refuse("ResourceInUseException", "Cluster %s is %s", in.Name, cluster.Status)
	}
	var changes []change
	add := func(asked bool, make func() (change, error)) error {
		if !asked {
			return nil
		}
		made, err := make()
		changes = append(changes, made)
		return err
	}
	err = firstError(
		add(in.AccessConfig != nil, func() (change, error) { return cluster.changeMode(c, in.AccessConfig) }),
		add(in.Logging != nil, func() (change, error) { return cluster.changeLogging(in.Logging) }),
		add(in.ResourcesVpcConfig != nil, func() (change, error) { return cluster.changeVpc(in.ResourcesVpcConfig), nil }),
		add(in.DeletionProtection != nil, func() (change, error) { return cluster.changeProtection(*in.DeletionProtection), nil }),
		add(in.UpgradePolicy != nil, func() (change, error) {
			return change{"UpgradePolicyUpdate", nil, func() { cluster.UpgradePolicy = in.UpgradePolicy }}, nil
		}),
		add(in.ZonalShiftConfig != nil, func() (change, error) {
			return change{"ZonalShiftConfigUpdate", nil, func() { cluster.ZonalShiftConfig = in.ZonalShiftConfig }}, nil
		}),
		add(in.RemoteNetworkConfig != nil, func() (change, error) {
			return change{"RemoteNetworkConfigUpdate", nil, func() { cluster.RemoteNetworkConfig = in.RemoteNetworkConfig }}, nil
		}),
		add(in.ControlPlaneScalingConfig != nil, func() (change, error) {
			return change{"ControlPlaneScalingConfigUpdate", nil, func() { cluster.ControlPlaneScalingConfig = in.ControlPlaneScalingConfig }}, nil
		}),
	)
	if err != nil {
		return updateOutput{}, err
	}
	if len(changes) != 1 {
		return updateOutput{}, refuse("InvalidParameterException", "Only one type of update can be allowed.")
	}
	return updateOutput{cluster.update(c, "", changes[0], &cluster.Status)}, nil
}

// change is what an update will do.
type change struct {
	kind   string
	params []UpdateParam
	apply  func()
}

func (s *clusterState) changeMode(c *call, access *AccessConfig) (change, error) {
	if access.BootstrapClusterCreatorAdminPermissions != nil {
		return change{}, invalid("bootstrapClusterCreatorAdminPermissions can be set only when a cluster is created")
	}
	from, to := s.mode(), access.AuthenticationMode
	if modeSteps[from] != to || to == "" {
		return change{}, refuse("InvalidParameterException", "Unsupported authentication mode update from %s to %s", from, to)
	}
	return change{"AccessConfigUpdate", []UpdateParam{{"AuthenticationMode", to}}, func() {
		// The creator of a cluster that predates access entries gets a visible admin entry (EKS User Guide,
		// "Change authentication mode to use access entries", 2026-11).
		if from == "CONFIG_MAP" {
			s.bootstrapCreator(c)
		}
		next := *s.AccessConfig
		next.AuthenticationMode = to
		s.AccessConfig = &next
	}}, nil
}

func (s *clusterState) changeLogging(asked *Logging) (change, error) {
	on := enabledLogs(s.Logging)
	before := maps.Clone(on)
	for _, setup := range asked.ClusterLogging {
		for _, t := range setup.Types {
			if setup.Enabled != nil {
				on[t] = *setup.Enabled
			}
		}
	}
	if maps.Equal(before, on) {
		return change{}, refuse("InvalidParameterException", "No changes needed for the logging config provided")
	}
	text, err := json.Marshal(asked)
	if err != nil {
		return change{}, err
	}
	return change{"LoggingUpdate", []UpdateParam{{"ClusterLogging", string(text)}}, func() { s.Logging = loggingOf(on) }}, nil
}

// logTypes in EKS's order (LogSetup, EKS API Reference, 2026-11).
var logTypes = []string{"api", "audit", "authenticator", "controllerManager", "scheduler"}

func enabledLogs(l *Logging) map[string]bool {
	on := map[string]bool{}
	for _, t := range logTypes {
		on[t] = false
	}
	if l == nil {
		return on
	}
	for _, setup := range l.ClusterLogging {
		for _, t := range setup.Types {
			on[t] = setup.Enabled != nil && *setup.Enabled
		}
	}
	return on
}

func loggingOf(on map[string]bool) *Logging {
	yes, no := LogSetup{Enabled: orBool(nil, true)}, LogSetup{Enabled: orBool(nil, false)}
	for _, t := range logTypes {
		if on[t] {
			yes.Types = append(yes.Types, t)
		} else {
			no.Types = append(no.Types, t)
		}
	}
	l := &Logging{ClusterLogging: []LogSetup{}}
	for _, setup := range []LogSetup{yes, no} {
		if len(setup.Types) > 0 {
			l.ClusterLogging = append(l.ClusterLogging, setup)
		}
	}
	return l
}

func (s *clusterState) changeVpc(asked *VpcConfig) change {
	next := VpcConfig{}
	if s.ResourcesVpcConfig != nil {
		next = *s.ResourcesVpcConfig
	}
	if asked.EndpointPublicAccess != nil {
		next.EndpointPublicAccess = asked.EndpointPublicAccess
	}
	if asked.EndpointPrivateAccess != nil {
		next.EndpointPrivateAccess = asked.EndpointPrivateAccess
	}
	if asked.PublicAccessCIDRs != nil {
		next.PublicAccessCIDRs = asked.PublicAccessCIDRs
	}
	kind := "EndpointAccessUpdate"
	if asked.SubnetIDs != nil || asked.SecurityGroupIDs != nil {
		kind = "VpcConfigUpdate"
		next.SubnetIDs, next.SecurityGroupIDs = asked.SubnetIDs, asked.SecurityGroupIDs
	}
	return change{kind, nil, func() { s.ResourcesVpcConfig = &next }}
}

func (s *clusterState) changeProtection(on bool) change {
	return change{"DeletionProtectionUpdate", nil, func() { s.DeletionProtection = &on }}
}

// update starts a change: it is InProgress in the answer and settles after the server's steps.
func (s *clusterState) update(c *call, about string, ch change, status *string) Update {
	u := &updateState{about: about, Update: Update{ID: c.srv.uuid("update", s.ARN, about, ch.kind), Status: "InProgress", Type: ch.kind,
		Params: ch.params, CreatedAt: wire.At(c.now()), Errors: []struct{}{}}}
	if u.Params == nil {
		u.Params = []UpdateParam{}
	}
	s.updates = append(s.updates, u)
	out := u.Update
	*status = "UPDATING"
	u.life.start(c.steps(), func() {
		ch.apply()
		u.Status, *status = "Successful", "ACTIVE"
	})
	return out
}

type describeUpdateInput struct {
	Name           string `json:"name"`
	UpdateID       string `json:"updateId"`
	NodegroupName  string `json:"nodegroupName"`
	AddonName      string `json:"addonName"`
	CapabilityName string `json:"capabilityName"`
}

func describeUpdate(c *call, in *describeUpdateInput) (updateOutput, error) {
	cluster, err := c.reg.cluster(in.Name)
	if err != nil {
		return updateOutput{}, err
	}
	about := updateSubject(in.NodegroupName, in.AddonName, in.CapabilityName)
	for _, u := range cluster.updates {
		if u.ID == in.UpdateID && u.about == about {
			u.life.look()
			return updateOutput{u.Update}, nil
		}
	}
	return updateOutput{}, refuse("ResourceNotFoundException", "No update found for ID: %s", in.UpdateID)
}

func updateSubject(nodegroup, addon, capability string) string {
	switch {
	case nodegroup != "":
		return "nodegroup/" + nodegroup
	case addon != "":
		return "addon/" + addon
	case capability != "":
		return "capability/" + capability
	}
	return ""
}

type listUpdatesInput struct {
	Name           string `json:"name"`
	NodegroupName  string `json:"nodegroupName"`
	AddonName      string `json:"addonName"`
	CapabilityName string `json:"capabilityName"`
	MaxResults     *int   `json:"maxResults"`
	NextToken      string `json:"nextToken"`
}

type listUpdatesOutput struct {
	UpdateIDs []string `json:"updateIds"`
	NextToken string   `json:"nextToken,omitempty"`
}

func listUpdates(c *call, in *listUpdatesInput) (listUpdatesOutput, error) {
	cluster, err := c.reg.cluster(in.Name)
	if err != nil {
		return listUpdatesOutput{}, err
	}
	about := updateSubject(in.NodegroupName, in.AddonName, in.CapabilityName)
	ids := []string{}
	for _, u := range cluster.updates {
		if u.about == about {
			ids = append(ids, u.ID)
		}
	}
	items, next, err := page(c, ids, in.Name+about, in.NextToken, in.MaxResults, eksPages)
	return listUpdatesOutput{items, next}, err
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
