package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/detections"
	"drawbridge/internal/detect"
	"drawbridge/internal/finding"
	"drawbridge/internal/stream"
	"drawbridge/internal/stream/s3"
	"drawbridge/internal/stream/s3/s3test"
	"drawbridge/internal/worker"
)

// users is how many identities are refused requests, and refused how often the nth is. Twenty make a finding: at once, with the
// five more afterwards, or never unless some are counted twice.
const users = 30

func refused(n int) int { return []int{20, 15, 14}[n%3] }

// refusals are synthetic audit events of n requests of a user that were refused, from a second on.
func refusals(user, n, from int) (out []string) {
	for i := range n {
		at := time.Date(2026, 11, 1, 10, 0, from+i, user*1000, time.UTC).Format("2006-01-02T15:04:05.000000Z")
		out = append(out, fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%d-%d-%d","stage":"ResponseComplete","requestURI":"/api/v1/secrets","verb":"list","user":{"username":"user-%d"},"sourceIPs":["10.0.0.9"],"objectRef":{"resource":"secrets","apiVersion":"v1"},"responseStatus":{"code":403},"requestReceivedTimestamp":"%s","stageTimestamp":"%s"}`+"\n", user, from, i, user, at, at))
	}
	return out
}

// objects are all events of the first part in any order, some in each.
func objects(random *rand.Rand) (out [][]byte) {
	var all []string
	for u := range users {
		all = append(all, refusals(u, refused(u), 0)...)
	}
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for len(all) > 0 {
		n := min(len(all), 1+random.IntN(20))
		var b bytes.Buffer
		for _, e := range all[:n] {
			b.WriteString(e)
		}
		out, all = append(out, b.Bytes()), all[n:]
	}
	return out
}

// one is a stream of one batch.
type one []byte

func (o one) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	return handle(ctx, stream.Batch{Input: "sequel", Cluster: "prod", Body: bytes.NewBuffer(o)})
}

// sequel is what an engine of this state finds in five more refusals of each user.
func sequel(t *testing.T, o worker.Options, folder string) map[string]string {
	t.Helper()
	var b bytes.Buffer
	for u := range users {
		for _, e := range refusals(u, 5, 100) {
			b.WriteString(e)
		}
	}
	found := map[string]string{}
	o.Deliver = func(_ context.Context, fs []finding.Finding) error {
		for _, f := range fs {
			found[f.Fingerprint] = f.Message
		}
		return nil
	}
	run(t, folder, one(b.Bytes()), o, nil)
	return found
}

// run reads a stream with the state in a folder, as one process does.
func run(t *testing.T, folder string, s stream.Stream, o worker.Options, store func(stream.Store) stream.Store) error {
	t.Helper()
	state, err := worker.OpenFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	if o.Checkpoint, err = state.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if o.Store = state; store != nil {
		o.Store = store(state)
	}
	_, err = worker.Run(t.Context(), s, o)
	return err
}

var errKilled = errors.New("killed")

// killer ends a process, as it were, at any moment: what it is asked about does not happen, or is the last that did.
type killer struct {
	mu     sync.Mutex
	random *rand.Rand
	left   int
}

func (k *killer) chance(n int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.random.IntN(n) == 0
}

// do does something, unless the process is dead before, and says whether it is dead.
func (k *killer) do(f func() error) error {
	k.mu.Lock()
	k.left--
	dead := k.left <= 0
	before := k.random.IntN(2) == 0
	k.mu.Unlock()
	if dead && before {
		return errKilled
	}
	if err := f(); err != nil {
		return err
	}
	if dead {
		return errKilled
	}
	return nil
}

// mortal is a stream whose process may die while a batch is read, before it is acknowledged, or after.
type mortal struct {
	stream.Stream
	*killer
}

func (m mortal) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	return m.Stream.Receive(ctx, func(ctx context.Context, b stream.Batch) error {
		if ack := b.Ack; ack != nil {
			b.Ack = func(ctx context.Context) error { return m.do(func() error { return ack(ctx) }) }
		}
		if b.Cluster == "" {
			b.Cluster = "prod"
		}
		return m.do(func() error { return handle(ctx, b) })
	})
}

// mortalStore is one whose process may die before or after a save.
type mortalStore struct {
	stream.Store
	*killer
}

func (m mortalStore) Save(ctx context.Context, c *stream.Checkpoint) error {
	return m.do(func() error { return m.Store.Save(ctx, c) })
}

// TestKilled: a worker on a queue that gives messages more than once, killed again and again at any moment (while it reads, hands
// on, saves, acknowledges), finds in the end what an undisturbed one finds, and has the state that finds the same afterwards.
func TestKilled(t *testing.T) {
	program, err := detect.Load(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	options := worker.Options{Program: program, Context: &detect.Context{}, Engine: detect.Options{Lateness: 15 * time.Minute}, Cluster: "prod"}
	kills := 0
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 2026))
		f := s3test.New(t)
		all := objects(random)
		whole := t.TempDir()
		want := map[string]string{}
		fill(f, all)
		o := options
		o.Deliver = into(want)
		if err := run(t, whole, s3.New(f.Config(), s3.Options{Queue: f.Queue(), Drain: true}), o, nil); err != nil {
			t.Fatal(err)
		}
		wantSequel := sequel(t, options, whole)
		if len(want) != users/3 || len(wantSequel) != users/3 {
			t.Fatalf("an undisturbed run finds %d, and %d afterwards", len(want), len(wantSequel))
		}

		fill(f, all)
		k := &killer{random: random}
		f.Repeat = func() bool { return k.chance(30) }
		f.Lose = func() bool { return k.chance(4) }
		got, folder := map[string]string{}, t.TempDir()
		for n := 0; ; n++ {
			if n == 500 {
				t.Fatal("it does not come to an end")
			}
			k.left = 1 + random.IntN(30)
			o := options
			o.Every = []time.Duration{-1, time.Millisecond}[random.IntN(2)]
			deliver := into(got)
			o.Deliver = func(ctx context.Context, fs []finding.Finding) error {
				return k.do(func() error { return deliver(ctx, fs) })
			}
			f.Release()
			s := mortal{s3.New(f.Config(), s3.Options{Queue: f.Queue(), Drain: true}), k}
			err := run(t, folder, s, o, func(s stream.Store) stream.Store { return mortalStore{s, k} })
			if err == nil && f.Left() == 0 {
				break
			}
			if err == nil {
				continue // the last deletion was lost
			}
			if !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			kills++
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("seed %d: findings (-undisturbed +killed):\n%s", seed, diff)
		}
		if diff := cmp.Diff(wantSequel, sequel(t, options, folder)); diff != "" {
			t.Errorf("seed %d: findings by the state afterwards (-undisturbed +killed):\n%s", seed, diff)
		}
	}
	t.Logf("killed %d times", kills)
	if kills < 60 {
		t.Errorf("killed only %d times", kills)
	}
}

func fill(f *s3test.Fake, objects [][]byte) {
	for i, o := range objects {
		f.Put(fmt.Sprintf("%d.json", i), o)
	}
}

// into keeps findings by their fingerprints.
func into(found map[string]string) func(context.Context, []finding.Finding) error {
	return func(_ context.Context, fs []finding.Finding) error {
		for _, f := range fs {
			found[f.Fingerprint] = f.Message
		}
		return nil
	}
}
