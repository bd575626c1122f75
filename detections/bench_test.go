package detections_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
)

// sample is real output of a kube-apiserver, repeated to a few megabytes with an audit id of its own for each event.
func sample(b *testing.B) []byte {
	b.Helper()
	one, err := os.ReadFile("../internal/event/testdata/audit.jsonl")
	if err != nil {
		b.Fatal(err)
	}
	var out []byte
	for n := 0; len(out) < 32<<20; n++ {
		out = append(out, bytes.ReplaceAll(one, []byte(`"auditID":"`), fmt.Appendf(nil, `"auditID":"%08x-`, n))...)
	}
	return out
}

// BenchmarkAudit is JSON lines of audit events through every detection, on one core; and as a yardstick the same bytes
// through encoding/json into a struct of the fields that detections use most.
func BenchmarkAudit(b *testing.B) {
	data := sample(b)
	p := load(b)
	b.Run("detect", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		events := int64(0)
		for b.Loop() {
			g := detect.New(p, &detect.Context{}, detect.Options{Lateness: time.Minute}, func(finding.Finding) {})
			d := event.NewDecoder(bytes.NewBuffer(data), event.Options{Cluster: "prod"})
			var e event.Event
			for {
				err := d.Next(&e)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				g.Add(&e)
			}
			g.Flush()
			events = g.Stats().Read
		}
		b.ReportMetric(float64(events), "events/op")
	})
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
