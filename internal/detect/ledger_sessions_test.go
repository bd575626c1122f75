package detect

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drawbridge/internal/event"
)

var start = time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)

// TestAuditSpans: the spans are the times with gaps shorter than auditGap joined, in whatever order the times come.
func TestAuditSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clusters := []event.Cluster{{Name: "prod"}, {Name: "prod", Account: "111122223333", Region: "eu-central-1"}}
		type at struct{ cluster, minute int }
		times := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) at {
			return at{rapid.IntRange(0, 1).Draw(t, "cluster"), rapid.IntRange(0, 600).Draw(t, "minute")}
		}), 0, 40).Draw(t, "times")

		var f auditFacts
		for _, x := range times {
			f.note(clusters[x.cluster], start.Add(time.Duration(x.minute)*time.Minute))
		}
		var got, want []string
		for i, c := range clusters {
			var minutes []int
			for _, x := range times {
				if x.cluster == i {
					minutes = append(minutes, x.minute)
				}
			}
			slices.Sort(minutes)
			for first := 0; first < len(minutes); {
				last := first
				for last+1 < len(minutes) && time.Duration(minutes[last+1]-minutes[last])*time.Minute < auditGap {
					last++
				}
				want = append(want, fmt.Sprint(i, " ", minutes[first], " ", minutes[last]))
				first = last + 1
			}
			for _, s := range f.Spans {
				if s.Cluster == c {
					got = append(got, fmt.Sprint(i, " ", s.First.Sub(start).Minutes(), " ", s.Last.Sub(start).Minutes()))
				}
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("spans (-want +got):\n%s", d)
		}
		if !slices.IsSortedFunc(f.Spans, func(a, b auditSpan) int { return a.First.Compare(b.First) }) {
			t.Fatalf("spans are not in order: %v", f.Spans)
		}
	})
}

func TestSilence(t *testing.T) {
	minute := func(m int) time.Time { return start.Add(time.Duration(m) * time.Minute) }
	for _, c := range []struct {
		name     string
		records  []int // minutes of audit records; the event is at minute 0
		newest   int
		from, to int // 1000: zero
	}{
		{"no log", nil, 100, 1000, 1000},
		{"goes on", []int{-20, 5}, 100, 1000, 1000},
		{"a record at the time of the event", []int{-100, 0, 100}, 100, 1000, 1000},
		{"a gap", []int{-60, -10, 25}, 100, -10, 25},
		{"a gap of just half an hour", []int{-15, 15}, 100, -15, 15},
		{"begins later", []int{40}, 100, 1000, 1000},
		{"ended", []int{-40, -20}, 100, -20, 1000},
		{"the data ends", []int{-40, -20}, 5, 1000, 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newLedger(10)
			g.Newest = minute(c.newest)
			for _, m := range c.records {
				g.Audits.at("prod", 10).note(event.Cluster{Name: "prod"}, minute(m))
			}
			from, to := lookAt(t, call(0, "CreateAccessEntry", `"type":"STANDARD"`), &Context{}, g).silence()
			want := func(m int) time.Time {
				if m == 1000 {
					return time.Time{}
				}
				return minute(m)
			}
			if !from.Equal(want(c.from)) || !to.Equal(want(c.to)) {
				t.Errorf("from %v to %v; want %v, %v", from, to, want(c.from), want(c.to))
			}
		})
	}
}

// TestSessionUses: uses are by five minutes, and the first of them is the first in time, in whatever order they come.
func TestSessionUses(t *testing.T) {
	record := func(second int, verb string) string {
		return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a%03d","stage":"ResponseComplete","verb":%q,"user":{"username":"u","extra":{"canonicalArn":["arn:aws:iam::111122223333:role/New"]}},"objectRef":{"resource":"pods"},"requestReceivedTimestamp":%q}`,
			second, verb, start.Add(time.Duration(second)*time.Second).Format("2006-01-02T15:04:05.000000Z"))
	}
	events := []string{record(5, "get"), record(299, "list"), record(300, "create"), record(900, "delete")}
	want := []string{"get pods 10:00:05 10:04:59", "create pods 10:05:00 10:05:00", "delete pods 10:15:00 10:15:00"}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2, 1, 0}} {
		g := newLedger(10)
		for _, i := range order {
			g.noteRequest(lookAt(t, events[i], &Context{}, g))
		}
		s := g.Sessions.get(memberKey(event.Cluster{}, "arn:aws:iam::111122223333:role/path/new"))
		if s == nil {
			t.Fatal("the principal is not found by its ARN with path and in another case")
		}
		var got []string
		for _, u := range s.Uses {
			got = append(got, u.Action+" "+u.First.At.Format(time.TimeOnly)+" "+u.Last.Format(time.TimeOnly))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("order %v: uses (-want +got):\n%s", order, d)
		}
	}
}

func TestUsedSince(t *testing.T) {
	principal := `"principalArn":"arn:aws:iam::111122223333:role/new"`
	for _, c := range []struct {
		uses [][2]int // seconds of the first and the last of a period
		want string
	}{
		{nil, "whether it was used is not known: no audit log of the time was read"},
		{[][2]int{{15, 15}}, "it was used: get pods at 2026-11-01T10:00:15Z"},
		{[][2]int{{15, 200}}, "it was used: get pods at 2026-11-01T10:00:15Z"},
		{[][2]int{{0, 20}}, "it was used at 2026-11-01T10:00:20Z"},
		{[][2]int{{0, 200}}, "whether it was used is not certain: its principal came before, and after"},
		{[][2]int{{0, 5}, {50, 60}}, "whether it was used is not known: no audit log of the time was read"},
	} {
		g := newLedger(10)
		g.note(lookAt(t, call(10, "CreateAccessEntry", principal), &Context{}, g))
		cluster := event.Cluster{Name: "prod"}
		s := g.Sessions.at(memberKey(cluster, "arn:aws:iam::111122223333:role/new"), 10)
		for _, u := range c.uses {
			at := func(second int) time.Time { return start.Add(time.Duration(second) * time.Second) }
			s.Uses = append(s.Uses, sessionUse{Cluster: cluster, First: Fact{at(u[0]), "a"}, Last: at(u[1]), Action: "get pods"})
		}
		if got := lookAt(t, call(40, "DeleteAccessEntry", principal), &Context{}, g).usedSince(); got != c.want {
			t.Errorf("uses %v: %q, want %q", c.uses, got, c.want)
		}
	}
}
