package detect

import (
	"cmp"
	"strings"
	"time"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
)

// podFacts are what audit events told of one pod.
type podFacts struct {
	Cluster, Namespace, Name, UID, ServiceAccount string
	// Node is where it was scheduled.
	Node    string
	Created Fact
	// Creator made it, in words: for a pod of a controller the controller, not who made the workload.
	Creator string
	Deleted Fact
	// Specified says that the log had the pod's specification; Via and Role are then what it was given of AWS: see credentials.
	Specified bool
	Via, Role string
	// Gone is when it was or will be gone: a pod that is deleted has its grace period yet.
	Gone time.Time
}

// podNames are the pods that had one name, one after the other: those of a StatefulSet have it again and again.
type podNames struct{ Pods []podName }

// podName is a pod that was met under a name.
type podName struct {
	Fact
	UID string
}

var (
	pathPodUID          = event.ParsePath(event.Kubernetes, "responseObject.metadata.uid")
	pathPodSA           = event.ParsePath(event.Kubernetes, "responseObject.spec.serviceAccountName")
	pathEphemeralImages = event.ParsePath(event.Kubernetes, "requestObject.spec.ephemeralContainers.image")
	pathEphemeralNow    = event.ParsePath(event.Kubernetes, "responseObject.spec.ephemeralContainers.image")
	pathBindingNode     = event.ParsePath(event.Kubernetes, "requestObject.target.name")
	pathStatusUID       = event.ParsePath(event.Kubernetes, "responseObject.details.uid")
	pathPodGone         = event.ParsePath(event.Kubernetes, "responseObject.metadata.deletionTimestamp")
	pathBindingUID      = event.ParsePath(event.Kubernetes, "requestObject.metadata.uid")
)

// notePod takes pods made, scheduled and deleted.
func (g *Ledger) notePod(l *look) {
	if !l.Field(event.Resource).Is("pods") || !succeeded(l.Event) {
		return
	}
	sub := l.Field(event.Subresource).String()
	switch verb := l.Field(event.Verb).String(); {
	case sub == "" && l.creates():
		o := l.Field(event.ResponseObject)
		meta, spec := o.Find("metadata").First(), o.Find("spec").First()
		if p := g.podOfRequest(l, strings.Clone(meta.Find("name").First().String()), strings.Clone(meta.Find("uid").First().String())); p != nil {
			p.ServiceAccount = strings.Clone(spec.Find("serviceAccountName").First().String())
			p.Node = cmp.Or(strings.Clone(spec.Find("nodeName").First().String()), p.Node)
			p.Created, p.Creator = l.fact(), actorText(l.actor())
			p.Specified = true
			p.Role, p.Via = credentials(o)
		}
	case verb == "create" && sub == "binding":
		if p := g.podOfRequest(l, l.text(event.ObjectName), l.first(pathBindingUID)); p != nil {
			p.Node = l.first(pathBindingNode)
		}
	case verb == "delete" && sub == "":
		uid := cmp.Or(l.first(pathPodUID), l.first(pathStatusUID))
		if p := g.podOfRequest(l, l.text(event.ObjectName), uid); p != nil {
			at := l.fact()
			if p.Deleted.ID == "" || at.before(p.Deleted) {
				p.Deleted = at
			}
			gone := at.At
			if t, err := time.Parse(time.RFC3339, l.first(pathPodGone)); err == nil && t.After(gone) {
				gone = t
			}
			if gone.After(p.Gone) {
				p.Gone = gone
			}
		}
	}
}

// podOfRequest is the facts of the pod that a request is about, made if there are none; nil where the log does not tell its
// uid.
func (g *Ledger) podOfRequest(l *look, name, uid string) *podFacts {
	if uid == "" || name == "" || l.dryRun() {
		return nil
	}
	cluster, namespace := clusterOf(l.Event), l.text(event.Namespace)
	p := g.Pods.at(uid, g.Limit)
	p.Cluster, p.Namespace, p.Name, p.UID = cluster, namespace, name, uid
	n := g.PodNames.at(podKey(cluster, namespace, name), g.Limit)
	n.Pods = note(n.Pods, podName{l.fact(), uid}, func(p *podName) Fact { return p.Fact })
	return p
}

// podKey is the key of a pod's name. Audit logs may know their cluster by its name only, so the name it is.
func podKey(cluster, namespace, name string) string {
	return key(event.ParseCluster(cluster).Name, namespace, name)
}

// podNamed is the pod that had a name at a time: the one met last before it, else the first met after; nil if no event told
// of any.
func (g *Ledger) podNamed(cluster, namespace, name string, at time.Time) *podFacts {
	n := g.PodNames.get(podKey(cluster, namespace, name))
	if n == nil {
		return nil
	}
	var found *podFacts
	for _, m := range n.Pods {
		p := g.podOf(m.UID)
		if p == nil || !oneCluster(event.ParseCluster(p.Cluster), event.ParseCluster(cluster)) {
			continue
		}
		if found != nil && m.At.After(at) {
			break
		}
		found = p
	}
	return found
}

// podOf is a pod by uid, and nil if no event told of it.
func (g *Ledger) podOf(uid string) *podFacts {
	if uid == "" {
		return nil
	}
	return g.Pods.get(uid)
}

// gone says when the pod was gone; false while no event says so.
func (p *podFacts) gone() (time.Time, bool) { return p.Gone, !p.Gone.IsZero() }

// podFields are about the pod that an event of the API server is about.
var podFields = []enrichment{
	{
		Name: "drawbridge.pod.service_account", Text: "service account of the pod that the request is about: namespace/name", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			namespace, sa := l.podServiceAccount()
			if sa == "" {
				return nil
			}
			return some(namespace + "/" + sa)
		},
	},
	{
		Name: "drawbridge.pod.aws_role", Text: "ARN of the IAM role that the pod holds, by Pod Identity or IRSA", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			roles, _, _ := l.awsRoles()
			return roles
		},
	},
	{
		Name: "drawbridge.pod.aws", Text: "whether the pod holds AWS credentials of its own: `yes`, `no`, `unknown`", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string { return some(l.bears()) },
	},
	{
		Name: "drawbridge.pod.aws_identity", Text: "the AWS identity that the pod holds, in words: the role, or by what it gets one", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			roles, via, _ := l.awsRoles()
			switch {
			case len(roles) > 0:
				return some("role " + strings.Join(roles, ", "))
			case via != "":
				return some("an AWS role through " + via)
			}
			return nil
		},
	},
	{
		Name: "drawbridge.pod.ephemeral_image", Text: "images of the ephemeral containers that the request names", Planes: onKubernetes,
		Of: func(l *look) []string {
			if images := l.texts(pathEphemeralImages); len(images) > 0 {
				return images
			}
			return l.texts(pathEphemeralNow)
		},
	},
	{
		Name: "drawbridge.exec.command", Text: "the command that an exec runs, as the request's URL has it", Planes: onKubernetes,
		Of: func(l *look) []string { return l.command() },
	},
	{
		Name: "drawbridge.exec.for_credentials", Text: "whether the command names a place of credentials: a metadata endpoint, a token's file, a variable", Planes: onKubernetes,
		Of: func(l *look) []string { return yes(reachesForCredentials(l.command())) },
	},
}

// pod is the pod that an event is about, as other events told of it; nil if none did.
func (l *look) pod() *podFacts {
	if !l.Field(event.Resource).Is("pods") {
		return nil
	}
	return l.ledger.podNamed(clusterOf(l.Event), l.text(event.Namespace), l.name(), l.Time())
}

// podServiceAccount is the service account of the pod that an event is about.
func (l *look) podServiceAccount() (namespace, name string) {
	if !l.Field(event.Resource).Is("pods") {
		return "", ""
	}
	namespace = l.Field(event.Namespace).String()
	pod := l.Field(event.ObjectName).String()
	if sa := l.first(pathPodSA); sa != "" {
		return namespace, sa
	}
	if p := l.pod(); p != nil && p.ServiceAccount != "" {
		return namespace, p.ServiceAccount
	}
	if p := l.snapshotPod(namespace, pod); p != nil {
		return namespace, access.ServiceAccountName(&p.PodSpec)
	}
	return namespace, ""
}
