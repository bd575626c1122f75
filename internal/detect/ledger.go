package detect

import (
	"slices"
	"time"

	"drawbridge/internal/event"
)

// Ledger is what the events themselves have told so far: which keys were issued to whom, which pods were made by whom, what
// was granted. Facts carry their times and are kept in order of them, so that it does not matter in which order the events
// came. It is bounded: of each kind of fact the oldest are forgotten first, and counted.
type Ledger struct {
	Keys         facts[keyFacts]
	Pods         facts[podFacts] // by uid
	PodNames     facts[podNames]
	Entries      facts[entryFacts]
	Associations facts[associationFacts]
	// ServiceAccounts are the associations of each service account.
	ServiceAccounts facts[serviceAccountFacts]
	Objects         objects
	Addresses       facts[addressFacts]
	Places          facts[placeFacts]
	Nodes           facts[nodeFacts]
	Sessions        facts[sessionFacts]
	Audits          facts[auditFacts]
	Settings        facts[settingFacts]
	Roles           facts[roleFacts]
	Instances       facts[instanceFacts]
	NodeNames       facts[nodeNameFacts]
	Calls           facts[callFacts]
	RolePolicies    facts[rolePolicyFacts]
	Mints           facts[mintFacts] // by the id of the token
	TokenUses       facts[tokenUse]
	Accounts        facts[accountUse]
	Kubelets        facts[kubeletFacts]
	users           users
	// Newest is the time of the newest event of all.
	Newest time.Time
	// Limit is how many of each kind are kept.
	Limit int
}

func newLedger(limit int) *Ledger { return &Ledger{Limit: limit} }

// note takes what an event tells.
func (g *Ledger) note(l *look) {
	if l.Plane() == event.CloudTrail {
		switch l.Field(event.EventSource).String() {
		case "sts.amazonaws.com":
			g.noteSTS(l)
			g.noteRole(l)
		case "eks.amazonaws.com":
			g.noteEntry(l)
			g.noteAssociation(l)
			g.noteSettings(l)
		case "iam.amazonaws.com":
			g.notePolicy(l)
		case "eks-auth.amazonaws.com":
			g.noteCall(l)
			g.noteNodeRole(l)
		}
		g.noteUse(l)
		return
	}
	g.noteRequest(l)
	g.Objects.notePolicy(l, g.Limit)
	if l.class.changes {
		g.noteToken(l)
		g.notePod(l)
		g.noteWorkload(l)
		g.Objects.note(l, g.Limit)
	}
}

// changes says that a request to an API server may change an object of which the ledger keeps something.
func changes(l *look) bool {
	switch l.Field(event.Verb).String() {
	case "create", "update", "patch", "delete", "deletecollection":
	default:
		return false
	}
	resource := l.Field(event.Resource).String()
	switch resource {
	case "secrets", "serviceaccounts", "configmaps", "roles", "clusterroles", "rolebindings", "clusterrolebindings":
		return true
	}
	_, ok := templates[resource]
	return ok
}

// Forgotten is the number of facts that were given up for want of room.
func (g *Ledger) Forgotten() int {
	return g.Keys.Forgotten + g.Pods.Forgotten + g.PodNames.Forgotten + g.Entries.Forgotten + g.Associations.Forgotten + g.ServiceAccounts.Forgotten +
		g.Objects.forgotten() + g.Addresses.Forgotten + g.Places.Forgotten + g.Nodes.Forgotten + g.Instances.Forgotten + g.NodeNames.Forgotten + g.Calls.Forgotten + g.RolePolicies.Forgotten +
		g.Sessions.Forgotten + g.Audits.Forgotten + g.Settings.Forgotten + g.Roles.Forgotten + g.Mints.Forgotten + g.TokenUses.Forgotten + g.Accounts.Forgotten + g.Kubelets.Forgotten
}

// facts are the facts of one kind, by key, with the oldest first in Order.
type facts[T any] struct {
	By        map[string]*T
	Order     []string
	Forgotten int
}

// at is the facts of a key, made if there are none.
func (f *facts[T]) at(key string, limit int) *T {
	if x := f.By[key]; x != nil {
		return x
	}
	if f.By == nil {
		f.By = map[string]*T{}
	}
	if len(f.By) >= limit {
		n := max(1, limit/16)
		for _, k := range f.Order[:n] {
			delete(f.By, k)
		}
		f.Order = slices.Delete(f.Order, 0, n)
		f.Forgotten += n
	}
	x := new(T)
	f.By[key] = x
	f.Order = append(f.Order, key)
	return x
}

// get is the facts of a key, and nil if there are none.
func (f *facts[T]) get(key string) *T { return f.By[key] }

// Fact is something that happened once.
type Fact struct {
	At time.Time
	// ID is the event that told it.
	ID string
}

// note puts a fact into a list in order of time, once, and keeps at most the newest 64.
func note[T any](list []T, x T, of func(*T) Fact) []T {
	f := of(&x)
	i := len(list)
	for i > 0 && f.before(of(&list[i-1])) {
		i--
	}
	if i > 0 && of(&list[i-1]) == f {
		return list
	}
	list = slices.Insert(list, i, x)
	if len(list) > 64 {
		list = slices.Delete(list, 0, 1)
	}
	return list
}

func (f Fact) before(o Fact) bool {
	if !f.At.Equal(o.At) {
		return f.At.Before(o.At)
	}
	return f.ID < o.ID
}

// key joins the parts of a key; none of them holds a NUL.
func key(parts ...string) string {
	n := 0
	for _, p := range parts {
		n += len(p) + 1
	}
	b := make([]byte, 0, n)
	for i, p := range parts {
		if i > 0 {
			b = append(b, 0)
		}
		b = append(b, p...)
	}
	return string(b)
}

// succeeded says whether the request was carried out: AWS wrote no error, or the API server a 2xx code. It is false for an
// event that does not tell.
func succeeded(e *event.Event) bool {
	if e.Plane() == event.CloudTrail {
		return e.Field(event.ErrorCode).Kind() == event.Absent || e.Field(event.ErrorCode).Kind() == event.Null
	}
	code := e.Field(event.ResponseCode).String()
	return len(code) == 3 && code[0] == '2' || code == "101"
}
