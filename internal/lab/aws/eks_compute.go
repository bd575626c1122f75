package aws

import (
	"encoding/json"
	"maps"
	"strings"

	"drawbridge/internal/lab/aws/wire"
)

// PutNodegroup adds a node group to an existing cluster as it is.
func (r *Region) PutNodegroup(n Nodegroup) {
	r.acct.srv.mu.Lock()
	defer r.acct.srv.mu.Unlock()
	r.mustCluster(n.ClusterName).putNodegroup(r, n)
}

func (s *clusterState) putNodegroup(r *Region, n Nodegroup) *nodegroupState {
	n.ClusterName = s.Name
	fill(&n.NodegroupARN, r.arn("eks", "nodegroup/"+s.Name+"/"+n.NodegroupName+"/"+r.acct.srv.uuid("nodegroup", s.ARN, n.NodegroupName)))
	fill(&n.Status, "ACTIVE")
	fill(&n.Version, s.Version)
	fill(&n.CapacityType, "ON_DEMAND")
	if n.LaunchTemplate == nil {
		fill(&n.AMIType, "AL2023_x86_64_STANDARD")
	}
	if n.CreatedAt == nil {
		n.CreatedAt = wire.At(r.acct.srv.now())
	}
	if n.ModifiedAt == nil {
		n.ModifiedAt = n.CreatedAt
	}
	state := &nodegroupState{Nodegroup: n}
	s.nodegroups[n.NodegroupName] = state
	return state
}

type listNodegroupsOutput struct {
	Nodegroups []string `json:"nodegroups"`
	NextToken  string   `json:"nextToken,omitempty"`
}

func listNodegroups(c *call, in *listInput) (listNodegroupsOutput, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return listNodegroupsOutput{}, err
	}
	items, next, err := names(c, cluster.nodegroups, *in)
	return listNodegroupsOutput{nonNil(items), next}, err
}

type nodegroupInput struct {
	ClusterName   string `json:"clusterName"`
	NodegroupName string `json:"nodegroupName"`
}

type nodegroupOutput struct {
	Nodegroup Nodegroup `json:"nodegroup"`
}

func (c *call) nodegroup(in nodegroupInput) (*clusterState, *nodegroupState, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return nil, nil, err
	}
	if n := cluster.nodegroups[in.NodegroupName]; n != nil {
		return cluster, n, nil
	}
	return nil, nil, refuse("ResourceNotFoundException", "No node group found for name: %s.", in.NodegroupName)
}

func describeNodegroup(c *call, in *nodegroupInput) (nodegroupOutput, error) {
	if _, n, err := c.nodegroup(*in); err == nil {
		n.life.look()
	}
	_, n, err := c.nodegroup(*in)
	if err != nil {
		return nodegroupOutput{}, err
	}
	return nodegroupOutput{n.Nodegroup}, nil
}

type createNodegroupInput struct {
	nodegroupInput
	ScalingConfig      json.RawMessage   `json:"scalingConfig"`
	DiskSize           *int              `json:"diskSize"`
	Subnets            []string          `json:"subnets"`
	InstanceTypes      []string          `json:"instanceTypes"`
	AMIType            string            `json:"amiType"`
	RemoteAccess       *RemoteAccess     `json:"remoteAccess"`
	NodeRole           string            `json:"nodeRole"`
	Labels             map[string]string `json:"labels"`
	Taints             json.RawMessage   `json:"taints"`
	Tags               map[string]string `json:"tags"`
	ClientRequestToken string            `json:"clientRequestToken"`
	LaunchTemplate     *LaunchTemplate   `json:"launchTemplate"`
	UpdateConfig       json.RawMessage   `json:"updateConfig"`
	NodeRepairConfig   json.RawMessage   `json:"nodeRepairConfig"`
	CapacityType       string            `json:"capacityType"`
	Version            string            `json:"version"`
	ReleaseVersion     string            `json:"releaseVersion"`
	WarmPoolConfig     json.RawMessage   `json:"warmPoolConfig"`
}

// createNodegroup also makes the node role's access entry where the mode has entries (EKS User Guide,
// "Create access entries", 2026-11).
func createNodegroup(c *call, in *createNodegroupInput) (nodegroupOutput, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return nodegroupOutput{}, err
	}
	if cluster.nodegroups[in.NodegroupName] != nil {
		return nodegroupOutput{}, refuse("ResourceInUseException", "NodeGroup already exists with name %s and cluster name %s", in.NodegroupName, in.ClusterName)
	}
	if err := c.ownRole("nodeRole", in.NodeRole); err != nil {
		return nodegroupOutput{}, err
	}
	n := cluster.putNodegroup(c.reg, Nodegroup{
		NodegroupName: in.NodegroupName, Version: in.Version, ReleaseVersion: in.ReleaseVersion, Status: "CREATING",
		CapacityType: in.CapacityType, ScalingConfig: in.ScalingConfig, InstanceTypes: in.InstanceTypes, Subnets: in.Subnets, RemoteAccess: in.RemoteAccess,
		AMIType: in.AMIType, NodeRole: in.NodeRole, Labels: in.Labels, Taints: in.Taints, DiskSize: in.DiskSize, UpdateConfig: in.UpdateConfig,
		NodeRepairConfig: in.NodeRepairConfig, LaunchTemplate: in.LaunchTemplate, Tags: in.Tags, WarmPoolConfig: in.WarmPoolConfig,
	})
	entryType := "EC2_LINUX"
	if strings.HasPrefix(in.AMIType, "WINDOWS") {
		entryType = "EC2_WINDOWS"
	}
	cluster.nodeEntry(c, in.NodeRole, entryType)
	out := nodegroupOutput{n.Nodegroup}
	n.life.start(c.steps(), func() { n.Status = "ACTIVE" })
	return out, nil
}

// nodeEntry makes the entry that EKS makes by itself for nodes, unless the role has one.
func (s *clusterState) nodeEntry(c *call, role, entryType string) {
	if s.mode() != "CONFIG_MAP" && s.entries[role] == nil {
		s.putEntry(c.reg, AccessEntry{PrincipalARN: role, Type: entryType})
	}
}

// ownRole checks a role that EKS will assume: an existing IAM role of the cluster's account that the caller may pass.
func (c *call) ownRole(parameter, arn string) error {
	p, ok := parsePrincipal(arn)
	if !ok || p.kind != "role" || p.service != "iam" || p.account != c.acct.ID {
		return refuse("InvalidParameterException", "The %s parameter is not a role of the account", parameter)
	}
	if c.acct.iam.uniqueIDOf(p) == "" {
		return refuse("InvalidParameterException", "The role with name %s cannot be found.", p.name)
	}
	return c.pass(arn)
}

func deleteNodegroup(c *call, in *nodegroupInput) (nodegroupOutput, error) {
	cluster, n, err := c.nodegroup(*in)
	if err != nil {
		return nodegroupOutput{}, err
	}
	n.Status = "DELETING"
	n.life.start(c.steps(), func() { delete(cluster.nodegroups, in.NodegroupName) })
	return nodegroupOutput{n.Nodegroup}, nil
}

// PutFargateProfile adds a Fargate profile to an existing cluster as it is.
func (r *Region) PutFargateProfile(f FargateProfile) {
	r.acct.srv.mu.Lock()
	defer r.acct.srv.mu.Unlock()
	r.mustCluster(f.ClusterName).putFargate(r, f)
}

func (s *clusterState) putFargate(r *Region, f FargateProfile) *fargateState {
	f.ClusterName = s.Name
	fill(&f.FargateProfileARN, r.arn("eks", "fargateprofile/"+s.Name+"/"+f.FargateProfileName+"/"+r.acct.srv.uuid("fargate", s.ARN, f.FargateProfileName)))
	fill(&f.Status, "ACTIVE")
	if f.CreatedAt == nil {
		f.CreatedAt = wire.At(r.acct.srv.now())
	}
	state := &fargateState{FargateProfile: f}
	s.fargate[f.FargateProfileName] = state
	return state
}

type listFargateProfilesOutput struct {
	FargateProfileNames []string `json:"fargateProfileNames"`
	NextToken           string   `json:"nextToken,omitempty"`
}

func listFargateProfiles(c *call, in *listInput) (listFargateProfilesOutput, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return listFargateProfilesOutput{}, err
	}
	items, next, err := names(c, cluster.fargate, *in)
	return listFargateProfilesOutput{nonNil(items), next}, err
}

type fargateInput struct {
	ClusterName        string `json:"clusterName"`
	FargateProfileName string `json:"fargateProfileName"`
}

type fargateOutput struct {
	FargateProfile FargateProfile `json:"fargateProfile"`
}

func (c *call) fargateProfile(in fargateInput) (*clusterState, *fargateState, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return nil, nil, err
	}
	if f := cluster.fargate[in.FargateProfileName]; f != nil {
		return cluster, f, nil
	}
	return nil, nil, refuse("ResourceNotFoundException", "No Fargate Profile found with name: %s.", in.FargateProfileName)
}

func describeFargateProfile(c *call, in *fargateInput) (fargateOutput, error) {
	if _, f, err := c.fargateProfile(*in); err == nil {
		f.life.look()
	}
	_, f, err := c.fargateProfile(*in)
	if err != nil {
		return fargateOutput{}, err
	}
	return fargateOutput{f.FargateProfile}, nil
}

type createFargateInput struct {
	fargateInput
	PodExecutionRoleARN string            `json:"podExecutionRoleArn"`
	Subnets             []string          `json:"subnets"`
	Selectors           []FargateSelector `json:"selectors"`
	ClientRequestToken  string            `json:"clientRequestToken"`
	Tags                map[string]string `json:"tags"`
}

func createFargateProfile(c *call, in *createFargateInput) (fargateOutput, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return fargateOutput{}, err
	}
	if cluster.fargate[in.FargateProfileName] != nil {
		return fargateOutput{}, refuse("InvalidRequestException", "A Fargate Profile already exists with this name in this cluster.")
	}
	if err := c.ownRole("podExecutionRoleArn", in.PodExecutionRoleARN); err != nil {
		return fargateOutput{}, err
	}
	f := cluster.putFargate(c.reg, FargateProfile{
		FargateProfileName: in.FargateProfileName, PodExecutionRoleARN: in.PodExecutionRoleARN,
		Subnets: in.Subnets, Selectors: in.Selectors, Tags: in.Tags, Status: "CREATING",
	})
	cluster.nodeEntry(c, in.PodExecutionRoleARN, "FARGATE_LINUX")
	out := fargateOutput{f.FargateProfile}
	f.life.start(c.steps(), func() { f.Status = "ACTIVE" })
	return out, nil
}

func deleteFargateProfile(c *call, in *fargateInput) (fargateOutput, error) {
	cluster, f, err := c.fargateProfile(*in)
	if err != nil {
		return fargateOutput{}, err
	}
	f.Status = "DELETING"
	f.life.start(c.steps(), func() { delete(cluster.fargate, in.FargateProfileName) })
	return fargateOutput{f.FargateProfile}, nil
}

func nonNil[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

type updateNodegroupConfigInput struct {
	nodegroupInput
	Labels *struct {
		AddOrUpdateLabels map[string]string `json:"addOrUpdateLabels"`
		RemoveLabels      []string          `json:"removeLabels"`
	} `json:"labels"`
	ScalingConfig      json.RawMessage `json:"scalingConfig"`
	UpdateConfig       json.RawMessage `json:"updateConfig"`
	NodeRepairConfig   json.RawMessage `json:"nodeRepairConfig"`
	WarmPoolConfig     json.RawMessage `json:"warmPoolConfig"`
	ClientRequestToken string          `json:"clientRequestToken"`
}

// updateNodegroupConfig refuses taints: the lab does not merge them.
func updateNodegroupConfig(c *call, in *updateNodegroupConfigInput) (updateOutput, error) {
	cluster, n, err := c.nodegroup(in.nodegroupInput)
	if err := firstError(err, n.settled()); err != nil {
		return updateOutput{}, err
	}
	apply := func() {
		if in.Labels != nil {
			n.Labels = maps.Clone(n.Labels)
			if n.Labels == nil {
				n.Labels = map[string]string{}
			}
			maps.Copy(n.Labels, in.Labels.AddOrUpdateLabels)
			for _, key := range in.Labels.RemoveLabels {
				delete(n.Labels, key)
			}
		}
		replace(&n.ScalingConfig, in.ScalingConfig)
		replace(&n.UpdateConfig, in.UpdateConfig)
		replace(&n.NodeRepairConfig, in.NodeRepairConfig)
		replace(&n.WarmPoolConfig, in.WarmPoolConfig)
		n.ModifiedAt = c.time()
	}
	return updateOutput{cluster.update(c, "nodegroup/"+in.NodegroupName, change{"ConfigUpdate", nil, apply}, &n.Status)}, nil
}

// settled refuses to change a node group that is in motion.
func (n *nodegroupState) settled() error {
	if n != nil && n.Status != "ACTIVE" {
		return refuse("ResourceInUseException", "Nodegroup %s is %s", n.NodegroupName, n.Status)
	}
	return nil
}

type updateNodegroupVersionInput struct {
	nodegroupInput
	Version            string          `json:"version"`
	ReleaseVersion     string          `json:"releaseVersion"`
	LaunchTemplate     *LaunchTemplate `json:"launchTemplate"`
	Force              bool            `json:"force"`
	ClientRequestToken string          `json:"clientRequestToken"`
}

func updateNodegroupVersion(c *call, in *updateNodegroupVersionInput) (updateOutput, error) {
	cluster, n, err := c.nodegroup(in.nodegroupInput)
	if err := firstError(err, n.settled()); err != nil {
		return updateOutput{}, err
	}
	apply := func() {
		if in.Version != "" {
			n.Version = in.Version
		}
		if in.ReleaseVersion != "" {
			n.ReleaseVersion = in.ReleaseVersion
		}
		if in.LaunchTemplate != nil {
			n.LaunchTemplate = in.LaunchTemplate
		}
		n.ModifiedAt = c.time()
	}
	return updateOutput{cluster.update(c, "nodegroup/"+in.NodegroupName, change{"VersionUpdate", nil, apply}, &n.Status)}, nil
}
