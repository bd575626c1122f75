package graph

import (
	"fmt"
	"maps"
	"slices"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// The steps of this file lead to nodes and from them.

// takePods: whoever has a node has every pod on it, and is its kubelet. A node that an attacker adds gets a pod of every
// DaemonSet.
func takePods(b *builder) {
	for _, c := range b.clusters {
		fact := b.says(Fact{Text: "act as every pod on the node"})
		for _, k := range c.running {
			for _, n := range nodesOf(k.pods) {
				b.step(b.node(c, n), k.at, access.Yes, fact, 0)
			}
			if w, ok := k.unit.Object.(*model.Workload); ok && w.Kind == "DaemonSet" {
				b.step(b.ownNode(c), b.newPod(c, k.namespace, k.sa), access.Yes, b.says(Fact{Text: "act as the pods that DaemonSets place on the node"}), 0)
			}
		}
	}
}

// kubelet: the credentials of a node's instance are its kubelet's login, and a kubelet may ask for tokens of the service
// accounts of pods on its node (Kubernetes documentation, "Using Node Authorization", 2026-11).
func kubelet(b *builder) {
	for _, c := range b.clusters {
		tokens := b.says(Fact{Text: "ask for tokens of the service accounts of pods on the node"})
		for _, k := range c.running {
			for _, n := range nodesOf(k.pods) {
				b.step(b.kubelet(c, n), b.minted(c, k.namespace, k.sa), access.Yes, tokens, 0)
			}
		}
		of := map[string][]string{} // nodes by role
		for _, n := range c.Nodes {
			b.step(b.node(c, n.Name), b.kubelet(c, n.Name), access.Yes, b.says(Fact{Text: "sign in to the cluster as its kubelet"}), 0)
			role, _ := c.NodeRole(n)
			of[role] = append(of[role], n.Name)
		}
		for _, role := range slices.Sorted(maps.Keys(of)) {
			b.kubeletsOfRole(c, role, of[role])
		}
		b.kubeletsOfPods(c)
	}
}

// kubeletsOfRole: a session of a node role is the kubelet of the instance whose name it bears. A node of which the role is
// not known may have any that EC2 may take.
func (b *builder) kubeletsOfRole(c *cluster, role string, nodes []string) {
	any := b.vertex(key{anyNode, c.n, "kubelet", role}, access.Identity{Kind: KindAny, Cluster: c.label, Name: "any kubelet with its role"}, true)
	roles := []string{role}
	fact := b.gap("sign in to the cluster as a kubelet", "if its session bears the name of an instance of the cluster, as that of the instance does")
	if role == "" {
		roles = b.all.TrustingService(c.Account, "ec2.amazonaws.com")
		fact = b.gap("sign in to the cluster as a kubelet", "if it is the role of nodes, which was not read of all")
	}
	for _, arn := range roles {
		b.step(b.permissions(arn), any, access.Maybe, fact, 0)
	}
	for _, n := range nodes {
		b.link(any, b.kubelet(c, n), 0, 0)
	}
}

// kubelet is the login of a node.
func (b *builder) kubelet(c *cluster, node string) int32 {
	v := b.user(c, "system:node:"+node)
	b.link(v, b.group(c, groupNodes), 0, 0)
	return v
}

// groupNodes is that of all kubelets.
const groupNodes = "system:nodes"

// kubeletsOfPods: pods that the metadata service answers have the instance's credentials.
func (b *builder) kubeletsOfPods(c *cluster) {
	for _, k := range c.running {
		if k.reach == access.No {
			continue
		}
		for _, n := range nodesOf(k.pods) {
			b.step(k.at, b.kubelet(c, n), k.reach, b.metadata(c, k.pods[0], "its node, and sign in to the cluster as the kubelet", k.role), b.answering(c, k.role, k))
		}
	}
	for _, n := range c.Nodes {
		pod := &model.Pod{PodSpec: model.PodSpec{NodeName: n.Name}}
		if reach := c.NodeRoleReach(pod); reach.Answer != access.No {
			role, _ := c.NodeRole(n)
			b.step(b.anywhere(c), b.kubelet(c, n.Name), reach.Answer, b.metadata(c, pod, "the node that it puts the pod on, and sign in to the cluster as the kubelet", role), b.answering(c, role, nil))
		}
	}
}

// answering is the grant that lies in a metadata service that answers pods: the host's network of some, else the options of
// all nodes with a role.
func (b *builder) answering(c *cluster, role string, k *class) int32 {
	if k != nil && k.hostNetwork {
		if k.host == 0 {
			s := k.unit.Object.Subject()
			k.host = b.grant(costHardening, func() Removal { return Removal{Object: s, Text: fmt.Sprintf("run %s without the host's network", s)} })
		}
		return k.host
	}
	if c.answers[role] == 0 {
		c.answers[role] = b.grant(costHardening, func() Removal {
			whose := "nodes with role " + role
			if role == "" {
				whose = "nodes"
			}
			return Removal{Object: finding.Subject{Kind: "IAMRole", ARN: role}, Text: "let the metadata service of " + whose + " answer with session tokens and hop limit 1 only"}
		})
	}
	return c.answers[role]
}

// anywhere is a pod of an attacker's own on a node of its choice, whatever the namespace.
func (b *builder) anywhere(c *cluster) int32 {
	k := key{anyNewPod, c.n, "", "anywhere"}
	v, made := b.keys[k]
	if !made {
		v = b.vertex(k, access.Identity{Kind: KindAny, Cluster: c.label, Name: "a pod of its own"}, true)
		b.link(b.newPods(c, ""), v, 0, 0)
		for _, namespace := range c.namespaces {
			b.link(b.newPods(c, namespace), v, 0, 0)
		}
	}
	return v
}

// nodeRole: the instance metadata service gives the node's role to whoever gets through to it. Where the role is not known it
// may be any that EC2 may take.
func nodeRole(b *builder) {
	for _, c := range b.clusters {
		for _, k := range c.running {
			if k.reach == access.No {
				continue
			}
			answer := k.reach
			if k.role == "" {
				answer = access.Maybe
			}
			b.step(k.at, b.nodeRoleOf(c, k.role), answer, b.metadata(c, k.pods[0], "its node", k.role), b.answering(c, k.role, k))
		}
		type open struct {
			role   string
			answer access.Answer
		}
		seen := map[open]bool{}
		for _, n := range c.Nodes {
			if n.Labels[access.ComputeTypeLabel] == "fargate" || n.Labels[access.ComputeTypeLabel] == "hybrid" {
				continue
			}
			role, why := c.NodeRole(n)
			if role == "" {
				b.step(b.node(c, n.Name), b.nodeRoleOf(c, ""), access.Maybe, b.gap("take the role of the node", "if it is the node's: which role node %s has was not read", n.Name), 0)
			} else {
				b.step(b.node(c, n.Name), b.principal(role), access.Yes, b.says(Fact{Text: "take the role of the node", Evidence: why}), 0)
			}
			pod := &model.Pod{PodSpec: model.PodSpec{NodeName: n.Name}}
			reach := c.NodeRoleReach(pod)
			if reach.Answer == access.No || seen[open{role, reach.Answer}] {
				continue
			}
			seen[open{role, reach.Answer}] = true
			answer := reach.Answer
			if role == "" {
				answer = access.Maybe
			}
			b.step(b.anywhere(c), b.nodeRoleOf(c, role), answer, b.metadata(c, pod, "the node that it puts the pod on", role), b.answering(c, role, nil))
		}
		b.passedRoles(c.account)
	}
}

// nodeRoleOf is the role of a node, or with "" any that one may have.
func (b *builder) nodeRoleOf(c *cluster, role string) int32 {
	if role == "" {
		return b.passed(c.account, "ec2.amazonaws.com")
	}
	return b.principal(role)
}

func (b *builder) metadata(c *cluster, pod *model.Pod, whose, role string) int32 {
	return b.with(func() Fact {
		reach := c.NodeRoleReach(pod)
		f := Fact{Text: "take the role of " + whose + " from the metadata service", Evidence: reach.Why}
		if reach.Answer == access.Maybe {
			f.If = append(f.If, "if the metadata service answers pods, which was not read")
		}
		if role == "" {
			f.If = append(f.If, "if it is the node's: which role the node has was not read")
		}
		return f
	})
}

// spoofAgent: a pod in the host's network can stand between the Pod Identity agent and the pods of its node, which send their
// tokens and get their credentials unencrypted (EKS User Guide, "Learn how EKS Pod Identity grants pods access"; Trend Micro,
// "AWS credential exposure by overprivileged containers", 2025).
func spoofAgent(b *builder) {
	for _, c := range b.clusters {
		heard := map[string][]int32{} // by node: the associations of its pods
		for _, k := range c.running {
			if at, made := b.keys[key{anAssociation, c.n, k.namespace, k.sa}]; made && k.podIdentity {
				for _, n := range nodesOf(k.pods) {
					heard[n] = append(heard[n], at)
				}
			}
		}
		for _, k := range c.running {
			if !k.hostNetwork || k.escape == access.Yes || c.isAgent(k) {
				continue
			}
			for _, n := range nodesOf(k.pods) {
				b.spoof(c, k, n, heard[n])
			}
		}
	}
}

func (b *builder) spoof(c *cluster, k *class, node string, associations []int32) {
	if len(associations) == 0 {
		return
	}
	at, made := b.keys[key{anAssociation, c.n, "node", node}]
	if !made {
		at = b.vertex(key{anAssociation, c.n, "node", node}, access.Identity{Kind: KindAny, Cluster: c.label, Name: "the Pod Identity agent of node " + node}, true)
		for _, a := range associations {
			b.link(at, a, 0, 0)
		}
	}
	b.step(k.at, at, access.Maybe, b.with(func() Fact {
		return Fact{
			Text: "listen to, or stand in for, the Pod Identity agent of node " + node, If: []string{"if it may capture or redirect the node's traffic (capabilities NET_RAW or NET_ADMIN)"},
			Evidence: []finding.Evidence{evidence(k.unit.Object, "runs in the host's network")},
		}
	}), b.grant(costHardening, func() Removal {
		return Removal{Object: k.unit.Object.Subject(), Text: fmt.Sprintf("run %s without the host's network", k.unit.Object.Subject())}
	}))
}

func (c *cluster) isAgent(k *class) bool {
	return slices.ContainsFunc(c.Agents(), func(u *access.Unit) bool { return u == k.unit })
}
