package jetstream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"drawbridge/detections"
	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
	"drawbridge/internal/stream"
	"drawbridge/internal/stream/nats"
	"drawbridge/internal/worker"
)

// own are the parts of an audit event that no other has: its id and its times.
var own = regexp.MustCompile(`("auditID":")[^"]*|(Timestamp":")2026-[^"]*`)

// recorded is a stream of real output of a kube-apiserver: what detections report in it once, the rest repeated up to a size
// with a random audit id and times of its own for each event, some 2,000 a second, for some accounts in turn.
type recorded struct {
	batches [][]byte
	size    int64
}

func record(t testing.TB, p *detect.Program, size int) *recorded {
	t.Helper()
	all, err := os.ReadFile("../../internal/event/testdata/audit.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	reported := map[string]bool{}
	_, err = worker.Run(t.Context(), &recorded{batches: [][]byte{all}}, worker.Options{
		Program: p, Context: &detect.Context{},
		Deliver: func(_ context.Context, fs []finding.Finding) error {
			for _, f := range fs {
				for _, e := range f.Evidence {
					id, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(e.Source, "audit event "), "event "), " ")
					reported[id] = true
				}
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	var attacks, ordinary []byte
	for line := range bytes.Lines(all) {
		var e struct{ AuditID string }
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if reported[e.AuditID] {
			attacks = append(attacks, line...)
		} else {
			ordinary = append(ordinary, line...)
		}
	}
	s := &recorded{}
	b := attacks
	at := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewPCG(1, 2))
	parts := own.FindAllSubmatchIndex(ordinary, -1)
	for s.size < int64(size) {
		for len(b) < 4<<20 {
			begin := 0
			for _, m := range parts {
				if m[2] >= 0 {
					b = fmt.Appendf(append(b, ordinary[begin:m[3]]...), "%016x%016x", r.Uint64(), r.Uint64())
				} else {
					at = at.Add(time.Duration(r.IntN(500)) * time.Microsecond)
					b = at.AppendFormat(append(b, ordinary[begin:m[5]]...), "2006-01-02T15:04:05.000000Z")
				}
				begin = m[1]
			}
			b = append(b, ordinary[begin:]...)
		}
		s.size += int64(len(b))
		s.batches = append(s.batches, b)
		b = nil
	}
	return s
}

func (s *recorded) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	for i, b := range s.batches {
		cluster := fmt.Sprintf("arn:aws:eks:eu-central-1:%012d:cluster/c", 111122223333+i%accounts)
		if err := handle(ctx, stream.Batch{Input: "in", Cluster: cluster, Body: bytes.NewBuffer(b)}); err != nil {
			return err
		}
	}
	return nil
}

// followed knows how far the partitions of a log have been handled.
type followed struct {
	worker.Log
	mu sync.Mutex
	at map[int]string // position by partition
}

func (f *followed) Stream(n int, from *stream.Checkpoint) stream.Stream {
	return followedStream{f.Log.Stream(n, from), f, n}
}

type followedStream struct {
	stream.Stream
	f *followed
	n int
}

func (s followedStream) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	return s.Stream.Receive(ctx, func(ctx context.Context, b stream.Batch) error {
		free := b.Free
		b.Free = func() { // the engine is done with it
			free()
			s.f.mu.Lock()
			defer s.f.mu.Unlock()
			s.f.at[s.n] = b.Position
		}
		return handle(ctx, b)
	})
}

// handled says whether the last block of each partition was.
func (f *followed) handled(last []uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for n, seq := range last {
		if seq > 0 && f.at[n] != strconv.FormatUint(seq, 10) {
			return false
		}
	}
	return true
}

// ends are the last sequence numbers of a log's partitions, and how many bytes those have in one replica.
func ends(t testing.TB, c *cluster, l *nats.Log) (last []uint64, size uint64) {
	t.Helper()
	js := c.connect(t)
	for n := range l.Size() {
		s, err := js.Stream(t.Context(), eventsOf(l.Name, n))
		if err != nil {
			t.Fatal(err)
		}
		state := s.CachedInfo().State
		last, size = append(last, state.LastSeq), size+state.Bytes
	}
	return last, size
}

// BenchmarkThroughToState is raw records from memory, without credentials and in blocks, into a stream of three replicas on
// three servers in this process, from there through every detection, and into checkpoints: the clock stops when the
// checkpoints of all partitions have every event.
func BenchmarkThroughToState(b *testing.B) {
	p, err := detect.Load(detections.Files)
	if err != nil {
		b.Fatal(err)
	}
	s := record(b, p, 1<<30)
	c := start(b, 3, 0)
	for n := 0; b.Loop(); n++ {
		l := open(b, c.url(fmt.Sprintf("through%d", n), 4, 3))
		ctx, cancel := context.WithCancel(b.Context())
		follow := &followed{Log: l, at: map[int]string{}}
		o := worker.Options{
			Program: p, Context: &detect.Context{}, Engine: detect.Options{Lateness: time.Minute},
			Deliver: func(ctx context.Context, fs []finding.Finding) error {
				return l.Publish(ctx, fs, func(f finding.Finding) ([]byte, error) { return json.Marshal(f) })
			},
		}
		done := make(chan error, 1)
		go func() {
			done <- worker.Share(ctx, follow, "w", o, func(n int, err error) { b.Errorf("partition %d: %v", n, err) })
		}()
		begin, began := time.Now(), busy(b)
		sent, err := stream.Forward(ctx, s, l, "", func(u *event.Unparsed) { b.Error(u) })
		if err != nil {
			b.Fatal(err)
		}
		stored := time.Since(begin)
		last, size := ends(b, c, l)
		until(b, "every block in an engine", func() bool { return follow.handled(last) })
		cancel() // the last checkpoints are saved on the way out
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		took := time.Since(begin)
		spent := busy(b) - began
		if got := read(b, p, l); got != sent.Records {
			b.Fatalf("%d events in checkpoints, want %d", got, sent.Records)
		}
		b.ReportMetric(spent.Seconds()/(float64(s.size)/1e9), "cpu-s/GB")
		b.ReportMetric(float64(s.size)/1e6/stored.Seconds(), "stored-MB/s")
		b.ReportMetric(float64(s.size)/1e6/took.Seconds(), "state-MB/s")
		b.ReportMetric(float64(sent.Records)/took.Seconds(), "events/s")
		b.ReportMetric(float64(s.size)/float64(size), "raw/stored")
		b.ReportMetric(float64(sent.Records)/float64(sent.Blocks), "events/block")
	}
}

// busy is the time that this process has had of the machine's cores: other processes take it from the clock, but not from
// this.
func busy(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
