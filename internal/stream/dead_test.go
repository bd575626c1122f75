package stream_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/stream"
)

func TestDeadLetters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dead.jsonl")
	at := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for range 2 {
		d, err := stream.OpenDeadLetters(path, func() time.Time { return at })
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Add("s3://logs/a\n\x1b[2J", `"no" log`); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if err := d.Add("b", "late"); err == nil {
			t.Error("a closed file takes a line")
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line := `{"time":"2026-11-23T10:00:00Z","input":"s3://logs/a\n\u001b[2J","reason":"\"no\" log"}` + "\n"
	if diff := cmp.Diff(line+line, string(got)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
}
