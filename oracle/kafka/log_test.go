// Package kafka_test runs drawbridge's log of events on brokers that speak Kafka's protocol and keep all in memory. They prove
// the protocol: offsets, groups, transactions, fencing. They prove nothing of a real Kafka's disks and replicas.
package kafka_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/stream"
	"drawbridge/internal/stream/kafka"
)

const (
	partitions = 4
	accounts   = 12
	users      = 10
)

func open(t testing.TB, url string) *kafka.Log {
	t.Helper()
	c, err := kafka.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	l, err := kafka.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// refusal is an audit event: a refused request of a user of an account, in a round.
func refusal(round, account, user int) []byte {
	at := time.Date(2026, 11, 1, 10, 0, round, user*1000, time.UTC).Format("2006-01-02T15:04:05.000000Z")
	return fmt.Appendf(nil, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%d-%d-%d","stage":"ResponseComplete","requestURI":"/api/v1/secrets","verb":"list","user":{"username":"user-%d"},"sourceIPs":["10.0.0.9"],"objectRef":{"resource":"secrets","apiVersion":"v1"},"responseStatus":{"code":403},"requestReceivedTimestamp":"%s","stageTimestamp":"%s"}`, round, account, user, user, at, at)
}

func accountID(a int) string { return fmt.Sprintf("%012d", 111122223333+a) }

func clusterOf(a int) string {
	return "arn:aws:eks:eu-central-1:" + accountID(a) + ":cluster/c-" + accountID(a)
}

// fill writes n rounds of refused requests, as others write them: one a record, by each of the users of each account. The first
// account's every tenth record is followed by one that is broken, and by one that is there twice.
func fill(t testing.TB, addrs []string, rounds int) (events, broken int64) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.DefaultProduceTopic("audit"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var records []*kgo.Record
	add := func(a int, value []byte) {
		records = append(records, &kgo.Record{
			Key: []byte(accountID(a)), Value: value, Headers: []kgo.RecordHeader{{Key: "cluster", Value: []byte(clusterOf(a))}},
		})
	}
	for i := range rounds {
		for a := range accounts {
			for u := range users {
				value := refusal(i, a, u)
				add(a, value)
				events++
				if a == 0 && u == 0 && i%10 == 0 {
					add(a, value[:len(value)/2])
					add(a, []byte(`{"Records":[{"eventVersion":"1.08",`))
					add(a, value)
					broken += 2
				}
			}
		}
	}
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return events, broken
}

// contents is what the topic has: events, and how many different ones.
func contents(t testing.TB, addrs []string) (events, distinct int64) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumeTopics("audit"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ids := map[string]bool{}
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		fetches := cl.PollFetches(ctx)
		cancel()
		if fetches.NumRecords() == 0 {
			return events, int64(len(ids))
		}
		for _, r := range fetches.Records() {
			for line := range bytes.Lines(r.Value) {
				var e struct{ AuditID string }
				if json.Unmarshal(line, &e) == nil && e.AuditID != "" {
					events++
					ids[e.AuditID] = true
				}
			}
		}
	}
}

// told are the findings that were told, by fingerprint: told twice they are one.
type told struct {
	mu sync.Mutex
	by map[string]string
}

func (f *told) tell(found []finding.Finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, one := range found {
		f.by[one.Fingerprint] = one.Message
	}
}

func (f *told) messages() map[string]bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[string]bool{}
	for _, m := range f.by {
		out[m] = true
	}
	return out
}

func want() map[string]bool {
	out := map[string]bool{}
	for a := range accounts {
		for u := range users {
			out[fmt.Sprintf("user-%d of c-%s", u, accountID(a))] = true
		}
	}
	return out
}

// TestFenced: who loads a checkpoint keeps all others from saving; big ones come back whole, and smaller ones after them.
func TestFenced(t *testing.T) {
	_, url := start(t)
	zombie := open(t, url).Store(0)
	if _, err := zombie.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := zombie.Save(t.Context(), &stream.Checkpoint{State: []byte("alive")}); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	big := make([]byte, 3<<20)
	for i := range big {
		big[i] = byte(r.Uint32())
	}
	for i, state := range [][]byte{[]byte("small"), big, []byte("small again"), big[:1<<20]} {
		l := open(t, url)
		s := l.Store(0)
		if _, err := s.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(t.Context(), &stream.Checkpoint{Positions: map[string]string{"p": fmt.Sprint(i)}, State: state}); err != nil {
			t.Fatal(err)
		}
		got, err := l.Store(0).Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.State, state) || got.Positions["p"] != fmt.Sprint(i) {
			t.Errorf("%d: another checkpoint was loaded than was saved", i)
		}
		if err := zombie.Save(t.Context(), &stream.Checkpoint{State: []byte("zombie")}); !errors.Is(err, stream.ErrFenced) {
			t.Fatalf("%d: the first one saves: %v", i, err)
		}
		if err := s.Save(t.Context(), &stream.Checkpoint{}); !errors.Is(err, stream.ErrFenced) {
			t.Errorf("%d: one of the same process saves: %v", i, err)
		}
	}
}

// TestResume: a stream goes on after the position of its checkpoint; what was deleted before it was read is told.
func TestResume(t *testing.T) {
	c, url := start(t)
	events, broken := fill(t, c.ListenAddrs(), 3)
	l := open(t, url)
	read := func(from *stream.Checkpoint, n, stop int) (positions []string) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		errStop := errors.New("stop")
		err := l.Stream(n, from).Receive(ctx, func(_ context.Context, b stream.Batch) error {
			if positions = append(positions, b.Position); len(positions) == stop {
				return errStop
			}
			return nil
		})
		if !errors.Is(err, errStop) {
			t.Fatal(err)
		}
		return positions
	}
	total := events + broken
	for n := range l.Size() {
		first := read(&stream.Checkpoint{}, n, 5)
		rest := read(&stream.Checkpoint{Positions: map[string]string{fmt.Sprintf("audit/%d", n): first[2]}}, n, 2)
		if diff := cmp.Diff(first[3:], rest); diff != "" {
			t.Errorf("partition %d of %d records (-read on +resumed):\n%s", n, total, diff)
		}
	}
}

func TestParseURL(t *testing.T) {
	for _, c := range []struct{ name, url, err string }{
		{"plain", "kafka://h:9092/audit", ""},
		{"all", "kafka+tls://h:9092,i:9092/audit?group=g&ca=ca.pem&cert=c.pem&key=k.pem&sasl=SCRAM-SHA-512&user=u&password=file", ""},
		{"a password", "kafka://u:p@h:9092/audit", "belongs in a file"},
		{"no topic", "kafka://h:9092", "no topic"},
		{"no broker", "kafka:///t", "no broker"},
		{"a topic that is none", "kafka://h:9092/a/b", "no topic"},
		{"another key", "kafka://h:9092/audit?secret=x", "secret=x"},
		{"MSK", "kafka+tls://h:9098/audit?sasl=AWS_MSK_IAM", ""},
		{"certificates without TLS", "kafka://h:9092/audit?ca=x", "without kafka+tls"},
		{"a certificate without its key", "kafka+tls://h:9092/audit?cert=x", "belong together"},
		{"a password that can be heard", "kafka://h:9092/audit?sasl=PLAIN&user=u", "without kafka+tls"},
		{"a mechanism without a user", "kafka+tls://h:9092/audit?sasl=PLAIN", "without user"},
		{"a user without a mechanism", "kafka://h:9092/audit?user=u", "without sasl"},
		{"a mechanism that is none", "kafka://h:9092/audit?sasl=NTLM&user=u", "want PLAIN"},
		{"MSK with a user", "kafka+tls://h:9098/audit?sasl=AWS_MSK_IAM&user=u", "AWS's credentials"},
		{"NATS", "nats://h", "not a Kafka URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := kafka.ParseURL(c.url)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
	}
}

// TestForward: what is forwarded is in the topic once, without credentials, under the key of its account and in the partition
// where others put that key; events too big for a batch, too.
func TestForward(t *testing.T) {
	c, url := start(t)
	conf, err := kafka.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	to, err := kafka.OpenSender(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics("audit"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	var acked int
	var body bytes.Buffer
	big := strings.Repeat("x", 3<<20)
	for i := range 100 {
		extra := ""
		if i%33 == 1 {
			extra = big
		}
		fmt.Fprintf(&body, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%d","stage":"ResponseComplete","requestURI":"/api?token=k8s-aws-v1.c2VjcmV0%s","verb":"get","user":{"username":"u"},"requestReceivedTimestamp":"2026-11-01T10:00:00.000000Z","stageTimestamp":"2026-11-01T10:00:00.000000Z"}`+"\n", i, extra)
	}
	body.WriteString("{broken\n")
	all := strings.Count(body.String(), "auditID")
	sent, err := stream.Forward(t.Context(), one{stream.Batch{
		Input: "in", Cluster: "arn:aws:eks:eu-central-1:111122223333:cluster/prod", Body: &body,
		Ack: func(context.Context) error { acked++; return nil },
	}}, to, "", func(*event.Unparsed) {})
	if err != nil {
		t.Fatal(err)
	}
	if sent.Records != int64(all) || sent.Unparsed != 1 || acked != 1 {
		t.Fatalf("%+v, %d acknowledged; want %d records and 1 unparsed", sent, acked, all)
	}
	got := map[string]int{}
	for n := 0; n < all; {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			if string(r.Key) != "111122223333" || int(r.Partition) != to.PartitionOf("111122223333") || bytes.Contains(r.Value, []byte("c2VjcmV0")) {
				t.Errorf("key %q, partition %d, with a credential: %t", r.Key, r.Partition, bytes.Contains(r.Value, []byte("c2VjcmV0")))
			}
			if len(r.Headers) != 1 || string(r.Headers[0].Value) != "arn:aws:eks:eu-central-1:111122223333:cluster/prod" {
				t.Errorf("headers %v", r.Headers)
			}
			for line := range bytes.Lines(r.Value) {
				var e struct{ AuditID string }
				if err := json.Unmarshal(line, &e); err != nil {
					t.Fatal(err)
				}
				got[e.AuditID]++
				n++
			}
		}
	}
	for id, n := range got {
		if n != 1 {
			t.Errorf("event %s is there %d times", id, n)
		}
	}
}

type one struct{ stream.Batch }

func (o one) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	return handle(ctx, o.Batch)
}
