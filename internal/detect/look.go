package detect

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"drawbridge/internal/event"
)

// look is one event as the predicates see it, with what is known around it. It is used for one event after the other.
type look struct {
	*event.Event
	ctx    *Context
	ledger *Ledger
	// final is set when late arrivals are over.
	final bool

	who    event.Actor
	whoOK  bool
	groups []string // the memory of the actor's groups
	key    *keyFacts
	keyOK  bool
	met    *metFacts // of the access key of an audit event, once noted
	user   *user     // of an audit event, once noted
	// read is what was read of the object that the event is about.
	read objectRead
	// memo are the enrichments worked out for this event, by slot: those that are of this turn.
	memo []remembered
	turn uint64
	// lists are the answers to conditions on lists, whatever the event.
	lists []answers
	// class is what the event can match and change, by what it does.
	class *class
	// open is the memory for the rules behind open gates.
	open []*rule
	// likeness is what records are alike in, and unlike that no earlier one speaks for this one.
	likeness uint64
	unlike   bool
}

// objectRead is an object, the specification of its pod, and what its rules come to, each once it was asked for.
type objectRead struct {
	object, pod                event.Value
	role                       roleSaid
	hasObject, hasPod, hasRole bool
}

type remembered struct {
	turn   uint64
	values []string
}

func (l *look) reset(e *event.Event, final bool) {
	l.Event, l.final, l.whoOK, l.keyOK = e, final, false, false
	l.met, l.user, l.unlike = nil, nil, false
	l.read.hasObject, l.read.hasPod, l.read.hasRole = false, false, false
	l.turn++
}

func (l *look) actor() *event.Actor {
	if !l.whoOK {
		l.who, l.whoOK = l.ActorIn(l.groups[:0]), true
		if l.who.Groups != nil {
			l.groups = l.who.Groups
		}
	}
	return &l.who
}

func (l *look) enriched(e *enrichment) []string {
	if m := &l.memo[e.slot]; m.turn == l.turn {
		return m.values
	}
	v := e.Of(l)
	l.memo[e.slot] = remembered{l.turn, v}
	return v
}

// What an event says is borrowed from its bytes: first, text and fact give copies, for what is kept.

// first is the first value of a field of the record as text; empty if there is none.
func (l *look) first(p event.Path) string { return strings.Clone(l.Find(p).First().String()) }

// text is a field of the record.
func (l *look) text(f event.Field) string { return strings.Clone(l.Field(f).String()) }

// fact is that the event happened.
func (l *look) fact() Fact { return Fact{l.Time(), short(l.ID())} }

// now is the same, borrowed: to compare with facts.
func (l *look) now() Fact {
	if id := l.ID(); len(id) <= longest {
		return Fact{l.Time(), id}
	}
	return l.fact()
}

// longest is how much is kept of a text that somebody else may make as long as a header of HTTP, or a URL.
const longest = 512

// short is a copy of a text; of one that is too long its beginning, and a hash that tells it from others.
func short(s string) string {
	if len(s) <= longest {
		return strings.Clone(s)
	}
	sum := sha256.Sum256([]byte(s))
	return strings.ToValidUTF8(s[:longest-32], "") + "…" + hex.EncodeToString(sum[:8])
}

// safe is a text without the credentials that it may have.
func safe(s string) string { return string(event.Redact(nil, []byte(s))) }

// identity is who acts. Whoever takes a role chooses the session's name, and with it the username that EKS makes of it: neither
// tells one from another. Nodes of one role are told apart.
func (l *look) identity() string {
	a := l.actor()
	if l.Plane() == event.CloudTrail {
		if l.Field(event.SessionContext).Find("ec2RoleDelivery").First().Kind() == event.String {
			return a.SessionARN
		}
		return cmp.Or(a.Principal, a.PrincipalID, a.Service)
	}
	if a.Node != "" && a.ServiceAccount.Name == "" {
		return a.Username
	}
	return cmp.Or(a.Principal, a.Username)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// actionOf is what was done, as people write it.
func actionOf(e *event.Event) string {
	if e.Plane() == event.CloudTrail {
		return strings.TrimSuffix(e.Field(event.EventSource).String(), ".amazonaws.com") + ":" + e.Field(event.EventName).String()
	}
	what := e.Field(event.Verb).String() + " " + e.Field(event.Resource).String()
	if sub := e.Field(event.Subresource).String(); sub != "" {
		what += "/" + sub
	}
	if e.Field(event.Resource).Kind() == event.Absent {
		what = e.Field(event.Verb).String() + " " + safe(e.Field(event.RequestURI).String())
	}
	return what
}

// clusterOf is the ARN of the cluster that an event is about, or its name, or nothing.
func clusterOf(e *event.Event) string {
	c := e.Cluster()
	return strings.Clone(cmp.Or(c.ARN(), c.Name))
}

func actorText(a *event.Actor) string {
	who := strings.Clone(cmp.Or(a.SessionARN, a.Principal, a.Service, a.Username))
	if who == "" && a.PrincipalID != "" { // of another account CloudTrail tells the unique id only
		who = a.PrincipalID + " of account " + a.Account
	}
	if a.Username != "" && who != a.Username {
		who = a.Username + " (" + who + ")"
	}
	if a.Impersonated != "" {
		who += " as " + a.Impersonated
	}
	return who
}

func sources(e *event.Event) []string {
	if e.Plane() == event.CloudTrail {
		return some(e.Field(event.SourceIP).String())
	}
	var out []string
	for v := range e.Find(pathSourceIPs).All() {
		out = append(out, v.String())
	}
	return out
}

var pathSourceIPs = event.ParsePath(event.Kubernetes, "sourceIPs")
