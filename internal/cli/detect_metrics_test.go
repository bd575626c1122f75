package cli

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"drawbridge/internal/finding"
	"drawbridge/internal/worker"
	"drawbridge/internal/worker/metrics"
)

// TestWatch: a log is told every minute how far a run is, also when nothing came.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		counts := metrics.New(time.Now)
		stop, err := new(detectOptions).watch(t.Context(), &env{stderr: &said, now: time.Now}, counts)
		if err != nil {
			t.Fatal(err)
		}
		counts.Run(worker.Status{Partition: -1})
		counts.Run(worker.Status{Partition: -1, Summary: worker.Summary{Events: finding.Events{Read: 120}}})
		<-time.After(150 * time.Second)
		stop()
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		if len(lines) != 2 || !strings.HasPrefix(lines[0], "120 events read (2 a second)") || !strings.HasPrefix(lines[1], "120 events read, ") {
			t.Errorf("said %q", lines)
		}
	})
}
