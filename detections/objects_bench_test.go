package detections_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	stdgzip "compress/gzip"

	"github.com/klauspost/compress/gzip"

	"drawbridge/internal/detect"
	"drawbridge/internal/finding"
	"drawbridge/internal/stream"
	"drawbridge/internal/stream/file"
	"drawbridge/internal/worker"
)

// rates times each way over the same bytes in turns, and reports the MB/s of its best turn: on a machine that others use, too,
// the best is what the code can do.
func rates(b *testing.B, size int, names []string, ways ...func()) (best []time.Duration) {
	best = make([]time.Duration, len(ways))
	for b.Loop() {
		for i, way := range ways {
			start := time.Now()
			way()
			if took := time.Since(start); best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	for i, name := range names {
		b.ReportMetric(float64(size)/best[i].Seconds()/1e6, name+"-MB/s")
	}
	b.ReportMetric(0, "ns/op")
	return best
}

func cores(n int, do func()) func() {
	return func() {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
		do()
	}
}

// detectIn runs every detection over the files of a folder, which have so many events.
func detectIn(b *testing.B, p *detect.Program, dir string, events int) func() {
	return func() {
		s, err := worker.Run(b.Context(), file.New(file.Options{Paths: []string{dir}}), worker.Options{Program: p, Context: &detect.Context{}, Cluster: "prod"})
		if err != nil || s.Stats.Read != int64(events) || len(s.Unparsed) > 0 {
			b.Fatal(err, "events read:", s.Stats.Read, "of", events)
		}
	}
}

// BenchmarkFile is one file of audit events, JSON lines on disk, through every detection to the findings, on one core and on two.
func BenchmarkFile(b *testing.B) {
	log, dir := ordinary(256<<20), b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "audit.jsonl"), log, 0o600); err != nil {
		b.Fatal(err)
	}
	run := detectIn(b, load(b), dir, bytes.Count(log, []byte("\n")))
	best := rates(b, len(log), []string{"one-core", "two-cores"}, cores(1, run), cores(2, run))
	b.ReportMetric(best[0].Seconds()/best[1].Seconds(), "two-to-one")
}

// BenchmarkObjects is CloudTrail's objects, compressed on disk, through every detection to the findings, on one core and on two;
// beside it decompressing them alone, as three programs do it.
func BenchmarkObjects(b *testing.B) {
	p := load(b)
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	dir, size := b.TempDir(), 0
	lines := bytes.Split(bytes.TrimSpace(trail(64_000)), []byte("\n"))
	var files []string
	for chunk := range slices.Chunk(lines, 1000) {
		object := slices.Concat([]byte(`{"Records":[`), bytes.Join(chunk, []byte(",")), []byte(`]}`))
		size += len(object)
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, err := w.Write(object)
		must(errors.Join(err, w.Close()))
		name := filepath.Join(dir, fmt.Sprintf("%04d.json.gz", len(files)))
		must(os.WriteFile(name, z.Bytes(), 0o600))
		files = append(files, name)
	}
	run := detectIn(b, p, dir, len(lines))
	unzip := func(open func(io.Reader) (io.Reader, error)) func() {
		return func() {
			for _, name := range files {
				data, err := os.ReadFile(name)
				must(err)
				z, err := open(bytes.NewReader(data))
				must(err)
				_, err = io.Copy(io.Discard, z)
				must(err)
			}
		}
	}
	var z gzip.Reader
	var std stdgzip.Reader
	best := rates(b, size, []string{"one-core", "two-cores", "gunzip-klauspost", "gunzip-stdlib", "gzip-dc"},
		cores(1, run), cores(2, run),
		cores(1, unzip(func(r io.Reader) (io.Reader, error) { return &z, z.Reset(r) })),
		cores(1, unzip(func(r io.Reader) (io.Reader, error) { return &std, std.Reset(r) })),
		func() { must(exec.CommandContext(b.Context(), "gzip", append([]string{"-dc"}, files...)...).Run()) })
	b.ReportMetric(best[0].Seconds()/best[1].Seconds(), "two-to-one")
	for i, name := range []string{"of-klauspost", "of-stdlib", "of-gzip-dc"} {
		b.ReportMetric(best[i+2].Seconds()/best[0].Seconds(), name)
	}
}

// live is a stream that hands out so many events in a second, in batches every five milliseconds.
type live struct {
	batches [][]byte
	handed  []time.Time
}

func (s *live) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, b := range s.batches {
		s.handed = append(s.handed, <-tick.C)
		if err := handle(ctx, stream.Batch{Input: "live", Cluster: "prod", Body: bytes.NewBuffer(b)}); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkLatency is the time from an event to its finding at 20,000 events in a second, of which one in 500 is reported.
func BenchmarkLatency(b *testing.B) {
	p := load(b)
	const seconds, perBatch = 3, 100
	lines := bytes.SplitAfter(bytes.TrimSpace(ordinary(80<<20)), []byte("\n"))
	if len(lines) < seconds*200*perBatch {
		b.Fatalf("%d events", len(lines))
	}
	for b.Loop() {
		s := &live{}
		for n := range seconds * 200 {
			batch := bytes.Join(lines[n*perBatch:(n+1)*perBatch], nil)
			if n%5 == 0 {
				batch = fmt.Appendf(batch, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a-%d","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/team-1/pods","verb":"list","user":{"username":"system:anonymous","groups":["system:unauthenticated"]},"sourceIPs":["198.51.100.%d"],"objectRef":{"resource":"pods","namespace":"team-%d","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2026-11-23T08:00:%02d.000000Z","stageTimestamp":"2026-11-23T08:00:%02d.000000Z"}`+"\n", n, n%250, n, n/20, n/20)
			}
			s.batches = append(s.batches, batch)
		}
		var took []time.Duration
		_, err := worker.Run(b.Context(), s, worker.Options{
			Program: p, Context: &detect.Context{}, Engine: detect.Options{Lateness: time.Minute},
			Deliver: func(_ context.Context, found []finding.Finding) error {
				for range found {
					took = append(took, time.Since(s.handed[len(s.handed)-1]))
				}
				return nil
			},
		})
		if err != nil || len(took) < 10 {
			b.Fatal(err, errors.New("findings"), len(took))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
		b.ReportMetric(float64(len(took)), "findings")
	}
	b.ReportMetric(0, "ns/op")
}
