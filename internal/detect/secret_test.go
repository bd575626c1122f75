package detect

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"drawbridge/internal/event"
	"drawbridge/internal/finding"
)

// TestNoCredentials: credentials in records, wherever their writers put them, are neither in findings nor in what is saved.
func TestNoCredentials(t *testing.T) {
	const secret = "SWORDFISHSWORDFISHSWORDFISH"
	p := catalogue(t)
	cases, err := CasesOf(os.DirFS("../../detections"))
	if err != nil {
		t.Fatal(err)
	}
	found, saved := 0, 0
	for _, c := range cases {
		var state bytes.Buffer
		g := New(p, c.Context, Options{Lateness: time.Hour}, func(f finding.Finding) {
			text, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			if found++; bytes.Contains(text, []byte(secret)) {
				t.Errorf("%s/%s: in a finding: %s", c.Detection, c.Name, text)
			}
		})
		for line := range bytes.Lines(c.Events) {
			var r map[string]json.RawMessage
			if json.Unmarshal(line, &r) != nil {
				continue
			}
			if uri := r["requestURI"]; len(uri) > 2 {
				r["requestURI"] = append(uri[:len(uri)-1:len(uri)-1], `?X-Amz-Security-Token=`+secret+`&t=k8s-aws-v1.`+secret+`"`...)
			}
			r["userAgent"] = json.RawMessage(`"curl Bearer ` + secret + `"`)
			r["tokens"] = json.RawMessage(`{"token":"` + secret + `"}`)
			raw, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			var e event.Event
			if event.Scan(raw, &e) != nil {
				continue
			}
			e.SetOrigin(event.Origin{Input: "in", Cluster: event.ParseCluster(c.Cluster)})
			g.Add(&e)
			state.Reset()
			if err := g.Save(&state); err != nil {
				t.Fatal(err)
			}
			if saved++; bytes.Contains(state.Bytes(), []byte(secret)) {
				i := bytes.Index(state.Bytes(), []byte(secret))
				t.Errorf("%s/%s: in the state: %q", c.Detection, c.Name, state.Bytes()[max(0, i-80):i+40])
			}
		}
		g.Flush()
	}
	if found < 50 || saved < 500 {
		t.Errorf("%d findings, %d states", found, saved)
	}
}
