package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"drawbridge/internal/stream"
	"drawbridge/internal/stream/s3/s3test"
)

// record is a synthetic CloudTrail record.
const record = `{"eventVersion":"1.11","eventID":"e-%d","eventTime":"2026-11-01T10:00:00Z","eventSource":"eks.amazonaws.com","eventName":"ListClusters","awsRegion":"eu-west-1","recipientAccountId":"111122223333"}`

func records(n int) string { return `{"Records":[` + fmt.Sprintf(record, n) + `]}` }

func gz(s string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.Bytes()
}

// handled collects what a stream hands out until its queue is empty.
func handled(t *testing.T, s *Stream, ack bool) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := s.Receive(t.Context(), func(ctx context.Context, b stream.Batch) error {
		data, err := io.ReadAll(b.Body)
		if err != nil {
			return err
		}
		if b.Ack == nil && len(data) == 0 {
			return nil // idle
		}
		if _, twice := got[b.Input]; twice {
			t.Errorf("%s was handed out twice", b.Input)
		}
		got[b.Input] = string(data)
		if !ack {
			return nil
		}
		return b.Ack(ctx)
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAnnounced(t *testing.T) {
	direct := `{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","awsRegion":"eu-west-1","s3":{"bucket":{"name":"logs"},"object":{"key":"a+b/%C3%A4%2B.json.gz","eTag":"x","sequencer":"1"}}}]}`
	one := []object{{bucket: "logs", key: "a b/ä+.json.gz", version: "x 1", region: "eu-west-1"}}
	for name, c := range map[string]struct {
		body string
		want []object
		odd  bool
	}{
		"S3":                   {body: direct, want: one},
		"SNS":                  {body: fmt.Sprintf(`{"Type":"Notification","TopicArn":"arn:aws:sns:eu-west-1:111122223333:t","Message":%q}`, direct), want: one},
		"several":              {body: strings.Replace(direct, "[{", `[{"eventSource":"aws:s3","eventName":"ObjectCreated:Copy","s3":{"bucket":{"name":"b"},"object":{"key":"k"}}},{`, 1), want: append([]object{{bucket: "b", key: "k", version: " "}}, one...)},
		"EventBridge":          {body: `{"version":"0","detail-type":"Object Created","source":"aws.s3","region":"eu-west-1","detail":{"bucket":{"name":"logs"},"object":{"key":"a+b","etag":"x","sequencer":"1"}}}`, want: []object{{bucket: "logs", key: "a+b", version: "x 1", region: "eu-west-1"}}},
		"CloudTrail":           {body: `{"Type":"Notification","Message":"{\"s3Bucket\":\"logs\",\"s3ObjectKey\":[\"a\",\"b\"]}"}`, want: []object{{bucket: "logs", key: "a"}, {bucket: "logs", key: "b"}}},
		"test event":           {body: `{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"logs"}`},
		"removal":              {body: strings.Replace(direct, "ObjectCreated:Put", "ObjectRemoved:Delete", 1), want: []object{}},
		"EventBridge, removal": {body: `{"detail-type":"Object Deleted","source":"aws.s3","detail":{}}`},
		"digest":               {body: strings.Replace(direct, "a+b", "AWSLogs/1/CloudTrail-Digest/x", 1), want: []object{}},
		"region of an attacker": {
			body: strings.Replace(direct, "eu-west-1", "x.example.com/", 1),
			want: []object{{bucket: "logs", key: "a b/ä+.json.gz", version: "x 1"}},
		},
		"other JSON":  {body: `{"hello":1}`, odd: true},
		"no bucket":   {body: strings.Replace(direct, `"logs"`, `""`, 1), odd: true},
		"text":        {body: "hello", odd: true},
		"list":        {body: "[]", odd: true},
		"wrong types": {body: `{"Records":"x"}`, odd: true},
		"SNS of SNS for ever": {odd: true, body: func() string {
			s := direct
			for range maxWrapped {
				s = fmt.Sprintf(`{"Type":"Notification","Message":%q}`, s)
			}
			return s
		}()},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := announced(c.body)
			if (err != nil) != c.odd || len(got)+len(c.want) > 0 && !slices.Equal(got, c.want) {
				t.Errorf("%+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestReceive(t *testing.T) {
	f := s3test.New(t)
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	large := strings.Repeat(records(4)+"\n", inMemory/len(records(4))+2)
	f.Put("a.json", []byte(records(1)))
	f.Put("b.json.gz", gz(records(2)))
	f.Put("aws/eks/prod/cluster/c.json.zst", z.EncodeAll([]byte(records(3)), nil))
	f.Put("large.gz", gz(large))
	f.Put("empty.json", []byte(`{"Records":[]}`))
	f.Send(`{"s3Bucket":"logs","s3ObjectKey":["a.json","b.json.gz"]}`) // both are announced twice
	want := map[string]string{
		"s3://logs/a.json": records(1), "s3://logs/b.json.gz": records(2), "s3://logs/aws/eks/prod/cluster/c.json.zst": records(3),
		"s3://logs/large.gz": large, "s3://logs/empty.json": `{"Records":[]}`,
	}
	got := map[string]string{}
	err = New(f.Config(), Options{Queue: f.Queue(), Drain: true, TempFolder: t.TempDir()}).Receive(t.Context(), func(ctx context.Context, b stream.Batch) error {
		data, err := io.ReadAll(b.Body)
		if b.Ack == nil {
			return err // idle
		}
		got[b.Input] = string(data)
		if (b.Cluster == "prod") != strings.Contains(b.Input, "prod") {
			t.Errorf("%s is of cluster %q", b.Input, b.Cluster)
		}
		before := f.Left()
		if strings.HasSuffix(b.Input, "large.gz") && before == 0 {
			t.Error("a message was deleted before its object was done")
		}
		return errors.Join(err, b.Ack(ctx))
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if n := f.Left(); n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

// TestPoisoned: what keeps failing is passed over after three tries, with its reason, and the rest is read.
func TestPoisoned(t *testing.T) {
	f := s3test.New(t)
	f.Put("good1", gz(records(1)))
	f.Put("denied", nil)
	denied := s3test.Refuse(http.StatusForbidden, "AccessDenied")
	f.Answers["logs/denied"] = []func(http.ResponseWriter){denied, denied, denied}
	f.Put("missing", nil)
	delete(f.Objects, "logs/missing")
	corrupt := gz(records(2))
	corrupt[len(corrupt)-6] ^= 1
	f.Put("corrupt", corrupt)
	f.Put("cut", gz(records(2))[:60])
	f.Put("page", []byte("<html>hello</html>"))
	f.Put("header", append([]byte{0x1f, 0x8b, 9}, corrupt...))
	f.Put("good2", gz(records(3)))
	f.Send("hello")
	dead := map[string]string{}
	var again int
	got := handled(t, New(f.Config(), Options{
		Queue: f.Queue(), Drain: true,
		Dead: func(input, reason string) error {
			f.Lock() // two goroutines
			defer f.Unlock()
			dead[input] = reason
			return nil
		},
		Report: func(string, error) { again++ },
	}), true)
	if diff := cmp.Diff([]string{"s3://logs/good1", "s3://logs/good2"}, slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	for input, reason := range map[string]string{
		"s3://logs/denied": "AccessDenied", "s3://logs/missing": "NoSuchKey", "s3://logs/corrupt": "gzip: invalid checksum", "s3://logs/cut": "unexpected EOF",
		"s3://logs/page": "no CloudTrail or Kubernetes audit record", "s3://logs/header": "gzip: invalid header",
		"message m8 of " + f.Queue(): "stays in the queue",
	} {
		if !strings.Contains(dead[input], reason) {
			t.Errorf("%s is passed over with %q, want %q", input, dead[input], reason)
		}
	}
	if len(dead) != 7 || again != 2*6 || f.Left() != 1 {
		t.Errorf("%d passed over, %d tried again, %d messages left: %v", len(dead), again, f.Left(), dead)
	}
}

// TestPassing: what is not the object's fault is tried again for ever.
func TestPassing(t *testing.T) {
	f := s3test.New(t)
	f.Put("a", gz(records(1)))
	slow := s3test.Refuse(http.StatusServiceUnavailable, "SlowDown")
	cut := func(w http.ResponseWriter) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(gz(records(1))[:50])
	}
	expired := s3test.Refuse(http.StatusBadRequest, "InvalidToken")
	f.Answers["logs/a"] = []func(http.ResponseWriter){slow, slow, cut, cut, cut, cut, expired, expired, slow}
	got := handled(t, New(f.Config(), Options{Queue: f.Queue(), Drain: true, Dead: func(input, reason string) error {
		t.Errorf("%s is passed over: %s", input, reason)
		return nil
	}}), true)
	if len(got) != 1 || f.Left() != 0 {
		t.Errorf("handed out %v, %d messages left", got, f.Left())
	}
}

// TestTogether: a message of two objects is deleted when both are done; the one that is done is not handed out again.
func TestTogether(t *testing.T) {
	f := s3test.New(t)
	f.Objects["logs/good"], f.Objects["logs/late"] = gz(records(1)), gz(records(2))
	denied := s3test.Refuse(http.StatusForbidden, "AccessDenied")
	f.Answers["logs/late"] = []func(http.ResponseWriter){denied}
	f.Send(`{"s3Bucket":"logs","s3ObjectKey":["good","late"]}`)
	got := handled(t, New(f.Config(), Options{Queue: f.Queue(), Drain: true}), true)
	if len(got) != 2 || f.Left() != 0 || f.Messages[0] != nil || f.Calls["s3:GetObject"] != 3 {
		t.Errorf("handed out %v, %d messages left, %d objects read", got, f.Left(), f.Calls["s3:GetObject"])
	}
}

// TestRedelivered: what was not acknowledged comes again, to another stream; what was does not.
func TestRedelivered(t *testing.T) {
	f := s3test.New(t)
	f.Put("a", gz(records(1)))
	if got := handled(t, New(f.Config(), Options{Queue: f.Queue(), Drain: true}), false); len(got) != 1 || f.Left() != 1 {
		t.Fatalf("handed out %v, %d messages left", got, f.Left())
	}
	f.Messages[0].Hidden = false // its time is over
	lost := false
	f.Lose = func() bool {
		was := lost
		lost = true
		return !was
	}
	if got := handled(t, New(f.Config(), Options{Queue: f.Queue(), Drain: true}), true); len(got) != 1 || f.Left() != 0 {
		t.Fatalf("again: handed out %v, %d messages left", got, f.Left())
	}
	if f.Calls["sqs:DeleteMessage"] != 2 {
		t.Errorf("deleted %d times", f.Calls["sqs:DeleteMessage"])
	}
}

// TestHeld: a message is kept from others while it is worked on, and an idle stream gives its caller occasion to acknowledge.
func TestHeld(t *testing.T) {
	f := s3test.New(t)
	f.Put("a", gz(records(1)))
	tick := make(chan time.Time)
	s := New(f.Config(), Options{Queue: f.Queue()})
	s.renew = tick
	done := errors.New("done")
	var ack func(context.Context) error
	err := s.Receive(t.Context(), func(ctx context.Context, b stream.Batch) error {
		if ack == nil {
			tick <- time.Time{}
			if receipt := <-f.Renewed; receipt != "m0" {
				t.Errorf("kept %s", receipt)
			}
			ack = b.Ack
			return nil
		}
		if n, _ := io.Copy(io.Discard, b.Body); n != 0 || b.Ack != nil {
			t.Errorf("an idle batch has %d bytes", n)
		}
		return errors.Join(ack(ctx), done)
	})
	if !errors.Is(err, done) || f.Left() != 0 {
		t.Errorf("ended with %v, %d messages left", err, f.Left())
	}
}

func TestRights(t *testing.T) {
	f := s3test.New(t)
	f.Put("a", gz(records(1)))
	f.Put("b", []byte("hello"))
	handled(t, New(f.Config(), Options{Queue: f.Queue(), Drain: true, Dead: func(string, string) error { return nil }}), true)
	var want []string
	for _, r := range Rights() {
		want = append(want, r.Action)
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(f.Calls))); diff != "" {
		t.Errorf("Rights() against the calls made (-table +called):\n%s", diff)
	}
}
