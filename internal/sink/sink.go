// Package sink is where findings go besides reports: one Sink per receiver, in a package of its own below this one. It knows no
// detection, and no format but through package report.
package sink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"drawbridge/internal/finding"
	"drawbridge/internal/report"
	"drawbridge/internal/stream"
)

// Sink takes findings.
type Sink interface {
	// Deliver hands on findings, and returns when their receiver has them. A finding whose fingerprint was delivered before is
	// left out, or told by it at the receiver's. After an error all may be delivered again.
	Deliver(context.Context, []finding.Finding) error
}

// Dead is told of what a receiver will never take, and why, before the next finding is delivered; an error ends the delivery.
type Dead func(input, reason string) error

// Bury tells of a finding. Without anybody to tell, the reason is the error.
func (d Dead) Bury(f finding.Finding, to, reason string) error {
	if d == nil {
		return fmt.Errorf("deliver finding %s to %s: %s", f.Fingerprint, to, reason)
	}
	return d("finding "+f.Fingerprint+" to "+to, reason)
}

// Remembered is how many findings a sink knows to be delivered.
const Remembered = 50_000

// OneByOne has send take each finding, as JSON, that was not delivered before. What send says that the receiver will never take,
// and why, is buried.
func OneByOne(fs []finding.Finding, done *stream.Recent, to string, dead Dead, send func(f finding.Finding, body []byte) (refused string, err error)) error {
	for _, f := range fs {
		if done.Has(f.Fingerprint) {
			continue
		}
		body, err := json.Marshal(f)
		if err != nil {
			return fmt.Errorf("write finding %s: %w", f.Fingerprint, err)
		}
		refused, err := send(f, body)
		if err != nil {
			return fmt.Errorf("deliver finding %s to %s: %w", f.Fingerprint, to, err)
		}
		if refused != "" {
			if err := dead.Bury(f, to, refused); err != nil {
				return err
			}
		}
		done.Add(f.Fingerprint)
	}
	return nil
}

// All delivers to several sinks: to each, whatever becomes of the others.
type All []Sink

// Deliver returns what went wrong with any.
func (a All) Deliver(ctx context.Context, fs []finding.Finding) error {
	var errs []error
	for _, s := range a {
		errs = append(errs, s.Deliver(ctx, fs))
	}
	return errors.Join(errs...)
}

// Frame is what formats say besides findings.
type Frame struct {
	Version string // of drawbridge
	Now     func() time.Time
	// Facts are what is known of a cluster, by ARN or name.
	Facts func(string) finding.Cluster
}

// Format returns each finding in one of the formats of package report that write an array, as one line of JSON.
func (fr Frame) Format(name string, fs []finding.Finding) ([]json.RawMessage, error) {
	r := &finding.Result{Version: finding.Version, Kind: finding.KindDetect, Tool: finding.Tool{Version: fr.Version}, Time: fr.Now().UTC(), Findings: fs}
	seen := map[string]bool{}
	for _, f := range fs {
		if !seen[f.Cluster] && f.Cluster != "" {
			seen[f.Cluster] = true
			r.Clusters = append(r.Clusters, fr.Facts(f.Cluster))
		}
	}
	format, ok := report.Find(name)
	if !ok {
		return nil, fmt.Errorf("there is no format %s", name)
	}
	var b bytes.Buffer
	if err := format.Write(&b, r, report.Options{}); err != nil {
		return nil, err
	}
	var all []json.RawMessage
	if err := json.Unmarshal(b.Bytes(), &all); err != nil {
		return nil, fmt.Errorf("write findings as %s: %w", name, err)
	}
	for i, one := range all {
		var line bytes.Buffer
		if err := json.Compact(&line, one); err != nil {
			return nil, fmt.Errorf("write a finding as %s: %w", name, err)
		}
		all[i] = line.Bytes()
	}
	return all, nil
}
