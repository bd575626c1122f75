package jetstream_test

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
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/stream"
	"drawbridge/internal/stream/nats"
	"drawbridge/internal/worker"
	"drawbridge/oracle/sharedlog"
)

// accounts are synthetic: one cluster each.
const accounts = 24

// logs is a stream of n batches of audit events: refused requests of some users of each cluster, in bursts.
type logs struct {
	n int
	// pace is called before each batch.
	pace func(i int)
}

func (s *logs) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	for i := range s.n {
		if s.pace != nil {
			s.pace(i)
		}
		account := fmt.Sprintf("%012d", 111122223333+i%accounts)
		var b bytes.Buffer
		for j := range 50 {
			at := time.Date(2026, 11, 1, 10, 0, i/accounts, j*1000, time.UTC).Format("2006-01-02T15:04:05.000000Z")
			fmt.Fprintf(&b, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%d-%d","stage":"ResponseComplete","requestURI":"/api/v1/secrets","verb":"list","user":{"username":"user-%d"},"sourceIPs":["10.0.0.9"],"objectRef":{"resource":"secrets","apiVersion":"v1"},"responseStatus":{"code":403},"requestReceivedTimestamp":"%s","stageTimestamp":"%s"}`+"\n", i, j, j%10, at, at)
		}
		err := handle(ctx, stream.Batch{Input: "in", Cluster: "arn:aws:eks:eu-central-1:" + account + ":cluster/c-" + account, Body: &b})
		if err != nil {
			return err
		}
	}
	return nil
}

func open(t testing.TB, url string) *nats.Log {
	t.Helper()
	c, err := nats.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	for attempt := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		l, err := nats.Open(ctx, c)
		cancel()
		if err == nil {
			t.Cleanup(l.Close)
			return l
		}
		if attempt == 19 {
			t.Fatal(err)
		}
	}
	return nil
}

// options are a worker's that saves often.
func options(p *detect.Program, l *nats.Log) worker.Options {
	o := sharedlog.Options(p, l, nil)
	o.Every = 100 * time.Millisecond
	return o
}

// found reads the findings' stream; nil while it has no leader.
func found(t testing.TB, l *nats.Log) map[string]int {
	t.Helper()
	out, err := findings(t.Context(), l)
	if err != nil {
		t.Log(err)
		return nil
	}
	return out
}

func findings(ctx context.Context, l *nats.Log) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	nc, err := natsgo.Connect(l.Servers)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	s, err := js.Stream(ctx, l.Name+"-findings")
	if err != nil {
		return nil, err
	}
	out := map[string]int{}
	for n := range s.CachedInfo().State.LastSeq {
		m, err := s.GetMsg(ctx, n+1)
		if err != nil {
			return nil, err
		}
		var f finding.Finding
		if err := json.Unmarshal(m.Data, &f); err != nil {
			return nil, err
		}
		out[f.Message]++
	}
	return out, nil
}

// read is the number of events in the checkpoints of all partitions, -1 while one has no leader.
func read(t testing.TB, p *detect.Program, l *nats.Log) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	n, _, err := sharedlog.State(ctx, p, l)
	if err != nil {
		return -1
	}
	return n
}

// want is what an undisturbed run over the same events finds, in one engine, without any transport.
func want(t testing.TB, p *detect.Program, n int) map[string]int {
	t.Helper()
	out := map[string]int{}
	_, err := worker.Run(t.Context(), &logs{n: n}, worker.Options{
		Program: p, Context: &detect.Context{}, Engine: detect.Options{Lateness: time.Minute},
		Deliver: func(_ context.Context, fs []finding.Finding) error {
			for _, f := range fs {
				out[f.Message]++
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestChaos: three servers, three workers. The leader of a partition's stream is killed twice, workers are killed at random,
// and two workers at a time fight over each partition. In the end every event is in a checkpoint once, and the findings are
// those of an undisturbed run, each once.
func TestChaos(t *testing.T) {
	const batches = 720
	p := sharedlog.Program(t, batches/accounts*5)
	expected := want(t, p, batches)
	if len(expected) != accounts*10 {
		t.Fatalf("an undisturbed run finds %d, want %d: the program counts wrongly", len(expected), accounts*10)
	}
	c := start(t, 3, 0)
	url := c.url("chaos", 6, 3)
	l := open(t, url)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wait sync.WaitGroup
	defer func() { cancel(); wait.Wait() }()
	// Workers that live for a short time, again and again.
	for w := range 3 {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 7))
			for life := 0; ctx.Err() == nil; life++ {
				lives, end := context.WithTimeout(ctx, time.Duration(1500+r.IntN(3000))*time.Millisecond)
				conf, _ := nats.ParseURL(url)
				mine, err := nats.Open(lives, conf)
				if err == nil {
					_ = worker.Share(lives, mine, fmt.Sprintf("w%d-%d", w, life), options(p, mine), func(int, error) {})
					mine.Close()
				}
				end()
			}
		})
	}
	// And one that ignores who holds what: two fight over each partition, and only one may save.
	wait.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			lives, end := context.WithTimeout(ctx, 700*time.Millisecond)
			o := options(p, l)
			o.Store = l.Store(n % 6)
			var err error
			if o.Checkpoint, err = o.Store.Load(lives); err == nil {
				_, _ = worker.Run(lives, l.Stream(n%6, o.Checkpoint), o)
			}
			<-lives.Done()
			end()
		}
	})
	g := watch(ctx, &wait, l)
	killed := 0
	sent, err := stream.Forward(ctx, &logs{n: batches, pace: func(i int) {
		if i == batches/3 || i == batches*2/3 {
			n := c.leader(eventsOf("chaos", 0))
			if n < 0 {
				t.Errorf("batch %d: the stream has no leader to kill", i)
				return
			}
			c.down(n)
			killed++
			wait.Go(func() {
				// It comes back when another leads.
				tick := time.NewTicker(50 * time.Millisecond)
				defer tick.Stop()
				for c.leader(eventsOf("chaos", 0)) < 0 && ctx.Err() == nil {
					<-tick.C
				}
				c.up(t, n)
			})
		}
	}}, l, "", func(u *event.Unparsed) { t.Error(u) })
	if err != nil {
		t.Fatal(err)
	}
	if sent.Records != batches*50 || killed != 2 {
		t.Fatalf("%d records were sent, want %d; %d leaders were killed, want 2", sent.Records, batches*50, killed)
	}
	t.Logf("the longest time in which a partition had no block to read while two leaders were killed: %v; should be under 5s on a machine that does nothing else", g.longest())
	sharedlog.Until(t, "every event in a checkpoint", func() bool { return read(t, p, l) == sent.Records })
	var got map[string]int
	sharedlog.Until(t, "every finding published", func() bool { got = found(t, l); return len(got) == len(expected) })
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("findings (-undisturbed +disturbed):\n%s", diff)
	}
}

// gap is the longest time in which a partition had no block to read, between its first and its last.
type gap struct {
	mu   sync.Mutex
	last map[int]time.Time
	most time.Duration
}

// watch reads all partitions of a log, as one who is not killed.
func watch(ctx context.Context, wait *sync.WaitGroup, l *nats.Log) *gap {
	g := &gap{last: map[int]time.Time{}}
	for n := range l.Size() {
		wait.Go(func() {
			_ = l.Stream(n, &stream.Checkpoint{}).Receive(ctx, func(context.Context, stream.Batch) error {
				g.mu.Lock()
				defer g.mu.Unlock()
				now := time.Now()
				if last, ok := g.last[n]; ok {
					g.most = max(g.most, now.Sub(last))
				}
				g.last[n] = now
				return nil
			})
		})
	}
	return g
}

func (g *gap) longest() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most
}

// TestFenced: of two that loaded the same checkpoint one may save.
func TestFenced(t *testing.T) {
	c := start(t, 1, 0)
	l := open(t, c.url("fence", 1, 1))
	a, b := l.Store(0), l.Store(0)
	for _, s := range []stream.Store{a, b} {
		if _, err := s.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	big := strings.Repeat("x", 1000) + string(random(3<<20)) // too big for a key: an object
	for i, state := range []string{"small", big, "small again", big} {
		if err := a.Save(t.Context(), &stream.Checkpoint{Positions: map[string]string{"p": fmt.Sprint(i)}, State: []byte(state)}); err != nil {
			t.Fatal(err)
		}
		got, err := l.Store(0).Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if string(got.State) != state || got.Positions["p"] != fmt.Sprint(i) {
			t.Errorf("%d: another checkpoint was loaded than was saved", i)
		}
	}
	if err := b.Save(t.Context(), &stream.Checkpoint{State: []byte("zombie")}); !errors.Is(err, stream.ErrFenced) {
		t.Errorf("the second one saves: %v", err)
	}
	if err := a.Save(t.Context(), &stream.Checkpoint{State: []byte("x")}); err != nil {
		t.Errorf("the first one does not: %v", err)
	}
}

func random(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// TestOthersStream: a stream of somebody else that has the name of a partition is not written to.
func TestOthersStream(t *testing.T) {
	c := start(t, 1, 0)
	if _, err := c.connect(t).CreateStream(t.Context(), jetstream.StreamConfig{Name: eventsOf("other", 0), Subjects: []string{"orders"}}); err != nil {
		t.Fatal(err)
	}
	conf, err := nats.ParseURL(c.url("other", 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	if l, err := nats.Open(t.Context(), conf); err == nil || !strings.Contains(err.Error(), "none of drawbridge's") {
		t.Errorf("Open = %v, %v; want it refused", l, err)
	}
}

// TestShape: an existing log keeps its number of partitions, whatever another URL says.
func TestShape(t *testing.T) {
	c := start(t, 1, 0)
	open(t, c.url("shape", 3, 1))
	if n := open(t, c.url("shape", 5, 1)).Size(); n != 3 {
		t.Errorf("%d partitions, want 3", n)
	}
}

// TestLeaders: the partitions of a log do not all have the same server for a leader.
func TestLeaders(t *testing.T) {
	c := start(t, 3, 0)
	l := open(t, c.url("leaders", 12, 3))
	lead := map[int]int{}
	sharedlog.Until(t, "every partition has a leader", func() bool {
		clear(lead)
		for n := range l.Size() {
			lead[c.leader(eventsOf("leaders", n))]++
		}
		return lead[-1] == 0
	})
	if len(lead) < 2 {
		t.Errorf("partitions by leader: %v", lead)
	}
	t.Logf("partitions by leader: %v", lead)
}

// TestLost: blocks that the stream deletes before they are read are told; what is left is read.
func TestLost(t *testing.T) {
	c := start(t, 1, 0)
	conf, err := nats.ParseURL(c.url("lost", 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	var lost []string
	conf.Lost = func(partition int, from, to uint64) {
		lost = append(lost, fmt.Sprintf("%d: %d-%d", partition, from, to))
	}
	l, err := nats.Open(t.Context(), conf)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	js := c.connect(t)
	s, err := js.Stream(t.Context(), eventsOf("lost", 0))
	if err != nil {
		t.Fatal(err)
	}
	store := func(n, keep int) { // n blocks, of which the stream keeps the last ones
		small := s.CachedInfo().Config
		small.MaxMsgs = int64(keep)
		if _, err := js.UpdateStream(t.Context(), small); err != nil {
			t.Fatal(err)
		}
		for range n {
			if _, err := js.Publish(t.Context(), "lost.events.0", nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	read := func(from, until string) (positions []string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		end := errors.New("end")
		err := l.Stream(0, &stream.Checkpoint{Positions: map[string]string{"lost.events.0": from}}).Receive(ctx, func(_ context.Context, b stream.Batch) error {
			if positions = append(positions, b.Position); b.Position == until {
				return end
			}
			return nil
		})
		if !errors.Is(err, end) {
			t.Fatalf("read %q: %v", positions, err)
		}
		return positions
	}
	check := func(what string, got, positions, want []string) {
		t.Helper()
		if diff := cmp.Diff(positions, got); diff != "" {
			t.Errorf("%s: positions (-want +got):\n%s", what, diff)
		}
		if diff := cmp.Diff(want, lost); diff != "" {
			t.Errorf("%s: lost (-want +got):\n%s", what, diff)
		}
		lost = nil
	}
	store(5, -1)
	check("nothing", read("", "5"), []string{"1", "2", "3", "4", "5"}, nil)
	store(4, 3)
	check("without a checkpoint", read("", "9"), []string{"7", "8", "9"}, []string{"0: 1-7"})
	check("after a checkpoint", read("5", "9"), []string{"7", "8", "9"}, []string{"0: 6-7"})
	check("what was read", read("6", "9"), []string{"7", "8", "9"}, nil)
	if err := s.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	store(1, 3)
	check("all that was left", read("8", "10"), []string{"10"}, []string{"0: 9-10"})
}

// TestDiskFull: a full disk stops the forwarder, and loses nothing: when there is room again it goes on.
func TestDiskFull(t *testing.T) {
	c := start(t, 1, 0)
	url := c.url("full", 1, 1)
	l := open(t, url)
	js := c.connect(t)
	s, err := js.Stream(t.Context(), eventsOf("full", 0))
	if err != nil {
		t.Fatal(err)
	}
	// The stream's own bound stands for the disk: JetStream refuses in the same way.
	limited := s.CachedInfo().Config
	limited.MaxBytes, limited.Discard = 8<<10, jetstream.DiscardNew
	if _, err := js.UpdateStream(t.Context(), limited); err != nil {
		t.Fatal(err)
	}
	const batches = 48
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type result struct {
		stream.Forwarded
		err error
	}
	done := make(chan result, 1)
	go func() {
		f, err := stream.Forward(ctx, &logs{n: batches}, l, "", func(u *event.Unparsed) { t.Error(u) })
		done <- result{f, err}
	}()
	sharedlog.Until(t, "full", func() bool {
		info, err := s.Info(t.Context())
		return err == nil && info.State.Bytes > 6<<10
	})
	select {
	case r := <-done:
		t.Fatalf("the forwarder ended with a full disk: %+v", r)
	default:
	}
	limited.MaxBytes = -1
	if _, err := js.UpdateStream(t.Context(), limited); err != nil {
		t.Fatal(err)
	}
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	p := sharedlog.Program(t, batches/accounts*5)
	go worker.Share(ctx, l, "w", options(p, l), func(n int, err error) { t.Errorf("partition %d: %v", n, err) })
	sharedlog.Until(t, "every event in a checkpoint", func() bool { return read(t, p, l) == int64(batches*50) })
	var got map[string]int
	expected := want(t, p, batches)
	sharedlog.Until(t, "every finding published", func() bool { got = found(t, l); return len(got) == len(expected) })
	if diff := cmp.Diff(expected, got); diff != "" {
		t.Errorf("findings (-undisturbed +full):\n%s", diff)
	}
}
