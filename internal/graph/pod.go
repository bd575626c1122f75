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
	host      int32 // the grant that lies in the host's network
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
