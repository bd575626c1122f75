package aws

import (
	"maps"
	"slices"
	"strings"

	"drawbridge/internal/lab/aws/wire"
)

// eksOperations are the operations of EKS that the lab has. Not there: insights, EKS Anywhere
// subscriptions, the cluster connector, catalogues of versions and add-ons, CancelUpdate.
var eksOperations = map[string]handler{
	"ListClusters":              op(listClusters),
	"DescribeCluster":           op(describeCluster),
	"CreateCluster":             op(createCluster),
	"DeleteCluster":             op(deleteCluster),
	"UpdateClusterConfig":       op(updateClusterConfig),
	"UpdateClusterVersion":      op(updateClusterVersion),
	"AssociateEncryptionConfig": op(associateEncryptionConfig),
	"DescribeUpdate":            op(describeUpdate),
	"ListUpdates":               op(listUpdates),

	"ListCertificateAuthorities":   op(listCertificateAuthorities),
	"DescribeCertificateAuthority": op(describeCertificateAuthority),
	"CreateCertificateAuthority":   op(createCertificateAuthority),
	"ActivateCertificateAuthority": op(activateCertificateAuthority),
	"DeleteCertificateAuthority":   op(deleteCertificateAuthority),

	"ListAccessPolicies":           op(listAccessPolicies),
	"ListAccessEntries":            op(listAccessEntries),
	"DescribeAccessEntry":          op(describeAccessEntry),
	"CreateAccessEntry":            op(createAccessEntry),
	"UpdateAccessEntry":            op(updateAccessEntry),
	"DeleteAccessEntry":            op(deleteAccessEntry),
	"ListAssociatedAccessPolicies": op(listAssociatedAccessPolicies),
	"AssociateAccessPolicy":        op(associateAccessPolicy),
	"DisassociateAccessPolicy":     op(disassociateAccessPolicy),

	"ListPodIdentityAssociations":    op(listPodIdentityAssociations),
	"DescribePodIdentityAssociation": op(describePodIdentityAssociation),
	"CreatePodIdentityAssociation":   op(createPodIdentityAssociation),
	"UpdatePodIdentityAssociation":   op(updatePodIdentityAssociation),
	"DeletePodIdentityAssociation":   op(deletePodIdentityAssociation),

	"ListNodegroups":         op(listNodegroups),
	"DescribeNodegroup":      op(describeNodegroup),
	"CreateNodegroup":        op(createNodegroup),
	"UpdateNodegroupConfig":  op(updateNodegroupConfig),
	"UpdateNodegroupVersion": op(updateNodegroupVersion),
	"DeleteNodegroup":        op(deleteNodegroup),
	"ListFargateProfiles":    op(listFargateProfiles),
	"DescribeFargateProfile": op(describeFargateProfile),
	"CreateFargateProfile":   op(createFargateProfile),
	"DeleteFargateProfile":   op(deleteFargateProfile),

	"ListAddons":         op(listAddons),
	"DescribeAddon":      op(describeAddon),
	"CreateAddon":        op(createAddon),
	"UpdateAddon":        op(updateAddon),
	"DeleteAddon":        op(deleteAddon),
	"ListCapabilities":   op(listCapabilities),
	"DescribeCapability": op(describeCapability),
	"CreateCapability":   op(createCapability),
	"UpdateCapability":   op(updateCapability),
	"DeleteCapability":   op(deleteCapability),

	"ListIdentityProviderConfigs":        op(listIdentityProviderConfigs),
	"DescribeIdentityProviderConfig":     op(describeIdentityProviderConfig),
	"AssociateIdentityProviderConfig":    op(associateIdentityProviderConfig),
	"DisassociateIdentityProviderConfig": op(disassociateIdentityProviderConfig),

	"ListTagsForResource": op(listTagsForResource),
	"TagResource":         op(tagResource),
	"UntagResource":       op(untagResource),
}

// The inputs that many operations share.
type (
	listInput struct {
		ClusterName string `json:"clusterName"`
		MaxResults  *int   `json:"maxResults"`
		NextToken   string `json:"nextToken"`
	}
	clusterInput struct {
		Name string `json:"name"`
	}
)

// names cuts a page of a map's sorted keys.
func names[V any](c *call, m map[string]V, in listInput) ([]string, string, error) {
	return page(c, slices.Sorted(maps.Keys(m)), in.ClusterName, in.NextToken, in.MaxResults, eksPages)
}

// eksResource names what a denied call was about (Service Authorization Reference, "Actions defined by
// Amazon EKS", 2026-11): a sub-resource where the path names one that exists, else its cluster.
func eksResource(c *call, operation string, in map[string]any) string {
	text := func(key string) string { v, _ := in[key].(string); return v }
	name := text("clusterName")
	if name == "" {
		name = text("name")
	}
	switch {
	case operation == "ListClusters":
		return c.reg.arn("eks", "cluster/*")
	case strings.HasSuffix(operation, "Resource"):
		return text("resourceArn")
	case name == "":
		return "*"
	}
	cluster := c.reg.eks[name]
	if cluster == nil || operation == "CreateAccessEntry" {
		return c.reg.arn("eks", "cluster/"+name)
	}
	if e := cluster.entries[text("principalArn")]; e != nil {
		return e.AccessEntryARN
	}
	if a := cluster.associations[text("associationId")]; a != nil {
		return a.AssociationARN
	}
	if n := cluster.nodegroups[text("nodegroupName")]; n != nil {
		return n.NodegroupARN
	}
	if f := cluster.fargate[text("fargateProfileName")]; f != nil {
		return f.FargateProfileARN
	}
	if a := cluster.addons[text("addonName")]; a != nil {
		return a.AddonARN
	}
	if k := cluster.capabilities[text("capabilityName")]; k != nil {
		return k.ARN
	}
	return cluster.ARN
}

// steps is how long a change takes to settle.
func (c *call) steps() int { return c.srv.options.Steps }

func (c *call) time() *wire.Time { return wire.At(c.now()) }
