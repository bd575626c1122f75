package detect

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"

	"drawbridge/internal/event"
)

// kubeletFacts are from where the kubelets of clusters of one name reach the API server. Their pods leave by the same ways: with a
// public endpoint alone, through the addresses of the nodes or of their gateways (EKS User Guide, "Cluster API server endpoint",
// 2026-11).
type kubeletFacts struct {
	// Public are the public addresses, as placeOf has them; V6 says that there are some of IPv6.
	Public map[string]bool
	V6     bool
}

// kubeletAddressesKept is how many of a cluster are told apart.
const kubeletAddressesKept = 1 << 14

// kubelets is where the addresses of kubelets are kept of the cluster of the event.
func (g *Ledger) kubelets(l *look) *kubeletFacts {
	name := l.Cluster().Name
	if f := g.Kubelets.get(name); f != nil {
		return f
	}
	return g.Kubelets.at(strings.Clone(name), g.Limit)
}

// note takes from where a kubelet makes a request.
func (f *kubeletFacts) note(l *look) {
	a := l.publicSource()
	if a == "" || len(f.Public) >= kubeletAddressesKept {
		return
	}
	if f.Public == nil {
		f.Public = map[string]bool{}
	}
	place, v6 := placeOf(a)
	if !f.Public[place] {
		f.Public[strings.Clone(place)] = true
	}
	f.V6 = f.V6 || v6
}

const nodeUser = "system:node:"

// publicSource is the address from which the API server got the request, if it is one of the internet; else it is empty.
func (l *look) publicSource() string {
	raw := l.Field(event.SourceIPs).Raw()
	if bytes.HasPrefix(raw, []byte(`["10.`)) && bytes.IndexByte(raw, ',') < 0 { // most
		return ""
	}
	source := lastSource(l.Event)
	a, err := netip.ParseAddr(source)
	if err != nil || !a.Unmap().IsGlobalUnicast() || a.Unmap().IsPrivate() || carrierGrade.Contains(a.Unmap()) {
		return ""
	}
	return source
}

// placeOf is what two addresses have alike that leave a network by the same way: of IPv4 the address, of IPv6, where each pod has its
// own, the network of its VPC (Amazon VPC User Guide, "VPC CIDR blocks", 2026-11: a /56, or a part of what is one's own).
func placeOf(address string) (place string, v6 bool) {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Unmap().Is4() {
		return address, false
	}
	p, err := a.WithZone("").Prefix(56)
	if err != nil {
		return address, true
	}
	return p.String(), true
}

// ofAccountOutside is the public address of a request with a service account's token.
func (l *look) ofAccountOutside() string {
	if !strings.HasPrefix(l.Field(event.Username).Begin(len(serviceAccountUser)), serviceAccountUser) {
		return ""
	}
	return l.publicSource()
}

// outside says what tells that the address is not one of the cluster's; empty where it may be.
func (l *look) outside() string {
	source := l.ofAccountOutside()
	if source == "" {
		return ""
	}
	a, err := netip.ParseAddr(source)
	if err != nil {
		return ""
	}
	place, v6 := placeOf(source)
	f := l.ledger.Kubelets.get(l.Cluster().Name)
	if f != nil && f.Public[place] {
		return ""
	}
	switch {
	case slices.ContainsFunc(l.ctx.Egress, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) }):
		return ""
	case len(l.ctx.Egress) > 0:
		return "egress"
	case f != nil && (!v6 || f.V6):
		return "kubelets"
	}
	return "nothing"
}

// outsideFields are about from where tokens of service accounts are used.
var outsideFields = []enrichment{
	{
		Name: "drawbridge.token.source", Text: "the public address from which a request with a service account's token came; absent for private ones", Planes: onKubernetes, Cheap: true,
		Of: func(l *look) []string { return some(l.ofAccountOutside()) },
	},
	{
		Name: "drawbridge.token.outside", Text: "what tells that this is none of the cluster's addresses: `egress` (it is none of `--egress`), `kubelets` (no kubelet came from it), or `nothing`, as no kubelet is in the data, or none with IPv6; absent for addresses of the cluster", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string { return some(l.outside()) },
	},
}
