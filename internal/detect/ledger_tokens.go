package detect

import (
	"strings"

	"drawbridge/internal/event"
)

// mintFacts are who had one token of a service account made, by the token's id: what the API server writes of the token it
// issues (annotation authentication.kubernetes.io/issued-credential-id), and of each request with it (user.extra,
// authentication.kubernetes.io/credential-id; k8s.io/apiserver v0.36.3, pkg/authentication/serviceaccount). Those that kubelets
// have made for pods are left out: they are nearly all.
type mintFacts struct {
	Fact
	Cluster event.Cluster
	// By had it made, in words, From an address. Part is the part of Kubernetes or EKS that it is; empty for everybody else.
	By, From, Part string
	Namespace      string
	Name           string
}

// tokenUse is the first request with a token.
type tokenUse struct {
	Fact
	Action, From string
}

const (
	serviceAccountUser = "system:serviceaccount:"
	tokenID            = "JTI="
)

var (
	pathCredentialID = event.ParsePath(event.Kubernetes, "user.extra.authentication.kubernetes.io/credential-id")
	pathIssuedID     = event.ParsePath(event.Kubernetes, "annotations.authentication.kubernetes.io/issued-credential-id")
)

// noteToken takes tokens of service accounts that are made. Those that are used come with their users.
func (g *Ledger) noteToken(l *look) {
	if l.mints() && l.part() != partKubelet {
		if id := l.Find(pathIssuedID).First().String(); id != "" {
			f := g.Mints.at(short(id), g.Limit)
			*f = mintFacts{
				Fact: l.fact(), Cluster: cloneCluster(l.Cluster()), By: actorText(l.actor()), From: strings.Clone(lastSource(l.Event)), Part: l.part(),
				Namespace: l.text(event.Namespace), Name: l.text(event.ObjectName),
			}
		}
	}
}

// tokenUse is where the first request is kept with the token of the event; nil if there is none.
func (g *Ledger) tokenUse(l *look) *tokenUse {
	id := l.tokenID()
	if id == "" {
		return nil
	}
	if u := g.TokenUses.get(id); u != nil {
		return u
	}
	return g.TokenUses.at(short(id), max(1, g.Limit/4)) // one for each pod and hour
}

func (u *tokenUse) note(l *look) {
	if u.ID == "" || l.now().before(u.Fact) {
		*u = tokenUse{l.fact(), actionOf(l.Event), strings.Clone(lastSource(l.Event))}
	}
}

// mints says that the request made a token of a service account.
func (l *look) mints() bool {
	return l.Field(event.Subresource).Is("token") && l.Field(event.Resource).Is("serviceaccounts") && l.Field(event.Verb).Is("create") && succeeded(l.Event)
}

// tokenID is the id of the token of a service account with which the request was made; empty for all others.
func (l *look) tokenID() string {
	if !strings.HasPrefix(l.Field(event.Username).Begin(len(serviceAccountUser)), serviceAccountUser) {
		return ""
	}
	id := l.Find(pathCredentialID).First().String()
	if !strings.HasPrefix(id, tokenID) || len(id) > longest {
		return ""
	}
	return id
}

// minted is who had the token made with which the request was made; nil where no event told.
func (l *look) minted() *mintFacts {
	if len(l.ledger.Mints.By) == 0 {
		return nil
	}
	m := l.ledger.Mints.get(l.tokenID())
	if m == nil || !oneCluster(m.Cluster, l.Cluster()) {
		return nil
	}
	return m
}

// byHand is the same, where it was neither Kubernetes nor EKS.
func (l *look) mintedByHand() *mintFacts {
	if m := l.minted(); m != nil && m.Part == "" {
		return m
	}
	return nil
}

// unproven says of a request that looks like a controller's that no event told who had its token made. With a token that
// somebody else had made it is that somebody.
func (l *look) unproven() bool {
	return strings.HasPrefix(l.Field(event.Username).Begin(len(serviceAccountUser)), serviceAccountUser) && l.part() == partController && l.tokenID() != "" && l.minted() == nil
}

// firstUse of the token that the request made, in words.
func (l *look) firstUseOfIssued() (tokenUse, bool) {
	if !l.mints() {
		return tokenUse{}, false
	}
	if u := l.ledger.TokenUses.get(l.Find(pathIssuedID).First().String()); u != nil {
		return *u, true
	}
	return tokenUse{}, false
}

// madeTokenFields are about tokens of service accounts that somebody had made, and their use.
var madeTokenFields = []enrichment{
	{
		Name: "drawbridge.token.id", Text: "id of the service account's token with which the request was made, where somebody other than Kubernetes or EKS had it made", Planes: onKubernetes, Ledger: true, Early: true,
		Of: func(l *look) []string {
			if l.mintedByHand() == nil {
				return nil
			}
			return some(l.tokenID())
		},
	},
	{
		Name: "drawbridge.token.minted_by", Text: "who had that token made", Planes: onKubernetes, Ledger: true, Early: true,
		Of: func(l *look) []string {
			m := l.mintedByHand()
			if m == nil {
				return nil
			}
			return some(m.By)
		},
	},
	{
		Name: "drawbridge.token.minted_at", Text: "and when", Planes: onKubernetes, Ledger: true, Early: true,
		Of: func(l *look) []string {
			m := l.mintedByHand()
			if m == nil {
				return nil
			}
			return some(stamp(m.At))
		},
	},
	{
		Name: "drawbridge.token.namespace", Text: "namespace of the service account whose token it is", Planes: onKubernetes,
		Of: func(l *look) []string { return some(l.actor().ServiceAccount.Namespace) },
	},
	{
		Name: "drawbridge.token.name", Text: "its name", Planes: onKubernetes,
		Of: func(l *look) []string { return some(l.actor().ServiceAccount.Name) },
	},
	{
		Name: "drawbridge.token.issued", Text: "id of the token that the request made", Planes: onKubernetes,
		Of: func(l *look) []string { return some(l.Find(pathIssuedID).First().String()) },
	},
	{
		Name: "drawbridge.token.first_use", Text: "the first request with the token that the request made: time, what, and from where", Planes: onKubernetes, Ledger: true,
		Of: func(l *look) []string {
			u, ok := l.firstUseOfIssued()
			if !ok {
				return nil
			}
			return some(stamp(u.At) + " " + u.Action + " from " + u.From)
		},
	},
}
