package checks

import (
	"fmt"

	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var podIdentityAgentMissing = &check.Check{
	ID:            "pod-identity-agent-missing",
	Title:         "Pod Identity associations without an agent",
	Severity:      finding.Medium,
	Needs:         []model.Area{model.AreaPodIdentityAssociations, model.AreaCluster, model.AreaNodes, model.AreaPods},
	NeedsComplete: []model.Area{model.AreaWorkloads},
	Techniques:    []string{"T1552.005"},
	Since:         "0.1",
	Run: func(p *check.Pass) {
		n := len(p.Cluster.PodIdentityAssociations)
		if n == 0 {
			return
		}
		var agents []*access.Unit
		for _, u := range p.Access.Agents() {
			if w, ok := u.Object.(*model.Workload); ok && w.Kind == "DaemonSet" {
				agents = append(agents, u)
			}
		}
		if len(agents) > 0 {
			reportUnservedNodes(p, agents)
			return
		}
		auto := p.Cluster.Description != nil && p.Cluster.Description.AutoMode
		needing := 0
		for _, node := range p.Cluster.Nodes {
			if access.NeedsAgent(node) {
				needing++
			}
		}
		switch {
		case needing > 0:
		case auto && p.Access.Complete(model.AreaNodes), len(p.Cluster.Nodes) > 0 && p.Access.Complete(model.AreaNodes):
			return // every node has the agent built in or cannot have it
		case auto:
			p.NotAssessed("the cluster is in Auto Mode, whose nodes have the agent built in, but whether it has other nodes was not read")
			return
		}
		r := p.Report(p.Cluster, "%d Pod Identity associations, but no agent that answers for them%s: pods get no credentials from them, and some SDKs go on to the node's role", n, onNodes(needing)).
			Because(p.Cluster.PodIdentityAssociations[0], "", "gives %s", p.Cluster.PodIdentityAssociations[0].RoleARN).
			Evidence("list daemonsets.apps", "no DaemonSet is the Pod Identity agent")
		for _, a := range p.Cluster.Addons {
			if a.Name == access.AgentName {
				r.Because(a, "status", "%s: the add-on is there, its DaemonSet is not", a.Status)
			}
		}
		r.Fix(plan.Shell("aws", "eks", "create-addon", "--cluster-name", p.Cluster.Name, "--region", p.Cluster.Region, "--addon-name", access.AgentName)).
			Fix("# the node role needs eks-auth:AssumeRoleForPodIdentity, which AmazonEKSWorkerNodePolicy holds")
	},
}

func onNodes(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" on the nodes that need one (%d)", n)
}

// reportUnservedNodes reports nodes where pods count on an association and no pod of the agent runs.
func reportUnservedNodes(p *check.Pass, agents []*access.Unit) {
	if !p.Access.Complete(model.AreaPods) || !p.Access.Complete(model.AreaNodes) {
		return
	}
	served := map[string]bool{}
	for _, u := range agents {
		for _, pod := range u.Pods {
			served[pod.NodeName] = true
		}
	}
	if len(served) == 0 {
		return // no pods of the agent at all: manifests, or a cluster that is just starting
	}
	var names []string
	var example *model.Pod
	seen := map[string]bool{}
	for _, a := range p.Cluster.PodIdentityAssociations {
		for _, pod := range p.Access.PodsOf(a.Namespace, a.ServiceAccount) {
			node := p.Access.Node(pod)
			if node == nil || served[node.Name] || seen[node.Name] || !access.NeedsAgent(node) || !access.Injected(&pod.PodSpec).PodIdentity {
				continue
			}
			seen[node.Name] = true
			names = append(names, node.Name)
			if example == nil {
				example = pod
			}
		}
	}
	if len(names) == 0 {
		return
	}
	agent := agents[0].Object
	p.Report(agent, "no pod of the agent runs on %s, where pods such as %s/%s count on a Pod Identity association", check.Some(names, 3), example.Namespace, example.Name).
		Because(example, "spec.nodeName", "%s", example.NodeName).
		Evidence("list pods", "nodes without a pod of %s: %s", agent.Subject(), check.Some(names, 20)).
		Fix(plan.Shell("kubectl", "describe", "-n", agent.Subject().Namespace, agent.Subject().Name)).
		Fix("# look at node selector, affinity and tolerations; hybrid nodes need the add-on's own setting for them").
		Key("nodes")
}
