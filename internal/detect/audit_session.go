package detect

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"drawbridge/internal/event"
	"drawbridge/internal/model"
)

// metFacts are the clusters whose API servers met an access key, and when first.
type metFacts struct{ Clusters []metOn }

type metOn struct {
	Cluster event.Cluster
	First   Fact
}

var pathAuditKey = event.ParsePath(event.Kubernetes, "user.extra.accessKeyId")

// clustersMet is on how many clusters one access key is known.
const clustersMet = 64

// firstOfSession says whether the event is the first of its access key on its cluster, as far as is known.
func (l *look) firstOfSession() bool {
	f := l.met
	if f == nil {
		f = l.ledger.Objects.Met.get(l.Find(pathAuditKey).First().String())
	}
	if f == nil {
		return false
	}
	c := l.Cluster()
	for i := range f.Clusters {
		if s := &f.Clusters[i]; s.Cluster == c {
			return s.First == l.now()
		}
	}
	return false
}

// workloadBehind is the key of a workload that the actor's access key goes back to, through roles that it was assumed with.
func (l *look) workloadBehind() *issue {
	k := l.actor().AccessKey
	for range 5 {
		f := l.ledger.Keys.get(k)
		if k == "" || f == nil || f.Issue == nil {
			return nil
		}
		if f.workload() {
			return f.Issue
		}
		k = f.Issue.FromKey
	}
	return nil
}

// sessionIsInstance says that the session has the name of an instance: that of its own credentials (EC2 User Guide, "Retrieve
// security credentials from instance metadata", 2026-11). Whoever assumes a role himself can choose such a name.
func sessionIsInstance(session string) bool {
	id, ok := strings.CutPrefix(session, "i-")
	return ok && (len(id) == 8 || len(id) == 17) && strings.Trim(id, "0123456789abcdef") == ""
}

// nodeElsewhere is the address in a node's name, where a request in its name comes from another private address. Names of
// EC2 instances are made of their address (EC2 User Guide, "EC2 instance hostnames and domains", 2026-11). All addresses of a
// request but the last can be set by its client (k8s.io/apiserver v0.36.3, pkg/apis/audit, Event.SourceIPs).
func (l *look) nodeElsewhere() (at string, ok bool) {
	name, isNode := strings.CutPrefix(l.Field(event.Username).String(), "system:node:ip-")
	if !isNode {
		return "", false
	}
	host, _, _ := strings.Cut(name, ".")
	if isAddress(lastSource(l.Event), host) {
		return "", false
	}
	own, err := netip.ParseAddr(strings.ReplaceAll(host, "-", "."))
	if err != nil || !own.Is4() {
		return "", false
	}
	source, err := netip.ParseAddr(lastSource(l.Event)) // those before it the caller chose, by X-Forwarded-For
	if err != nil || !source.IsPrivate() || source.Unmap() == own {
		return "", false
	}
	return own.String(), true
}

// isAddress says whether an address is the one that a name of a node has dashes in the place of dots.
func isAddress(address, name string) bool {
	if len(address) != len(name) {
		return false
	}
	for i := range len(name) {
		if a := address[i]; a != name[i] && (a != '.' || name[i] != '-') {
			return false
		}
	}
	return true
}

// lastSource is the address from which the API server got the request.
func lastSource(e *event.Event) string {
	last := e.Find(pathSourceIPs).First()
	if len(last.Raw())+len(`[]`) == len(e.Field(event.SourceIPs).Raw()) { // the only one, as mostly
		return last.String()
	}
	e.Find(pathSourceIPs).Each(func(v event.Value) bool {
		last = v
		return true
	})
	return last.String()
}

// credentialFields are about the AWS credentials with which a request to the API server was authenticated.
var credentialFields = []enrichment{
	{
		Name: "drawbridge.session.first", Text: "whether the request is the first of its access key on the cluster", Planes: onKubernetes, Ledger: true, Early: true,
		Of: func(l *look) []string { return yes(l.firstOfSession()) },
	},
	{
		Name: "drawbridge.session.workload", Text: "the pod or service account that the request's access key was issued to, also through roles assumed with it", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string {
			if is := l.workloadBehind(); is != nil {
				return some(is.holder())
			}
			return nil
		},
	},
	{
		Name: "drawbridge.session.workload_cluster", Text: "the cluster of that pod", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string {
			if is := l.workloadBehind(); is != nil {
				return some(l.clusterOfIssue(is))
			}
			return nil
		},
	},
	{
		Name: "drawbridge.session.own_cluster", Text: "whether that pod is one of this cluster", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string {
			is := l.workloadBehind()
			if is == nil {
				return nil
			}
			of := l.clusterOfIssue(is)
			if of == "" {
				return nil
			}
			return yes(oneCluster(event.ParseCluster(of), l.Cluster()))
		},
	},
	{
		Name: "drawbridge.session.node", Text: "the instance whose credentials the request has, where its role is one of nodes and the request does not come as a node", Planes: onKubernetes, Ledger: true, Snapshot: true,
		Of: func(l *look) []string {
			a := l.actor()
			if strings.HasPrefix(a.Username, "system:node:") || !sessionIsInstance(a.Session) {
				return nil
			}
			if is, _ := l.ofNodes(a.Principal); !is {
				return nil
			}
			return some(a.Session)
		},
	},
	{
		Name: "drawbridge.session.node_address", Text: "the address that a node's name tells, where the request comes from another private one", Planes: onKubernetes, Cheap: true,
		Of: func(l *look) []string {
			if at, ok := l.nodeElsewhere(); ok {
				return some(at)
			}
			return nil
		},
	},
}

// policyFacts are the first uses of access policies that go as far as the cluster, by one principal on clusters of one name.
type policyFacts struct{ First []policyUse }

type policyUse struct {
	Fact
	Cluster event.Cluster
}

const byPolicy = "EKS Access Policy: allowed by "

// accessPolicy is the access policy by which a request was allowed, and whether in a namespace only. That stands in the
// annotation authorization.k8s.io/reason alone (observed 2024-08).
func (l *look) accessPolicy() (arn string, namespaced bool) {
	v := l.Field(event.Reason)
	if !strings.HasPrefix(v.Begin(len(byPolicy)), byPolicy) {
		return "", false
	}
	reason := v.String()[len(byPolicy):]
	binding, role, ok := strings.Cut(reason, ` of ClusterRole "`)
	if !ok {
		return "", false
	}
	if arn, _, _ = strings.Cut(role, `"`); !strings.HasPrefix(arn, "arn:") { // the binding's name has it too: PRINCIPAL+POLICY
		if i := strings.LastIndex(binding, "+arn:"); i >= 0 {
			arn = strings.TrimSuffix(binding[i+1:], `"`)
		}
	}
	return arn, strings.HasPrefix(reason, "RoleBinding")
}

// policyReach is how far the access policy goes that allowed the request.
func (l *look) policyReach() reach {
	arn, namespaced := l.accessPolicy()
	if arn == "" || l.ctx == nil {
		return reachNone
	}
	return l.ctx.policyReach(arn, namespaced)
}

// policyReach is how far an access policy goes, in a namespace that is nobody's or in the cluster.
func (c *Context) policyReach(arn string, namespaced bool) reach {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := arn
	if namespaced {
		k += " in a namespace"
	}
	if r, ok := c.reaches[k]; ok {
		return r
	}
	e := entryChange{Policy: strings.Clone(arn)}
	if namespaced {
		e.Scope, e.Namespaces = model.ScopeNamespace, []string{"default"}
	}
	var p privilege
	p.ofPolicy(unread(), &e)
	if c.reaches == nil {
		c.reaches = map[string]reach{}
	}
	if len(c.reaches) < 1024 {
		c.reaches[strings.Clone(k)] = p.admin
	}
	return p.admin
}

// notePolicy takes the first use of an access policy that goes as far as the cluster by a principal.
func (g *objects) notePolicy(l *look, limit int) {
	if l.policyReach() < reachCluster {
		return
	}
	u := policyUse{l.fact(), l.Cluster()}
	f := g.Policies.at(memberKey(u.Cluster, l.actor().Principal), limit)
	for i := range f.First {
		if o := &f.First[i]; o.Cluster == u.Cluster {
			if u.before(o.Fact) {
				o.Fact = u.Fact
			}
			return
		}
	}
	u.Cluster = cloneCluster(u.Cluster)
	if len(f.First) < 64 {
		f.First = append(f.First, u)
	}
}

// firstUse is when the principal first used a policy that goes as far as the cluster.
func (l *look) firstUse() (Fact, bool) {
	if f := l.ledger.Objects.Policies.get(memberKey(l.Cluster(), l.actor().Principal)); f != nil {
		c := l.Cluster()
		for i := range f.First {
			if f.First[i].Cluster == c {
				return f.First[i].Fact, true
			}
		}
	}
	return Fact{}, false
}

// grantedLately is the last change that gave the principal access, within a week before the request.
func (l *look) grantedLately() string {
	for _, c := range slices.Backward(l.changesOf(l.actor().Principal)) {
		if (c.Action == "CreateAccessEntry" || c.Action == "AssociateAccessPolicy") && !c.At.After(l.Time()) && l.Time().Sub(c.At) <= 7*24*time.Hour {
			return stamp(c.At) + " " + c.Action + " by " + c.By
		}
	}
	return ""
}

// policyFields are about access policies by which the API server allowed a request.
var policyFields = []enrichment{
	{
		Name: "drawbridge.policy", Text: "name of the access policy by which EKS allowed the request", Planes: onKubernetes,
		Of: func(l *look) []string {
			arn, _ := l.accessPolicy()
			if arn == "" {
				return nil
			}
			return some(policyName(arn))
		},
	},
	{
		Name: "drawbridge.policy.reach", Text: "how far that policy goes by the rules that AWS publishes: `everything`, `cluster`, `system namespace`, `namespace`; absent where it leads nowhere, or has no published rules", Planes: onKubernetes,
		Of: func(l *look) []string { return some(l.policyReach().String()) },
	},
	{
		Name: "drawbridge.policy.first_use", Text: "whether the request is the first of its principal that an access policy allows that goes as far as the cluster", Planes: onKubernetes, Ledger: true, Early: true,
		Of: func(l *look) []string {
			first, ok := l.firstUse()
			return yes(ok && first == l.now())
		},
	},
	{
		Name: "drawbridge.policy.granted", Text: "the last CreateAccessEntry or AssociateAccessPolicy for the principal in the week before, in words", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string { return some(l.grantedLately()) },
	},
	{
		Name: "drawbridge.policy.hours", Text: "for how many hours before the event the cluster's audit log is in the data, gaps included", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string {
			f := l.ledger.Audits.get(l.Cluster().Name)
			if f == nil {
				return nil
			}
			first := l.Time()
			for i := range f.Spans {
				if s := &f.Spans[i]; oneCluster(s.Cluster, l.Cluster()) && s.First.Before(first) {
					first = s.First
				}
			}
			return some(strconv.Itoa(int(l.Time().Sub(first) / time.Hour)))
		},
	},
}
