package migrate

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"drawbridge/internal/authenticator"
)

// Evidence is what audit logs tell about a cluster's rows of aws-auth: who was seen, how often, and by what they came in.
type Evidence struct {
	Cluster string `json:"cluster"`
	// From and To are the first and the last record; zero where there is none.
	From time.Time `json:"from,omitzero"`
	To   time.Time `json:"to,omitzero"`
	// Records counts the requests, of whomever.
	Records int `json:"records"`
	// Hours is how many hours of the clock lie between From and To, Covered in how many of them there is a record.
	Hours   int `json:"hours"`
	Covered int `json:"covered"`
	// Silences are the times without any record, longest first. An API server that runs is never silent for an hour: logging
	// was off, or logs are missing.
	Silences []Silence `json:"silences"`
	// Rows are those of aws-auth that count.
	Rows []RowEvidence `json:"rows"`
	// Others are principals that no row names and that came in by aws-auth all the same, or by nothing that stands today:
	// through mapAccounts, as the cluster's creator, by what stood then.
	Others []Seen `json:"others"`
}

// Silence is a time without any record: full hours.
type Silence struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// RowEvidence is what was seen of the principal of a row; Seen is nil where it was not.
type RowEvidence struct {
	Block string `json:"block"`
	Row   int    `json:"row"` // from 1
	ARN   string `json:"arn"`
	Seen  *Seen  `json:"seen,omitempty"`
	// Entry says that the principal has an access entry.
	Entry bool `json:"entry"`
}

// Depends says that taking the row out would shut somebody out, by all that the logs tell: its principal was seen, and has no
// access entry or came in by aws-auth in spite of it.
func (r *RowEvidence) Depends() bool {
	return r.Seen != nil && (!r.Entry || r.Seen.RowSinceEntry > 0)
}

// Evidence is what was seen, cluster by cluster.
func (w *Watch) Evidence() []Evidence {
	var all []Evidence
	for _, one := range w.clusters {
		all = append(all, one.evidence())
	}
	return all
}

func (w *watched) evidence() Evidence {
	e := Evidence{Cluster: w.label, From: w.from, To: w.to, Records: w.records, Covered: len(w.hours), Silences: []Silence{}, Rows: []RowEvidence{}, Others: []Seen{}}
	hours := slices.Sorted(maps.Keys(w.hours))
	for i, h := range hours {
		if i > 0 && h-hours[i-1] > 1 {
			e.Silences = append(e.Silences, Silence{time.Unix((hours[i-1]+1)*3600, 0).UTC(), time.Unix(h*3600, 0).UTC()})
		}
	}
	if len(hours) > 0 {
		e.Hours = int(hours[len(hours)-1]-hours[0]) + 1
	}
	slices.SortStableFunc(e.Silences, func(a, b Silence) int { return int(b.To.Sub(b.From).Hours()) - int(a.To.Sub(a.From).Hours()) })
	named := map[string]bool{}
	for _, m := range w.cluster.Mappings() {
		if s := m.Effective.State; s != authenticator.Live && s != authenticator.EmptyUsername {
			continue
		}
		key := strings.ToLower(m.Read.ARN)
		named[key] = true
		e.Rows = append(e.Rows, RowEvidence{Block: m.Kind.Block(), Row: m.Index + 1, ARN: m.Written.ARN, Seen: w.seen[key], Entry: w.cluster.EntryOf(m) != nil})
	}
	for _, key := range slices.Sorted(maps.Keys(w.seen)) {
		if s := w.seen[key]; !named[key] && s.Requests > s.How[ByEntry] {
			e.Others = append(e.Others, *s)
		}
	}
	return e
}

// Span is the time that the logs cover, in words.
func (e *Evidence) Span() string {
	if e.Records == 0 {
		return "no audit record of the cluster was read: nothing is known of who comes in"
	}
	text := fmt.Sprintf("audit logs from %s to %s: %.1f days, %d records", minute(e.From), minute(e.To), e.To.Sub(e.From).Hours()/24, e.Records)
	if n := e.Hours - e.Covered; n > 0 {
		text += fmt.Sprintf("; in %d of %d hours there is no record at all, the longest time from %s to %s: whoever came then is not known", n, e.Hours, minute(e.Silences[0].From), minute(e.Silences[0].To))
	}
	return text
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

// Sentences say what the logs tell, what whoever decides has to know first.
func (e *Evidence) Sentences() []string {
	lines := []string{e.Span()}
	if e.Records == 0 {
		return lines
	}
	var calm, never []string
	for i := range e.Rows {
		r := &e.Rows[i]
		switch {
		case r.Depends():
			lines = append(lines, fmt.Sprintf("still needed: %s row %d, %s: %s", r.Block, r.Row, r.ARN, r.Seen))
		case r.Seen != nil:
			calm = append(calm, fmt.Sprintf("%s row %d, %s: %s", r.Block, r.Row, r.ARN, r.Seen))
		default:
			never = append(never, r.ARN)
		}
	}
	lines = append(lines, calm...)
	for i := range e.Others {
		lines = append(lines, fmt.Sprintf("no row names %s: %s", e.Others[i].Principal, &e.Others[i]))
	}
	if len(never) > 0 {
		lines = append(lines, fmt.Sprintf("never seen in that time, which does not say unused: %s", strings.Join(never, ", ")))
	}
	return lines
}

// String is what was seen of a principal, in one line.
func (s *Seen) String() string {
	requests := "1 request"
	if s.Requests != 1 {
		requests = fmt.Sprintf("%d requests", s.Requests)
	}
	text := fmt.Sprintf("%s, the last %s as %s", requests, minute(s.Last), s.Username)
	var parts []string
	for _, how := range []How{ByRow, ByEither, Untold, ByNone, ByEntry} {
		n := s.How[how]
		if n == 0 {
			continue
		}
		switch how {
		case ByRow:
			part := fmt.Sprintf("%d by aws-auth, the last %s", n, minute(s.LastByRow))
			if s.RowSinceEntry > 0 {
				part += fmt.Sprintf(", %d of them since it has an access entry", s.RowSinceEntry)
			}
			parts = append(parts, part)
		case ByEither:
			parts = append(parts, fmt.Sprintf("of %d it cannot be told, as the row and the access entry give the same username and groups", n))
		case Untold:
			parts = append(parts, fmt.Sprintf("of %d it cannot be told, as what AWS gives such an access entry is not published, or which row counts is left to chance", n))
		case ByNone:
			parts = append(parts, fmt.Sprintf("%d by nothing that stands today", n))
		case ByEntry:
			parts = append(parts, fmt.Sprintf("%d by its access entry", n))
		}
	}
	return text + ": " + strings.Join(parts, "; ")
}

// Depending are the rows that the logs say are still needed.
func (e *Evidence) Depending() []*RowEvidence {
	var rows []*RowEvidence
	for i := range e.Rows {
		if e.Rows[i].Depends() {
			rows = append(rows, &e.Rows[i])
		}
	}
	return rows
}
