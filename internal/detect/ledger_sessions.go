package detect

import (
	"slices"
	"strings"
	"time"

	"drawbridge/internal/event"
)

// sessionFacts are when an IAM principal made requests to API servers of clusters of one name.
type sessionFacts struct{ Uses []sessionUse }

// sessionUse are the requests of a principal within five minutes.
type sessionUse struct {
	Cluster event.Cluster
	First   Fact
	Last    time.Time
	// Action is what the first did.
	Action string
}

// auditFacts are the times that the audit logs of clusters of one name tell of.
type auditFacts struct{ Spans []auditSpan }

// auditSpan is a time in which an audit log has records, with no gap of auditGap or more.
type auditSpan struct {
	Cluster     event.Cluster
	First, Last time.Time
}

// auditGap is the silence that is taken for one: a living cluster's own controllers make requests every few seconds.
const auditGap = 30 * time.Minute

const (
	usePeriod       = 5 * time.Minute
	sessionUsesKept = 24 // two hours: what is asked for is an hour
	auditSpansKept  = 256
)

var pathCanonicalARN = event.ParsePath(event.Kubernetes, "user.extra.canonicalArn")

func cloneCluster(c event.Cluster) event.Cluster {
	return event.Cluster{Name: strings.Clone(c.Name), Account: strings.Clone(c.Account), Region: strings.Clone(c.Region)}
}

// note puts a time into the spans, which it may widen and join. What comes out does not depend on the order of times.
func (a *auditFacts) note(c event.Cluster, at time.Time) {
	i := len(a.Spans)
	if i > 0 && a.Spans[i-1].Cluster == c { // as nearly always
		if last := &a.Spans[i-1]; !at.Before(last.First) && at.Sub(last.Last) < auditGap {
			if at.After(last.Last) {
				last.Last = at
			}
			return
		}
	}
	for i > 0 && a.Spans[i-1].First.After(at) {
		i--
	}
	// The spans before i begin at or before the time, those from i on after it.
	before, after := -1, -1
	for j := i - 1; j >= 0 && before < 0; j-- {
		if a.Spans[j].Cluster == c {
			before = j
		}
	}
	for j := i; j < len(a.Spans) && after < 0; j++ {
		if a.Spans[j].Cluster == c {
			after = j
		}
	}
	joins := before >= 0 && at.Sub(a.Spans[before].Last) < auditGap
	reaches := after >= 0 && a.Spans[after].First.Sub(at) < auditGap
	switch {
	case joins && at.After(a.Spans[before].Last) && reaches:
		a.Spans[before].Last = a.Spans[after].Last
		a.Spans = slices.Delete(a.Spans, after, after+1)
	case joins:
		if at.After(a.Spans[before].Last) {
			a.Spans[before].Last = at
		}
	case reaches:
		s := a.Spans[after]
		s.First = at
		a.Spans = slices.Insert(slices.Delete(a.Spans, after, after+1), i, s)
	default:
		a.Spans = slices.Insert(a.Spans, i, auditSpan{cloneCluster(c), at, at})
		if len(a.Spans) > auditSpansKept {
			a.Spans = slices.Delete(a.Spans, 0, 1)
		}
	}
}

func (s *sessionFacts) note(c event.Cluster, l *look) {
	period := l.Time().Truncate(usePeriod)
	i := len(s.Uses)
	for i > 0 && s.Uses[i-1].First.At.Truncate(usePeriod).After(period) {
		i--
	}
	for j := i - 1; j >= 0 && s.Uses[j].First.At.Truncate(usePeriod).Equal(period); j-- {
		if u := &s.Uses[j]; u.Cluster == c {
			if f := l.now(); f.before(u.First) {
				u.First, u.Action = l.fact(), actionOf(l.Event)
			}
			if l.Time().After(u.Last) {
				u.Last = l.Time()
			}
			return
		}
	}
	s.Uses = slices.Insert(s.Uses, i, sessionUse{Cluster: c, First: l.fact(), Last: l.Time(), Action: strings.Clone(actionOf(l.Event))})
	if len(s.Uses) > sessionUsesKept {
		s.Uses = slices.Delete(s.Uses, 0, 1)
	}
}

// usedSince says whether the principal of an access entry made requests between its creation and the event, or that nobody
// can say.
func (l *look) usedSince() string {
	created, ok := l.createdBefore()
	if !ok {
		return ""
	}
	c, from, to := l.Cluster(), created.At, l.Time()
	if s := l.ledger.Sessions.get(memberKey(c, created.Entry)); s != nil {
		for i := range s.Uses {
			u := &s.Uses[i]
			if !oneCluster(u.Cluster, c) || u.First.At.After(to) || u.Last.Before(from) {
				continue
			}
			switch {
			case !u.First.At.Before(from):
				return "it was used: " + u.Action + " at " + stamp(u.First.At)
			case !u.Last.After(to):
				return "it was used at " + stamp(u.Last)
			}
			return "whether it was used is not certain: its principal came before, and after"
		}
	}
	if a := l.ledger.Audits.get(c.Name); a != nil {
		for _, s := range a.Spans {
			if oneCluster(s.Cluster, c) && !s.First.After(from) && !s.Last.Before(to) {
				return "it was not used: the audit log has nothing of it"
			}
		}
	}
	return "whether it was used is not known: no audit log of the time was read"
}

// silenceFields are about what the audit log of a cluster does not tell.
var silenceFields = []enrichment{
	{
		Name: "drawbridge.audit.off", Text: "who turned the cluster's audit log off before the event, and when, if nobody turned it on again, in words", Planes: onCloudTrail, Ledger: true,
		Of: func(l *look) []string { return some(l.auditOff()) },
	},
	{
		Name: "drawbridge.audit.gap", Text: "the time around the event, half an hour or more, in which the cluster's audit log has no record although it has some before and after, in words", Planes: onCloudTrail, Ledger: true,
		Of: func(l *look) []string {
			if from, to := l.silence(); !from.IsZero() && !to.IsZero() {
				return some("from " + stamp(from) + " to " + stamp(to))
			}
			return nil
		},
	},
	{
		Name: "drawbridge.audit.ended", Text: "when the cluster's audit log has its last record, if that is before the event and half an hour or more before the newest event of all, in words", Planes: onCloudTrail, Ledger: true,
		Of: func(l *look) []string {
			if from, to := l.silence(); !from.IsZero() && to.IsZero() {
				return some("since " + stamp(from))
			}
			return nil
		},
	},
}

// silence is the gap in the audit log in which the event lies: from its last record before to its first one after. Both are
// zero where there is no gap or no log, and to is zero where the log has no record any more.
func (l *look) silence() (from, to time.Time) {
	a := l.ledger.Audits.get(l.Cluster().Name)
	if a == nil {
		return
	}
	c, at := l.Cluster(), l.Time()
	for _, s := range a.Spans {
		switch {
		case !oneCluster(s.Cluster, c):
		case !s.First.After(at) && !s.Last.Before(at):
			return time.Time{}, time.Time{}
		case s.Last.Before(at):
			if s.Last.After(from) {
				from = s.Last
			}
		case to.IsZero() || s.First.Before(to):
			to = s.First
		}
	}
	end := to
	if to.IsZero() {
		end = l.ledger.Newest
	}
	if from.IsZero() || end.Sub(from) < auditGap {
		return time.Time{}, time.Time{}
	}
	return from, to
}
