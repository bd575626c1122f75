package access

import (
	"path"
	"slices"
	"strings"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// Answer is yes, no or unknown. Its zero value is unknown.
type Answer int

// The answers.
const (
	Maybe Answer = iota
	Yes
	No
)

// Labels by which EKS and Karpenter mark nodes (EKS User Guide, "Managed node groups" and "EKS Auto Mode"; Karpenter
// documentation, "NodeClasses", 2026-11).
const (
	ComputeTypeLabel    = "eks.amazonaws.com/compute-type"
	NodegroupLabel      = "eks.amazonaws.com/nodegroup"
	NodeClassLabel      = "karpenter.k8s.aws/ec2nodeclass"
	FargateProfileLabel = "eks.amazonaws.com/fargate-profile"
	OSLabel             = "kubernetes.io/os"
)

// Node returns the node a pod runs on, or nil.
func (c *Cluster) Node(p *model.Pod) *model.Node { return c.nodes[p.NodeName] }

// OnFargate says whether pods with this specification run on Fargate: they already do, or a Fargate profile selects them.
func (c *Cluster) OnFargate(namespace string, labels map[string]string, s *model.PodSpec) bool {
	if labels[FargateProfileLabel] != "" || strings.HasPrefix(s.NodeName, "fargate-") {
		return true
	}
	if n := c.nodes[s.NodeName]; n != nil {
		return n.Labels[ComputeTypeLabel] == "fargate"
	}
	if s.NodeName != "" {
		return false
	}
	for _, f := range c.FargateProfiles {
		for _, sel := range f.Selectors {
			if selects(sel, namespace, labels) {
				return true
			}
		}
	}
	return false
}

// selects says whether a Fargate selector takes a pod; * and ? are wildcards in namespaces and label values (EKS User
// Guide, "Define which Pods use AWS Fargate when launched", 2026-11).
func selects(sel model.FargateSelector, namespace string, labels map[string]string) bool {
	if !globs(sel.Namespace, namespace) {
		return false
	}
	for k, want := range sel.Labels {
		if got, ok := labels[k]; !ok || !globs(want, got) {
			return false
		}
	}
	return true
}

// globs matches * and ? in namespaces and label values, which hold no slash.
func globs(pattern, s string) bool {
	ok, err := path.Match(pattern, s)
	return ok && err == nil
}

// OnWindows says whether pods with this specification run on Windows nodes.
func (c *Cluster) OnWindows(s *model.PodSpec) bool {
	if s.OS == "windows" || s.NodeSelector[OSLabel] == "windows" {
		return true
	}
	n := c.nodes[s.NodeName]
	return n != nil && (n.OS == "windows" || n.Labels[OSLabel] == "windows")
}

// Reach says whether a pod can take its node's role from the instance metadata service, and which role that is. RoleARN
// may be empty although the answer is yes: somebody's role, but it was not read whose.
type Reach struct {
	Answer  Answer
	RoleARN string
	Why     []finding.Evidence
}

// NodeRoleReach says whether a running pod can take its node's role. A pod in the host's network always can. Another one
// can unless the metadata service wants session tokens and lets them travel one hop only; a hop limit does not stop
// IMDSv1 (EC2 User Guide, "Use IMDS"; EKS Best Practices Guide, "Restrict access to the instance profile", 2026-11).
func (c *Cluster) NodeRoleReach(p *model.Pod) Reach {
	if p.NodeName == "" {
		return Reach{Answer: No, Why: []finding.Evidence{fact(p, "spec.nodeName", "the pod is not on a node yet")}}
	}
	if c.OnFargate(p.Namespace, p.Labels, &p.PodSpec) {
		return Reach{Answer: No, Why: []finding.Evidence{fact(p, "spec.nodeName", "Fargate pods cannot reach an instance metadata service")}}
	}
	node := c.nodes[p.NodeName]
	if node == nil {
		return Reach{Why: []finding.Evidence{{Text: "node " + p.NodeName + " was not read", Source: "list nodes"}}}
	}
	if node.Labels[ComputeTypeLabel] == "hybrid" {
		return Reach{Answer: No, Why: []finding.Evidence{fact(node, "metadata.labels", "a hybrid node has no instance metadata service")}}
	}
	role, roleWhy := c.NodeRole(node)
	if p.HostNetwork {
		return Reach{Yes, role, append([]finding.Evidence{fact(p, "spec.hostNetwork", "true: the pod reaches the metadata service like the node itself")}, roleWhy...)}
	}
	options, where := c.metadataOptions(node)
	switch {
	case node.Labels[ComputeTypeLabel] == "auto":
		return Reach{No, "", []finding.Evidence{fact(node, "metadata.labels", "Auto Mode fixes the hop limit at 1 and requires session tokens")}}
	case options.HTTPEndpoint == "disabled":
		return Reach{No, "", []finding.Evidence{{Text: "the instance metadata service is off", Source: where}}}
	case options.HTTPTokens == "optional":
		return Reach{Yes, role, append([]finding.Evidence{{Text: "httpTokens is optional: IMDSv1 answers pods whatever the hop limit", Source: where}}, roleWhy...)}
	case options.HTTPTokens == "required" && options.HopLimit == 1:
		return Reach{No, "", []finding.Evidence{{Text: "session tokens are required and travel one hop only", Source: where}}}
	case options.HTTPTokens == "required" && options.HopLimit > 1:
		return Reach{Yes, role, append([]finding.Evidence{{Text: "the hop limit lets session tokens through to pods", Source: where}}, roleWhy...)}
	}
	return Reach{RoleARN: role, Why: []finding.Evidence{{Text: "the metadata options of node " + node.Name + " were not read", Source: "ec2:DescribeInstances"}}}
}

// metadataOptions finds how a node's metadata service is set: on the instance, else in the launch template of its node
// group, else in its Karpenter class; and says where.
func (c *Cluster) metadataOptions(n *model.Node) (model.MetadataOptions, string) {
	if i := c.instances[n.InstanceID()]; i != nil && i.HTTPTokens != "" {
		return i.MetadataOptions, "instance " + i.ID + " MetadataOptions"
	}
	if ng := c.nodegroup(n.Labels[NodegroupLabel]); ng != nil && ng.LaunchTemplateID != "" {
		for _, t := range c.LaunchTemplates {
			if t.ID == ng.LaunchTemplateID && t.Version == ng.LaunchTemplateVersion && t.HTTPTokens != "" {
				return t.MetadataOptions, "launch template " + t.ID + " version " + t.Version
			}
		}
	}
	if k := c.nodeClass(n.Labels[NodeClassLabel]); k != nil && k.HTTPTokens != "" {
		return k.MetadataOptions, k.Kind + " " + k.Name + " spec.metadataOptions"
	}
	return model.MetadataOptions{}, ""
}

// NodeRole finds the IAM role of a node, with the way there. It is empty where it was not read.
func (c *Cluster) NodeRole(n *model.Node) (string, []finding.Evidence) {
	if i := c.instances[n.InstanceID()]; i != nil && i.InstanceProfileARN != "" {
		if r := c.all.roleOfProfile(i.InstanceProfileARN); r != nil {
			return r.ARN, []finding.Evidence{{Text: "instance profile " + i.InstanceProfileARN + " holds role " + r.Name, Source: "instance " + i.ID}}
		}
	}
	if ng := c.nodegroup(n.Labels[NodegroupLabel]); ng != nil && ng.NodeRoleARN != "" {
		return ng.NodeRoleARN, []finding.Evidence{fact(ng, "nodeRole", "%s", ng.NodeRoleARN)}
	}
	if n.Labels[ComputeTypeLabel] == "auto" && c.Description != nil && c.Description.AutoNodeRoleARN != "" {
		return c.Description.AutoNodeRoleARN, []finding.Evidence{fact(c.Cluster, "computeConfig.nodeRoleArn", "%s", c.Description.AutoNodeRoleARN)}
	}
	if k := c.nodeClass(n.Labels[NodeClassLabel]); k != nil {
		if arn := c.classRole(k); arn != "" {
			return arn, []finding.Evidence{{Text: "role " + arn, Source: k.Kind + " " + k.Name}}
		}
	}
	return "", nil
}

// classRole is the ARN of the role that a Karpenter class gives its nodes, or "".
func (c *Cluster) classRole(k *model.NodeClass) string {
	switch {
	case strings.HasPrefix(k.Role, "arn:"):
		return k.Role
	case k.Role != "":
		if r, _ := c.all.RoleByName(c.Account, k.Role[strings.LastIndexByte(k.Role, '/')+1:]); r != nil {
			return r.ARN
		}
		return "arn:" + c.Partition + ":iam::" + c.Account + ":role/" + k.Role
	case k.InstanceProfile != "":
		if r := c.all.roleOfProfile("arn:" + c.Partition + ":iam::" + c.Account + ":instance-profile/" + k.InstanceProfile); r != nil {
			return r.ARN
		}
	}
	return ""
}

// NodeRoles lists every role that nodes of the cluster have or are set to get, with the object that says so.
func (c *Cluster) NodeRoles() map[string]finding.Evidence {
	roles := map[string]finding.Evidence{}
	add := func(arn string, why finding.Evidence) {
		if _, known := roles[arn]; !known && arn != "" {
			roles[arn] = why
		}
	}
	for _, ng := range c.Nodegroups {
		add(ng.NodeRoleARN, fact(ng, "nodeRole", "%s", ng.NodeRoleARN))
	}
	if d := c.Description; d != nil {
		add(d.AutoNodeRoleARN, fact(c.Cluster, "computeConfig.nodeRoleArn", "%s", d.AutoNodeRoleARN))
	}
	for _, k := range c.NodeClasses {
		arn := c.classRole(k)
		add(arn, finding.Evidence{Text: "role " + arn, Source: k.Kind + " " + k.Name})
	}
	for _, i := range c.Instances {
		if r := c.all.roleOfProfile(i.InstanceProfileARN); r != nil {
			add(r.ARN, finding.Evidence{Text: "instance profile " + i.InstanceProfileARN, Source: "instance " + i.ID})
		}
	}
	return roles
}

// UnresolvedProfiles lists the instance profiles that nodes have or are set to get and whose role is not in the snapshot, so
// that NodeRoles may lack it.
func (c *Cluster) UnresolvedProfiles() []string {
	var profiles []string
	for _, i := range c.Instances {
		if i.InstanceProfileARN != "" && c.all.roleOfProfile(i.InstanceProfileARN) == nil {
			profiles = append(profiles, i.InstanceProfileARN)
		}
	}
	for _, k := range c.NodeClasses {
		if k.InstanceProfile != "" && c.classRole(k) == "" {
			profiles = append(profiles, k.InstanceProfile)
		}
	}
	slices.Sort(profiles)
	return slices.Compact(profiles)
}

func (c *Cluster) nodegroup(n string) *model.Nodegroup {
	for _, ng := range c.Nodegroups {
		if n != "" && ng.Name == n {
			return ng
		}
	}
	return nil
}

func (c *Cluster) nodeClass(n string) *model.NodeClass {
	for _, k := range c.NodeClasses {
		if n != "" && k.Name == n {
			return k
		}
	}
	return nil
}

func (a *Access) roleOfProfile(profileARN string) *model.IAMRole {
	return a.profiles[profileARN]
}
