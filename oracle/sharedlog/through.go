//go:build unix

package sharedlog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
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
	all, err := os.ReadFile(events)
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
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // 2026-11: G404: the same events each time
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
		cluster := fmt.Sprintf("arn:aws:eks:eu-central-1:%012d:cluster/c", 111122223333+i%24)
		if err := handle(ctx, stream.Batch{Input: "in", Cluster: cluster, Body: bytes.NewBuffer(b)}); err != nil {
			return err
		}
	}
	return nil
}

// Fresh is a log that has nothing yet.
type Fresh struct {
	Log    Log
	Sender stream.Sender
	// Size is how many bytes one replica of it has.
	Size func() int64
}

// Through measures raw records through to state: without credentials and in blocks into a log, from there through every
// detection, and into checkpoints. The clock stops within a second after engines have every event, when all of it is saved.
func Through(b *testing.B, fresh func(n int) Fresh) {
	p, err := detect.Load(detections.Files)
	if err != nil {
		b.Fatal(err)
	}
	s := record(b, p, 1<<30)
	for n := 0; b.Loop(); n++ {
		f := fresh(n)
		l := f.Log
		ctx, cancel := context.WithCancel(b.Context())
		o := Options(p, l, nil)
		var mu sync.Mutex
		read := map[int]int64{} // by partition
		o.Progress = func(s worker.Status) {
			mu.Lock()
			defer mu.Unlock()
			read[s.Partition] = s.Events.Read
		}
		done := make(chan error, 1)
		go func() {
			done <- worker.Share(ctx, l, "w", o, func(n int, err error) { b.Errorf("partition %d: %v", n, err) })
		}()
		begin, began := time.Now(), busy(b)
		sent, err := stream.Forward(ctx, s, f.Sender, "", func(u *event.Unparsed) { b.Error(u) })
		if err != nil {
			b.Fatal(err)
		}
		stored := time.Since(begin)
		Until(b, "every event in an engine", func() bool {
			mu.Lock()
			defer mu.Unlock()
			var all int64
			for _, n := range read {
				all += n
			}
			return all == sent.Records
		})
		cancel() // the last checkpoints are saved on the way out
		if err := <-done; err != nil {
			b.Fatal(err)
		}
		took, spent := time.Since(begin), busy(b)-began
		got, _, err := State(b.Context(), p, l)
		if err != nil || got != sent.Records {
			b.Fatalf("%d events in checkpoints, want %d: %v", got, sent.Records, err)
		}
		b.ReportMetric(spent.Seconds()/(float64(s.size)/1e9), "cpu-s/GB")
		b.ReportMetric(float64(s.size)/1e6/stored.Seconds(), "stored-MB/s")
		b.ReportMetric(float64(s.size)/1e6/took.Seconds(), "state-MB/s")
		b.ReportMetric(float64(sent.Records)/took.Seconds(), "events/s")
		b.ReportMetric(float64(s.size)/float64(f.Size()), "raw/stored")
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
