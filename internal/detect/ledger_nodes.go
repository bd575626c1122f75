package detect

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/access"
	"drawbridge/internal/event"
)

// nodeFacts are the IAM principals by which the nodes of one cluster joined it: what the API server saw, and not who asks
// EKS Auth, which anybody may do whose policies allow it.
type nodeFacts struct{ Principals []string }

// instanceFacts are what is known of one EC2 instance.
type instanceFacts struct {
	// Clusters are those whose node it is, by ARN or name.
	Clusters []string
	// Account is its account, Addresses are where its session called from.
	Account   string
	Addresses []string
}

// nodeNameFacts are the instance of one node, by cluster and node name.
type nodeNameFacts struct{ Instance string }

// callFacts are who asked EKS Auth for the credentials of a pod of one cluster in one second.
type callFacts struct{ Callers []caller }

type caller struct{ Instance, Who, ID string }

const (
	principalsKept = 256
	addressesKept  = 16
	callersKept    = 64
)

func put(list []string, s string, most int) []string {
	if s == "" || len(list) >= most || slices.Contains(list, s) {
		return list
	}
	return append(list, strings.Clone(s))
}

// instanceOf is the EC2 instance whose session made a request of CloudTrail, without looking at all of the actor.
func instanceOf(e *event.Event) string {
	arn := e.Field(event.UserARN).String()
	if session := arn[strings.LastIndexByte(arn, '/')+1:]; strings.HasPrefix(session, "i-") && strings.Contains(arn, ":assumed-role/") {
		return session
	}
	return ""
}

// noteInstance takes from where an instance's session calls.
func (g *Ledger) noteInstance(l *look) {
	id := instanceOf(l.Event)
	if id == "" {
		return
	}
	f := g.instance(id)
	address := l.Field(event.SourceIP).String()
	if slices.Contains(f.Addresses, address) {
		return
	}
	if _, ok := l.address(); !ok {
		return
	}
	if f.Account == "" {
		f.Account = l.text(event.AccountID)
	}
	f.Addresses = put(f.Addresses, address, addressesKept)
	if len(f.Clusters) > 0 {
		g.noteUser(strings.Clone(id), strings.Clone(address), f.places())
	}
}

func (g *Ledger) instance(id string) *instanceFacts {
	if f := g.Instances.get(id); f != nil {
		return f
	}
	return g.Instances.at(strings.Clone(id), g.Limit)
}

// cluster is the cluster of the instance, by its ARN if that is known.
func (f *instanceFacts) cluster() string {
	return slices.MinFunc(f.Clusters, func(a, b string) int {
		return cmp.Or(-cmp.Compare(strings.Count(a, ":"), strings.Count(b, ":")), cmp.Compare(a, b))
	})
}

func (f *instanceFacts) places() []string {
	return append(slices.Clone(f.Clusters), placeOfAccount(f.Account))
}

// noteNodeOf takes that an instance is a node of a cluster.
func (g *Ledger) noteNodeOf(cluster, id string) {
	f := g.instance(id)
	if cluster == "" || slices.Contains(f.Clusters, cluster) {
		return
	}
	f.Clusters = put(f.Clusters, cluster, 8)
	for _, a := range f.Addresses {
		g.noteUser(strings.Clone(id), a, f.places())
	}
}

// noteCall takes who asks EKS Auth for a pod's credentials: the agent of a node, with the session of the node's role on the
// instance (EKS User Guide, "Understand how EKS Pod Identity works", 2026-11; CloudTrail records of it).
func (g *Ledger) noteCall(l *look) {
	if !l.Field(event.EventName).Is(podIdentityCall) || !succeeded(l.Event) {
		return
	}
	a := l.actor()
	cluster := clusterOf(l.Event)
	if l.delivered() && a.Instance != "" {
		g.noteNodeOf(cluster, a.Instance)
	}
	f := g.Calls.at(callKey(cluster, l.Time()), g.Limit)
	c := caller{strings.Clone(a.Instance), actorText(a), l.fact().ID}
	if len(f.Callers) < callersKept && !slices.Contains(f.Callers, c) {
		f.Callers = append(f.Callers, c)
	}
}

const podIdentityCall = "AssumeRoleForPodIdentity"

func callKey(cluster string, at time.Time) string {
	return key(cluster, at.UTC().Truncate(time.Second).Format(time.RFC3339))
}

// callers are who asked EKS Auth for credentials of pods of a cluster about a time.
func (g *Ledger) callers(cluster string, at time.Time) []caller {
	const about = 2 * time.Second
	var out []caller
	for t := at.Add(-about); !t.After(at.Add(about)); t = t.Add(time.Second) {
		if f := g.Calls.get(callKey(cluster, t)); f != nil {
			out = append(out, f.Callers...)
		}
	}
	return out
}

// delivered says that EC2 itself handed out the credentials of a session, on the instance: nobody can write that into a
// session of their own, unlike the session's name.
func (l *look) delivered() bool {
	return l.Field(event.SessionContext).Find("ec2RoleDelivery").First().Kind() != event.Absent
}

// noteNode takes a node that an API server meets, by its name. The role's session on an instance has the instance's id.
func (g *Ledger) noteNode(l *look, name string) {
	cluster := clusterOf(l.Event)
	a := l.actor()
	f := g.Nodes.get(cluster)
	if f == nil {
		f = g.Nodes.at(cluster, g.Limit)
	}
	f.Principals = put(f.Principals, bare(a.Principal), principalsKept)
	if a.Instance == "" {
		return
	}
	g.noteNodeOf(cluster, a.Instance)
	k := key(event.ParseCluster(cluster).Name, name)
	n := g.NodeNames.get(k)
	if n == nil {
		n = g.NodeNames.at(k, g.Limit)
	}
	if n.Instance < a.Instance { // a name that two had: the choice is the same in every order
		n.Instance = strings.Clone(a.Instance)
	}
}

// instanceNamed is the instance of a node of a cluster, by its name in Kubernetes; "" where nobody says so.
func (l *look) instanceNamed(cluster, node string) string {
	if f := l.ledger.NodeNames.get(key(event.ParseCluster(cluster).Name, node)); f != nil {
		return f.Instance
	}
	if c := l.snapshotOf(cluster); c != nil {
		for _, n := range c.Nodes {
			if n.Name == node {
				return n.InstanceID()
			}
		}
	}
	return ""
}

// snapshotOf is the cluster of the snapshot with an ARN, or a name that only one has.
func (l *look) snapshotOf(cluster string) *access.Cluster {
	if l.ctx.Access == nil || cluster == "" {
		return nil
	}
	var found *access.Cluster
	for _, c := range l.ctx.Access.Clusters() {
		switch {
		case c.ARN == cluster:
			return c
		case c.Name == cluster && found != nil:
			return nil
		case c.Name == cluster:
			found = c
		}
	}
	return found
}

// The callers of EKS Auth by what their session shows.
const (
	callerInstance   = "instance"
	callerHybrid     = "hybrid node"
	callerLikeNode   = "named like an instance"
	callerLikeHybrid = "named like a hybrid node"
	callerOther      = "no node"
)

// callerKind is what the session that asks EKS Auth shows of it. Session names are chosen by who takes a role, so a name alone
// is no proof; that EC2 delivered the credentials is, and that the role is one of hybrid nodes.
func callerKind(l *look) []string {
	if !l.Field(event.EventSource).Is("eks-auth.amazonaws.com") {
		return nil
	}
	a := l.actor()
	switch {
	case a.Instance != "" && l.delivered():
		return []string{callerInstance}
	case a.Instance != "":
		return []string{callerLikeNode}
	case l.nodeType(a.Principal) == "HYBRID_LINUX":
		return []string{callerHybrid}
	case !l.final:
		return nil // an access entry that makes it a hybrid node may yet come
	case strings.HasPrefix(a.Session, "mi-"):
		return []string{callerLikeHybrid}
	}
	return []string{callerOther}
}

// nodeType is the type of a principal's access entry, as events before or the snapshot tell: EC2_LINUX, HYBRID_LINUX and so on
// are for nodes.
func (l *look) nodeType(principal string) string {
	cluster := clusterOf(l.Event)
	for _, c := range slices.Backward(l.changesOf(principal)) {
		if c.Action == "CreateAccessEntry" && !c.At.After(l.Time()) {
			return cmp.Or(c.Type, "STANDARD")
		}
	}
	if c := l.snapshotOf(cluster); c != nil {
		if e := c.AccessEntry(principal); e != nil {
			return e.Type
		}
	}
	return ""
}

// ofNodes says whether a principal is one that nodes of the cluster use; it is not known where no node's principal is.
func (l *look) ofNodes(principal string) (is, known bool) {
	if slices.Contains([]string{"EC2_LINUX", "EC2_WINDOWS", "HYBRID_LINUX", "EC2"}, l.nodeType(principal)) {
		return true, true
	}
	return l.seenOnNodes(principal)
}

// seenOnNodes is ofNodes by the nodes themselves, whatever an access entry says.
func (l *look) seenOnNodes(principal string) (is, known bool) {
	cluster := clusterOf(l.Event)
	want := bare(principal)
	same := func(p string) bool { return strings.EqualFold(bare(p), want) }
	for _, name := range []string{cluster, event.ParseCluster(cluster).Name} {
		if f := l.ledger.Nodes.get(name); f != nil && len(f.Principals) > 0 {
			known = true
			if slices.ContainsFunc(f.Principals, same) {
				return true, true
			}
		}
	}
	if c := l.snapshotOf(cluster); c != nil {
		for role := range c.NodeRoles() {
			known = true
			if same(role) {
				return true, true
			}
		}
	}
	return false, known
}

// nodeFields are about nodes: who asks EKS Auth, and whose credentials are used.
var nodeFields = []enrichment{
	{
		Name: "drawbridge.caller.kind", Text: "who asks EKS Auth for a pod's credentials: `instance`, `hybrid node`, `named like an instance`, `named like a hybrid node`, `no node`",
		Planes: onCloudTrail, Ledger: true, Snapshot: true, Of: callerKind,
	},
	{
		Name: "drawbridge.caller.of_nodes", Text: "whether nodes of the cluster use the caller's IAM principal, as the audit log, access entries and the snapshot tell; absent where none is known",
		Planes: onCloudTrail, Ledger: true, Snapshot: true, Of: func(l *look) []string {
			is, known := l.ofNodes(l.actor().Principal)
			if !known || !is && !l.final {
				return nil
			}
			return yes(is)
		},
	},
	{
		Name: "drawbridge.instance.cluster", Text: "the cluster whose node the EC2 instance is that acts", Planes: onCloudTrail, Ledger: true,
		Of: func(l *look) []string {
			if f := l.ledger.Instances.get(instanceOf(l.Event)); f != nil && len(f.Clusters) > 0 {
				return some(f.cluster())
			}
			return nil
		},
	},
	{
		Name: "drawbridge.instance.strange_address", Text: "whether the instance, which was seen elsewhere, calls from an address that nobody else of its cluster used; absent until nothing more can tell",
		Planes: onCloudTrail, Ledger: true, Of: func(l *look) []string {
			id := instanceOf(l.Event)
			f := l.ledger.Instances.get(id)
			address := l.Field(event.SourceIP).String()
			if f == nil || !l.final || len(f.Clusters) == 0 || !slices.ContainsFunc(f.Addresses, func(a string) bool { return a != address }) {
				return nil
			}
			if alone, known := l.ledger.alone(id, address, f.Clusters); known {
				return yes(alone)
			}
			return nil
		},
	},
}
