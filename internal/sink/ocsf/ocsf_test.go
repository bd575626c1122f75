package ocsf

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/finding"
	"drawbridge/internal/sink"
)

var frame = sink.Frame{Version: "v1", Now: func() time.Time { return time.Unix(1_800_000_000, 0) }, Facts: func(name string) finding.Cluster { return finding.Cluster{Name: name} }}

func open(t *testing.T, path string) *Sink {
	t.Helper()
	s, err := Open(path, frame)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func deliver(t *testing.T, s *Sink, fingerprints ...string) {
	t.Helper()
	var fs []finding.Finding
	for _, f := range fingerprints {
		fs = append(fs, finding.Finding{ID: "x", Fingerprint: f})
	}
	if err := s.Deliver(t.Context(), fs); err != nil {
		t.Fatal(err)
	}
}

// written are the fingerprints in a file, one a line.
func written(t *testing.T, path string) (all []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(data) {
		var e struct {
			Info struct{ UID string } `json:"finding_info"`
		}
		if err := json.Unmarshal(line, &e); err != nil || !bytes.HasSuffix(line, []byte("\n")) {
			t.Fatalf("line %s: %v", line, err)
		}
		all = append(all, e.Info.UID)
	}
	return all
}

// TestCrash: wherever the file was cut off, opened again and given all once more it holds each finding once.
func TestCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "findings.jsonl")
	s := open(t, path)
	deliver(t, s, "a", "b", "a")
	deliver(t, s, "b", "c")
	want := []string{"a", "b", "c"}
	if diff := cmp.Diff(want, written(t, path)); diff != "" {
		t.Fatalf("findings (-want +got):\n%s", diff)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n <= len(whole); n += 37 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "findings.jsonl")
			if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
				t.Fatal(err)
			}
			deliver(t, open(t, path), want...)
			if diff := cmp.Diff(want, written(t, path)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCutLong: nothing is left of a line that was longer than what follows.
func TestCutLong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "findings.jsonl")
	if err := os.WriteFile(path, append([]byte(`{"message":"`), bytes.Repeat([]byte("x"), 1<<16)...), 0o600); err != nil {
		t.Fatal(err)
	}
	deliver(t, open(t, path), "a")
	if diff := cmp.Diff([]string{"a"}, written(t, path)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestMoved: a file that is moved away is followed by a new one, which repeats nothing.
func TestMoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "findings.jsonl")
	s := open(t, path)
	deliver(t, s, "a")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, "a", "b")
	if diff := cmp.Diff([][]string{{"a"}, {"b"}}, [][]string{written(t, path+".1"), written(t, path)}); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// TestOthersFile: a file of something else stays as it is.
func TestOthersFile(t *testing.T) {
	for name, content := range map[string]string{"text": "hello\nworld\n", "no line": "hello", "JSON": "{\"a\":1}\n", "cut": "{\"a\":1}\nhel"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if s, err := Open(path, frame); err == nil {
				s.Close()
				t.Error("it is opened")
			}
			if got, err := os.ReadFile(path); err != nil || string(got) != content {
				t.Errorf("it holds %q now, %v", got, err)
			}
		})
	}
	if _, err := Open(t.TempDir(), frame); err == nil {
		t.Error("a folder is opened")
	}
	if _, err := Open(os.DevNull, frame); err == nil {
		t.Error("a device is opened")
	}
}

// TestFailed: what cannot be written is an error, and is written when it comes again.
func TestFailed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "findings.jsonl")
	s := open(t, path)
	deliver(t, s, "a")
	readOnly, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	writable := s.f
	s.f = readOnly
	if err := s.Deliver(t.Context(), []finding.Finding{{ID: "x", Fingerprint: "b"}}); err == nil {
		t.Error("what cannot be written is no error")
	}
	s.f = writable
	readOnly.Close()
	deliver(t, s, "b")
	if diff := cmp.Diff([]string{"a", "b"}, written(t, path)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
