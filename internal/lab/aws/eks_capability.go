package aws

import (
	"encoding/json"
	"maps"
	"slices"

	"drawbridge/internal/lab/aws/wire"
)

// PutCapability adds a capability to an existing cluster as it is; seed its access entry apart.
func (r *Region) PutCapability(k Capability) {
	r.acct.srv.mu.Lock()
	defer r.acct.srv.mu.Unlock()
	r.mustCluster(k.ClusterName).putCapability(r, k)
}

func (s *clusterState) putCapability(r *Region, k Capability) *capabilityState {
	k.ClusterName = s.Name
	fill(&k.ARN, r.arn("eks", "capability/"+s.Name+"/"+k.CapabilityName+"/"+r.acct.srv.uuid("capability", s.ARN, k.CapabilityName)))
	fill(&k.Status, "ACTIVE")
	fill(&k.DeletePropagationPolicy, "RETAIN")
	if k.CreatedAt == nil {
		k.CreatedAt = wire.At(r.acct.srv.now())
	}
	if k.ModifiedAt == nil {
		k.ModifiedAt = k.CreatedAt
	}
	state := &capabilityState{Capability: k}
	s.capabilities[k.CapabilityName] = state
	return state
}

type capabilitySummary struct {
	CapabilityName string     `json:"capabilityName"`
	ARN            string     `json:"arn"`
	Type           string     `json:"type"`
	Status         string     `json:"status"`
	Version        string     `json:"version,omitempty"`
	CreatedAt      *wire.Time `json:"createdAt,omitempty"`
	ModifiedAt     *wire.Time `json:"modifiedAt,omitempty"`
}

type listCapabilitiesOutput struct {
	Capabilities []capabilitySummary `json:"capabilities"`
	NextToken    string              `json:"nextToken,omitempty"`
}

func listCapabilities(c *call, in *listInput) (listCapabilitiesOutput, error) {
	cluster, err := c.capabilitiesOf(in.ClusterName)
	if err != nil {
		return listCapabilitiesOutput{}, err
	}
	all := []capabilitySummary{}
	for _, name := range slices.Sorted(maps.Keys(cluster.capabilities)) {
		k := cluster.capabilities[name]
		all = append(all, capabilitySummary{k.CapabilityName, k.ARN, k.Type, k.Status, k.Version, k.CreatedAt, k.ModifiedAt})
	}
	items, next, err := page(c, all, in.ClusterName, in.NextToken, in.MaxResults, eksPages)
	return listCapabilitiesOutput{items, next}, err
}

// capabilitiesOf returns a cluster. ListCapabilities and CreateCapability model no ResourceNotFoundException
// (EKS API Reference, 2026-11), so a missing cluster is an invalid parameter here.
func (c *call) capabilitiesOf(name string) (*clusterState, error) {
	cluster, err := c.reg.cluster(name)
	if err != nil {
		return nil, refuse("InvalidParameterException", "No cluster found for name: %s.", name)
	}
	return cluster, nil
}

type capabilityInput struct {
	ClusterName    string `json:"clusterName"`
	CapabilityName string `json:"capabilityName"`
}

type capabilityOutput struct {
	Capability Capability `json:"capability"`
}

func (c *call) capability(in capabilityInput) (*clusterState, *capabilityState, error) {
	cluster, err := c.reg.cluster(in.ClusterName)
	if err != nil {
		return nil, nil, err
	}
	if k := cluster.capabilities[in.CapabilityName]; k != nil {
		return cluster, k, nil
	}
	return nil, nil, refuse("ResourceNotFoundException", "No capability found for name: %s.", in.CapabilityName)
}

func describeCapability(c *call, in *capabilityInput) (capabilityOutput, error) {
	if _, k, err := c.capability(*in); err == nil {
		k.life.look()
	}
	_, k, err := c.capability(*in)
	if err != nil {
		return capabilityOutput{}, err
	}
	return capabilityOutput{k.Capability}, nil
}

type createCapabilityInput struct {
	capabilityInput
	ClientRequestToken      string            `json:"clientRequestToken"`
	Type                    string            `json:"type"`
	RoleARN                 string            `json:"roleArn"`
	Configuration           json.RawMessage   `json:"configuration"`
	Tags                    map[string]string `json:"tags"`
	DeletePropagationPolicy string            `json:"deletePropagationPolicy"`
}

// capabilityPolicy is the access policy that EKS associates for a capability's role.
var capabilityPolicy = map[string]string{"ACK": "AmazonEKSACKPolicy", "KRO": "AmazonEKSKROPolicy", "ARGOCD": "AmazonEKSArgoCDPolicy"}

// createCapability also gives the capability's role its access entry and access policy (EKS User Guide,
// "Amazon EKS capability IAM role", 2026-11); hence the mode must have access entries.
func createCapability(c *call, in *createCapabilityInput) (capabilityOutput, error) {
	cluster, err := c.capabilitiesOf(in.ClusterName)
	if err != nil {
		return capabilityOutput{}, err
	}
	if cluster.capabilities[in.CapabilityName] != nil {
		return capabilityOutput{}, refuse("ResourceInUseException", "Capability already exists with name: %s", in.CapabilityName)
	}
	if err := firstError(cluster.usesAccessEntries(), c.ownRole("roleArn", in.RoleARN)); err != nil {
		return capabilityOutput{}, err
	}
	k := cluster.putCapability(c.reg, Capability{
		CapabilityName: in.CapabilityName, Type: in.Type, RoleARN: in.RoleARN, Status: "CREATING",
		Configuration: in.Configuration, Tags: in.Tags, DeletePropagationPolicy: in.DeletePropagationPolicy,
	})
	if cluster.entries[in.RoleARN] == nil {
		cluster.putEntry(c.reg, AccessEntry{PrincipalARN: in.RoleARN})
	}
	own := c.clusterWide(capabilityPolicy[in.Type])
	if e := cluster.entries[in.RoleARN]; e.policy(own.PolicyARN) == nil {
		e.policies = append(e.policies, own)
	}
	out := capabilityOutput{k.Capability}
	k.life.start(c.steps(), func() { k.Status = "ACTIVE" })
	return out, nil
}

type updateCapabilityInput struct {
	capabilityInput
	RoleARN                 string `json:"roleArn"`
	ClientRequestToken      string `json:"clientRequestToken"`
	DeletePropagationPolicy string `json:"deletePropagationPolicy"`
}

// updateCapability changes the role and the deletion policy; a changed Argo CD configuration is refused,
// because the lab does not merge role mappings.
func updateCapability(c *call, in *updateCapabilityInput) (updateOutput, error) {
	cluster, k, err := c.capability(in.capabilityInput)
	if err != nil {
		return updateOutput{}, err
	}
	if in.RoleARN != "" {
		if err := c.ownRole("roleArn", in.RoleARN); err != nil {
			return updateOutput{}, err
		}
	}
	apply := func() {
		if in.RoleARN != "" {
			k.RoleARN = in.RoleARN
		}
		if in.DeletePropagationPolicy != "" {
			k.DeletePropagationPolicy = in.DeletePropagationPolicy
		}
		k.ModifiedAt = c.time()
	}
	return updateOutput{cluster.update(c, "capability/"+in.CapabilityName, change{"CapabilityUpdate", nil, apply}, &k.Status)}, nil
}

func deleteCapability(c *call, in *capabilityInput) (capabilityOutput, error) {
	cluster, k, err := c.capability(*in)
	if err != nil {
		return capabilityOutput{}, err
	}
	k.Status = "DELETING"
	k.life.start(c.steps(), func() { delete(cluster.capabilities, in.CapabilityName) })
	return capabilityOutput{k.Capability}, nil
}
