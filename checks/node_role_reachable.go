package checks

import (
	"drawbridge/internal/access"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

var nodeRoleReachable = &check.Check{
	ID:         "node-role-reachable",
	Title:      "Pods can take the role of their node",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaPods, model.AreaNodes, model.AreaInstances, model.AreaWorkloads},
	Techniques: []string{"T1552.005"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		unread := 0
		for _, u := range p.Access.Units() {
			if access.IsSystemNamespace(u.Namespace) {
				continue
			}
			reported := false
			for _, pod := range u.Pods {
				reach := p.Access.NodeRoleReach(pod)
				if reach.Answer == access.Maybe {
					unread++
				}
				if reach.Answer != access.Yes || reported {
					continue
				}
				reported = true
				role := reach.RoleARN
				if role == "" {
					role = "a role that was not read"
				}
				r := p.Report(u.Object, "its pods reach the metadata service of their nodes and can take the node's role, %s", role).
					Chain(reach.Why).
					Evidence("Pod "+pod.Namespace+"/"+pod.Name, "one of %s, on node %s", check.Count(len(u.Pods), "pod"), pod.NodeName)
				if pod.HostNetwork {
					r.Fix("# take hostNetwork out of the pod template where it is not needed; a hop limit does not stop a pod in the node's network")
					continue
				}
				r.Fix("# first give pods that count on the node's role one of their own: they lose it").
					Fix("# then, in the launch template, the node class, or on running instances: session tokens required, one hop").
					Fix(plan.Shell("aws", "ec2", "modify-instance-metadata-options", "--region", p.Cluster.Region, "--instance-id", instanceOf(p, pod),
						"--http-tokens", "required", "--http-put-response-hop-limit", "1"))
			}
		}
		if unread > 0 {
			p.NotAssessed("metadata options of the nodes of %s were not read", check.Count(unread, "pod"))
		}
	},
}

func instanceOf(p *check.Pass, pod *model.Pod) string {
	if n := p.Access.Node(pod); n != nil && n.InstanceID() != "" {
		return n.InstanceID()
	}
	return "INSTANCE-ID"
}
