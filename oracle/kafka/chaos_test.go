package kafka_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/stream"
	"drawbridge/internal/stream/kafka"
	"drawbridge/internal/worker"
	"drawbridge/oracle/sharedlog"
)

// source is a stream of batches, one of each account in each round, that come again until they are acknowledged.
type source struct {
	rounds [2]int // from one up to another
	tick   *time.Ticker

	mu    sync.Mutex
	acked map[[2]int]bool
}

func (s *source) left() (out [][2]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := s.rounds[0]; i < s.rounds[1]; i++ {
		for a := range accounts {
			if k := [2]int{i, a}; !s.acked[k] {
				out = append(out, k)
			}
		}
	}
	return out
}

func (s *source) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	for _, k := range s.left() {
		select {
		case <-s.tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		var body bytes.Buffer
		for u := range users {
			body.Write(append(refusal(k[0], k[1], u), '\n'))
		}
		err := handle(ctx, stream.Batch{Input: "in", Cluster: clusterOf(k[1]), Body: &body, Ack: func(context.Context) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.acked[k] = true
			return nil
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

// TestChaos: one who fills the topic and dies now and then, and sends again what it does not know to be stored; three workers that live for a short time, one that ignores who holds
// what; brokers that are lost, lose answers, drop connections and say that they do not lead; leaders and coordinators that move;
// broken records. In the end the topic has every event, all that it has is in a checkpoint once, and the findings are those of an
// undisturbed run.
func TestChaos(t *testing.T) {
	const before, rounds = 20, 60
	b, url := startRough(t)
	p := sharedlog.Program(t, rounds)
	_, broken := fill(t, b.ListenAddrs(), before)
	f := &told{by: map[string]string{}}
	ctx, cancel := context.WithCancel(t.Context())
	var wait sync.WaitGroup
	defer func() { cancel(); wait.Wait() }()
	b.breaks(true)
	for w := range 3 {
		wait.Go(func() { live(ctx, t, w, url, p, f) })
	}
	wait.Go(func() { b.stir(ctx, t) })
	wait.Go(func() {
		for n := 0; ctx.Err() == nil; n++ {
			steal(ctx, url, n%partitions, p, f)
		}
	})
	from := &source{rounds: [2]int{before, rounds}, tick: time.NewTicker(10 * time.Millisecond), acked: map[[2]int]bool{}}
	defer from.tick.Stop()
	deaths := 0
	for r := rand.New(rand.NewPCG(3, 3)); len(from.left()) > 0; deaths++ {
		lives, end := context.WithTimeout(ctx, time.Duration(1500+r.IntN(2000))*time.Millisecond)
		forward(lives, t, url, from)
		end()
		if t.Failed() || deaths > 60 {
			t.Fatalf("%d batches of %d are not in the topic after %d lives", len(from.left()), (rounds-before)*accounts, deaths)
		}
	}
	expected := want()
	sharedlog.Until(t, "every finding told", func() bool { return len(f.messages()) == len(expected) })
	cancel()
	wait.Wait()
	b.breaks(false)
	t.Logf("%d lives of the forwarder; %d brokers lost, %d answers lost, %d requests refused, %d answered with an error, %d not answered", deaths, b.lost, b.unanswered, b.refused, b.failed, b.silent)
	if b.lost == 0 || b.unanswered == 0 || b.refused == 0 || b.failed == 0 {
		t.Error("the brokers did not break")
	}
	events, distinct := contents(t, b.ListenAddrs())
	if distinct != rounds*accounts*users {
		t.Errorf("the topic has %d events, want %d", distinct, rounds*accounts*users)
	}
	// What the killed did not save the last one reads.
	l := open(t, url)
	var e, bad int64
	for n := 0; n < 20 && (e != events || bad != broken); n++ {
		lives, end := context.WithTimeout(t.Context(), 3*time.Second)
		if err := worker.Share(lives, l, "last", options(p, l, f), func(int, error) {}); err != nil {
			t.Fatal(err)
		}
		end()
		var err error
		if e, bad, err = sharedlog.State(t.Context(), p, l); err != nil {
			t.Fatal(err)
		}
	}
	if e != events || bad != broken {
		t.Errorf("%d events in checkpoints and %d broken, want %d and %d", e, bad, events, broken)
	}
	t.Logf("%d events of the topic are there again", events-distinct)
	if diff := cmp.Diff(expected, f.messages()); diff != "" {
		t.Errorf("findings (-undisturbed +disturbed):\n%s", diff)
	}
}

// options are a worker's that saves often.
func options(p *detect.Program, l *kafka.Log, f *told) worker.Options {
	o := sharedlog.Options(p, l, f.tell)
	o.Every = 50 * time.Millisecond
	return o
}

// live is a worker that lives for a short time, again and again.
func live(ctx context.Context, t testing.TB, w int, url string, p *detect.Program, f *told) {
	r := rand.New(rand.NewPCG(uint64(w), 7))
	for life := 0; ctx.Err() == nil; life++ {
		lives, end := context.WithTimeout(ctx, time.Duration(2000+r.IntN(6000))*time.Millisecond)
		conf, err := kafka.ParseURL(url)
		if err != nil {
			t.Error(err)
		}
		if l, err := kafka.Open(lives, conf); err == nil {
			_ = worker.Share(lives, l, fmt.Sprintf("w%d-%d", w, life), options(p, l, f), func(int, error) {})
			l.Close()
		}
		end()
	}
}

// steal is a worker that reads a partition, whoever holds it.
func steal(ctx context.Context, url string, n int, p *detect.Program, f *told) {
	lives, end := context.WithTimeout(ctx, 1500*time.Millisecond)
	defer end()
	conf, _ := kafka.ParseURL(url)
	if l, err := kafka.Open(lives, conf); err == nil {
		defer l.Close()
		o := options(p, l, f)
		o.Store = l.Store(n)
		if o.Checkpoint, err = o.Store.Load(lives); err == nil {
			_, _ = worker.Run(lives, l.Stream(n, o.Checkpoint), o)
		}
	}
	<-lives.Done()
}

// forward fills the topic for as long as it lives. Nothing that a broker does ends it.
func forward(lives context.Context, t testing.TB, url string, from *source) {
	conf, _ := kafka.ParseURL(url)
	to, err := kafka.OpenSender(lives, conf)
	if err != nil {
		return
	}
	defer to.Close()
	if _, err := stream.Forward(lives, from, to, "", func(u *event.Unparsed) { t.Error(u) }); err != nil && lives.Err() == nil {
		t.Errorf("the forwarder gave up: %v", err)
	}
}

// stir moves leaders and coordinators, and takes brokers away for a while.
func (b *rough) stir(ctx context.Context, t testing.TB) {
	r := rand.New(rand.NewPCG(5, 5))
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		switch n % 4 {
		case 0, 1:
			_ = b.MoveTopicPartition("audit", int32(n%partitions), int32(r.IntN(3)))
		case 2:
			b.RehashCoordinators()
		case 3:
			back := b.lose(t, 1+r.IntN(2)) // not the controller, which the stand-in would not elect anew
			<-tick.C
			<-tick.C
			back()
		}
	}
}
