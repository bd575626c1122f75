package detect

import (
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
}

var (
	pathPodUID      = event.ParsePath(event.Kubernetes, "responseObject.metadata.uid")
	pathPodName     = event.ParsePath(event.Kubernetes, "responseObject.metadata.name")
	pathPodSA       = event.ParsePath(event.Kubernetes, "responseObject.spec.serviceAccountName")
	pathPodNode     = event.ParsePath(event.Kubernetes, "responseObject.spec.nodeName")
	pathBindingNode = event.ParsePath(event.Kubernetes, "requestObject.target.name")
	pathBindingUID  = event.ParsePath(event.Kubernetes, "requestObject.metadata.uid")
)

// podKey is the key of a pod by name: the newest pod of that name.
func podKey(cluster, namespace, name string) string { return key("name", cluster, namespace, name) }

// notePod takes pods made, scheduled and deleted.
func (g *Ledger) notePod(l *look) {
	if !l.Field(event.Resource).Is("pods") || !succeeded(l.Event) {
		return
	}
	cluster, namespace := clusterOf(l.Event), l.text(event.Namespace)
	sub := l.Field(event.Subresource).String()
	at := l.fact()
	switch verb := l.Field(event.Verb).String(); {
	case verb == "create" && sub == "":
		name, uid := l.first(pathPodName), l.first(pathPodUID)
		if name == "" {
			return
		}
		p := g.pod(cluster, namespace, name, uid)
		p.ServiceAccount = l.first(pathPodSA)
		p.Node = l.first(pathPodNode)
		p.Created, p.Creator = at, actorText(l.actor())
	case verb == "create" && sub == "binding":
		p := g.pod(cluster, namespace, l.text(event.ObjectName), l.first(pathBindingUID))
		p.Node = l.first(pathBindingNode)
	case verb == "delete" && sub == "":
		p := g.pod(cluster, namespace, l.text(event.ObjectName), l.first(pathPodUID))
		p.Deleted = at
	}
}

// pod is the facts of a pod: by uid, with its name pointing to it.
func (g *Ledger) pod(cluster, namespace, name, uid string) *podFacts {
	k := podKey(cluster, namespace, name)
	if uid == "" {
		if byName := g.Pods.get(k); byName != nil {
			uid = byName.UID
		}
	}
	p := g.Pods.at(k, g.Limit)
	if uid != "" {
		byUID := g.Pods.at(key("uid", uid), g.Limit)
		if p.UID != uid {
			*p = podFacts{UID: uid} // the name points to the newest
		}
		p = byUID
		p.UID = uid
	}
	p.Cluster, p.Namespace, p.Name = cluster, namespace, name
	return p
}

// podNamed is the newest pod of a name, and nil if no event told of it.
func (g *Ledger) podNamed(cluster, namespace, name string) *podFacts {
	p := g.Pods.get(podKey(cluster, namespace, name))
	if p != nil && p.UID != "" {
		if byUID := g.Pods.get(key("uid", p.UID)); byUID != nil {
			return byUID
		}
	}
	return p
}

// podOf is a pod by uid, and nil if no event told of it.
func (g *Ledger) podOf(uid string) *podFacts {
	if uid == "" {
		return nil
	}
	return g.Pods.get(key("uid", uid))
}

// gone says when the pod was deleted; false while no event says so.
func (p *podFacts) gone() (time.Time, bool) { return p.Deleted.At, !p.Deleted.At.IsZero() }

// noteKubernetesSession takes the nodes that the API server meets.
func (g *Ledger) noteKubernetesSession(l *look) {
	if name, ok := strings.CutPrefix(l.Field(event.Username).String(), "system:node:"); ok {
		g.noteNodeAt(clusterOf(l.Event), name, l)
	}
}

// podFields are about the pod that an event of the API server is about.
var podFields = []enrichment{
	{Name: "drawbridge.pod.service_account", Text: "service account of the pod that the request is about: namespace/name", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			namespace, sa := l.podServiceAccount()
			if sa == "" {
				return nil
			}
			return some(namespace + "/" + sa)
		}},
	{Name: "drawbridge.pod.aws_role", Text: "ARN of the IAM role that the pod holds, by Pod Identity or IRSA", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			namespace, sa := l.podServiceAccount()
			return l.rolesOf(clusterOf(l.Event), namespace, sa)
		}},
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
	if p := l.ledger.podNamed(clusterOf(l.Event), namespace, pod); p != nil && p.ServiceAccount != "" {
		return namespace, p.ServiceAccount
	}
	if p := l.snapshotPod(namespace, pod); p != nil {
		return namespace, access.ServiceAccountName(&p.PodSpec)
	}
	return namespace, ""
}
