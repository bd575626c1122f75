package sink_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"drawbridge/internal/finding"
	"drawbridge/internal/sink"
)

type recorder struct {
	got int
	err error
}

func (r *recorder) Deliver(_ context.Context, fs []finding.Finding) error {
	r.got += len(fs)
	return r.err
}

func TestAll(t *testing.T) {
	full := errors.New("full")
	a, b := &recorder{err: full}, &recorder{}
	if err := (sink.All{a, b}).Deliver(t.Context(), make([]finding.Finding, 2)); !errors.Is(err, full) || a.got != 2 || b.got != 2 {
		t.Errorf("%v, delivered %d and %d", err, a.got, b.got)
	}
}

func TestBury(t *testing.T) {
	f := finding.Finding{Fingerprint: "f1"}
	if err := sink.Dead(nil).Bury(f, "x", "too long"); err == nil {
		t.Error("what nobody is told of is no error")
	}
	var told string
	if err := sink.Dead(func(input, reason string) error { told = input + "|" + reason; return nil }).Bury(f, "x", "too long"); err != nil || told != "finding f1 to x|too long" {
		t.Errorf("%q, %v", told, err)
	}
}

func TestFormat(t *testing.T) {
	frame := sink.Frame{Version: "v1", Now: func() time.Time { return time.Unix(1, 0) }, Facts: func(name string) finding.Cluster {
		return finding.Cluster{Name: name, Account: "111122223333", Region: "eu-west-1"}
	}}
	lines, err := frame.Format("ocsf", []finding.Finding{{Fingerprint: "b", Cluster: "prod", Severity: finding.Low}, {Fingerprint: "a", Cluster: "prod", Severity: finding.High}})
	if err != nil || len(lines) != 2 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	for i, want := range []string{"b", "a"} { // in the order given
		var e struct {
			Class string                  `json:"class_name"`
			Info  struct{ UID string }    `json:"finding_info"`
			Cloud struct{ Region string } `json:"cloud"`
		}
		if err := json.Unmarshal(lines[i], &e); err != nil || e.Info.UID != want || e.Class != "Detection Finding" || e.Cloud.Region != "eu-west-1" {
			t.Errorf("line %d: %+v, %v", i, e, err)
		}
	}
	if _, err := frame.Format("table", nil); err == nil {
		t.Error("a table is an array")
	}
	if _, err := frame.Format("nothing", nil); err == nil {
		t.Error("there is a format called nothing")
	}
}
