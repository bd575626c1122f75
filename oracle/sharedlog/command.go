package sharedlog

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/cli"
	"drawbridge/internal/finding"
)

// events are real output of a kube-apiserver, as it lies from an oracle's folder.
const events = "../../internal/event/testdata/audit.jsonl"

// output is what a test watches while a command writes it.
type output struct {
	mu sync.Mutex
	bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Buffer.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.Buffer.String()
}

// Command fails unless one command puts real audit events into the log at a URL, two others share it, the findings are those of
// the file, each told by one of the two, and a worker that is interrupted ends with status 0.
func Command(t *testing.T, url string) {
	run := func(ctx context.Context, out, notes *output, args ...string) int {
		return cli.Main(ctx, append([]string{"drawbridge", "detect", "--cluster", "arn:aws:eks:eu-central-1:111122223333:cluster/prod"}, args...), strings.NewReader(""), out, notes)
	}
	var whole, notes output
	if code := run(t.Context(), &whole, &notes, "-f", events, "-o", "json", "--fail-on", "none"); code != 0 {
		t.Fatalf("status %d: %s", code, notes.String())
	}
	var want finding.Result
	if err := json.Unmarshal([]byte(whole.String()), &want); err != nil {
		t.Fatal(err)
	}
	if code := run(t.Context(), &output{}, &notes, "-f", events, "--forward", url); code != 0 || !strings.Contains(notes.String(), "forwarded 50 records") {
		t.Fatalf("status %d: %s", code, notes.String())
	}
	ctx, interrupt := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	var outs, said [2]output
	for i := range outs {
		workers.Go(func() {
			if code := run(ctx, &outs[i], &said[i], "-f", url, "-o", "json", "--lateness", "1s"); code != 0 {
				t.Errorf("worker %d: status %d: %s", i, code, said[i].String())
			}
		})
	}
	Until(t, "both at work", func() bool {
		return strings.Contains(said[0].String(), "of a log of 4 partitions") && strings.Contains(said[1].String(), "of a log of 4 partitions")
	})
	told := func() map[string]int {
		got := map[string]int{}
		for i := range outs {
			for line := range strings.Lines(outs[i].String()) {
				var f finding.Finding
				if json.Unmarshal([]byte(line), &f) == nil {
					got[f.ID]++
				}
			}
		}
		return got
	}
	expected := map[string]int{}
	for _, f := range want.Findings {
		expected[f.ID]++
	}
	if len(expected) < 5 {
		t.Fatalf("the file has findings of %d kinds only: %v", len(expected), expected)
	}
	Until(t, "as many findings as the file has", func() bool { return cmp.Equal(told(), expected) })
	interrupt()
	workers.Wait()
	if diff := cmp.Diff(expected, told()); diff != "" {
		t.Errorf("findings (-file +log):\n%s", diff)
	}
}
