package main

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	lab "drawbridge/internal/lab/aws"
	"drawbridge/internal/lab/aws/wire"
	"drawbridge/internal/lab/kube"
)

// nodeGroup is a number of nodes of one kind, as Kubernetes nodes and as EC2 instances.
type nodeGroup struct {
	// name is that of the managed node group; empty for nodes of another kind.
	name  string
	count int
	// first is the number of the first node, unique in the fleet.
	first int
	// profile is the name of the instance profile.
	profile string
	// tokens and hops are the instance metadata service's HttpTokens and HttpPutResponseHopLimit.
	tokens string
	hops   int
	// nodeClass is the Karpenter EC2NodeClass of nodes that Karpenter made.
	nodeClass string
	windows   bool
	// fargate are nodes of Fargate: one for each pod, and no instance of the account's.
	fargate bool
}

func (g nodeGroup) objects() []*corev1.Node {
	var all []*corev1.Node
	for i := range g.count {
		n := kube.Node(g.first+i, g.name)
		id := hash(n.Name)
		n.Spec.ProviderID = fmt.Sprintf("aws:///%s/i-0%x", n.Labels[corev1.LabelTopologyZone], id[:8])
		if g.name == "" {
			for label := range n.Labels {
				if strings.HasPrefix(label, "eks.amazonaws.com/") {
					delete(n.Labels, label)
				}
			}
		}
		switch {
		case g.fargate:
			n.Name = "fargate-" + n.Name
			n.Labels[corev1.LabelHostname], n.Labels["eks.amazonaws.com/compute-type"] = n.Name, "fargate"
			n.Spec.ProviderID = fmt.Sprintf("aws:///%s/%010x-%032x/%s", n.Labels[corev1.LabelTopologyZone], g.first+i, g.first+i, n.Name)
		case g.nodeClass != "":
			n.Labels["karpenter.k8s.aws/ec2nodeclass"], n.Labels["karpenter.sh/nodepool"] = g.nodeClass, g.nodeClass
		case g.windows:
			n.Labels[corev1.LabelOSStable], n.Status.NodeInfo.OperatingSystem = "windows", "windows"
		}
		all = append(all, n)
	}
	return all
}

// instances are the EC2 instances behind the cluster's nodes, with the tags that EKS and Karpenter give them.
func (c cluster) instances() []lab.Instance {
	var all []lab.Instance
	for _, g := range c.nodes {
		if g.fargate {
			continue
		}
		for _, n := range g.objects() {
			tags := []lab.EC2Tag{{Key: "kubernetes.io/cluster/" + c.name, Value: "owned"}}
			if g.name != "" {
				tags = append(tags, lab.EC2Tag{Key: "eks:cluster-name", Value: c.name}, lab.EC2Tag{Key: "eks:nodegroup-name", Value: g.name})
			}
			all = append(all, lab.Instance{
				InstanceID:     n.Spec.ProviderID[strings.LastIndexByte(n.Spec.ProviderID, '/')+1:],
				PrivateDNSName: n.Labels[corev1.LabelHostname], LaunchTime: wire.At(now.AddDate(0, 0, -30)), Tags: tags,
				IAMInstanceProfile: &lab.IAMInstanceProfile{ARN: arn("instance-profile/" + g.profile)},
				MetadataOptions:    &lab.MetadataOptions{HTTPTokens: g.tokens, HTTPPutResponseHopLimit: g.hops, HTTPEndpoint: "enabled"},
			})
		}
	}
	return all
}
