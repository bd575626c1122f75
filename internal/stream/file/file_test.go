package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"drawbridge/internal/event"
	"drawbridge/internal/stream"
)

var _ stream.Stream = (*Stream)(nil)

// record is synthetic.
func record(id string) string {
	return `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"` + id + `","verb":"get","requestURI":"/x"}` + "\n"
}

func lines(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		b.WriteString(record(fmt.Sprint(i)))
	}
	return b.String()
}

func gz(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

func zst(s string) string {
	w, _ := zstd.NewWriter(nil)
	return string(w.EncodeAll([]byte(s), nil))
}

// tree writes files and returns their folder.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// seen is what was read: each input with the ids of its records, in order.
type seen struct {
	inputs   []string
	ids      map[string][]string
	clusters map[string]string
	position map[string]string
	unparsed int
}

func receive(t testing.TB, o Options) (seen, error) {
	t.Helper()
	got := seen{ids: map[string][]string{}, clusters: map[string]string{}, position: map[string]string{}}
	err := New(o).Receive(t.Context(), func(_ context.Context, b stream.Batch) error {
		if n := len(got.inputs); n == 0 || got.inputs[n-1] != b.Input {
			got.inputs = append(got.inputs, b.Input)
		}
		got.position[b.Input], got.clusters[b.Input] = b.Position, b.Cluster
		d := event.NewDecoder(b.Body, event.Options{Input: b.Input, Cluster: b.Cluster})
		var e event.Event
		for {
			err := d.Next(&e)
			if _, ok := errors.AsType[*event.Unparsed](err); ok {
				got.unparsed++
				continue
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			got.ids[b.Input] = append(got.ids[b.Input], strings.Clone(e.ID()))
		}
	})
	return got, err
}

func TestReceive(t *testing.T) {
	dir := tree(t, map[string]string{
		"b/2.log": lines(2, 4), "a/1.json.gz": gz(`{"Records":[` + strings.TrimSpace(record("0")) + "]}"), "b/10.data": gz(lines(4, 5)) + gz(lines(5, 6)),
		"c.zst": zst(lines(6, 8)), "README.md": "# about\n", "d/.hidden": lines(90, 91), "exports/aws/eks/prod/cluster/000.gz": gz("2026-11-23T10:00:00.000Z " + record("9")),
	})
	var reported []string
	got, err := receive(t, Options{
		Paths: []string{dir, filepath.Join(dir, "b/2.log"), "-"}, Stdin: strings.NewReader(gz(record("s"))),
		Report: func(input string, err error) {
			reported = append(reported, fmt.Sprint(filepath.Base(input), " ", errors.Is(err, ErrNotRecognised)))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	names := func(paths []string) (short []string) {
		for _, p := range paths {
			short = append(short, strings.TrimPrefix(p, dir+"/"))
		}
		return short
	}
	if diff := cmp.Diff([]string{"a/1.json.gz", "b/10.data", "b/2.log", "c.zst", "exports/aws/eks/prod/cluster/000.gz", "b/2.log", "-"}, names(got.inputs)); diff != "" {
		t.Error(diff)
	}
	want := map[string][]string{"a/1.json.gz": {"0"}, "b/10.data": {"4", "5"}, "b/2.log": {"2", "3", "2", "3"}, "c.zst": {"6", "7"}, "exports/aws/eks/prod/cluster/000.gz": {"9"}, "-": {"s"}}
	ids := map[string][]string{}
	for input, of := range got.ids {
		ids[names([]string{input})[0]] = of
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"README.md true"}, reported); diff != "" {
		t.Error(diff)
	}
	if c := got.clusters[filepath.Join(dir, "exports/aws/eks/prod/cluster/000.gz")]; c != "prod" {
		t.Errorf("cluster %q", c)
	}
}

func TestErrors(t *testing.T) {
	whole := gz(lines(0, 2000))
	dir := tree(t, map[string]string{
		"bad/1.gz": whole[:len(whole)-30], "bad/2.log": lines(1, 3), "bad/3.gz": "\x1f\x8bnot gzip", "none/x.txt": "hello\n", "none/y.bin": "\x00\x01\x02", "empty.log": "",
		"binary": "\x7fELF\x00\x00", "truncated.json": `{"Records":[{"eventVers`,
	})
	if err := os.Mkdir(filepath.Join(dir, "void"), 0o750); err != nil {
		t.Fatal(err)
	}
	t.Run("the rest goes on", func(t *testing.T) {
		var reported []string
		got, err := receive(t, Options{Paths: []string{filepath.Join(dir, "bad"), filepath.Join(dir, "missing")}, Report: func(input string, _ error) {
			reported = append(reported, filepath.Base(input))
		}})
		if diff := cmp.Diff([]string{"missing", "1.gz", "3.gz"}, reported); diff != "" {
			t.Errorf("reported (-want +got):\n%s", diff)
		}
		if err == nil || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "1.gz") || !strings.Contains(err.Error(), "3.gz") || strings.Contains(err.Error(), "2.log") {
			t.Errorf("error %v", err)
		}
		if n := len(got.ids[filepath.Join(dir, "bad/1.gz")]); n < 100 {
			t.Errorf("%d records before the file breaks off", n)
		}
		if diff := cmp.Diff([]string{"1", "2"}, got.ids[filepath.Join(dir, "bad/2.log")]); diff != "" {
			t.Error(diff)
		}
	})
	for _, name := range []string{"none", "void", "empty.log", "binary", "truncated.json"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			got, err := receive(t, Options{Paths: []string{path, filepath.Join(dir, "bad/2.log")}})
			if !errors.Is(err, ErrNotRecognised) || strings.Count(err.Error(), ErrNotRecognised.Error()) != 1 || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v", err)
			}
			if len(got.inputs) != 1 {
				t.Errorf("inputs %q", got.inputs)
			}
		})
	}
}

// big has more than a block, and a record in several lines.
func big() string {
	return lines(0, 15000) + "{\n \"auditID\": \"p\",\n \"verb\": \"get\",\n \"user\": {\n  \"extra\": {}\n }\n}\n" + lines(15000, 30000)
}

func TestBlocksAndResume(t *testing.T) {
	for name, content := range map[string]string{"plain": big(), "gzip": gz(big()), "zstd": zst(big())} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(tree(t, map[string]string{"x": content}), "x")
			whole, err := receive(t, Options{Paths: []string{path}})
			if err != nil || len(whole.ids[path]) != 30001 || whole.unparsed != 0 {
				t.Fatalf("%v, %d records, %d unparsed", err, len(whole.ids[path]), whole.unparsed)
			}
			// Stop after each batch, and go on.
			var ids []string
			resume := map[string]string{}
			stop := errors.New("stop")
			batches := 0
			for {
				err := New(Options{Paths: []string{path}, Resume: resume}).Receive(t.Context(), func(_ context.Context, b stream.Batch) error {
					d := event.NewDecoder(b.Body, event.Options{})
					var e event.Event
					for d.Next(&e) == nil {
						ids = append(ids, strings.Clone(e.ID()))
					}
					resume[path] = b.Position
					batches++
					return stop
				})
				if err == nil {
					break
				}
				if !errors.Is(err, stop) {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(whole.ids[path], ids); diff != "" || batches < 3 {
				t.Errorf("%d batches, %s", batches, diff)
			}
		})
	}
}

// TestNoBoundary reads one object that is longer than what is held in memory.
func TestNoBoundary(t *testing.T) {
	n := 2*maxBlock/len(record("0000000")) + 1
	var b strings.Builder
	b.WriteString(`{"Records":[`)
	for i := range n {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(strings.TrimSpace(record(fmt.Sprint(i))))
	}
	b.WriteString("]}\n")
	path := filepath.Join(tree(t, map[string]string{"x": gz(b.String())}), "x")
	got, err := receive(t, Options{Paths: []string{path}})
	if err != nil || len(got.ids[path]) != n || got.unparsed != 0 {
		t.Errorf("%v, %d records of %d, %d unparsed", err, len(got.ids[path]), n, got.unparsed)
	}
	again, err := receive(t, Options{Paths: []string{path}, Resume: map[string]string{path: got.position[path]}})
	if err != nil || len(again.inputs) != 0 {
		t.Errorf("%v, %q", err, again.inputs)
	}
}

func TestCancel(t *testing.T) {
	files := map[string]string{}
	for i := range 20 {
		files[fmt.Sprint(i)] = big()
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err := New(Options{Paths: []string{tree(t, files)}}).Receive(ctx, func(context.Context, stream.Batch) error {
		if n++; n == 2 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestLive reads a pipe whose writer waits until its record was seen.
func TestLive(t *testing.T) {
	r, w := io.Pipe()
	seen := make(chan struct{})
	go func() {
		for i := range 3 {
			_, _ = io.WriteString(w, record(fmt.Sprint(i)))
			<-seen
		}
		_ = w.Close()
	}()
	err := New(Options{Paths: []string{"-"}, Stdin: r}).Receive(t.Context(), func(_ context.Context, b stream.Batch) error {
		d := event.NewDecoder(b.Body, event.Options{})
		var e event.Event
		for d.Next(&e) == nil {
			seen <- struct{}{}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestBoundary(t *testing.T) {
	for _, c := range []struct{ name, head, tail string }{
		{"lines", "{\"a\":1}\n", "{\"b"},
		{"export", "2026 {\"a\":1}\r\n", "2026-"},
		{"in a list", "", "[\n{},\n{}\n]\n"},
		{"printed for people", "", "{\n \"a\": {\n }\n}\n"},
		{"text", "", "a\nb\nc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := boundary([]byte(c.head + c.tail)); got != len(c.head) {
				t.Errorf("boundary at %d, want %d", got, len(c.head))
			}
		})
	}
}

func TestClusterOf(t *testing.T) {
	for path, want := range map[string]string{
		"/logs/aws/eks/prod/cluster/x.gz": "prod", "aws/eks/prod/cluster": "prod", "/aws/eks/a/b/aws/eks/c/cluster": "c", "/aws/eks/prod/clusters/x": "", "x.log": "",
	} {
		if got := stream.ClusterOfPath(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
