package webhook

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"drawbridge/internal/event"
	lab "drawbridge/internal/lab/kube"
	"drawbridge/internal/stream"
)

// TestAPIServer has a real API server send its audit log, with a token and over TLS.
func TestAPIServer(t *testing.T) {
	lab.Require(t)
	p := newPKI(t)
	token := tokenFile(t, "secret")
	s := listen(t, Options{Certificate: p.cert, Key: p.key, TokenFile: token, Report: func(err error) { t.Log(err) }})
	seen := make(chan string, 1)
	run(t, s, func(ctx context.Context, b stream.Batch) error {
		if b.Ack == nil {
			return nil
		}
		d := event.NewDecoder(b.Body, event.Options{Input: b.Input, Cluster: b.Cluster})
		var e event.Event
		for d.Next(&e) == nil {
			if e.Field(event.Resource).Is("configmaps") && e.Field(event.ObjectName).Is("sent") {
				select {
				case seen <- e.Cluster().Name:
				default:
				}
			}
		}
		return b.Ack(ctx)
	})
	config := filepath.Join(t.TempDir(), "webhook.yaml")
	err := os.WriteFile(config, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: w, cluster: {server: "https://%s/audit/prod", certificate-authority: %q}}]
users: [{name: w, user: {tokenFile: %q}}]
contexts: [{name: w, context: {cluster: w, user: w}}]
current-context: w
`, s.Addr(), p.ca, token), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	c := lab.New(t, lab.Options{AuditPolicy: lab.EKSAudit, APIServerFlags: []string{"--audit-webhook-config-file=" + config, "--audit-webhook-batch-max-wait=50ms"}})
	if err := c.Apply(t.Context(), "{apiVersion: v1, kind: ConfigMap, metadata: {name: sent, namespace: default}}"); err != nil {
		t.Fatal(err)
	}
	if cluster := <-seen; cluster != "prod" {
		t.Errorf("the event is of cluster %q", cluster)
	}
}
