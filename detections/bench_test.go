package detections_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
)

// dense is real output of a kube-apiserver without the reads that fill a log, mostly writes: what is ordinary in it repeated to
// 32 MB, with an audit id of its own for each event; attacks are the events that detections report.
func dense(b *testing.B, p *detect.Program) (attacks, out []byte) {
	b.Helper()
	all, err := os.ReadFile("../internal/event/testdata/audit.jsonl")
	if err != nil {
		b.Fatal(err)
	}
	reported := map[string]bool{}
	events(b, p, all, func(f finding.Finding) {
		for _, e := range f.Evidence {
			id, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(e.Source, "audit event "), "event "), " ")
			reported[id] = true
		}
	})
	var rest []byte
	for line := range bytes.Lines(all) {
		var e struct{ AuditID string }
		if err := json.Unmarshal(line, &e); err != nil {
			b.Fatal(err)
		}
		if reported[e.AuditID] {
			attacks = append(attacks, line...)
		} else {
			rest = append(rest, line...)
		}
	}
	if len(attacks) == 0 || len(rest) == 0 {
		b.Fatalf("%d bytes of attacks, %d of what is ordinary", len(attacks), len(rest))
	}
	return attacks, repeated(rest)
}

// repeated is lines of audit events again and again, to 32 MB, with an audit id of its own for each.
func repeated(lines []byte) (out []byte) {
	for n := 0; len(out) < 32<<20; n++ {
		out = append(out, bytes.ReplaceAll(lines, []byte(`"auditID":"`), fmt.Appendf(nil, `"auditID":"%08x-`, n))...)
	}
	return out
}

// day is a part of the log of oracle/lab's TestOrdinaryDay: output of a real kube-apiserver under EKS' audit policy, most of it
// rollouts (go test ./oracle/lab -run OrdinaryDay -args -save-day FILE).
func day(b *testing.B) []byte {
	b.Helper()
	lines, err := os.ReadFile("testdata/ordinary.jsonl")
	if err != nil {
		b.Fatal(err)
	}
	return repeated(lines)
}

// events runs JSON lines of one cluster's log through an engine and returns how many events they are.
func events(t testing.TB, p *detect.Program, data []byte, report func(finding.Finding)) int64 {
	t.Helper()
	g := detect.New(p, &detect.Context{}, detect.Options{Lateness: time.Minute}, report)
	d := event.NewDecoder(bytes.NewBuffer(data), event.Options{Cluster: "prod"})
	var e event.Event
	for {
		err := d.Next(&e)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		g.Add(&e)
	}
	g.Flush()
	return g.Stats().Read
}

// BenchmarkAudit is JSON lines of audit events through every detection, on one core; and as a yardstick the same bytes
// through encoding/json into a struct of the fields that detections use most.
func BenchmarkAudit(b *testing.B) {
	p := load(b)
	attacks, writes := dense(b, p)
	data := append(attacks, ordinary(64<<20)...)
	run := func(name string, data []byte) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			n := int64(0)
			for b.Loop() {
				n = events(b, p, data, func(finding.Finding) {})
			}
			b.ReportMetric(float64(n), "events/op")
		})
	}
	run("detect", data)
	run("writes", writes)
	run("day", day(b))
	b.Run("scan", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			d := event.NewDecoder(bytes.NewBuffer(data), event.Options{Cluster: "prod"})
			var e event.Event
			for d.Next(&e) == nil {
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			for line := range bytes.Lines(data) {
				var e struct {
					AuditID, Stage, RequestURI, Verb, UserAgent string
					User                                        struct {
						Username string
						Groups   []string
						Extra    map[string][]string
					}
					SourceIPs                []string
					ObjectRef                struct{ Resource, Subresource, Namespace, Name, APIGroup string }
					ResponseStatus           struct{ Code int }
					RequestReceivedTimestamp time.Time
					Annotations              map[string]string
				}
				if err := json.Unmarshal(line, &e); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
