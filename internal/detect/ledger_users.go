package detect

import (
	"hash/maphash"
	"slices"
	"strings"

	"drawbridge/internal/event"
)

// user is where the ledger keeps what requests of one user to one API server tell. It is looked up once: a user makes many, and
// says the same of itself in all of them.
type user struct {
	cluster event.Cluster
	audit   *auditFacts
	session *sessionFacts // nil of those that are no IAM principal, and of nodes
	met     *metFacts     // nil without an access key
	on      int           // the cluster's place there
	token   *tokenUse     // nil without the token of a service account
	kubelet *kubeletFacts // nil of all but nodes
	// shut are the gates that do not open for the user, whatever it does, once judged.
	shut   uint64
	judged bool
}

// users are those that were looked up, by their objects; bounded. They are no part of the state.
type users struct {
	seed maphash.Seed
	by   map[uint64]*user
	// forgotten is how many facts were given up for want of room until then: all are to be looked up again.
	forgotten int
}

const usersKnown = 1 << 14

// userOf is the user of a request, looked up if need be.
func (g *Ledger) userOf(l *look) *user {
	forgotten := g.Audits.Forgotten + g.Sessions.Forgotten + g.Objects.Met.Forgotten + g.TokenUses.Forgotten + g.Kubelets.Forgotten +
		g.Nodes.Forgotten + g.Instances.Forgotten + g.NodeNames.Forgotten + g.Addresses.Forgotten + g.Places.Forgotten
	if g.users.by == nil || g.users.forgotten != forgotten || len(g.users.by) == usersKnown {
		g.users = users{maphash.MakeSeed(), map[uint64]*user{}, forgotten}
	}
	id, c := maphash.Bytes(g.users.seed, l.Field(event.User).Raw()), l.Cluster()
	u := g.users.by[id]
	if u == nil || u.cluster != c {
		u = g.lookUp(l, c)
		g.users.by[id] = u
	}
	return u
}

func (g *Ledger) lookUp(l *look, c event.Cluster) *user {
	u := &user{cluster: cloneCluster(c)}
	if u.audit = g.Audits.get(c.Name); u.audit == nil {
		u.audit = g.Audits.at(u.cluster.Name, g.Limit)
	}
	u.token = g.tokenUse(l)
	if name, node := strings.CutPrefix(l.Field(event.Username).String(), nodeUser); node {
		u.kubelet = g.kubelets(l)
		g.noteNode(l, name)
	} else if p := l.Find(pathCanonicalARN).First(); l.Field(event.CanonicalARNs).Kind() == event.List && p.Kind() == event.String {
		u.session = g.Sessions.at(memberKey(c, p.String()), g.Limit)
	}
	if l.Field(event.AccessKeyIDs).Kind() != event.List {
		return u
	}
	k := l.Find(pathAuditKey).First().String()
	if k == "" {
		return u
	}
	if u.met = g.Objects.Met.get(k); u.met == nil {
		u.met = g.Objects.Met.at(strings.Clone(k), g.Limit)
	}
	u.on = slices.IndexFunc(u.met.Clusters, func(s metOn) bool { return s.Cluster == c })
	if u.on < 0 && len(u.met.Clusters) < clustersMet {
		u.on = len(u.met.Clusters)
		u.met.Clusters = append(u.met.Clusters, metOn{u.cluster, l.fact()})
	}
	return u
}

// noteRequest takes who makes a request to an API server, and when.
func (g *Ledger) noteRequest(l *look) {
	u := g.userOf(l)
	l.user = u
	if at := l.Time(); !at.IsZero() {
		u.audit.note(u.cluster, at)
		if u.session != nil {
			u.session.note(u.cluster, l)
		}
	}
	if u.token != nil {
		u.token.note(l)
	}
	if u.kubelet != nil {
		u.kubelet.note(l)
	}
	if l.met = u.met; u.met != nil && u.on >= 0 && l.now().before(u.met.Clusters[u.on].First) {
		u.met.Clusters[u.on].First = l.fact()
	}
}
