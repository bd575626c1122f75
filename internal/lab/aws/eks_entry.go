package aws

import (
	"maps"
	"slices"
)

type entryOutput struct {
	AccessEntry AccessEntry `json:"accessEntry"`
}

// accessPolicyNames are the access policies that ListAccessPolicies of the lab shows: those of AWS's list as
// captured in April 2026, and AmazonEKSClusterInsightsPolicy of the documentation.
var accessPolicyNames = []string{
	"AIDevOpsAgentAccessPolicy", "AmazonAIOpsAssistantPolicy", "AmazonARCRegionSwitchScalingPolicy", "AmazonEKSACKPolicy",
	"AmazonEKSAdminPolicy", "AmazonEKSAdminViewPolicy", "AmazonEKSArgoCDClusterPolicy", "AmazonEKSArgoCDPolicy",
	"AmazonEKSAutoNodePolicy", "AmazonEKSBlockStorageClusterPolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSClusterAdminPolicy",
	"AmazonEKSClusterInsightsPolicy", "AmazonEKSComputeClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSEditPolicy",
	"AmazonEKSEventPolicy", "AmazonEKSHybridPolicy", "AmazonEKSKROPolicy", "AmazonEKSLoadBalancingClusterPolicy",
	"AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingClusterPolicy", "AmazonEKSNetworkingPolicy", "AmazonEKSPodIdentityPolicy",
	"AmazonEKSSecretAdminPolicy", "AmazonEKSSecretReaderPolicy", "AmazonEKSViewPolicy", "AmazonEMRJobPolicy",
	"AmazonSagemakerHyperpodClusterPolicy", "AmazonSagemakerHyperpodControllerPolicy", "AmazonSagemakerHyperpodSpacePolicy",
	"AmazonSagemakerHyperpodSpaceTemplatePolicy", "AmazonSagemakerHyperpodSystemNamespacePolicy", "AmazonSagemakerHyperpodUserClusterPolicy",
}

func accessPolicyARN(partition, name string) string {
	return "arn:" + partition + ":eks::aws:cluster-access-policy/" + name
}

type listAccessPoliciesInput struct {
	MaxResults *int   `json:"maxResults"`
	NextToken  string `json:"nextToken"`
}

type listAccessPoliciesOutput struct {
	AccessPolicies []AccessPolicy `json:"accessPolicies"`
	NextToken      string         `json:"nextToken,omitempty"`
}

func listAccessPolicies(c *call, in *listAccessPoliciesInput) (listAccessPoliciesOutput, error) {
	var all []AccessPolicy
	for _, name := range accessPolicyNames {
		all = append(all, AccessPolicy{name, accessPolicyARN(c.acct.Partition, name)})
	}
	items, next, err := page(c, all, "", in.NextToken, in.MaxResults, eksPages)
	return listAccessPoliciesOutput{items, next}, err
}

type listAccessEntriesInput struct {
	listInput
	AssociatedPolicyARN string `json:"associatedPolicyArn"`
}

type listAccessEntriesOutput struct {
	AccessEntries []string `json:"accessEntries"`
	NextToken     string   `json:"nextToken,omitempty"`
}

func listAccessEntries(c *call, in *listAccessEntriesInput) (listAccessEntriesOutput, error) {
	cluster, err := c.entriesOf(in.ClusterName)
	if err != nil {
		return listAccessEntriesOutput{}, err
	}
	wanted := map[string]bool{}
	for arn, e := range cluster.entries {
		if in.AssociatedPolicyARN == "" || e.policy(in.AssociatedPolicyARN) != nil {
			wanted[arn] = true
		}
	}
	items, next, err := page(c, slices.Sorted(maps.Keys(wanted)), in.ClusterName+in.AssociatedPolicyARN, in.NextToken, in.MaxResults, eksPages)
	return listAccessEntriesOutput{items, next}, err
}

// entriesOf returns a cluster whose mode has access entries.
func (c *call) entriesOf(name string) (*clusterState, error) {
	cluster, err := c.reg.cluster(name)
	if err != nil {
		return nil, err
	}
	return cluster, cluster.usesAccessEntries()
}

type entryInput struct {
	ClusterName  string `json:"clusterName"`
	PrincipalARN string `json:"principalArn"`
}

func (c *call) entry(in entryInput) (*clusterState, *entryState, error) {
	cluster, err := c.entriesOf(in.ClusterName)
	if err != nil {
		return nil, nil, err
	}
	e, ok := cluster.entries[in.PrincipalARN]
	if !ok {
		return nil, nil, refuse("ResourceNotFoundException", "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.")
	}
	return cluster, e, nil
}

func (e *entryState) policy(arn string) *AssociatedAccessPolicy {
	i := slices.IndexFunc(e.policies, func(p AssociatedAccessPolicy) bool { return p.PolicyARN == arn })
	if i < 0 {
		return nil
	}
	return &e.policies[i]
}

func describeAccessEntry(c *call, in *entryInput) (entryOutput, error) {
	_, e, err := c.entry(*in)
	if err != nil {
		return entryOutput{}, err
	}
	return entryOutput{e.AccessEntry}, nil
}

type createAccessEntryInput struct {
	entryInput
	KubernetesGroups   []string          `json:"kubernetesGroups"`
	Tags               map[string]string `json:"tags"`
	ClientRequestToken string            `json:"clientRequestToken"`
	Username           string            `json:"username"`
	Type               string            `json:"type"`
}

func createAccessEntry(c *call, in *createAccessEntryInput) (entryOutput, error) {
	cluster, err := c.entriesOf(in.ClusterName)
	if err != nil {
		return entryOutput{}, err
	}
	fill(&in.Type, typeStandard)
	if err := c.checkEntry(in); err != nil {
		return entryOutput{}, err
	}
	if cluster.entries[in.PrincipalARN] != nil {
		return entryOutput{}, refuse("ResourceInUseException", "The specified access entry resource is already in use on this cluster.")
	}
	e := cluster.putEntry(c.reg, AccessEntry{PrincipalARN: in.PrincipalARN, KubernetesGroups: in.KubernetesGroups, Tags: in.Tags, Username: in.Username, Type: in.Type})
	return entryOutput{e.AccessEntry}, nil
}

func (c *call) checkEntry(in *createAccessEntryInput) error {
	if !slices.Contains(entryTypes, in.Type) {
		return refuse("InvalidParameterException", "The type %s is not a type of access entry", in.Type)
	}
	if err := c.checkPrincipal(in.PrincipalARN, in.Type); err != nil {
		return err
	}
	if !takesGroups(in.Type) && (len(in.KubernetesGroups) > 0 || in.Username != "") {
		return refuse("InvalidParameterException", "An access entry of type %s takes neither username nor kubernetesGroups", in.Type)
	}
	if in.Type == "EC2_LINUX" || in.Type == "EC2_WINDOWS" {
		if err := c.pass(in.PrincipalARN); err != nil { // EKS User Guide, "Create access entries", 2026-11
			return err
		}
	}
	return firstError(checkUsername(in.Username), checkGroups(in.KubernetesGroups))
}

type updateAccessEntryInput struct {
	entryInput
	KubernetesGroups   *[]string `json:"kubernetesGroups"`
	ClientRequestToken string    `json:"clientRequestToken"`
	Username           *string   `json:"username"`
}

// updateAccessEntry replaces what is given; groups are replaced whole.
func updateAccessEntry(c *call, in *updateAccessEntryInput) (entryOutput, error) {
	_, e, err := c.entry(in.entryInput)
	if err != nil {
		return entryOutput{}, err
	}
	if !takesGroups(e.Type) {
		return entryOutput{}, refuse("InvalidRequestException", "An access entry of type %s cannot be changed", e.Type)
	}
	next := e.AccessEntry
	if in.KubernetesGroups != nil {
		next.KubernetesGroups = append([]string{}, *in.KubernetesGroups...)
	}
	if in.Username != nil {
		if next.Username = *in.Username; next.Username == "" {
			next.Username = defaultUsername(e.Type, e.PrincipalARN)
		}
		if err := checkUsername(*in.Username); err != nil {
			return entryOutput{}, err
		}
	}
	if err := checkGroups(next.KubernetesGroups); err != nil {
		return entryOutput{}, err
	}
	next.ModifiedAt = c.time()
	e.AccessEntry = next
	return entryOutput{next}, nil
}

// deleteAccessEntry takes the entry's policy associations with it.
func deleteAccessEntry(c *call, in *entryInput) (none, error) {
	cluster, _, err := c.entry(*in)
	if err != nil {
		return none{}, err
	}
	delete(cluster.entries, in.PrincipalARN)
	return none{}, nil
}

type listAssociatedInput struct {
	entryInput
	MaxResults *int   `json:"maxResults"`
	NextToken  string `json:"nextToken"`
}

type listAssociatedOutput struct {
	ClusterName              string                   `json:"clusterName"`
	PrincipalARN             string                   `json:"principalArn"`
	AssociatedAccessPolicies []AssociatedAccessPolicy `json:"associatedAccessPolicies"`
	NextToken                string                   `json:"nextToken,omitempty"`
}

func listAssociatedAccessPolicies(c *call, in *listAssociatedInput) (listAssociatedOutput, error) {
	_, e, err := c.entry(in.entryInput)
	if err != nil {
		return listAssociatedOutput{}, err
	}
	items, next, err := page(c, slices.Clone(e.policies), in.ClusterName+in.PrincipalARN, in.NextToken, in.MaxResults, eksPages)
	if items == nil {
		items = []AssociatedAccessPolicy{}
	}
	return listAssociatedOutput{in.ClusterName, in.PrincipalARN, items, next}, err
}

type associatePolicyInput struct {
	entryInput
	PolicyARN   string      `json:"policyArn"`
	AccessScope AccessScope `json:"accessScope"`
}

type associatePolicyOutput struct {
	ClusterName            string                 `json:"clusterName"`
	PrincipalARN           string                 `json:"principalArn"`
	AssociatedAccessPolicy AssociatedAccessPolicy `json:"associatedAccessPolicy"`
}

// associateAccessPolicy on a policy that is already there replaces its scope (EKS User Guide, "Associate
// access policies with access entries", 2026-11).
func associateAccessPolicy(c *call, in *associatePolicyInput) (associatePolicyOutput, error) {
	_, e, err := c.entry(in.entryInput)
	if err != nil {
		return associatePolicyOutput{}, err
	}
	known := slices.ContainsFunc(accessPolicyNames, func(n string) bool { return accessPolicyARN(c.acct.Partition, n) == in.PolicyARN })
	if !known {
		return associatePolicyOutput{}, refuse("InvalidParameterException", "The policyArn parameter %s is not an access policy", in.PolicyARN)
	}
	if !takesPolicies(e.Type) {
		return associatePolicyOutput{}, refuse("InvalidRequestException", "An access entry of type %s takes no access policies", e.Type)
	}
	if err := checkScope(in.AccessScope); err != nil {
		return associatePolicyOutput{}, err
	}
	p := e.policy(in.PolicyARN)
	if p == nil {
		e.policies = append(e.policies, AssociatedAccessPolicy{PolicyARN: in.PolicyARN, AssociatedAt: c.time()})
		p = &e.policies[len(e.policies)-1]
	}
	p.AccessScope, p.ModifiedAt = in.AccessScope, c.time()
	return associatePolicyOutput{in.ClusterName, in.PrincipalARN, *p}, nil
}

type disassociatePolicyInput struct {
	entryInput
	PolicyARN string `json:"policyArn"`
}

func disassociateAccessPolicy(c *call, in *disassociatePolicyInput) (none, error) {
	_, e, err := c.entry(in.entryInput)
	if err != nil {
		return none{}, err
	}
	if e.policy(in.PolicyARN) == nil {
		return none{}, refuse("ResourceNotFoundException", "The specified policyArn is not associated with the access entry.")
	}
	e.policies = slices.DeleteFunc(e.policies, func(p AssociatedAccessPolicy) bool { return p.PolicyARN == in.PolicyARN })
	return none{}, nil
}
