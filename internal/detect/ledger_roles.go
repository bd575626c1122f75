package detect

import (
	"slices"
	"strings"

	"drawbridge/internal/event"
)

// roleFacts are who uses an IAM role: by the role's ARN without path.
type roleFacts struct {
	// By and Asker are who assumed it first that is no service of AWS for what it runs.
	By    Fact
	Asker string
	// Clusters are the names of those whose nodes have it.
	Clusters []string
}

// noteRole takes who assumes a role. EC2 does it for its instances, and other services of AWS for what they run; whoever else
// does is no node.
func (g *Ledger) noteRole(l *look) {
	role := l.first(pathRoleARN)
	a := l.actor()
	if role == "" || !succeeded(l.Event) || a.Service != "" && a.Service != "pods.eks.amazonaws.com" {
		return
	}
	f := g.Roles.at(strings.ToLower(bare(role)), g.Limit)
	if now := l.fact(); f.Asker == "" || now.before(f.By) {
		f.By, f.Asker = now, actorText(a)
	}
}

// noteNodeRole takes the role of an instance that asks EKS Auth for the credentials of its pods.
func (g *Ledger) noteNodeRole(l *look) {
	a := l.actor()
	if a.Instance == "" || !l.delivered() || !l.Field(event.EventName).Is(podIdentityCall) || !succeeded(l.Event) {
		return
	}
	f := g.Roles.at(strings.Clone(strings.ToLower(bare(a.Principal))), g.Limit)
	f.Clusters = put(f.Clusters, l.Cluster().Name, 64)
}

// nodeRole says whether the role of an access entry is a node's: "yes", or "no" with what tells; empty where nothing does.
// That somebody else assumes the role goes before nodes that were seen with it: whoever assumes a role may call the session
// like an instance.
func (l *look) nodeRole() (answer, why string) {
	entry := l.first(pathEntryPrincipal)
	if entry == "" {
		return "", ""
	}
	if c := l.snapshotCluster(); c != nil {
		for arn := range c.NodeRoles() {
			if strings.EqualFold(bare(arn), bare(entry)) {
				return "yes", ""
			}
		}
	}
	if strings.EqualFold(bare(l.actor().Principal), bare(entry)) {
		return "no", "it is the caller's own"
	}
	f := l.ledger.Roles.get(strings.ToLower(bare(entry)))
	if f != nil && f.Asker != "" {
		return "no", f.Asker + " assumed it at " + stamp(f.By.At)
	}
	if is, _ := l.seenOnNodes(entry); is || f != nil && slices.Contains(f.Clusters, l.Cluster().Name) {
		return "yes", ""
	}
	return "", ""
}
