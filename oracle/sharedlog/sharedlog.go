// Package sharedlog is what tests of a log that workers share have in common, whatever keeps it: a program that counts, what
// commands must do with it, and how fast it is. It starts no servers, which each oracle does for its own.
package sharedlog

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/fstest"
	"time"

	"drawbridge/internal/detect"
	"drawbridge/internal/finding"
	"drawbridge/internal/stream"
	"drawbridge/internal/worker"
)

// Log is a log that workers share.
type Log interface {
	worker.Log
	Publish(ctx context.Context, found []finding.Finding, encode func(finding.Finding) ([]byte, error)) error
}

// Program reports each user of each cluster that was refused so many times, by distinct requests: it is wrong as soon as an
// event is lost.
func Program(t testing.TB, exactly int) *detect.Program {
	t.Helper()
	yml := fmt.Sprintf(`title: refused
name: refused.one
logsource: {product: kubernetes, service: audit}
detection: {s: {responseStatus.code: 403}, condition: s}
level: low
---
title: refused
name: refused
level: high
correlation:
  type: event_count
  rules: [refused.one]
  group-by: [drawbridge.cluster, user.username]
  timespan: 1h
  condition: {gte: %d}
drawbridge: {message: "{user.username} of {drawbridge.cluster}"}
`, exactly)
	p, err := detect.Load(fstest.MapFS{"refused.yml": {Data: []byte(yml)}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Options are a worker's, whose findings go into the log and are then handed to tell, which may be nil.
func Options(p *detect.Program, l Log, tell func([]finding.Finding)) worker.Options {
	return worker.Options{
		Program: p, Context: &detect.Context{}, Engine: detect.Options{Lateness: time.Minute},
		Deliver: func(ctx context.Context, found []finding.Finding) error {
			err := l.Publish(ctx, found, func(f finding.Finding) ([]byte, error) { return json.Marshal(f) })
			if err == nil && tell != nil {
				tell(found)
			}
			return err
		},
	}
}

// State is what the checkpoints of all partitions have counted: events and broken records. It fences all workers.
func State(ctx context.Context, p *detect.Program, l Log) (events, broken int64, err error) {
	for n := range l.Size() {
		c, err := l.Store(n).Load(ctx)
		if err != nil {
			return 0, 0, err
		}
		s, err := worker.Run(ctx, nothing{}, worker.Options{Program: p, Context: &detect.Context{}, Engine: detect.Options{Lateness: time.Minute}, Checkpoint: c})
		if err != nil {
			return 0, 0, err
		}
		events, broken = events+s.Events.Read, broken+s.Events.Unparsed
	}
	return events, broken, nil
}

type nothing struct{}

func (nothing) Receive(context.Context, func(context.Context, stream.Batch) error) error { return nil }

// Until waits for something, looking again and again, and fails after three minutes.
func Until(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	end := time.After(3 * time.Minute)
	for !is() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("after three minutes: not %s", what)
		}
	}
}
