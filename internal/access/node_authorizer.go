package access

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// The Node authorizer knows kubelets by this username and group (Kubernetes v1.36.3, pkg/auth/nodeidentifier).
const (
	nodeUserPrefix = "system:node:"
	groupNodes     = "system:nodes"
	nodeLeases     = "kube-node-lease" // the namespace
)

// nodeAuthorizer asks the Node authorizer: fixed rules for all kubelets, and for some objects those that the pods of the
// kubelet's own node refer to (Kubernetes v1.36.3, plugin/pkg/auth/authorizer/node, and NodeRules of
// authorizer/rbac/bootstrappolicy). A snapshot does not keep all that pods refer to: beyond what it keeps, the answer is
// unknown. Feature gates are taken as they are by default.
func (c *Cluster) nodeAuthorizer(h rbac.Holder, template string, r rbac.Request) opinion {
	if !slices.Contains(h.Groups, groupNodes) {
		return opinion{verdict: Denied}
	}
	n, isNode := strings.CutPrefix(h.User, nodeUserPrefix)
	if !isNode && strings.HasPrefix(template, nodeUserPrefix) {
		return c.anyNode(r)
	}
	if !isNode || n == "" {
		return opinion{verdict: Denied}
	}
	return kubelet{c, n}.authorize(r)
}

// anyNode is the kubelet of a node whose name is not known: it is allowed what every one is.
func (c *Cluster) anyNode(r rbac.Request) opinion {
	o := kubelet{c, ""}.authorize(r)
	if o.verdict == Unknown && len(o.open) == 0 {
		o.open = []string{"which node it is"}
	}
	return o
}

// kubelet is the kubelet of a node; the name is "" where it is not known which.
type kubelet struct {
	c    *Cluster
	node string
}

var nodeLink = finding.Evidence{Text: "allows it to every kubelet", Source: "Node authorizer"}

func (k kubelet) authorize(r rbac.Request) opinion {
	if r.NonResourceURL != "" {
		return opinion{verdict: Denied}
	}
	switch r.APIGroup + "/" + r.Resource {
	case "/secrets", "/configmaps":
		return k.referred(r, r.Subresource == "" && r.Namespace != "" && oneOf(r.Verb, "get", "list", "watch"))
	case "/persistentvolumeclaims":
		return k.referred(r, r.Subresource == "" && r.Verb == "get" || r.Subresource == "status" && oneOf(r.Verb, "update", "patch"))
	case "/persistentvolumes", "storage.k8s.io/volumeattachments", "resource.k8s.io/resourceclaims":
		return k.referred(r, r.Subresource == "" && r.Verb == "get")
	case "/serviceaccounts":
		return k.serviceAccount(r)
	case "coordination.k8s.io/leases":
		return k.own(r, r.Namespace == nodeLeases && oneOf(r.Verb, "get", "create", "update", "patch", "delete"))
	case "storage.k8s.io/csinodes":
		return k.own(r, r.Subresource == "" && oneOf(r.Verb, "get", "create", "update", "patch", "delete"))
	case "resource.k8s.io/resourceslices":
		return k.resourceSlice(r)
	case "certificates.k8s.io/podcertificaterequests": // PodCertificateRequest is off by default
		return opinion{verdict: Denied}
	case "/nodes", "/pods":
		return k.selected(r)
	}
	return static(r)
}

// static asks the fixed rules.
func static(r rbac.Request) opinion {
	if slices.ContainsFunc(nodeRules, func(rule rbacv1.PolicyRule) bool { return rbac.Allows(rule, r) }) {
		return allowedToNodes()
	}
	return opinion{verdict: Denied}
}

func allowedToNodes() opinion {
	return opinion{verdict: Allowed, chain: []finding.Evidence{nodeLink}}
}

// own allows what is named as the node; on create the authorizer does not see the name.
func (k kubelet) own(r rbac.Request, possible bool) opinion {
	switch {
	case !possible:
		return opinion{verdict: Denied}
	case r.Verb == "create", r.Name == k.node && r.Name != "":
		return allowedToNodes()
	case r.Name != "" && k.node == "":
		return opinion{verdict: Unknown}
	}
	return opinion{verdict: Denied}
}

// selected is about nodes and pods. From 1.32 on the feature gate AuthorizeNodeWithSelectors limits them to the node's own;
// requests with a selector are not asked about here.
func (k kubelet) selected(r rbac.Request) opinion {
	limited, open := k.limited(r), static(r)
	switch minor := k.c.Minor(); {
	case minor >= 32, minor == 0 && limited.verdict == open.verdict:
		return limited
	case minor == 0:
		return opinion{verdict: Unknown, open: []string{"the version of Kubernetes, which was not read: from 1.32 on, kubelets see no nodes and pods but their own"}}
	}
	return open
}

func (k kubelet) limited(r rbac.Request) opinion {
	if r.Resource == "nodes" {
		switch {
		case r.Subresource == "" && oneOf(r.Verb, "create", "update", "patch"), r.Subresource == "status" && oneOf(r.Verb, "update", "patch"):
			return allowedToNodes()
		}
		return k.own(r, r.Subresource == "" && oneOf(r.Verb, "get", "list", "watch"))
	}
	switch {
	case r.Subresource == "" && oneOf(r.Verb, "create", "delete"), r.Subresource == "status" && oneOf(r.Verb, "update", "patch"), r.Subresource == "eviction" && r.Verb == "create":
		return allowedToNodes()
	case r.Subresource == "" && oneOf(r.Verb, "get", "list", "watch") && r.Name != "":
		return k.ofPods(r, never)
	}
	return opinion{verdict: Denied}
}

// serviceAccount is about the service accounts of the node's pods: their tokens, and from 1.34 on the objects
// (feature gate KubeletServiceAccountTokenForCredentialProviders).
func (k kubelet) serviceAccount(r rbac.Request) opinion {
	switch minor := k.c.Minor(); {
	case r.Name == "" || r.Namespace == "":
		return opinion{verdict: Denied}
	case r.Subresource == "token" && r.Verb == "create":
		return k.ofPods(r, never)
	case r.Subresource != "" || r.Verb != "get" || minor > 0 && minor < 34:
		return opinion{verdict: Denied}
	case minor == 0:
		o := k.ofPods(r, never)
		if o.verdict == Allowed {
			return opinion{verdict: Unknown, open: []string{"the version of Kubernetes, which was not read: from 1.34 on, kubelets read the service accounts of their pods"}}
		}
		return o
	default:
		return k.ofPods(r, never)
	}
}

// resourceSlice: which slices are a node's is not in a snapshot.
func (k kubelet) resourceSlice(r rbac.Request) opinion {
	minor := k.c.Minor()
	switch {
	case r.Subresource != "":
		return opinion{verdict: Denied}
	case r.Verb == "create":
		return allowedToNodes()
	case oneOf(r.Verb, "get", "update", "patch", "delete") && r.Name != "" && k.node == "":
		return opinion{verdict: Unknown}
	case oneOf(r.Verb, "get", "update", "patch", "delete") && r.Name != "":
		return opinion{verdict: Unknown, open: []string{"whether ResourceSlice " + r.Name + " is of node " + k.node}}
	case oneOf(r.Verb, "watch", "list", "deletecollection") && minor > 0 && minor < 32:
		return allowedToNodes()
	case oneOf(r.Verb, "watch", "list", "deletecollection") && minor == 0:
		return opinion{verdict: Unknown, open: []string{"the version of Kubernetes, which was not read"}}
	}
	return opinion{verdict: Denied}
}

// referred is about objects that the node's pods refer to.
func (k kubelet) referred(r rbac.Request, possible bool) opinion {
	if !possible || r.Name == "" {
		return opinion{verdict: Denied}
	}
	here := func(p *model.Pod) bool { return p.Namespace == r.Namespace }
	switch r.Resource {
	case "secrets": // those of persistent volumes may be of any namespace
		return k.ofPods(r, always)
	case "configmaps", "persistentvolumeclaims", "resourceclaims":
		return k.ofPods(r, here)
	}
	return k.ofPods(r, always)
}

func always(*model.Pod) bool { return true }
func never(*model.Pod) bool  { return false }

// leads says whether a pod surely leads its kubelet to the object of a request.
func leads(p *model.Pod, r *rbac.Request) bool {
	if p.Namespace != r.Namespace || r.APIGroup != "" {
		return false
	}
	mirror := strings.HasPrefix(p.Owner, "node/") // a kubelet made it, and it leads to nothing but itself
	switch r.Resource {
	case "pods":
		return p.Name == r.Name
	case "serviceaccounts":
		return !mirror && ServiceAccountName(&p.PodSpec) == r.Name
	case "secrets":
		return !mirror && refers(p, "secret", r.Name)
	case "configmaps":
		return !mirror && refers(p, "configmap", r.Name)
	}
	return false
}

// refers says whether a pod refers to a Secret or ConfigMap in a way that snapshots keep.
func refers(p *model.Pod, kind, n string) bool {
	for _, v := range p.Volumes {
		if kind == "secret" && v.Secret == n {
			return true
		}
	}
	for _, c := range p.Containers {
		if slices.ContainsFunc(c.Env, func(e model.EnvVar) bool { return strings.HasPrefix(e.From, kind+"/"+n+"/") }) ||
			slices.Contains(c.EnvFrom, model.EnvFrom(kind+"/"+n)) {
			return true
		}
	}
	return false
}

// ofPods looks through the pods of the node: one that surely leads to the object allows, one that may leaves it open.
func (k kubelet) ofPods(r rbac.Request, maybe func(*model.Pod) bool) opinion {
	if k.node == "" {
		return opinion{verdict: Unknown}
	}
	o := opinion{verdict: Denied}
	for _, p := range k.c.podsOn()[k.node] {
		switch {
		case leads(p, &r):
			return opinion{verdict: Allowed, chain: []finding.Evidence{
				fact(p, "spec.nodeName", "runs on %s", k.node), {Text: "allows it to the kubelet of a node whose pods refer to the object", Source: "Node authorizer"},
			}}
		case maybe(p) && !strings.HasPrefix(p.Owner, "node/"):
			o = opinion{verdict: Unknown, open: []string{"whether a pod on node " + k.node + " refers to " + r.Resource + " " + qualified(r.Namespace, r.Name) + " in a way that snapshots do not keep"}}
		}
	}
	if o.verdict == Denied && !k.c.Complete(model.AreaPods) {
		return opinion{verdict: Unknown, open: []string{"the pods on node " + k.node + ", which were not all read"}}
	}
	return o
}

// newPodsOn files pods by node.
func (c *Cluster) newPodsOn() map[string][]*model.Pod {
	on := map[string][]*model.Pod{}
	for _, p := range c.Pods {
		if p.NodeName != "" {
			on[p.NodeName] = append(on[p.NodeName], p)
		}
	}
	return on
}

func oneOf(s string, words ...string) bool { return slices.Contains(words, s) }

// nodeRules are the fixed rules for what is not limited to a node's own objects (Kubernetes v1.36.3, NodeRules of
// plugin/pkg/auth/authorizer/rbac/bootstrappolicy); those for nodes and pods count before 1.32.
var nodeRules = []rbacv1.PolicyRule{
	nodeRule("authentication.k8s.io", "tokenreviews", "create"),
	nodeRule("authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews", "create"),
	nodeRule("", "services", "get list watch"),
	nodeRule("", "nodes", "create get list watch update patch"),
	nodeRule("", "nodes/status", "update patch"),
	nodeRule("", "events", "create update patch"),
	nodeRule("events.k8s.io", "events", "create update patch"),
	nodeRule("", "pods", "get list watch create delete"),
	nodeRule("", "pods/status", "update patch"),
	nodeRule("", "pods/eviction", "create"),
	nodeRule("", "endpoints", "get"),
	nodeRule("certificates.k8s.io", "certificatesigningrequests", "create get list watch"),
	nodeRule("storage.k8s.io", "csidrivers", "get list watch"),
	nodeRule("node.k8s.io", "runtimeclasses", "get list watch"),
}

func nodeRule(group, resources, verbs string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: strings.Fields(resources), Verbs: strings.Fields(verbs)}
}
