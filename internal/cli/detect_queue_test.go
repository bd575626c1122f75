package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/finding"
	"drawbridge/internal/stream/s3/s3test"
)

// queue is a synthetic queue and bucket, which drawbridge finds as it finds AWS, and the URL to give it.
func queue(t *testing.T) (*s3test.Fake, string) {
	f := s3test.New(t)
	f.Patient = true
	t.Setenv("AWS_ENDPOINT_URL", f.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "synthetic")
	return f, "sqs://sqs.eu-west-1.amazonaws.com/111122223333/logs"
}

// within waits until something is so.
func within(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(30*time.Second)
	defer tick.Stop()
	for !is() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("in vain: %s", what)
		}
	}
}

// TestPoisonedQueue: objects that are not there, not whole or no log are passed over with their reasons, and the rest is read;
// records of them that cannot be read are counted.
func TestPoisonedQueue(t *testing.T) {
	f, url := queue(t)
	state := filepath.Join(t.TempDir(), "state")
	f.Put("a.json", []byte(auditEvent(1)))
	f.Put("gone", nil)
	f.Lock()
	delete(f.Objects, "logs/gone")
	f.Unlock()
	f.Put("page\x1b[2J", []byte("<html>"))
	f.Put("cut.gz", []byte("\x1f\x8b\x08\x00"))
	f.Put("mixed", []byte("text\n"+auditEvent(2)+`{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":[]}`+"\n"+auditEvent(3)[:100]+"\n"+strings.Repeat("x", 9<<20)+"\n"+auditEvent(1)))
	d := follow(t, "-f", url, "--cluster", "prod", "--state", state, "--metrics", ":0", "--check", "aws-auth-deleted")
	counts := strings.TrimSpace(d.said("counts at "))
	eventually(t, counts, "drawbridge_dead_letters_total 3\n")
	within(t, "all messages are done", func() bool { return f.Left() == 0 })
	page := eventually(t, counts, "drawbridge_events_read_total 3\n")
	if !strings.Contains(page, `drawbridge_records_unparsed_total{transport="s3"} 4`+"\n") {
		t.Errorf("unparsed records are not counted:\n%s", page)
	}
	status, said := d.end()
	if status != 0 || !strings.Contains(said, "note: s3://logs/gone: ") || strings.Contains(said, "\x1b") {
		t.Errorf("exit status %d: %q", status, said)
	}
	dead, err := os.ReadFile(filepath.Join(state, "dead.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"NoSuchKey", "no CloudTrail or Kubernetes audit record in it", "unexpected EOF"} {
		if !strings.Contains(string(dead), want) {
			t.Errorf("no dead letter says %q: %s", want, dead)
		}
	}
	if n := strings.Count(d.out.String(), "aws-auth-deleted") + strings.Count(d.out.String(), "aws-auth"); n < 2 {
		t.Errorf("found: %s", d.out.String())
	}
}

// refusals are synthetic audit events: n requests of a user that were refused, from a second on. Twenty make a finding.
func refusals(user, n, from int, at time.Time) (out []string) {
	for i := range n {
		when := at.Add(time.Duration(from+i)*time.Second + time.Duration(user)*time.Millisecond).Format("2006-01-02T15:04:05.000000Z")
		out = append(out, fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%d-%d-%d","stage":"ResponseComplete","requestURI":"/api/v1/secrets","verb":"list","user":{"username":"user-%d"},"sourceIPs":["10.0.0.9"],"objectRef":{"resource":"secrets","apiVersion":"v1"},"responseStatus":{"code":403},"requestReceivedTimestamp":%q,"stageTimestamp":%q}`+"\n", user, from, i, user, when, when))
	}
	return out
}

// TestKilledProcess: a process that is killed again and again, by the kernel and at any moment, on a queue that gives messages more
// than once, has found in the end what an undisturbed one finds, and finds the same afterwards.
func TestKilledProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("kills take seconds")
	}
	program, err := exec.LookPath("drawbridge")
	if err != nil {
		t.Fatal(err)
	}
	f, url := queue(t)
	random := rand.New(rand.NewPCG(5, 2026))
	start := time.Now().UTC().Add(-5 * time.Minute).Truncate(time.Second)
	var events, sequel []string
	for u := range 30 {
		events = append(events, refusals(u, []int{20, 15, 14}[u%3], 0, start)...) // found now, after the sequel, or never
		sequel = append(sequel, refusals(u, 5, 100, start)...)
	}
	random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	put := func() {
		for i := 0; i < len(events); i += 7 {
			f.Put(fmt.Sprintf("%d.json", i), []byte(strings.Join(events[i:min(i+7, len(events))], "")))
		}
	}
	// process runs until done says so, and is then killed; its findings are added to found.
	process := func(state string, found map[string]string, done func() bool) {
		var out bytes.Buffer
		p := exec.Command(program, "detect", "-f", url, "--cluster", "prod", "--state", state, "-o", "json", "--check", "denied-burst")
		p.Stdout = &out
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		within(t, "it gets on", done)
		_ = p.Process.Kill()
		_ = p.Wait()
		for line := range strings.Lines(out.String()) {
			var one finding.Finding
			if json.Unmarshal([]byte(line), &one) == nil { // the last line may be cut off
				found[one.Fingerprint] = one.Message
			}
		}
		f.Release()
	}
	empty := func() bool { return f.Left() == 0 }
	run := func(disturb bool) map[string]string {
		state, found := filepath.Join(t.TempDir(), "state"), map[string]string{}
		put()
		for n := 0; disturb && n < 6; n++ {
			f.Lock()
			read := f.Calls["s3:GetObject"] + 1 + random.IntN(40)
			f.Unlock()
			left := f.Left() - 1 - random.IntN(5)
			process(state, found, func() bool {
				f.Lock()
				now := f.Calls["s3:GetObject"]
				f.Unlock()
				return n%2 == 0 && now >= read || f.Left() <= left || empty() // while it reads, or while it acknowledges
			})
		}
		process(state, found, empty)
		for i, e := range sequel {
			f.Put(fmt.Sprintf("sequel-%d.json", i), []byte(e))
		}
		process(state, found, empty)
		return found
	}
	want := run(false)
	if len(want) != 20 {
		t.Fatalf("an undisturbed run finds %d: %v", len(want), want)
	}
	f.Lock()
	f.Repeat = func() bool { return random.IntN(30) == 0 }
	f.Lose = func() bool { return random.IntN(8) == 0 }
	f.Unlock()
	if diff := cmp.Diff(want, run(true)); diff != "" {
		t.Errorf("findings (-undisturbed +killed):\n%s", diff)
	}
}
