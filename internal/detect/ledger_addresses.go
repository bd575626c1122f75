package detect

import (
	"bytes"
	"net/netip"
	"slices"

	"drawbridge/internal/event"
)

// addressFacts are who used one address among those of one place: see places.
type addressFacts struct {
	// Users are keys of workloads and nodes; two are enough to know that one is not alone.
	Users []string
}

// placeFacts are who used any address of a place.
type placeFacts struct{ Users []string }

// A place is where workloads and nodes belong that leave by the same addresses: a cluster, the issuer of a cluster, or an
// account, where nothing better is known.

// usersKept is how many users of an address, and of a place, are told apart.
const (
	usersKept  = 2
	placeKnown = 3
)

// noteUser takes that a key of a workload, or a node, used an address.
func (g *Ledger) noteUser(user, address string, places []string) {
	if address == "" {
		return
	}
	for _, place := range places {
		if place == "" {
			continue
		}
		x := g.Addresses.at(key(place, address), g.Limit)
		if len(x.Users) < usersKept && !slices.Contains(x.Users, user) {
			x.Users = append(x.Users, user)
		}
		p := g.Places.at(place, g.Limit)
		if len(p.Users) < placeKnown && !slices.Contains(p.Users, user) {
			p.Users = append(p.Users, user)
		}
	}
}

// alone says whether nobody else in these places used the address; it is not known where fewer than two others were seen
// there at all.
func (g *Ledger) alone(user, address string, places []string) (alone, known bool) {
	others := func(users []string) int {
		n := len(users)
		if slices.Contains(users, user) {
			n--
		}
		return n
	}
	for _, place := range places {
		if x := g.Addresses.get(key(place, address)); x != nil && others(x.Users) > 0 {
			return false, true
		}
		if p := g.Places.get(place); p != nil && others(p.Users) >= placeKnown-1 {
			known = true
		}
	}
	return true, known
}

// placeOfAccount is the place of everything in an account.
func placeOfAccount(account string) string {
	if account == "" {
		return ""
	}
	return "account " + account
}

var (
	pathEndpoint        = event.ParsePath(event.CloudTrail, "vpcEndpointId")
	pathEndpointAccount = event.ParsePath(event.CloudTrail, "vpcEndpointAccountId")
)

// address is the source of a request as CloudTrail writes it, where it is an address: a request that an AWS service makes,
// for itself or for whoever asked it, has the service's name there, or "AWS Internal" (CloudTrail User Guide, "CloudTrail
// record contents", 2026-11).
func (l *look) address() (netip.Addr, bool) {
	v := l.Field(event.SourceIP)
	if v.Kind() != event.String {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(v.String())
	return a.Unmap(), err == nil
}

// public says that a request came over the internet: what comes through a VPC endpoint has the endpoint's id, and the private
// address of who asked (VPC User Guide, "VPC endpoint policies and CloudTrail", 2026-11).
func (l *look) public() bool {
	a, ok := l.address()
	if !ok || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || carrierGrade.Contains(a) {
		return false
	}
	return l.Find(pathEndpoint).First().Kind() != event.String
}

// endpointAccount is the account of the VPC endpoint that a request came through, where the record names it.
func (l *look) endpointAccount() string { return l.Find(pathEndpointAccount).First().String() }

var pathAuthentication = event.ParsePath(event.CloudTrail, "additionalEventData.AuthenticationMethod")

// handed is what the holder of a key signed so that somebody else sends it: a token for an EKS cluster, which is a signed
// GetCallerIdentity that EKS sends (aws-iam-authenticator, pkg/token, 2026-08), or a presigned URL of S3 (S3 User Guide,
// "Identifying Amazon S3 requests using CloudTrail", 2026-11). Whoever stole a key may do so too.
func (l *look) handed() string {
	switch {
	case l.Field(event.EventSource).Is("sts.amazonaws.com") && l.Field(event.EventName).Is("GetCallerIdentity"):
		return "token"
	case l.Field(event.EventSource).Is("s3.amazonaws.com") && bytes.Contains(l.Field(event.AdditionalEventData).Raw(), []byte("QueryString")) && l.Find(pathAuthentication).First().Is("QueryString"):
		return "presigned URL"
	}
	return ""
}

// strangeEndpoint is the account of the VPC endpoint that a request came through, where it is none that the key may be expected
// in: that of its role, of its cluster, or a trusted one. Whoever has a key may use it from a VPC of his own, and the address is
// then a private one (CloudTrail User Guide, "CloudTrail record contents", vpcEndpointAccountId, 2026-11).
func (l *look) strangeEndpoint() string {
	owner := l.endpointAccount()
	if owner == "" || owner == l.actor().Account || slices.Contains(l.ctx.Trusted, owner) {
		return ""
	}
	home := ""
	if f := l.keyOf(); f != nil && f.Issue != nil {
		home = l.clusterOfIssue(f.Issue)
	} else if f := l.ledger.Instances.get(instanceOf(l.Event)); f != nil && len(f.Clusters) > 0 {
		home = f.cluster()
	}
	if owner == event.ParseCluster(home).Account {
		return ""
	}
	return owner
}

// carrierGrade is RFC 6598's range, which EKS clusters use for pods (EKS Best Practices Guide, "Custom networking", 2026-11).
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// addressFields are about where a request came from.
var addressFields = []enrichment{
	{
		Name: "drawbridge.source.public", Text: "whether the request came from an address of the internet: not from an AWS service, not through a VPC endpoint", Planes: onCloudTrail, From: []event.Field{event.SourceIP, event.VPCEndpointID},
		Of: func(l *look) []string { return yes(l.public()) },
	},
	{
		Name: "drawbridge.source.handed", Text: "what the holder of a key may have signed for somebody else to send: `token` for a cluster (GetCallerIdentity), `presigned URL` of S3; absent otherwise", Planes: onCloudTrail,
		Of: func(l *look) []string { return some(l.handed()) },
	},
	{
		Name: "drawbridge.source.endpoint_account", Text: "account of the VPC endpoint that the request came through; absent where the record does not name it", Planes: onCloudTrail, From: []event.Field{event.VPCEndpointAccount},
		Of: func(l *look) []string { return some(l.endpointAccount()) },
	},
	{
		Name: "drawbridge.source.strange_endpoint", Text: "account of the VPC endpoint that the request came through, where it is neither that of the key's role, nor of its cluster, nor a trusted one; absent where the record does not name it",
		Planes: onCloudTrail, Ledger: true, Of: func(l *look) []string { return some(l.strangeEndpoint()) },
	},
	{
		Name: "drawbridge.source.outside", Text: "whether that address is outside what --egress names; absent without --egress", Planes: onCloudTrail, From: []event.Field{event.SourceIP, event.VPCEndpointID},
		Of: func(l *look) []string {
			if len(l.ctx.Egress) == 0 {
				return nil
			}
			a, _ := l.address()
			return yes(l.public() && !slices.ContainsFunc(l.ctx.Egress, func(p netip.Prefix) bool { return p.Contains(a) }))
		},
	},
}
