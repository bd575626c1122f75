package migrate

import (
	"slices"
	"strings"
	"time"

	"drawbridge/internal/access"
	"drawbridge/internal/authenticator"
	"drawbridge/internal/event"
	"drawbridge/internal/model"
)

// How is by what a request came in, as far as the audit log tells.
type How string

// What an audit log tells. It has the caller's username and groups, and by which access policy a request was allowed; which
// store the authenticator found the caller in it does not have.
const (
	ByEntry  How = "access entry" // an access policy allowed it, or only the entry gives such a username and groups
	ByRow    How = "aws-auth"     // only aws-auth gives such a username and groups
	ByEither How = "either"       // both give the same: it cannot be told, and an access entry counts before aws-auth
	ByNone   How = "neither"      // nothing that stands today gives such a username and groups
	Untold   How = "unknown"      // what stands today does not tell what the caller is given
)

// policyReason begins the reason of a request that an access policy allowed (captured audit event of EKS, 2024-08).
const policyReason = "EKS Access Policy: "

// Watch looks through the audit logs of clusters for who comes in by aws-auth. Mappings are those that stand today: a record is
// held against them, whatever stood when it was written.
type Watch struct {
	clusters []*watched
	// Unassigned counts records of which the cluster is not known, Foreign those of other clusters, Other those that are no
	// audit records.
	Unassigned, Foreign, Other int
}

// watched is what was seen in one cluster.
type watched struct {
	cluster *access.Cluster
	label   string
	rows    *authenticator.Mapper
	entries *authenticator.Mapper
	created map[string]time.Time // when the access entry of a principal was made
	hours   map[int64]bool
	from    time.Time
	to      time.Time
	records int
	seen    map[string]*Seen
	how     map[string]How // verdicts by all that they rest on
	key     []byte
}

// Seen is a principal in an audit log.
type Seen struct {
	// Principal is its ARN as the authenticator looks it up: of a role, without its path.
	Principal string `json:"principal"`
	// Username and Groups are those of its last request.
	Username string    `json:"username"`
	Groups   []string  `json:"groups,omitempty"`
	Requests int       `json:"requests"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	// How counts the requests by what they came in by.
	How map[How]int `json:"how"`
	// RowSinceEntry counts the requests that came in by aws-auth although the principal had an access entry already.
	RowSinceEntry int `json:"rowSinceEntry"`
	// LastByRow is when it last came in by aws-auth for certain.
	LastByRow time.Time `json:"lastByRow,omitzero"`
}

// NewWatch watches all clusters of a snapshot.
func NewWatch(s *model.Snapshot, a *access.Access) *Watch {
	w := &Watch{}
	for _, c := range a.Clusters() {
		one := &watched{cluster: c, label: s.Label(c.Cluster), created: map[string]time.Time{}, hours: map[int64]bool{}, seen: map[string]*Seen{}, how: map[string]How{}}
		one.rows = authenticator.NewMapper(authenticator.Stores{Mode: authenticator.ModeConfigMap, AWSAuth: c.ParsedAWSAuth()})
		stores := authenticator.Stores{Mode: authenticator.ModeAPI, EntriesUnread: !c.Complete(model.AreaAccessEntries)}
		for _, e := range c.AccessEntries {
			if len(c.Dead(e)) > 0 {
				continue
			}
			stores.Entries = append(stores.Entries, authenticator.Entry{PrincipalARN: e.PrincipalARN, Type: e.Type, Username: e.Username, Groups: e.Groups})
			if bare, err := authenticator.StripPath(e.PrincipalARN); err == nil {
				one.created[strings.ToLower(bare)] = e.Created
			}
		}
		one.entries = authenticator.NewMapper(stores)
		w.clusters = append(w.clusters, one)
	}
	return w
}

// See takes note of a record. It keeps none of the record's bytes.
func (w *Watch) See(e *event.Event) {
	if e.Plane() != event.Kubernetes {
		w.Other++
		return
	}
	if e.Field(event.Stage).Is("RequestReceived") {
		return
	}
	if one := w.of(e.Cluster()); one != nil {
		one.see(e)
	}
}

// of is the cluster that a record is about: the only one where the record does not tell.
func (w *Watch) of(c event.Cluster) *watched {
	if c.Name == "" {
		if len(w.clusters) == 1 {
			return w.clusters[0]
		}
		w.Unassigned++
		return nil
	}
	var found *watched
	for _, one := range w.clusters {
		k := one.cluster
		if k.Name != c.Name || c.Account != "" && k.Account != c.Account || c.Region != "" && k.Region != c.Region {
			continue
		}
		if found != nil {
			w.Unassigned++
			return nil
		}
		found = one
	}
	if found == nil {
		w.Foreign++
	}
	return found
}

func (w *watched) see(e *event.Event) {
	at := e.Time()
	if at.IsZero() {
		return
	}
	w.records++
	w.hours[at.Unix()/3600] = true
	if w.from.IsZero() || at.Before(w.from) {
		w.from = at
	}
	if at.After(w.to) {
		w.to = at
	}
	if e.Field(event.UserExtra).Kind() == event.Absent {
		return // nobody of AWS
	}
	a := e.Actor()
	if a.Principal == "" {
		return
	}
	how := w.verdict(&a)
	if strings.HasPrefix(e.Field(event.Reason).String(), policyReason) {
		how = ByEntry
	}
	key := strings.ToLower(a.Principal)
	s := w.seen[key]
	if s == nil {
		s = &Seen{Principal: strings.Clone(a.Principal), First: at, How: map[How]int{}}
		w.seen[strings.Clone(key)] = s
	}
	s.note(&a, at, how, e.Field(event.Stage).Is("ResponseStarted"), w.created[key])
}

// note adds a request. Of one that is answered in a stream there are two records; the first does not count.
func (s *Seen) note(a *event.Actor, at time.Time, how How, started bool, created time.Time) {
	if at.Before(s.First) {
		s.First = at
	}
	if !at.Before(s.Last) {
		s.Last = at
		if s.Username != a.Username || !slices.Equal(s.Groups, a.Groups) {
			s.Username, s.Groups = strings.Clone(a.Username), nil
			for _, g := range a.Groups {
				s.Groups = append(s.Groups, strings.Clone(g))
			}
		}
	}
	if started {
		return
	}
	s.Requests++
	s.How[how]++
	if how == ByRow {
		if at.After(s.LastByRow) {
			s.LastByRow = at
		}
		if !created.IsZero() && at.After(created) {
			s.RowSinceEntry++
		}
	}
}

// verdict holds a caller's username and groups against what aws-auth gives it and what its access entry does.
func (w *watched) verdict(a *event.Actor) How {
	key := w.key[:0]
	for _, part := range append([]string{a.Principal, a.PrincipalID, a.Session, a.AccessKey, a.Username}, a.Groups...) {
		key = append(append(key, part...), 0)
	}
	w.key = key
	how, ok := w.how[string(key)]
	if !ok {
		if len(w.how) >= 1<<16 { // callers choose session names
			clear(w.how)
		}
		how = w.judge(a)
		w.how[string(key)] = how
	}
	return how
}

func (w *watched) judge(a *event.Actor) How {
	arn := a.SessionARN
	if arn == "" {
		arn = a.Principal
	}
	id := authenticator.Identity{
		ARN: strings.Clone(arn), CanonicalARN: strings.Clone(a.Principal), UserID: strings.Clone(a.PrincipalID), AccountID: strings.Clone(a.Account),
		SessionName: strings.Clone(a.Session), AccessKeyID: strings.Clone(a.AccessKey), EC2PrivateDNSName: strings.Clone(a.Node),
	}
	open := false
	gives := func(m *authenticator.Mapper) bool {
		r := m.Map(id)
		open = open || r.Outcome == authenticator.Unknown
		return r.Outcome == authenticator.Mapped && r.Username == a.Username && sameGroups(r.Groups, a.Groups)
	}
	switch row, entry := gives(w.rows), gives(w.entries); {
	case row && entry:
		return ByEither
	case row:
		return ByRow
	case entry:
		return ByEntry
	case open:
		return Untold
	}
	return ByNone
}

// sameGroups compares groups as sets, without the one that the API server adds.
func sameGroups(mapped, logged []string) bool {
	rest := slices.DeleteFunc(slices.Clone(logged), func(g string) bool { return g == "system:authenticated" })
	want := slices.DeleteFunc(slices.Clone(mapped), func(g string) bool { return g == "system:authenticated" })
	slices.Sort(rest)
	slices.Sort(want)
	return slices.Equal(slices.Compact(rest), slices.Compact(want))
}
