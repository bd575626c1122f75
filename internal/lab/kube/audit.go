package kube

import (
	"bytes"
	"context"
	_ "embed" // the audit policies
	"encoding/json"
	"fmt"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Audit policies for [Options].
var (
	// FullAudit records the bodies of all that concerns identity, including bearer tokens in answers.
	//go:embed audit-full.yaml
	FullAudit string
	// EKSAudit records what EKS records.
	//go:embed audit-eks.yaml
	EKSAudit string
)

// AuditEvents returns the events of the audit log so far, each as the API server wrote it.
func (c *Cluster) AuditEvents() ([]json.RawMessage, error) {
	b, err := os.ReadFile(c.AuditLog)
	if err != nil {
		return nil, fmt.Errorf("read the audit log: %w", err)
	}
	var events []json.RawMessage
	for line := range bytes.Lines(b) {
		if bytes.HasSuffix(line, []byte("\n")) { // else the server is still writing it
			events = append(events, json.RawMessage(bytes.TrimSpace(line)))
		}
	}
	return events, nil
}

// AwaitAudit returns the first event of the audit log that matches, waiting for it until the context ends or ten seconds
// have passed. A client may have its answer a moment before the event is in the file.
func (c *Cluster) AwaitAudit(ctx context.Context, match func(event map[string]any) bool) (map[string]any, error) {
	var found map[string]any
	err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 10*time.Second, true, func(context.Context) (bool, error) {
		events, err := c.AuditEvents()
		if err != nil {
			return false, err
		}
		for _, e := range events {
			var m map[string]any
			if err := json.Unmarshal(e, &m); err != nil {
				return false, fmt.Errorf("read an audit event: %w", err)
			}
			if match(m) {
				found = m
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return nil, fmt.Errorf("wait for an audit event: %w", err)
	}
	return found, nil
}
