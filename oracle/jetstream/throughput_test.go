package jetstream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
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
	"drawbridge/internal/worker"
)

// times are the times of an audit event.
var times = regexp.MustCompile(`Timestamp":"2026-[^"]*"`)

// recorded is a stream of real output of a kube-apiserver: what detections report in it once, the rest repeated up to a size
// with an audit id and a time of its own for each event, some 2,000 a second, for some accounts in turn.
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
	b := bytes.NewBuffer(attacks)
	begin := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	for n := 0; s.size < int64(size); b = new(bytes.Buffer) {
		for ; b.Len() < 4<<20; n++ {
			at := begin.Add(time.Duration(n) * 20 * time.Millisecond).Format(`Timestamp":"2006-01-02T15:04:05.000000Z"`)
			again := times.ReplaceAllLiteral(ordinary, []byte(at))
			b.Write(bytes.ReplaceAll(again, []byte(`"auditID":"`), fmt.Appendf(nil, `"auditID":"%08x-`, n)))
		}
		s.size += int64(b.Len())
		s.batches = append(s.batches, b.Bytes())
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

// counted counts what passes from a log's partitions into engines, each block once.
type counted struct {
	worker.Log
	mu     sync.Mutex
	events int64
	blocks map[string]bool // by position
}

func (c *counted) Stream(n int, from *stream.Checkpoint) stream.Stream {
	return countedStream{c.Log.Stream(n, from), c}
}

type countedStream struct {
	stream.Stream
	c *counted
}

func (s countedStream) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	return s.Stream.Receive(ctx, func(ctx context.Context, b stream.Batch) error {
		n := int64(bytes.Count(b.Body.(*bytes.Buffer).Bytes(), []byte{'\n'}))
		if err := handle(ctx, b); err != nil {
			return err
		}
		s.c.add(b.Position, n)
		return nil
	})
}

func (c *counted) add(position string, n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.blocks[position] { // else it was read again, by who took the partition over
		c.blocks[position] = true
		c.events += n
	}
}

func (c *counted) seen() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.events
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
	b.SetBytes(s.size)
	c := start(b, 3, 0)
	for n := 0; b.Loop(); n++ {
		l := open(b, c.url(fmt.Sprintf("through%d", n), 4, 3))
		ctx, cancel := context.WithCancel(b.Context())
		counts := &counted{Log: l, blocks: map[string]bool{}}
		o := worker.Options{
			Program: p, Context: &detect.Context{}, Engine: detect.Options{Lateness: time.Minute},
			Deliver: func(ctx context.Context, fs []finding.Finding) error {
				return l.Publish(ctx, fs, func(f finding.Finding) ([]byte, error) { return json.Marshal(f) })
			},
		}
		done := make(chan error, 1)
		go func() {
			done <- worker.Share(ctx, counts, "w", o, func(n int, err error) { b.Errorf("partition %d: %v", n, err) })
		}()
		begin, began := time.Now(), busy(b)
		sent, err := stream.Forward(ctx, s, l, "", func(u *event.Unparsed) { b.Error(u) })
		if err != nil {
			b.Fatal(err)
		}
		stored := time.Since(begin)
		until(b, "every event in an engine", func() bool { return counts.seen() >= sent.Records })
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
		b.ReportMetric(float64(sent.Records)/took.Seconds(), "events/s")
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
