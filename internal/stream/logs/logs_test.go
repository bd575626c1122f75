package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/stream"
)

// group is a synthetic log group, spoken to as the SDK does: pages of two events.
type group struct {
	t      *testing.T
	events []logged
	asked  []string
	failed int // answers that are to be refused first
}

type logged struct {
	ID   string `json:"eventId"`
	At   int64  `json:"timestamp"`
	Text string `json:"message"`
}

func (g *group) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if g.failed > 0 {
		g.failed--
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"__type":"ThrottlingException","message":"Rate exceeded"}`)
		return
	}
	var in struct {
		LogGroupIdentifier, LogStreamNamePrefix, NextToken string
		StartTime, EndTime                                 int64
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Header.Get("X-Amz-Target") != "Logs_20140328.FilterLogEvents" {
		g.t.Errorf("%s: %v", r.Header.Get("X-Amz-Target"), err)
	}
	if in.NextToken == "" {
		g.asked = append(g.asked, fmt.Sprintf("%s %s %d-%d", in.LogGroupIdentifier, in.LogStreamNamePrefix, in.StartTime, in.EndTime))
	}
	from, _ := strconv.Atoi(in.NextToken)
	out := map[string]any{}
	events := []logged{}
	for i := from; i < len(g.events); i++ {
		if e := g.events[i]; e.At < in.StartTime || e.At > in.EndTime {
			continue
		}
		if len(events) == 2 {
			out["nextToken"] = strconv.Itoa(i)
			break
		}
		events = append(events, g.events[i])
	}
	out["events"] = events
	_ = json.NewEncoder(w).Encode(out)
}

func config(t *testing.T, h http.Handler) awssdk.Config {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return awssdk.Config{Region: "eu-west-1", BaseEndpoint: &s.URL, Credentials: awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
		return awssdk.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "synthetic"}, nil
	})}
}

const minute = 60_000

// TestReceive: pages, windows, late events once, positions at the end of a sweep.
func TestReceive(t *testing.T) {
	g := &group{t: t, failed: 1, events: []logged{{"1", 100 * minute, "a"}, {"2", 101 * minute, "b"}, {"3", 102 * minute, "c"}, {"4", 120 * minute, "d"}}}
	now := time.UnixMilli(121 * minute)
	tick := make(chan time.Time)
	s := New(config(t, g), Options{Group: "/aws/eks/prod/cluster", Resume: strconv.Itoa(99 * minute), Now: func() time.Time { return now }})
	s.tick = tick
	ctx, cancel := context.WithCancel(t.Context())
	var got []string
	err := s.Receive(ctx, func(_ context.Context, b stream.Batch) error {
		data, err := io.ReadAll(b.Body)
		position, _, _ := strings.Cut(b.Position, " ")
		got = append(got, strings.ReplaceAll(string(data), "\n", ",")+" "+position+" "+b.Cluster)
		switch {
		case strings.Contains(string(data), "d"):
			g.events = append(g.events, logged{"5", 120*minute - 1, "late"}, logged{"6", 122 * minute, "e"})
			now = time.UnixMilli(123 * minute)
			go func() { tick <- now }()
		case position == strconv.Itoa(123*minute):
			cancel()
		}
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if diff := cmp.Diff([]string{"a,b, 5940000 prod", "c, 6840000 prod", "d, 7260000 prod", "late, 7260000 prod", "e, 7380000 prod"}, got); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	asked := []string{"97-114", "112-121", "119-123"}
	for i, a := range asked {
		var from, to int
		fmt.Sscanf(a, "%d-%d", &from, &to)
		asked[i] = fmt.Sprintf("/aws/eks/prod/cluster kube-apiserver-audit %d-%d", from*minute, to*minute)
	}
	if diff := cmp.Diff(asked, g.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestDrain(t *testing.T) {
	g := &group{t: t, events: []logged{{"1", 5, "a"}}}
	s := New(config(t, g), Options{Group: "arn:aws:logs:eu-west-1:111122223333:log-group:trail:*", Drain: true, Now: func() time.Time { return time.UnixMilli(1000) }})
	var got string
	if err := s.Receive(t.Context(), func(_ context.Context, b stream.Batch) error {
		data, err := io.ReadAll(b.Body)
		position, _, _ := strings.Cut(b.Position, " ")
		got += string(data) + position + b.Cluster
		return err
	}); err != nil || got != "a\n1000" {
		t.Errorf("%q, %v", got, err)
	}
	if g.asked[0] != "arn:aws:logs:eu-west-1:111122223333:log-group:trail  0-1000" {
		t.Errorf("asked %q", g.asked)
	}
}

func TestResumeRefused(t *testing.T) {
	for _, position := range []string{"end", "", "12 x", "12 AAAA"} {
		s := New(config(t, &group{t: t}), Options{Group: "g", Resume: position + " ", Drain: true, Now: time.Now})
		if err := s.Receive(t.Context(), nil); err == nil {
			t.Errorf("%q is taken for a position", position)
		}
	}
}

// TestKilled: a stream that is stopped after any batch and goes on from its last position hands out each event once, late ones
// and those of a sweep that was half done among them.
func TestKilled(t *testing.T) {
	g := &group{t: t}
	for i := range 60 {
		g.events = append(g.events, logged{strconv.Itoa(i), int64(100*minute + i*20_000), fmt.Sprintf("e%d", i)})
	}
	killed := errors.New("killed")
	for after := 1; after < 12; after++ {
		t.Run(fmt.Sprintf("after %d batches", after), func(t *testing.T) {
			g.events = slices.DeleteFunc(g.events, func(e logged) bool { return strings.HasPrefix(e.ID, "l") })
			position, got := strconv.Itoa(99*minute), map[string]int{}
			for run := 0; ; run++ {
				// Time goes on between the runs, and events come late.
				now := time.UnixMilli(int64(102+run) * minute)
				if run < 20 {
					g.events = append(g.events, logged{fmt.Sprintf("l%d", run), now.UnixMilli() - 90_000, fmt.Sprintf("late%d", run)})
				}
				s, n := New(config(t, g), Options{Group: "g", Resume: position, Drain: true, Now: func() time.Time { return now }}), 0
				err := s.Receive(t.Context(), func(_ context.Context, b stream.Batch) error {
					data, err := io.ReadAll(b.Body)
					for _, text := range strings.Fields(string(data)) {
						got[text]++
					}
					if b.Position != "" {
						position = b.Position
					}
					if n++; n == after+run%40 {
						return killed
					}
					return err
				})
				if err != nil && !errors.Is(err, killed) {
					t.Fatal(err)
				}
				if err == nil && run > 20 {
					break
				}
				if run == 100 {
					t.Fatal("it does not come to an end")
				}
			}
			for _, e := range g.events {
				if got[e.Text] != 1 {
					t.Errorf("%s was handed out %d times", e.Text, got[e.Text])
				}
			}
		})
	}
}

// TestBounded: a position has room for so many events, and is of a size that can be saved.
func TestBounded(t *testing.T) {
	h := newHanded()
	for i := range 3 * handedKept {
		h.add(strconv.Itoa(i), int64(i))
		if i%1000 == 0 {
			h.bound(1 << 40)
		}
	}
	h.bound(1 << 40)
	p := h.position(7)
	if len(p) > 800<<10 || len(h.at) > handedKept {
		t.Errorf("a position of %d bytes; %d events are kept", len(p), len(h.at))
	}
	again := newHanded()
	if at, err := again.restore(p); err != nil || at != 7 || len(again.order) != handedKept {
		t.Errorf("restored %d events at %d: %v", len(again.order), at, err)
	}
	if again.add(strconv.Itoa(3*handedKept-1), 1) || !again.add("0", 1) {
		t.Error("a position does not name the last events")
	}
	h.forget(1 << 40)
	if got := h.position(8); got != "8" {
		t.Errorf("the position is %.40q when nothing is asked for again", got)
	}
}

func TestClusterOf(t *testing.T) {
	for group, want := range map[string]string{
		"/aws/eks/prod/cluster": "prod", "trail": "", "arn:aws:logs:eu-west-1:111122223333:log-group:trail": "", "": "",
		"arn:aws:logs:eu-west-1:111122223333:log-group:/aws/eks/prod/cluster:*": "arn:aws:eks:eu-west-1:111122223333:cluster/prod",
	} {
		if got := clusterOf(group); got != want {
			t.Errorf("%s: %q, want %q", group, got, want)
		}
	}
}
