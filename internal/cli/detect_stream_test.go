package cli_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"drawbridge/internal/cli"
)

// following is a continuous detect that was started by a test.
type following struct {
	t      *testing.T
	out    syncBuffer
	lines  chan string // of standard error
	seen   []string
	stop   context.CancelFunc
	status chan int
}

type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// follow starts `drawbridge detect` with these arguments.
func follow(t *testing.T, args ...string) *following {
	ctx, stop := context.WithCancel(t.Context())
	f := &following{t: t, lines: make(chan string, 1000), stop: stop, status: make(chan int, 1)}
	in, out := io.Pipe()
	go func() {
		for s := bufio.NewScanner(in); s.Scan(); {
			f.lines <- s.Text()
		}
		close(f.lines)
	}()
	go func() {
		f.status <- cli.Main(ctx, append([]string{"drawbridge", "detect"}, args...), strings.NewReader(""), &f.out, out)
		out.Close()
	}()
	t.Cleanup(stop)
	return f
}

// said waits for a line of standard error and returns what follows the text in it.
func (f *following) said(text string) string {
	f.t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-f.lines:
			if !ok {
				f.t.Fatalf("it ended without saying %q: %q", text, f.seen)
			}
			f.seen = append(f.seen, line)
			if _, rest, ok := strings.Cut(line, text); ok {
				return rest
			}
		case <-late:
			f.t.Fatalf("it did not say %q: %q", text, f.seen)
		}
	}
}

// end interrupts it, and returns its exit status and all of its standard error.
func (f *following) end() (int, string) {
	f.t.Helper()
	f.stop()
	status := <-f.status
	for line := range f.lines {
		f.seen = append(f.seen, line)
	}
	return status, strings.Join(f.seen, "\n")
}

// eventually waits until a page says a text, and returns the page.
func eventually(t *testing.T, url, text string) string {
	t.Helper()
	tick, late := time.NewTicker(20*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	var page []byte
	for {
		answer, err := http.Get(url)
		if err == nil {
			page, err = io.ReadAll(answer.Body)
			answer.Body.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(page), text) {
			return string(page)
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("%s does not say %q:\n%s", url, text, page)
		}
	}
}

// auditEvent is a synthetic record that leads to a finding.
func auditEvent(n int) string {
	at := time.Now().UTC().Add(-time.Minute).Format("2006-01-02T15:04:05.000000Z")
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a-%d","stage":"ResponseComplete","requestURI":"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/aws-%d","verb":"delete","user":{"username":"jane","groups":["system:authenticated"]},"sourceIPs":["10.0.0.9"],"objectRef":{"resource":"configmaps","namespace":"kube-system","name":"aws-auth","apiVersion":"v1"},"responseStatus":{"code":200},"requestReceivedTimestamp":%q,"stageTimestamp":%q}`+"\n", n, n, at, at)
}

func post(t *testing.T, url, body string) int {
	t.Helper()
	answer, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// TestMetrics: what a continuous run does can be watched while it does it, from a checkpoint on too.
func TestMetrics(t *testing.T) {
	state := filepath.Join(t.TempDir(), "deep", "state") // is made
	run := func() (*following, string, string) {
		f := follow(t, "-f", "webhook://127.0.0.1:0", "--state", state, "--metrics", ":0", "--check", "aws-auth-deleted")
		counts := strings.TrimSpace(f.said("counts at "))
		if !strings.HasPrefix(counts, "http://127.0.0.1:") {
			t.Errorf("counts are shown at %s", counts)
		}
		return f, counts, "http://" + f.said("listening for audit webhooks on ") + "/audit/prod"
	}
	f, counts, hook := run()
	if status := post(t, hook, auditEvent(1)+auditEvent(2)+"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"verb\":{}}\n"); status != 200 {
		t.Fatalf("the post is answered %d: %s", status, f.out.String())
	}
	page := eventually(t, counts, "drawbridge_checkpoint_age_seconds ")
	for _, want := range []string{
		"drawbridge_events_read_total 2\n", `drawbridge_records_unparsed_total{transport="webhook"} 1` + "\n", `drawbridge_findings_total{severity="high"}`,
		"drawbridge_clusters 1\n", "drawbridge_last_event_age_seconds ", "drawbridge_lag_seconds 6", "drawbridge_checkpoint_bytes ", "drawbridge_dead_letters_total 0\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the counts lack %q:\n%s", want, page)
		}
	}
	if got := eventually(t, strings.TrimSuffix(counts, "metrics")+"healthz", "ok"); got != "ok\n" {
		t.Errorf("health: %q", got)
	}
	status, said := f.end()
	if status != 0 || !strings.Contains(said, "2 events read") || !strings.Contains(f.out.String(), "aws-auth") {
		t.Errorf("exit status %d, said %s, found %s", status, said, f.out.String())
	}
	if _, err := os.Stat(filepath.Join(state, "dead.jsonl")); err != nil {
		t.Error(err)
	}

	f, counts, hook = run()
	eventually(t, counts, "drawbridge_events_read_total 2\n")
	if status := post(t, hook, auditEvent(3)); status != 200 {
		t.Fatalf("the post is answered %d", status)
	}
	eventually(t, counts, "drawbridge_events_read_total 3\n")
	if status, said := f.end(); status != 0 {
		t.Errorf("exit status %d: %s", status, said)
	}
}
