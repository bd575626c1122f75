package detect

import (
	"slices"
	"strings"
)

// addressFacts are who used one address: keys of pods, and nodes.
type addressFacts struct {
	// Users are keys and nodes, at most a few: more than one is enough to know the address.
	Users []string
}

// nodeFacts are the IAM principals of the nodes of one cluster.
type nodeFacts struct {
	Principals []string
	// Instances are the nodes seen, by instance id or node name.
	Instances []string
}

const usersKept = 8

// noteAddress takes from where keys of workloads and nodes come.
func (g *Ledger) noteAddress(l *look, f *keyFacts, address string) {
	if address == "" {
		return
	}
	user := ""
	switch a := l.actor(); {
	case f.workload():
		user = l.actor().AccessKey
	case a.Instance != "":
		user = a.Instance
	default:
		return
	}
	x := g.Addresses.at(strings.Clone(address), g.Limit)
	if len(x.Users) < usersKept && !slices.Contains(x.Users, user) {
		x.Users = append(x.Users, strings.Clone(user))
	}
}

// noteNode takes the node that asks EKS Auth for a pod's credentials: the caller is the node role's session on the instance
// (EKS User Guide, "Understand how EKS Pod Identity works", 2026-11; CloudTrail records of it).
func (g *Ledger) noteNode(l *look) {
	a := l.actor()
	if a.Instance == "" || !succeeded(l.Event) {
		return
	}
	g.noteNodeAt(clusterOf(l.Event), a.Instance, l)
}

func (g *Ledger) noteNodeAt(cluster, instance string, l *look) {
	f := g.Nodes.at(strings.Clone(cluster), g.Limit)
	if p := l.actor().Principal; p != "" && len(f.Principals) < 256 && !slices.Contains(f.Principals, p) {
		f.Principals = append(f.Principals, strings.Clone(p))
	}
	if len(f.Instances) < 65536 && !slices.Contains(f.Instances, instance) {
		f.Instances = append(f.Instances, strings.Clone(instance))
	}
}
