package graph

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// class is the running pods of one unit that are alike in what whoever enters them gets.
type class struct {
	traits
	at        int32
	unit      *access.Unit
	namespace string
	sa        string
	pods      []*model.Pod
}

// traits are what whoever enters a pod gets from it.
type traits struct {
	token       access.Answer // for the Kubernetes API
	podIdentity bool          // was given credentials of Pod Identity
	irsa        bool          // was given a token for STS
	reach       access.Answer // of the node's role
	role        string        // the node's, where it is reached
	escape      access.Answer // to the node
	escapes     string        // why
	hostNetwork bool
}

// run gathers the running pods of a cluster.
func (c *cluster) run(b *builder) {
	type spot struct {
		node string
		host bool
	}
	reaches := map[spot]access.Reach{}
	for _, u := range c.Units() {
		var classes []*class
		for _, p := range u.Pods {
			at := spot{p.NodeName, p.HostNetwork}
			reach, known := reaches[at]
			if !known {
				reach = c.NodeRoleReach(p)
				reaches[at] = reach
			}
			t := c.traits(p, reach)
			i := slices.IndexFunc(classes, func(k *class) bool { return k.traits == t })
			if i < 0 {
				i = len(classes)
				classes = append(classes, &class{traits: t, unit: u, namespace: p.Namespace, sa: access.ServiceAccountName(&p.PodSpec)})
			}
			classes[i].pods = append(classes[i].pods, p)
		}
		for i, k := range classes {
			k.at = b.running(c, k, i == 0)
			b.pods = append(b.pods, k.at)
			for _, p := range k.pods {
				b.podAt[p] = k.at
			}
			c.running = append(c.running, k)
			as := [2]string{k.namespace, k.sa}
			c.runningAs[as] = append(c.runningAs[as], k)
		}
	}
}

// running is the vertex of pods that are alike: the workload's name stands for the first class, a pod's for others.
func (b *builder) running(c *cluster, k *class, first bool) int32 {
	s := k.unit.Object.Subject()
	id := access.Identity{Kind: access.Kind(s.Kind), Cluster: c.label, Namespace: s.Namespace, Name: s.Name}
	if !first || len(k.pods) == 1 && s.Kind == string(access.KindPod) {
		id.Kind, id.Name = access.KindPod, k.pods[0].Name
	}
	return b.vertex(key{aRunning, c.n, string(id.Kind) + "/" + id.Namespace, id.Name}, id, false)
}

func (c *cluster) traits(p *model.Pod, reach access.Reach) traits {
	t := traits{token: access.No, reach: reach.Answer, hostNetwork: p.HostNetwork}
	if reach.Answer != access.No {
		t.role = reach.RoleARN
	}
	yes, known, _ := c.Automounts(p.Namespace, &p.PodSpec)
	switch {
	case !known:
		t.token = access.Maybe
	case yes || projects(&p.PodSpec, ""):
		t.token = access.Yes
	}
	in := access.Injected(&p.PodSpec)
	t.podIdentity = in.PodIdentity || projects(&p.PodSpec, access.PodIdentityAudience)
	t.irsa = in.IRSA || projects(&p.PodSpec, access.IRSAAudience)
	t.escape, t.escapes = escape(&p.PodSpec)
	return t
}

// projects says whether a pod mounts a token for an audience, "" being the API server's own.
func projects(s *model.PodSpec, audience string) bool {
	return slices.ContainsFunc(s.Volumes, func(v model.Volume) bool {
		return slices.ContainsFunc(v.Tokens, func(t model.TokenProjection) bool { return t.Audience == audience })
	})
}

// escape says whether code in a pod gets to its node, and by what (Kubernetes documentation, "Pod Security Standards",
// baseline, 2026-11).
func escape(s *model.PodSpec) (access.Answer, string) {
	for _, k := range s.Containers {
		if k.Privileged && k.Kind != "init" {
			return access.Yes, "container " + k.Name + " is privileged"
		}
	}
	for _, v := range s.Volumes {
		if v.HostPath != "" && opensNode(v.HostPath) {
			return access.Yes, "volume " + v.Name + " is directory " + v.HostPath + " of the node"
		}
	}
	for _, k := range s.Containers {
		for _, capability := range k.Capabilities {
			if n := strings.TrimPrefix(strings.ToUpper(capability), "CAP_"); k.Kind != "init" && slices.Contains(strongCapabilities, n) {
				return access.Maybe, "container " + k.Name + " has capability " + n
			}
		}
	}
	for _, v := range s.Volumes {
		if v.HostPath != "" && writesNode(v.HostPath) {
			return access.Maybe, "volume " + v.Name + " is directory " + v.HostPath + " of the node"
		}
	}
	if s.HostPID {
		return access.Maybe, "it sees the processes of the node"
	}
	return access.No, ""
}

// strongCapabilities lead out of a container where seccomp and AppArmor let them.
var strongCapabilities = []string{"ALL", "SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "SYS_RAWIO", "DAC_READ_SEARCH", "BPF"}

// opensNode says whether a directory or socket of the node is as good as the node, also where it can only be read: all of
// it, the tokens of its pods, or the container runtime.
func opensNode(path string) bool {
	clean := "/" + strings.Trim(path, "/")
	switch clean {
	case "/", "/var", "/var/lib", "/run", "/var/run":
		return true
	}
	for _, p := range []string{"/var/lib/kubelet", "/run/containerd", "/var/run/containerd", "/var/run/docker.sock", "/run/docker.sock", "/run/dockershim.sock", "/var/run/crio", "/run/crio", "/proc"} {
		if clean == p || p == "/var/lib/kubelet" && clean == p+"/pods" || strings.HasPrefix(clean, p+"/") && strings.HasSuffix(clean, ".sock") {
			return true
		}
	}
	return false
}

// writesNode says whether writing to a directory leads to the node. Whether it is mounted for reading only is not kept.
func writesNode(path string) bool {
	clean := "/" + strings.Trim(path, "/")
	for _, p := range []string{"/etc", "/root", "/home", "/usr", "/bin", "/sbin", "/lib", "/opt", "/boot", "/dev", "/sys"} {
		if clean == p || strings.HasPrefix(clean, p+"/") && (p == "/etc" || p == "/root") {
			return true
		}
	}
	return false
}

// escapeToNode: a pod that is no wall.
func escapeToNode(b *builder) {
	for _, c := range b.clusters {
		for _, k := range c.running {
			if k.escape == access.No {
				continue
			}
			fact := b.with(func() Fact {
				f := Fact{Text: "escape to the node: " + k.escapes, Evidence: []finding.Evidence{{Text: k.escapes, Source: k.unit.Object.Subject().String()}}}
				if k.escape == access.Maybe {
					f.If = []string{"as far as the user, seccomp, AppArmor and read-only mounts let it"}
				}
				return f
			})
			grant := b.grant(costHardening, func() Removal {
				return Removal{Object: k.unit.Object.Subject(), Text: fmt.Sprintf("take from %s what opens the node: %s", k.unit.Object.Subject(), k.escapes)}
			})
			for _, n := range nodesOf(k.pods) {
				b.step(k.at, b.node(c, n), k.escape, fact, grant)
			}
		}
		// Whether admission refuses such a pod is decided by webhooks and policies, which snapshots do not hold in full.
		for _, namespace := range c.namespaces {
			if !c.refusesPrivileged(namespace) {
				b.step(b.newPods(c, namespace), b.nodes(c), access.Maybe, b.with(func() Fact {
					return Fact{Text: "make it a privileged pod on a node of its choice", If: []string{"unless admission refuses privileged pods in namespace " + namespace}}
				}), 0)
			}
		}
	}
}

// enforceLabel is that of pod security admission (Kubernetes documentation, "Pod Security Admission", 2026-11).
const enforceLabel = "pod-security.kubernetes.io/enforce"

// refusesPrivileged says whether pod security admission keeps privileged pods out of a namespace.
func (c *cluster) refusesPrivileged(namespace string) bool {
	i := slices.IndexFunc(c.Namespaces, func(n *model.Namespace) bool { return n.Name == namespace })
	if i < 0 {
		return false
	}
	level := c.Namespaces[i].Labels[enforceLabel]
	return level == "baseline" || level == "restricted"
}

func nodesOf(pods []*model.Pod) []string {
	var names []string
	for _, p := range pods {
		if p.NodeName != "" {
			names = append(names, p.NodeName)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// takePods: whoever has a node has every pod on it, and through the kubelet tokens of their service accounts. A node that an
// attacker adds gets a pod of every DaemonSet.
func takePods(b *builder) {
	for _, c := range b.clusters {
		fact := b.says("act as every pod on the node")
		tokens := b.says("ask for tokens of the service accounts of pods on the node, as its kubelet")
		for _, k := range c.running {
			for _, n := range nodesOf(k.pods) {
				b.step(b.node(c, n), k.at, access.Yes, fact, 0)
				if k.token != access.Yes {
					b.step(b.node(c, n), b.minted(c, k.namespace, k.sa), access.Yes, tokens, 0)
				}
			}
			if w, ok := k.unit.Object.(*model.Workload); ok && w.Kind == "DaemonSet" {
				b.step(b.ownNode(c), b.newPod(c, k.namespace, k.sa), access.Yes, b.says("act as the pods that DaemonSets place on the node"), 0)
			}
		}
	}
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

// makeServiceAccount: an association, a trust policy or a binding may name a service account that is not there. Whoever makes
// it and runs a pod as it has what it was given.
func makeServiceAccount(b *builder) {
	for _, c := range b.clusters {
		runs, spaces := map[int32]bool{}, map[int32]bool{}
		for _, h := range c.holdings["run-pods"] {
			runs[h.at] = true
		}
		for _, h := range c.holdings["create-namespaces"] {
			spaces[h.at] = true
		}
		for i := range c.holdings["write-service-accounts"] {
			h := &c.holdings["write-service-accounts"][i]
			if h.Way.Needs[0].Verb == "create" && runs[h.at] {
				b.makes(c, h.at, h.namespace, h.chain, spaces[h.at])
			}
		}
		b.makes(c, b.admin(c, ""), "", nil, true)
	}
}

// makes draws steps to the service accounts that can be made in a namespace, or with "" in any.
func (b *builder) makes(c *cluster, at int32, namespace string, chain func() []finding.Evidence, spaces bool) {
	for _, sa := range c.missing(b) {
		if namespace != "" && !c.covers(namespace, sa[0]) {
			continue
		}
		answer, conditions := access.Yes, []string(nil)
		if c.Namespace(sa[0]) != access.Present && !spaces {
			if namespace == "" || c.Namespace(sa[0]) == access.Unread {
				answer, conditions = access.Maybe, []string{"if somebody creates namespace " + sa[0]}
			} else {
				continue
			}
		}
		b.step(at, b.newPod(c, sa[0], sa[1]), answer, b.with(func() Fact {
			f := Fact{Text: fmt.Sprintf("create service account %s/%s, which does not exist and is given something, and run a pod as it", sa[0], sa[1]), If: conditions}
			if chain != nil {
				f.Evidence = chain()
			}
			return f
		}), 0)
	}
}

// covers says whether a namespace of a holding, which may hold wildcards, is or matches another.
func (c *cluster) covers(namespace, other string) bool {
	return model.AccessScope{Type: model.ScopeNamespace, Namespaces: []string{namespace}}.Covers(other)
}

// missing lists the service accounts that hold something and do not exist: those of associations, and those that trust
// policies and bindings name.
func (c *cluster) missing(b *builder) [][2]string {
	if c.absent != nil {
		return c.absent
	}
	c.absent = [][2]string{}
	seen := map[[2]string]bool{}
	for v := range b.vertices {
		id := &b.vertices[v].id
		sa := [2]string{id.Namespace, id.Name}
		if id.Kind != access.KindServiceAccount || id.Cluster != c.label || seen[sa] {
			continue
		}
		seen[sa] = true
		if _, presence := c.ServiceAccount(sa[0], sa[1]); presence == access.Absent {
			c.absent = append(c.absent, sa)
		}
	}
	return c.absent
}
