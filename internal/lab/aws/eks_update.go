package aws

import (
	"encoding/json"
	"maps"

	"drawbridge/internal/lab/aws/wire"
)

type updateClusterConfigInput struct {
	Name                      string          `json:"name"`
	ClientRequestToken        string          `json:"clientRequestToken"`
	AccessConfig              *AccessConfig   `json:"accessConfig"`
	Logging                   *Logging        `json:"logging"`
	ResourcesVpcConfig        *VpcConfig      `json:"resourcesVpcConfig"`
	DeletionProtection        *bool           `json:"deletionProtection"`
	ComputeConfig             *ComputeConfig  `json:"computeConfig"`
	KubernetesNetworkConfig   json.RawMessage `json:"kubernetesNetworkConfig"`
	StorageConfig             json.RawMessage `json:"storageConfig"`
	UpgradePolicy             json.RawMessage `json:"upgradePolicy"`
	ZonalShiftConfig          json.RawMessage `json:"zonalShiftConfig"`
	RemoteNetworkConfig       json.RawMessage `json:"remoteNetworkConfig"`
	ControlPlaneScalingConfig json.RawMessage `json:"controlPlaneScalingConfig"`
	KubeAPIServerConfig       json.RawMessage `json:"kubeApiServerConfig"`
	KubeControllerManager     json.RawMessage `json:"kubeControllerManagerConfig"`
	KubeSchedulerConfig       json.RawMessage `json:"kubeSchedulerConfig"`
}

// updateClusterConfig takes one kind of change at a time.
func updateClusterConfig(c *call, in *updateClusterConfigInput) (updateOutput, error) {
	cluster, err := c.reg.cluster(in.Name)
	if err != nil {
		return updateOutput{}, err
	}
	if err := cluster.settled(); err != nil {
		return updateOutput{}, err
	}
	changes, err := cluster.changes(c, in)
	if err != nil {
		return updateOutput{}, err
	}
	if len(changes) != 1 {
		return updateOutput{}, refuse("InvalidParameterException", "Only one type of update can be allowed.")
	}
	return updateOutput{cluster.update(c, "", changes[0], &cluster.Status)}, nil
}

// settled refuses to change a cluster that is in motion.
func (s *clusterState) settled() error {
	if s.Status != "ACTIVE" {
		return refuse("ResourceInUseException", "Cluster %s is %s", s.Name, s.Status)
	}
	return nil
}

// changes are the kinds of change that were asked for.
func (s *clusterState) changes(c *call, in *updateClusterConfigInput) ([]change, error) {
	var all []change
	if in.AccessConfig != nil {
		ch, err := s.changeMode(c, in.AccessConfig)
		if err != nil {
			return nil, err
		}
		all = append(all, ch)
	}
	if in.Logging != nil {
		ch, err := s.changeLogging(in.Logging)
		if err != nil {
			return nil, err
		}
		all = append(all, ch)
	}
	if in.ResourcesVpcConfig != nil {
		all = append(all, s.changeVpc(in.ResourcesVpcConfig))
	}
	if in.DeletionProtection != nil {
		all = append(all, change{"DeletionProtectionUpdate", nil, func() { s.DeletionProtection = in.DeletionProtection }})
	}
	if in.ComputeConfig != nil || in.KubernetesNetworkConfig != nil || in.StorageConfig != nil {
		all = append(all, change{"AutoModeUpdate", nil, func() {
			if in.ComputeConfig != nil {
				s.ComputeConfig = in.ComputeConfig
				s.autoModeEntry(c)
			}
			replace(&s.KubernetesNetworkConfig, in.KubernetesNetworkConfig)
			replace(&s.StorageConfig, in.StorageConfig)
		}})
	}
	if in.KubeAPIServerConfig != nil || in.KubeControllerManager != nil || in.KubeSchedulerConfig != nil {
		all = append(all, change{"ControlPlaneComponentConfigUpdate", nil, func() {
			replace(&s.KubeAPIServerConfig, in.KubeAPIServerConfig)
			replace(&s.KubeControllerManager, in.KubeControllerManager)
			replace(&s.KubeSchedulerConfig, in.KubeSchedulerConfig)
		}})
	}
	for _, raw := range []struct {
		kind  string
		field *json.RawMessage
		value json.RawMessage
	}{
		{"UpgradePolicyUpdate", &s.UpgradePolicy, in.UpgradePolicy},
		{"ZonalShiftConfigUpdate", &s.ZonalShiftConfig, in.ZonalShiftConfig},
		{"RemoteNetworkConfigUpdate", &s.RemoteNetworkConfig, in.RemoteNetworkConfig},
		{"ControlPlaneScalingConfigUpdate", &s.ControlPlaneScalingConfig, in.ControlPlaneScalingConfig},
	} {
		if raw.value != nil {
			all = append(all, change{raw.kind, nil, func() { *raw.field = raw.value }})
		}
	}
	return all, nil
}

// replace sets a raw member that was given.
func replace(field *json.RawMessage, value json.RawMessage) {
	if value != nil {
		*field = value
	}
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
	if asked.ControlPlaneEgressMode != "" {
		next.ControlPlaneEgressMode = asked.ControlPlaneEgressMode
		return change{"ControlPlaneEgressUpdate", nil, func() { s.ResourcesVpcConfig = &next }}
	}
	kind := "EndpointAccessUpdate"
	if asked.SubnetIDs != nil || asked.SecurityGroupIDs != nil {
		kind = "VpcConfigUpdate"
		next.SubnetIDs, next.SecurityGroupIDs = asked.SubnetIDs, asked.SecurityGroupIDs
	}
	return change{kind, nil, func() { s.ResourcesVpcConfig = &next }}
}

// update starts a change: it is InProgress in the answer and settles after the server's steps.
func (s *clusterState) update(c *call, about string, ch change, status *string) Update {
	u := &updateState{about: about, Update: Update{
		ID: c.srv.uuid("update", s.ARN, about, ch.kind), Status: "InProgress", Type: ch.kind,
		Params: ch.params, CreatedAt: wire.At(c.now()), Errors: []struct{}{},
	}}
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

type updateVersionInput struct {
	Name               string          `json:"name"`
	Version            string          `json:"version"`
	Force              bool            `json:"force"`
	ClientRequestToken string          `json:"clientRequestToken"`
	RollbackConfig     json.RawMessage `json:"rollbackConfig"`
}

// updateClusterVersion takes any other version: the lab has no catalogue of versions.
func updateClusterVersion(c *call, in *updateVersionInput) (updateOutput, error) {
	cluster, err := c.reg.cluster(in.Name)
	if err != nil {
		return updateOutput{}, err
	}
	if err := cluster.settled(); err != nil {
		return updateOutput{}, err
	}
	if in.Version == cluster.Version {
		return updateOutput{}, refuse("InvalidParameterException", "Cluster is already at the desired configuration with version %s", in.Version)
	}
	ch := change{"VersionUpdate", []UpdateParam{{"Version", in.Version}}, func() { cluster.Version = in.Version }}
	return updateOutput{cluster.update(c, "", ch, &cluster.Status)}, nil
}

type associateEncryptionInput struct {
	ClusterName        string       `json:"clusterName"`
	EncryptionConfig   []Encryption `json:"encryptionConfig"`
	ClientRequestToken string       `json:"clientRequestToken"`
}

// associateEncryptionConfig cannot be undone (EKS User Guide, "Encrypt Kubernetes secrets with KMS on
// existing clusters", 2026-11).
func associateEncryptionConfig(c *call, in *associateEncryptionInput) (updateOutput, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return updateOutput{}, err
	}
	if err := cluster.settled(); err != nil {
		return updateOutput{}, err
	}
	if len(cluster.EncryptionConfig) > 0 {
		return updateOutput{}, refuse("InvalidParameterException", "Cluster %s has an encryption config", in.ClusterName)
	}
	ch := change{"AssociateEncryptionConfig", nil, func() { cluster.EncryptionConfig = in.EncryptionConfig }}
	return updateOutput{cluster.update(c, "", ch, &cluster.Status)}, nil
}
