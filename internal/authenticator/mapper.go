package authenticator

import (
	"errors"
	"fmt"
	"strings"
)

// Mode is a cluster's authentication mode.
type Mode string

// The authentication modes of EKS.
const (
	ModeConfigMap       Mode = "CONFIG_MAP"
	ModeAPIAndConfigMap Mode = "API_AND_CONFIG_MAP"
	ModeAPI             Mode = "API"
)

// Stores is where a cluster keeps its mappings.
type Stores struct {
	Mode    Mode
	Entries []Entry
	// EntriesUnread is true if the access entries could not all be read: then a principal without one may have one.
	EntriesUnread bool
	// AWSAuth is nil if the ConfigMap could not be read; a ConfigMap that does not exist is ParseConfigMap(nil).
	AWSAuth *AWSAuth
}

// Identity is a caller: what STS says about it.
type Identity struct {
	ARN          string // as GetCallerIdentity returns it
	CanonicalARN string // computed from ARN if empty
	UserID       string // unique ID without the session name, e.g. AROA…; empty if not known
	AccountID    string // computed from the ARN if empty
	SessionName  string // empty for IAM users
	AccessKeyID  string // empty if not known
	// EC2PrivateDNSName is the private DNS name of the instance that SessionName names; empty if not known.
	EC2PrivateDNSName string
}

// Outcome is the kind of a Result.
type Outcome string

// The outcomes of mapping.
const (
	Mapped    Outcome = "mapped"     // authenticated with Username and Groups
	NotMapped Outcome = "not-mapped" // in no store
	Denied    Outcome = "denied"     // found, and refused without looking further
	Unknown   Outcome = "unknown"    // what we have does not tell
)

// Store is where a mapping was found.
type Store string

// The stores in the order EKS consults them.
const (
	StoreEntry   Store = "access-entry"
	StoreRow     Store = "aws-auth"
	StoreAccount Store = "aws-auth-account" // mapAccounts
)

// Result is the answer of a Mapper. Groups are the authenticator's; the API server adds
// system:authenticated.
type Result struct {
	Outcome  Outcome
	Username string
	Groups   []string
	Store    Store
	Entry    *Entry // set with StoreEntry
	Row      *Row   // set with StoreRow; nil if several rows give the same answer at random
	Why      string // for every outcome but a plain mapping
	// IDAssumed is true if an access entry was matched by ARN alone because a unique ID is not known: if the
	// principal was recreated, the entry is dead and the answer is another.
	IDAssumed bool
}

// Mapper answers for one cluster. It is safe for concurrent use.
type Mapper struct {
	stores   Stores
	byID     map[string]*Entry
	byARN    map[string][]*Entry // lower-case ARN without path
	roles    map[string][]*Row   // folded ARN, surviving rows
	users    map[string][]*Row
	accounts map[string]bool
}

// NewMapper indexes the stores, which must not change afterwards.
func NewMapper(s Stores) *Mapper {
	m := &Mapper{
		stores: s, byID: map[string]*Entry{}, byARN: map[string][]*Entry{},
		roles: map[string][]*Row{}, users: map[string][]*Row{}, accounts: map[string]bool{},
	}
	for i := range s.Entries {
		e := &s.Entries[i]
		if e.UserID != "" {
			m.byID[e.UserID] = prefer(m.byID[e.UserID], e)
		}
		if stripped, err := StripPath(e.PrincipalARN); err == nil {
			key := strings.ToLower(stripped)
			m.byARN[key] = append(m.byARN[key], e)
		}
	}
	if s.AWSAuth != nil {
		m.roles, m.users = byFold(s.AWSAuth, KindRole), byFold(s.AWSAuth, KindUser)
		for _, a := range s.AWSAuth.Accounts {
			m.accounts[a.ID] = true
		}
	}
	return m
}

// prefer returns which of two entries with one unique ID is found: IAM roles are searched before users, and
// among equals the last one stands.
func prefer(old, e *Entry) *Entry {
	if old != nil && !isUserARN(old.PrincipalARN) && isUserARN(e.PrincipalARN) {
		return old
	}
	return e
}

// Map returns the username and groups of a caller.
func (m *Mapper) Map(id Identity) Result {
	if id.CanonicalARN == "" {
		canonical, err := Canonicalize(id.ARN)
		if err != nil {
			return Result{Outcome: Denied, Why: err.Error()}
		}
		id.CanonicalARN = canonical
	}
	if p, err := parseARN(id.CanonicalARN); id.AccountID == "" && err == nil {
		id.AccountID = p.account
	}
	return m.find(id, func(template string) (string, error) { return render(template, id) })
}

// find walks the stores in the order of the mode. Not being mapped, and an entry whose unique ID and ARN
// disagree, fall through to the next store; any other failure ends the search.
func (m *Mapper) find(id Identity, render renderer) Result {
	var fell string
	switch m.stores.Mode {
	case ModeAPI, ModeAPIAndConfigMap:
		r, found := m.entry(id, render)
		if found {
			return r
		}
		if m.stores.EntriesUnread {
			return Result{Outcome: Unknown, Why: "the access entries were not all read"}
		}
		fell = r.Why
	case ModeConfigMap:
	default:
		return Result{Outcome: Unknown, Why: fmt.Sprintf("the authentication mode %q is not known", m.stores.Mode)}
	}
	if m.stores.Mode == ModeAPI {
		return Result{Outcome: NotMapped, Why: fell}
	}
	if m.stores.AWSAuth == nil {
		return Result{Outcome: Unknown, Why: "aws-auth was not read"}
	}
	if m.stores.AWSAuth.Unread != "" {
		return Result{Outcome: Unknown, Why: "aws-auth: " + m.stores.AWSAuth.Unread}
	}
	r := m.row(id, render)
	if r.Why == "" {
		r.Why = fell
	}
	return r
}

// entry looks for an access entry. EKS files entries under the principal's unique ID and compares the ARN
// afterwards. Where an ID is not known the ARN decides and the result says so.
func (m *Mapper) entry(id Identity, render renderer) (r Result, found bool) {
	canonical := strings.ToLower(id.CanonicalARN)
	if e := m.byID[id.UserID]; id.UserID != "" && e != nil {
		stripped, _ := StripPath(e.PrincipalARN)
		if stripped != "" && strings.ToLower(stripped) != canonical {
			return Result{Why: "the access entry of this unique ID is for " + e.PrincipalARN}, false
		}
		return m.entryResult(e, render, false), true
	}
	var match *Entry
	for _, e := range m.byARN[canonical] {
		switch {
		case id.UserID != "" && e.UserID != "":
			r.Why = "the access entry of this ARN is bound to another unique ID"
		case match != nil:
			return Result{Outcome: Unknown, Why: "several access entries have this ARN"}, true
		default:
			match = e
		}
	}
	if match == nil {
		return r, false
	}
	return m.entryResult(match, render, true), true
}

func (m *Mapper) entryResult(e *Entry, render renderer, assumed bool) Result {
	r := Result{Store: StoreEntry, Entry: e, IDAssumed: assumed}
	username, known := e.username()
	if !known {
		r.Outcome, r.Why = Unknown, "AWS does not publish the username of entries of type "+e.Type
		return r
	}
	r.fill(username, e.Groups, render)
	if prefix := ReservedPrefix(r.Username); r.Outcome == Mapped && prefix != "" && e.checksPrefix() {
		return Result{
			Outcome: Denied, Store: StoreEntry, Entry: e, IDAssumed: assumed,
			Why: fmt.Sprintf("the username %q begins with the reserved prefix %s", r.Username, prefix),
		}
	}
	return r
}

// row looks in aws-auth: role mappings, user mappings, accounts.
func (m *Mapper) row(id Identity, render renderer) Result {
	f := fold(strings.ToLower(id.CanonicalARN))
	for _, rows := range [][]*Row{m.roles[f], m.users[f]} {
		for _, other := range rows[min(1, len(rows)):] {
			if !sameMapping(rows[0], other) {
				return Result{Outcome: Unknown, Store: StoreRow, Why: fmt.Sprintf("several items of %s match in other letters; which one is found is random", other.Kind.Block())}
			}
		}
		if len(rows) == 0 {
			continue
		}
		r := Result{Store: StoreRow}
		if len(rows) == 1 {
			r.Row = rows[0]
		}
		r.fill(rows[0].Read.Username, rows[0].Read.Groups, render)
		return r
	}
	if m.accounts[id.AccountID] {
		return Result{Outcome: Mapped, Store: StoreAccount, Username: id.CanonicalARN, Groups: []string{}}
	}
	return Result{Outcome: NotMapped}
}

type renderer func(template string) (string, error)

// fill renders username and groups. A template that cannot be rendered denies; it does not fall through.
func (r *Result) fill(username string, groups []string, render renderer) {
	u, err := render(username)
	rendered := make([]string, 0, len(groups))
	for _, g := range groups {
		s, e := render(g)
		rendered = append(rendered, s)
		if err == nil || errors.Is(err, errDNSUnknown) && e != nil {
			err = e
		}
	}
	switch {
	case errors.Is(err, errDNSUnknown):
		r.Outcome, r.Why = Unknown, err.Error()
	case err != nil:
		r.Outcome, r.Why = Denied, err.Error()
	default:
		r.Outcome, r.Username, r.Groups = Mapped, u, rendered
	}
}
