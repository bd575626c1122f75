package graph

import (
	"fmt"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
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
		for _, namespace := range append([]string{""}, c.namespaces...) {
			if namespace != "" && c.refusesPrivileged(namespace) {
				continue
			}
			if v, made := b.keys[key{anyNewPod, c.n, namespace, ""}]; made && namespace != "" {
				b.step(v, b.nodes(c), access.Maybe, b.with(func() Fact {
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

// takePods: whoever has a node has every pod on it, and through the kubelet tokens of their service accounts.
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
		}
	}
}

// podIdentity: the role of an association goes to whoever runs as the service account.
func podIdentity(b *builder) {
	for _, c := range b.clusters {
		for _, a := range c.PodIdentityAssociations {
			if a.RoleARN == "" {
				continue
			}
			at := b.vertex(key{anAssociation, c.n, a.Namespace, a.ServiceAccount}, access.Identity{}, false)
			role := b.principal(a.RoleARN)
			b.link(at, role, 0, b.grant(costAssociation, func() Removal { return removeAssociation(c, a) }))
			answer, conditions := c.admits(b, a)
			fact := b.with(func() Fact {
				return Fact{
					Text: "take role " + a.RoleARN + " through Pod Identity", If: conditions,
					Evidence: []finding.Evidence{{Text: fmt.Sprintf("gives %s to %s/%s", a.RoleARN, a.Namespace, a.ServiceAccount), Source: a.Subject().String()}},
				}
			})
			b.step(b.newPod(c, a.Namespace, a.ServiceAccount), at, answer, fact, 0)
			for _, k := range c.running {
				if k.podIdentity && k.namespace == a.Namespace && k.sa == a.ServiceAccount {
					b.step(k.at, at, answer, fact, 0)
				}
			}
			if answer == access.No {
				continue
			}
			b.step(b.minted(c, a.Namespace, a.ServiceAccount), at, access.Maybe, b.with(func() Fact {
				return Fact{
					Text: "exchange a token of the service account for credentials of " + a.RoleARN,
					If:   append([]string{"if it also has a principal that may eks-auth:AssumeRoleForPodIdentity, as nodes have"}, conditions...),
				}
			}), 0)
		}
	}
}

// admits says whether a role's trust policy lets an association in.
func (c *cluster) admits(b *builder, a *model.PodIdentityAssociation) (access.Answer, []string) {
	role, presence := b.all.Role(a.RoleARN)
	trust := b.all.Trust(role)
	switch {
	case presence == access.Absent:
		return access.No, nil
	case trust == nil:
		return access.Maybe, []string{"if the trust policy of " + a.RoleARN + " lets it in, which was not read"}
	}
	return answerOf(trust.PodIdentity(c.Session(a)))
}

// nodeRole: the instance metadata service gives the node's role to whoever gets through to it.
func nodeRole(b *builder) {
	for _, c := range b.clusters {
		for _, k := range c.running {
			if k.reach == access.No || k.role == "" {
				continue
			}
			if k.hostNetwork {
				b.step(k.at, b.principal(k.role), k.reach, b.metadata(c, k.pods[0], "its node"), b.grant(costHardening, func() Removal {
					return Removal{Object: k.unit.Object.Subject(), Text: fmt.Sprintf("run %s without the host's network", k.unit.Object.Subject())}
				}))
				continue
			}
			b.step(k.at, b.openNode(c, k.role), k.reach, b.metadata(c, k.pods[0], "its node"), 0)
		}
		type open struct {
			role   string
			answer access.Answer
		}
		seen := map[open]bool{}
		for _, n := range c.Nodes {
			role, why := c.NodeRole(n)
			if role == "" {
				continue
			}
			b.step(b.node(c, n.Name), b.principal(role), access.Yes, b.says("take the role of the node", why...), 0)
			pod := &model.Pod{PodSpec: model.PodSpec{NodeName: n.Name}}
			if reach := c.NodeRoleReach(pod); reach.Answer != access.No && !seen[open{role, reach.Answer}] {
				seen[open{role, reach.Answer}] = true
				b.step(b.newPods(c, ""), b.openNode(c, role), reach.Answer, b.metadata(c, pod, "the node that it puts the pod on"), 0)
			}
		}
	}
}

// openNode is a node of a role whose metadata service answers pods.
func (b *builder) openNode(c *cluster, role string) int32 {
	k := key{anyOpenNode, c.n, role, ""}
	if v, ok := b.keys[k]; ok {
		return v
	}
	v := b.vertex(k, access.Identity{}, false)
	b.link(v, b.principal(role), 0, b.grant(costHardening, func() Removal {
		return Removal{Object: finding.Subject{Kind: "IAMRole", ARN: role}, Text: "let the metadata service of nodes with role " + role + " answer with session tokens and hop limit 1 only"}
	}))
	return v
}

func (b *builder) metadata(c *cluster, pod *model.Pod, whose string) int32 {
	return b.with(func() Fact {
		reach := c.NodeRoleReach(pod)
		f := Fact{Text: "take the role of " + whose + " from the metadata service", Evidence: reach.Why}
		if reach.Answer == access.Maybe {
			f.If = []string{"if the metadata service answers pods, which was not read"}
		}
		return f
	})
}

func answerOf(e access.Entry) (access.Answer, []string) {
	switch {
	case e.Not():
		return access.No, nil
	case len(e.If) > 0 || e.Verdict != iam.Allowed:
		return access.Maybe, e.If
	}
	return access.Yes, nil
}
