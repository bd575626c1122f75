package kinesis

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"drawbridge/internal/stream"
)

// fake is a synthetic data stream, spoken to as the SDK does: a record a call. An iterator is a shard and a number.
type fake struct {
	mu     sync.Mutex
	shards []shard
	calls  map[string]int
	expire bool // the next GetRecords finds its iterator too old
}

type shard struct {
	id      string
	parents [2]string
	records []string
	closed  bool
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "Kinesis_20131202.")
	f.calls["kinesis:"+operation]++
	var in struct{ NextToken, ShardID, ShardIterator, ShardIteratorType, StartingSequenceNumber, StreamName string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	var out any
	switch operation {
	case "ListShards":
		var list []map[string]any
		from := 0
		fmt.Sscan(in.NextToken, &from)
		end := min(len(f.shards), from+2)
		for _, s := range f.shards[from:end] {
			m := map[string]any{"ShardId": s.id, "HashKeyRange": map[string]string{"StartingHashKey": "0", "EndingHashKey": "1"}, "SequenceNumberRange": map[string]string{"StartingSequenceNumber": "1"}}
			if s.parents[0] != "" {
				m["ParentShardId"] = s.parents[0]
			}
			if s.parents[1] != "" {
				m["AdjacentParentShardId"] = s.parents[1]
			}
			list = append(list, m)
		}
		page := map[string]any{"Shards": list}
		if end < len(f.shards) {
			page["NextToken"] = fmt.Sprint(end)
		}
		out = page
	case "GetShardIterator":
		n := 0
		if in.ShardIteratorType == "AFTER_SEQUENCE_NUMBER" {
			fmt.Sscan(in.StartingSequenceNumber, &n)
		}
		out = map[string]string{"ShardIterator": fmt.Sprintf("%s %d", in.ShardID, n)}
	case "GetRecords":
		if f.expire {
			f.expire = false
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"ExpiredIteratorException","message":"old"}`)
			return
		}
		var id string
		n := 0
		fmt.Sscan(in.ShardIterator, &id, &n)
		s := f.shards[slices.IndexFunc(f.shards, func(s shard) bool { return s.id == id })]
		records := []map[string]any{}
		if n < len(s.records) {
			records = append(records, map[string]any{"Data": []byte(s.records[n]), "SequenceNumber": fmt.Sprint(n + 1), "PartitionKey": "p"})
			n++
		}
		answer := map[string]any{"Records": records, "MillisBehindLatest": 1000 * (len(s.records) - n)}
		if n < len(s.records) || !s.closed {
			answer["NextShardIterator"] = fmt.Sprintf("%s %d", id, n)
		}
		out = answer
	}
	_ = json.NewEncoder(w).Encode(out)
}

func newStream(t *testing.T, f *fake, o Options) *Stream {
	f.calls = map[string]int{}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	o.Stream = "audit"
	s := New(awssdk.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
		return awssdk.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "synthetic"}, nil
	})}, o)
	s.wait = func(ctx context.Context) error { return ctx.Err() }
	return s
}

// received is what a stream hands out, by shard, and all in order.
func received(t *testing.T, s *Stream) (byShard map[string][]string, order []string) {
	t.Helper()
	byShard = map[string][]string{}
	if err := s.Receive(t.Context(), func(_ context.Context, b stream.Batch) error {
		data, err := io.ReadAll(b.Body)
		text := strings.TrimSpace(string(data))
		byShard[b.Input] = append(byShard[b.Input], text+"@"+b.Position)
		order = append(order, text)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return byShard, order
}

func gz(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

// TestReceive: shards of three generations, in order; compressed records; a broken one is passed over; an iterator expires.
func TestReceive(t *testing.T) {
	f := &fake{expire: true, shards: []shard{
		{id: "s3", parents: [2]string{"s1", "s2"}, records: []string{"e", "f"}},
		{id: "s1", records: []string{gz("a"), gz("b")}, closed: true, parents: [2]string{"s0", ""}}, // s0 is gone
		{id: "s2", records: []string{"c", gz("broken")[:12], "d"}, closed: true},
	}}
	dead := map[string]string{}
	s := newStream(t, f, Options{Drain: true, Dead: func(input, reason string) error { dead[input] = reason; return nil }})
	got, order := received(t, s)
	if diff := cmp.Diff(map[string][]string{
		"kinesis://audit/s1": {"a@1", "b@end"}, "kinesis://audit/s2": {"c@1", "@2", "d@end"}, "kinesis://audit/s3": {"e@1", "f@2"},
	}, got); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
	if n := len(order); n < 2 || order[n-2] != "e" || order[n-1] != "f" {
		t.Errorf("a shard was read before those it was merged from: %q", order)
	}
	if len(dead) != 1 || !strings.Contains(dead["kinesis://audit/s2/2"], "EOF") {
		t.Errorf("passed over: %v", dead)
	}
	var want []string
	for _, r := range Rights() {
		want = append(want, r.Action)
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(f.calls))); diff != "" {
		t.Errorf("Rights() against the calls made (-table +called):\n%s", diff)
	}
}

func TestResume(t *testing.T) {
	f := &fake{shards: []shard{
		{id: "s1", records: []string{"a"}, closed: true},
		{id: "s2", parents: [2]string{"s1", ""}, records: []string{"b", "c"}},
		{id: "s3", parents: [2]string{"s1", ""}, records: []string{"d"}},
	}}
	got, _ := received(t, newStream(t, f, Options{Drain: true, Resume: map[string]string{"kinesis://audit/s1": "end", "kinesis://audit/s2": "1"}}))
	if diff := cmp.Diff(map[string][]string{"kinesis://audit/s2": {"c@2"}, "kinesis://audit/s3": {"d@1"}}, got); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
}

// TestGoesOn: without Drain it waits for records, and a handler's error ends it.
func TestGoesOn(t *testing.T) {
	f := &fake{shards: []shard{{id: "s1", records: []string{"a"}}}}
	s := newStream(t, f, Options{})
	waits := 0
	s.wait = func(ctx context.Context) error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if waits++; waits == 3 {
			f.shards[0].records = append(f.shards[0].records, "b")
		}
		return ctx.Err()
	}
	done := errors.New("done")
	err := s.Receive(t.Context(), func(_ context.Context, b stream.Batch) error {
		if b.Backlog == nil || b.Backlog.Behind != 0 || b.Backlog.Messages >= 0 {
			t.Errorf("what is left: %+v", b.Backlog)
		}
		if b.Position == "2" {
			return done
		}
		return nil
	})
	if !errors.Is(err, done) {
		t.Errorf("ended with %v", err)
	}
}
