package logs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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
		got = append(got, strings.ReplaceAll(string(data), "\n", ",")+" "+b.Position+" "+b.Cluster)
		switch b.Position {
		case strconv.Itoa(121 * minute):
			g.events = append(g.events, logged{"5", 120*minute - 1, "late"}, logged{"6", 122 * minute, "e"})
			now = time.UnixMilli(123 * minute)
			go func() { tick <- now }()
		case strconv.Itoa(123 * minute):
			cancel()
		}
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if diff := cmp.Diff([]string{"a,b,  prod", "c, 6840000 prod", "d, 7260000 prod", "late,  prod", "e, 7380000 prod"}, got); diff != "" {
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
		got += string(data) + b.Position + b.Cluster
		return err
	}); err != nil || got != "a\n1000" {
		t.Errorf("%q, %v", got, err)
	}
	if g.asked[0] != "arn:aws:logs:eu-west-1:111122223333:log-group:trail  0-1000" {
		t.Errorf("asked %q", g.asked)
	}
}

func TestResumeRefused(t *testing.T) {
	s := New(config(t, &group{t: t}), Options{Group: "g", Resume: "end", Now: time.Now})
	if err := s.Receive(t.Context(), nil); err == nil {
		t.Error("a position that is no time is taken")
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
