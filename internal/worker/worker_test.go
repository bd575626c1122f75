package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/detections"
	"drawbridge/internal/detect"
	"drawbridge/internal/finding"
	"drawbridge/internal/stream"
	"drawbridge/internal/worker"
)

// batches is a stream that resumes after a position, as an object store or a log does.
type batches struct {
	from string
	all  [][]byte
	// killAfter ends the process, as it were, after so many batches; 0 never.
	killAfter int
}

var errKilled = errors.New("killed")

func (s *batches) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	from, _ := strconv.Atoi(s.from)
	for i, b := range s.all {
		if i < from {
			continue
		}
		if err := handle(ctx, stream.Batch{Input: "in", Position: strconv.Itoa(i + 1), Cluster: "prod", Body: bytes.NewBuffer(b)}); err != nil {
			return err
		}
		if s.killAfter > 0 && i+1-from == s.killAfter {
			return errKilled
		}
	}
	return nil
}

// sometimes saves every other time: a kill comes between two saves.
type sometimes struct {
	stream.Store
	n int
}

func (s *sometimes) Save(ctx context.Context, c *stream.Checkpoint) error {
	if s.n++; s.n%2 == 0 {
		return nil
	}
	return s.Store.Save(ctx, c)
}

// denied is n batches of refused requests of several users: synthetic audit events.
func denied(n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		var b bytes.Buffer
		for j := range 7 {
			at := time.Date(2026, 11, 1, 10, 0, i, j*1000, time.UTC).Format("2006-01-02T15:04:05.000000Z")
			fmt.Fprintf(&b, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%d-%d","stage":"ResponseComplete","requestURI":"/api/v1/secrets","verb":"list","user":{"username":"user-%d"},"sourceIPs":["10.0.0.9"],"objectRef":{"resource":"secrets","apiVersion":"v1"},"responseStatus":{"code":403},"requestReceivedTimestamp":"%s","stageTimestamp":"%s"}`+"\n", i, j, j, at, at)
		}
		out[i] = b.Bytes()
	}
	return out
}

// TestKilled: a run that is killed again and again, wherever it is, and started again from what it saved, finds in the end
// what an undisturbed one finds. What it reports twice has the same fingerprint.
func TestKilled(t *testing.T) {
	program, err := detect.Load(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	logs := denied(40)
	options := func(found map[string]string) worker.Options {
		return worker.Options{
			Program: program, Context: &detect.Context{}, Engine: detect.Options{Lateness: time.Minute}, Every: -1,
			Deliver: func(_ context.Context, fs []finding.Finding) error {
				for _, f := range fs {
					if was, ok := found[f.Fingerprint]; ok && was != f.Message {
						t.Errorf("finding %s was reported as %q and as %q", f.Fingerprint, was, f.Message)
					}
					found[f.Fingerprint] = f.Message
				}
				return nil
			},
		}
	}
	want := map[string]string{}
	whole, err := worker.Run(t.Context(), &batches{all: logs}, options(want))
	if err != nil {
		t.Fatal(err)
	}
	if len(want) == 0 {
		t.Fatal("an undisturbed run finds nothing")
	}
	for every := 1; every < 9; every++ {
		t.Run(fmt.Sprintf("after %d batches", every), func(t *testing.T) {
			folder, got := t.TempDir(), map[string]string{}
			for range len(logs) + 1 {
				state, err := worker.OpenFolder(folder)
				if err != nil {
					t.Fatal(err)
				}
				o := options(got)
				o.Store = &sometimes{Store: state}
				if o.Checkpoint, err = state.Load(t.Context()); err != nil {
					t.Fatal(err)
				}
				s, err := worker.Run(t.Context(), &batches{from: o.Checkpoint.Positions["in"], all: logs, killAfter: every}, o)
				if err := state.Close(); err != nil {
					t.Fatal(err)
				}
				if err == nil {
					if s.Events.Read != whole.Events.Read {
						t.Errorf("%d events counted, want %d", s.Events.Read, whole.Events.Read)
					}
					break
				}
				if !errors.Is(err, errKilled) {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("findings (-undisturbed +killed):\n%s", diff)
			}
		})
	}
}

// owned hands out batches that wait, and counts those that come back.
type owned struct {
	all         [][]byte
	out, back   atomic.Int32
	most        int32
	fail, abort int  // at which batch the stream, or who asked for it, stops
	wait        bool // all can wait
	stop        context.CancelFunc
}

var errBroken = errors.New("broken")

func (s *owned) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	for i, b := range s.all {
		switch {
		case i+1 == s.fail:
			return errBroken
		case i+1 == s.abort:
			s.stop()
		}
		body := bytes.NewBuffer(bytes.Clone(b))
		batch := stream.Batch{Input: "in", Position: strconv.Itoa(i + 1), Cluster: "prod", Body: body, Free: func() {
			clear(body.Bytes()) // whoever reads it later reads nothing
			s.back.Add(1)
		}}
		if i%5 == 4 && !s.wait { // one that cannot wait comes after all that came before
			batch.Free, batch.Body = nil, bytes.NewReader(b)
			s.back.Add(1)
		}
		s.most = max(s.most, s.out.Add(1)-s.back.Load())
		if err := handle(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// TestAhead: batches that are decoded beside the engine are handled as those that are not, in their order, and given back once,
// also when something fails. As many as there are cores wait, and no more.
func TestAhead(t *testing.T) {
	program, err := detect.Load(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	logs := denied(60)
	run := func(ctx context.Context, s stream.Stream, deliver error) (found []string, sum *worker.Summary, position string, err error) {
		folder, err := worker.OpenFolder(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer folder.Close()
		sum, err = worker.Run(ctx, s, worker.Options{
			Program: program, Context: &detect.Context{}, Engine: detect.Options{Lateness: time.Minute}, Store: folder, Every: -1,
			Deliver: func(_ context.Context, fs []finding.Finding) error {
				for _, f := range fs {
					found = append(found, f.Fingerprint)
				}
				return deliver
			},
		})
		c, loadErr := folder.Load(t.Context())
		if loadErr != nil {
			t.Fatal(loadErr)
		}
		return found, sum, c.Positions["in"], err
	}
	want, whole, _, err := run(t.Context(), &batches{all: logs}, nil)
	if err != nil || len(want) == 0 {
		t.Fatal(err, want)
	}
	t.Run("whole", func(t *testing.T) {
		s := &owned{all: logs}
		got, sum, position, err := run(t.Context(), s, nil)
		if diff := cmp.Diff(want, got) + cmp.Diff(whole, sum); diff != "" || err != nil || position != "60" {
			t.Errorf("%v, at %s\n%s", err, position, diff)
		}
		if s.back.Load() != s.out.Load() || s.most > 4+3 {
			t.Errorf("%d of %d batches came back; %d were out at once", s.back.Load(), s.out.Load(), s.most)
		}
	})
	t.Run("stream fails", func(t *testing.T) {
		s := &owned{all: logs, fail: 31}
		_, sum, position, err := run(t.Context(), s, nil)
		if !errors.Is(err, errBroken) || sum.Events.Read != 30*7 || position != "30" || s.back.Load() != s.out.Load() {
			t.Errorf("%v, at %s, %d events; %d of %d batches came back", err, position, sum.Events.Read, s.back.Load(), s.out.Load())
		}
	})
	t.Run("delivery fails", func(t *testing.T) {
		s := &owned{all: logs, wait: true}
		_, _, position, err := run(t.Context(), s, errBroken)
		if n, _ := strconv.Atoi(position); !errors.Is(err, errBroken) || n >= 60 || s.back.Load() != s.out.Load() {
			t.Errorf("%v, at %q; %d of %d batches came back", err, position, s.back.Load(), s.out.Load())
		}
	})
	t.Run("stopped", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		s := &owned{all: logs, abort: 30, stop: stop}
		_, sum, position, err := run(ctx, s, nil)
		if n, _ := strconv.Atoi(position); err != nil || sum.Events.Read < int64(7*n) || s.back.Load() != s.out.Load() {
			t.Errorf("%v, at %q, %d events; %d of %d batches came back", err, position, sum.Events.Read, s.back.Load(), s.out.Load())
		}
	})
}

func TestFolderIsLocked(t *testing.T) {
	folder := t.TempDir()
	state, err := worker.OpenFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := worker.OpenFolder(folder); !errors.Is(err, worker.ErrLocked) {
		t.Fatalf("a second one opens the folder: %v", err)
	}
	if err := state.Close(); err != nil {
		t.Fatal(err)
	}
	if state, err = worker.OpenFolder(folder); err != nil {
		t.Fatal(err)
	}
	state.Close()
}

// TestProgress: the last status is told as the run ends, and holds what the summary says, copied.
func TestProgress(t *testing.T) {
	program, err := detect.Load(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	state, err := worker.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	logs := append(denied(3), []byte("{\"kind\":\"Event\",\"apiVersion\":1}\nhello\n"))
	var told []worker.Status
	s, err := worker.Run(t.Context(), &batches{all: logs}, worker.Options{
		Program: program, Context: &detect.Context{}, Engine: detect.Options{Lateness: time.Minute}, Store: state, Every: -1,
		Progress: func(s worker.Status) { told = append(told, s) },
	})
	if err != nil {
		t.Fatal(err)
	}
	last := told[len(told)-1]
	if diff := cmp.Diff(*s, last.Summary); diff != "" {
		t.Errorf("last status (-summary +status):\n%s", diff)
	}
	if s.Events.Read != 21 || s.Events.Unparsed == 0 || last.UnparsedIn["file"] != s.Events.Unparsed {
		t.Errorf("read %d, unparsed %d, by transport %v", s.Events.Read, s.Events.Unparsed, last.UnparsedIn)
	}
	if !last.Ended || last.Input != "in" || last.Places["in"].Position != "4" || last.Partition != -1 || last.SavedSize == 0 || last.Saved.IsZero() || last.Held.Windows == 0 {
		t.Errorf("last status %+v", last)
	}
	for _, s := range told[:len(told)-1] {
		if s.Ended {
			t.Error("a status before the last says that the run ended")
		}
	}
	s.Unparsed[0].Count = 99 // of the summary
	if last.Unparsed[0].Count == 99 {
		t.Error("a status shares memory with the summary")
	}
}

// lingering is a stream that goes on for a moment after its handler failed: a save may come then.
type lingering struct{ batches }

func (s *lingering) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	err := s.batches.Receive(ctx, handle)
	if err != nil {
		<-time.After(30 * time.Millisecond)
	}
	return err
}

// counted counts saves.
type counted struct {
	stream.Store
	saves atomic.Int64
}

func (c *counted) Save(context.Context, *stream.Checkpoint) error {
	c.saves.Add(1)
	return nil
}

// TestUntold: a state in which findings count as told that were not is never saved, or they would be lost.
func TestUntold(t *testing.T) {
	program, err := detect.Load(detections.Files)
	if err != nil {
		t.Fatal(err)
	}
	store := &counted{}
	var before int64
	_, err = worker.Run(t.Context(), &lingering{batches{all: denied(40)}}, worker.Options{
		Program: program, Context: &detect.Context{}, Engine: detect.Options{Lateness: time.Minute}, Store: store, Every: time.Millisecond,
		Deliver: func(context.Context, []finding.Finding) error {
			before = store.saves.Load()
			return errKilled
		},
	})
	if !errors.Is(err, errKilled) {
		t.Errorf("ended with %v", err)
	}
	if after := store.saves.Load(); after != before {
		t.Errorf("saved %d times after findings were not taken", after-before)
	}
}
