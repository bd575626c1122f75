package model

import (
	"reflect"
	"strings"
)

// Area is one part of a snapshot that is read, can be missing, and is stored in a section of its own.
type Area string

// The areas of a cluster, then those of an account.
const (
	AreaCluster                 Area = "cluster"
	AreaAccessEntries           Area = "accessEntries"
	AreaPolicyAssociations      Area = "policyAssociations"
	AreaPodIdentityAssociations Area = "podIdentityAssociations"
	AreaNodegroups              Area = "nodegroups"
	AreaFargateProfiles         Area = "fargateProfiles"
	AreaAddons                  Area = "addons"
	AreaCapabilities            Area = "capabilities"
	AreaIdentityProviders       Area = "identityProviders"
	AreaAccessPolicies          Area = "accessPolicies"
	AreaLogGroup                Area = "logGroup"
	AreaInstances               Area = "instances"
	AreaLaunchTemplates         Area = "launchTemplates"

	AreaNamespaces          Area = "namespaces"
	AreaServiceAccounts     Area = "serviceAccounts"
	AreaPods                Area = "pods"
	AreaWorkloads           Area = "workloads"
	AreaRoles               Area = "roles"
	AreaClusterRoles        Area = "clusterRoles"
	AreaRoleBindings        Area = "roleBindings"
	AreaClusterRoleBindings Area = "clusterRoleBindings"
	AreaAWSAuth             Area = "awsAuth"
	AreaNodes               Area = "nodes"
	AreaNodeClasses         Area = "nodeClasses"
	AreaMutatingWebhooks    Area = "mutatingWebhooks"
	AreaAdmissionPolicies   Area = "admissionPolicies"
	AreaPolicyBindings      Area = "policyBindings"

	AreaIAMRoles      Area = "iamRoles"
	AreaIAMUsers      Area = "iamUsers"
	AreaIAMGroups     Area = "iamGroups"
	AreaIAMPolicies   Area = "iamPolicies"
	AreaOIDCProviders Area = "oidcProviders"
	AreaTrails        Area = "trails"
	AreaOrganization  Area = "organization"
)

// AreaInfo says what an area needs and where its items stand.
type AreaInfo struct {
	Area Area
	// Action is what a reader must be allowed to do to read the area: an IAM action, or a Kubernetes verb and resource.
	Action string
	// OfAccount says that the area belongs to an account, not to a cluster.
	OfAccount bool
	// Optional says that nothing is missed without the area: it limits what somebody may do, so that answers without it say
	// at most too much. It is no gap where nobody asked for it.
	Optional bool
	// ofCluster or ofAccount returns a pointer to the slice of items, or to the pointer of a single item.
	ofCluster func(*Cluster) any
	ofAccount func(*Account) any
}

func clusterArea(a Area, action string, at func(*Cluster) any) AreaInfo {
	return AreaInfo{Area: a, Action: action, ofCluster: at}
}

func accountArea(a Area, action string, at func(*Account) any) AreaInfo {
	return AreaInfo{Area: a, Action: action, OfAccount: true, ofAccount: at}
}

func optional(i AreaInfo) AreaInfo {
	i.Optional = true
	return i
}

// Areas lists all areas: the one table that encoding, merging, gaps and the format's schema are made from.
var Areas = []AreaInfo{
	clusterArea(AreaCluster, "eks:DescribeCluster", func(c *Cluster) any { return &c.Description }),
	clusterArea(AreaAccessEntries, "eks:ListAccessEntries", func(c *Cluster) any { return &c.AccessEntries }),
	clusterArea(AreaPolicyAssociations, "eks:ListAssociatedAccessPolicies", func(c *Cluster) any { return &c.PolicyAssociations }),
	clusterArea(AreaPodIdentityAssociations, "eks:ListPodIdentityAssociations", func(c *Cluster) any { return &c.PodIdentityAssociations }),
	clusterArea(AreaNodegroups, "eks:ListNodegroups", func(c *Cluster) any { return &c.Nodegroups }),
	clusterArea(AreaFargateProfiles, "eks:ListFargateProfiles", func(c *Cluster) any { return &c.FargateProfiles }),
	clusterArea(AreaAddons, "eks:ListAddons", func(c *Cluster) any { return &c.Addons }),
	clusterArea(AreaCapabilities, "eks:ListCapabilities", func(c *Cluster) any { return &c.Capabilities }),
	clusterArea(AreaIdentityProviders, "eks:ListIdentityProviderConfigs", func(c *Cluster) any { return &c.IdentityProviders }),
	clusterArea(AreaAccessPolicies, "eks:ListAccessPolicies", func(c *Cluster) any { return &c.AccessPolicies }),
	clusterArea(AreaLogGroup, "logs:DescribeLogGroups", func(c *Cluster) any { return &c.LogGroup }),
	clusterArea(AreaInstances, "ec2:DescribeInstances", func(c *Cluster) any { return &c.Instances }),
	clusterArea(AreaLaunchTemplates, "ec2:DescribeLaunchTemplateVersions", func(c *Cluster) any { return &c.LaunchTemplates }),

	clusterArea(AreaNamespaces, "list namespaces", func(c *Cluster) any { return &c.Namespaces }),
	clusterArea(AreaServiceAccounts, "list serviceaccounts", func(c *Cluster) any { return &c.ServiceAccounts }),
	clusterArea(AreaPods, "list pods", func(c *Cluster) any { return &c.Pods }),
	clusterArea(AreaWorkloads, "list deployments.apps, daemonsets.apps, statefulsets.apps, replicasets.apps, replicationcontrollers, jobs.batch, cronjobs.batch", func(c *Cluster) any { return &c.Workloads }),
	clusterArea(AreaRoles, "list roles.rbac.authorization.k8s.io", func(c *Cluster) any { return &c.Roles }),
	clusterArea(AreaClusterRoles, "list clusterroles.rbac.authorization.k8s.io", func(c *Cluster) any { return &c.ClusterRoles }),
	clusterArea(AreaRoleBindings, "list rolebindings.rbac.authorization.k8s.io", func(c *Cluster) any { return &c.RoleBindings }),
	clusterArea(AreaClusterRoleBindings, "list clusterrolebindings.rbac.authorization.k8s.io", func(c *Cluster) any { return &c.ClusterRoleBindings }),
	clusterArea(AreaAWSAuth, "get configmaps kube-system/aws-auth", func(c *Cluster) any { return &c.AWSAuth }),
	clusterArea(AreaNodes, "list nodes", func(c *Cluster) any { return &c.Nodes }),
	clusterArea(AreaNodeClasses, "list ec2nodeclasses.karpenter.k8s.aws, awsnodetemplates.karpenter.k8s.aws, nodeclasses.eks.amazonaws.com", func(c *Cluster) any { return &c.NodeClasses }),
	clusterArea(AreaMutatingWebhooks, "list mutatingwebhookconfigurations.admissionregistration.k8s.io", func(c *Cluster) any { return &c.MutatingWebhooks }),
	clusterArea(AreaAdmissionPolicies, "list validatingadmissionpolicies.admissionregistration.k8s.io", func(c *Cluster) any { return &c.AdmissionPolicies }),
	clusterArea(AreaPolicyBindings, "list validatingadmissionpolicybindings.admissionregistration.k8s.io", func(c *Cluster) any { return &c.PolicyBindings }),

	accountArea(AreaIAMRoles, "iam:GetAccountAuthorizationDetails", func(a *Account) any { return &a.Roles }),
	accountArea(AreaIAMUsers, "iam:GetAccountAuthorizationDetails", func(a *Account) any { return &a.Users }),
	accountArea(AreaIAMGroups, "iam:GetAccountAuthorizationDetails", func(a *Account) any { return &a.Groups }),
	accountArea(AreaIAMPolicies, "iam:GetAccountAuthorizationDetails", func(a *Account) any { return &a.Policies }),
	accountArea(AreaOIDCProviders, "iam:ListOpenIDConnectProviders", func(a *Account) any { return &a.OIDCProviders }),
	accountArea(AreaTrails, "cloudtrail:DescribeTrails", func(a *Account) any { return &a.Trails }),
	optional(accountArea(AreaOrganization, "organizations:DescribeOrganization", func(a *Account) any { return &a.Organization })),
}

// Info returns the description of an area, or false for a word that names none.
func (a Area) Info() (AreaInfo, bool) {
	for _, i := range Areas {
		if i.Area == a {
			return i, true
		}
	}
	return AreaInfo{}, false
}

// OfAWS says whether the area is read from AWS; the others are read from the Kubernetes API.
func (i AreaInfo) OfAWS() bool { return i.OfAccount || strings.Contains(i.Action, ":") }

// ItemType is the Go type of the area's items, for the format's schema.
func (i AreaInfo) ItemType() reflect.Type {
	var field any
	if i.OfAccount {
		field = i.ofAccount(&Account{})
	} else {
		field = i.ofCluster(&Cluster{})
	}
	t := reflect.TypeOf(field).Elem()
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t.Elem()
}
