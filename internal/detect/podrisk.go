package detect

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"drawbridge/internal/awsdata"
	"drawbridge/internal/event"
)

// templateFacts are the changes of one workload's template: cluster, resource, namespace, name.
type templateFacts struct{ Changes []templateState }

// templateState is what a workload's pods may do to their nodes after one request.
type templateState struct {
	Fact
	Risks []string
	// Code and ServiceAccount are what its pods run, and as whom; 0 and empty where the request did not tell.
	Code           uint64
	ServiceAccount string
}

// noteTemplate takes the risks of workloads.
func (g *objects) noteTemplate(l *look, limit int) {
	if l.Field(event.Subresource).String() != "" || l.Field(event.Verb).Is("deletecollection") || !l.done() {
		return
	}
	s := templateState{Fact: l.fact()}
	if !l.Field(event.Verb).Is("delete") {
		if l.Field(event.Verb).Is("patch") && l.Field(event.ResponseObject).Kind() != event.Object {
			return
		}
		spec := l.podSpec()
		s.Risks = risksOf(spec)
		if l.Field(event.ResponseObject).Kind() == event.Object && l.part() == "" {
			s.Code, s.ServiceAccount = codeOf(spec), strings.Clone(spec.Find("serviceAccountName").First().String())
		}
	}
	f := g.Templates.at(l.objectKey(), limit)
	f.Changes = note(f.Changes, s, func(s *templateState) Fact { return s.Fact })
}

// riskWords are words without one of which a specification has none of the risks.
var riskWords = [][]byte{[]byte("rivileged"), []byte("hostP"), []byte("hostIPC"), []byte("hostN"), []byte(`"capabilities"`)}

// tame says quickly of most specifications that they have no risks. What has escapes in it is looked at closely.
func tame(spec event.Value) bool {
	raw := spec.Raw()
	for _, w := range riskWords {
		if bytes.Contains(raw, w) {
			return false
		}
	}
	return !slices.Contains(controllers, spec.Find("serviceAccountName").First().String()) && bytes.IndexByte(raw, '\\') < 0
}

// risksOf are what lets a pod reach its node, or the credentials of others on it.
func risksOf(spec event.Value) []string {
	var out []string
	if tame(spec) {
		return nil
	}
	add := func(s string) {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	for _, field := range []string{"hostPID", "hostIPC", "hostNetwork"} {
		if spec.Find(field).First().String() == "true" {
			add(field)
		}
	}
	for _, list := range []string{"containers", "initContainers", "ephemeralContainers"} {
		for c := range spec.Find(list + ".securityContext").All() {
			if c.Find("privileged").First().String() == "true" {
				add("privileged")
			}
			if c.Find("windowsOptions.hostProcess").First().String() == "true" {
				add("hostProcess")
			}
			for k := range c.Find("capabilities.add").All() {
				if name := strings.TrimPrefix(strings.ToUpper(k.String()), "CAP_"); slices.Contains(strongCapabilities, name) || slices.Contains(weakCapabilities, name) {
					add("capability " + name)
				}
			}
		}
	}
	if spec.Find("securityContext.windowsOptions.hostProcess").First().String() == "true" {
		add("hostProcess")
	}
	for p := range spec.Find("volumes.hostPath.path").All() {
		add("hostPath " + path.Clean("/"+p.String()))
	}
	if sa := spec.Find("serviceAccountName").First().String(); slices.Contains(controllers, sa) {
		add("service account " + sa)
	}
	slices.Sort(out)
	return out
}

// strongCapabilities are as good as the node; weakCapabilities let a pod see or bend the traffic of its node, if it shares the
// node's network (capabilities(7); Kubernetes documentation, "Pod Security Standards", 2026-11).
var (
	strongCapabilities = []string{"ALL", "SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "SYS_RAWIO", "SYS_BOOT", "DAC_READ_SEARCH", "BPF", "MAC_ADMIN"}
	weakCapabilities   = []string{"NET_ADMIN", "NET_RAW", "SYS_TIME", "PERFMON", "SYSLOG"}
)

// hostSecrets are where nodes keep tokens, keys and sockets.
var hostSecrets = []string{
	"/etc/kubernetes", "/etc/shadow", "/etc/passwd", "/etc/cron.d", "/etc/systemd", "/root", "/home", "/proc", "/dev/mem", "/boot",
	"/var/lib/kubelet/pods", "/var/lib/kubelet/pki", "/var/lib/kubelet/kubeconfig", "/var/lib/containerd", "/var/lib/docker", "/run/containerd/containerd.sock",
	"/var/run/docker.sock", "/run/docker.sock", "/var/run/containerd/containerd.sock", "/run/dockershim.sock", "/var/run/crio/crio.sock", "/run/crio/crio.sock",
	"/run/containerd", "/var/run/containerd", "/eks-hybrid/.aws", "/var/eks-hybrid/.aws",
}

// strongRisk says that a risk is as good as the node, and with it the credentials of every pod on it. On namesakes of a
// service account of a controller the namespace is not looked at here: see drawbridge.pod.risks.strong.
func strongRisk(r, namespace string, all []string) bool {
	switch kind, of, _ := strings.Cut(r, " "); kind {
	case "privileged", "hostPID", "hostProcess":
		return true
	case "capability":
		return slices.Contains(strongCapabilities, of) || of == "NET_ADMIN" && slices.Contains(all, "hostNetwork")
	case "hostPath":
		// What agents for logs mount, also on nodes that have had no Docker since 1.24 (EKS User Guide, "Amazon EKS ended support
		// for Dockershim", 2026-11): with the logs come the settings of containers, but no tokens.
		if of == "/var/lib/docker/containers" {
			return false
		}
		return slices.ContainsFunc(hostSecrets, func(s string) bool { return of == "/" || under(s, of) || under(of, s) })
	case "service":
		return namespace == "kube-system"
	}
	return false
}

func under(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// volumeRisks are what a persistent volume shows of its node where it holds secrets: a pod that mounts it by a claim names no
// host path. Its source cannot be changed later. Volumes on disks of the node are what such volumes are for.
func volumeRisks(spec event.Value) []string {
	var out []string
	for _, source := range []string{"hostPath.path", "local.path"} {
		if p := spec.Find(source).First().String(); p != "" {
			if r := "hostPath " + path.Clean("/"+p); strongRisk(r, "", nil) {
				out = append(out, r)
			}
		}
	}
	return out
}

// risks are those of the pods that the request makes, and of them those that it adds.
func (l *look) risks() (all, added []string) {
	resource := l.Field(event.Resource).String()
	if resource == "persistentvolumes" && l.creates() && l.done() {
		all = volumeRisks(l.object().Find("spec").First())
		return all, all
	}
	if _, ok := templates[resource]; !ok || !l.done() {
		return nil, nil
	}
	spec := l.podSpec()
	if resource == "pods" && l.Field(event.Subresource).Is("ephemeralcontainers") {
		asked := l.Field(event.RequestObject)
		if asked.Kind() == event.Object {
			spec = podSpecOf(asked, resource)
		}
		all = slices.DeleteFunc(risksOf(spec), func(r string) bool { return r != "privileged" && !strings.HasPrefix(r, "capability ") })
		return all, all
	}
	if all = risksOf(spec); len(all) == 0 {
		return nil, nil
	}
	if l.creates() {
		return all, all
	}
	if f := l.ledger.Objects.Templates.get(l.objectKey()); f != nil {
		at := l.now()
		for _, c := range slices.Backward(f.Changes) {
			if c.before(at) {
				return all, without(all, c.Risks)
			}
		}
	}
	if !l.Field(event.Verb).Is("patch") {
		return all, all
	}
	asked := l.Field(event.RequestObject)
	if asked.Kind() == event.Object {
		return all, only(all, risksOf(podSpecOf(asked, resource)))
	}
	for op := range asked.Find("").All() {
		where := op.Find("path").First().String()
		for _, word := range []string{"privileged", "securityContext", "hostPID", "hostIPC", "hostNetwork", "volumes", "capabilities", "serviceAccountName"} {
			if strings.Contains(where, word) {
				return all, all
			}
		}
		if strings.HasSuffix(where, "/spec") || strings.HasSuffix(where, "/template") || strings.Contains(where, "ontainers") && op.Find("value").First().Kind() == event.Object {
			return all, all
		}
	}
	return all, nil
}

// ownImages says that all images come from registries of EKS.
func (l *look) ownImages() bool {
	spec := l.podSpec()
	found := false
	for _, list := range []string{"containers.image", "initContainers.image"} {
		for image := range spec.Find(list).All() {
			host, _, _ := strings.Cut(image.String(), "/")
			if ofEKS, _ := awsdata.Registry(host); !ofEKS {
				return false
			}
			found = true
		}
	}
	return found
}

// riskFields are about pods that reach their node.
var riskFields = []enrichment{
	{
		Name: "drawbridge.pod.risks", Text: "what of a pod or a workload's template reaches its node: `privileged`, `hostPID`, `hostPath /…`, `capability …`", Planes: onKubernetes,
		Of: func(l *look) []string { all, _ := l.risks(); return all },
	},
	{
		Name: "drawbridge.pod.risks.added", Text: "what of that the request adds, as far as is known", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string { _, added := l.risks(); return added },
	},
	{
		Name: "drawbridge.pod.risks.strong", Text: "what of that it adds is as good as the node", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string {
			all, added := l.risks()
			return slices.DeleteFunc(slices.Clone(added), func(r string) bool { return !strongRisk(r, l.Field(event.Namespace).String(), all) })
		},
	},
	{
		Name: "drawbridge.pod.owned", Text: "whether a controller made the pod for another object, which was judged when somebody made that", Planes: onKubernetes,
		Of: func(l *look) []string { return yes(l.owned()) },
	},
	{
		Name: "drawbridge.pod.own_images", Text: "whether all images of a pod or template come from EKS' registries", Planes: onKubernetes,
		Of: func(l *look) []string { return yes(l.ownImages()) },
	},
}
