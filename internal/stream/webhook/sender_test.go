package webhook

import (
	"context"
	"errors"
	"io"
	"testing"

	"drawbridge/internal/stream"
)

// TestBound: a sender that is bound to a cluster posts its audit events and nothing else, whatever it says.
func TestBound(t *testing.T) {
	const (
		arn     = "arn:aws:eks:eu-west-1:111122223333:cluster/prod"
		other   = "arn:aws:eks:eu-west-1:444455556666:cluster/prod"
		audit   = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a-1","stage":"ResponseComplete","requestURI":"/","verb":"get","user":{"username":"jane"},"responseStatus":{"code":200},"requestReceivedTimestamp":"2026-11-01T10:00:00.000000Z","stageTimestamp":"2026-11-01T10:00:00.001000Z"}` + "\n"
		trail   = `{"eventVersion":"1.11","eventID":"e-1","eventTime":"2026-11-01T10:00:00Z","eventSource":"eks.amazonaws.com","eventName":"ListClusters","awsRegion":"eu-west-1","recipientAccountId":"444455556666"}` + "\n"
		foreign = `{"messageType":"DATA_MESSAGE","owner":"444455556666","logGroup":"/aws/eks/victim/cluster","logStream":"kube-apiserver-audit-1","subscriptionFilters":["x"],"logEvents":[{"id":"1","timestamp":1,"message":"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\",\"auditID\":\"a-1\",\"stage\":\"ResponseComplete\",\"requestURI\":\"/\",\"verb\":\"get\",\"user\":{\"username\":\"jane\"},\"responseStatus\":{\"code\":200},\"requestReceivedTimestamp\":\"2026-11-01T10:00:00.000000Z\",\"stageTimestamp\":\"2026-11-01T10:00:00.001000Z\"}"}]}` + "\n"
	)
	p := newPKI(t)
	tokens := "# who\n\nfree\n" + arn + " one\ndev two\nstage two\ndev three\n"
	got := make(chan string, 1)
	handle := func(ctx context.Context, b stream.Batch) error {
		data, err := io.ReadAll(b.Body)
		if len(data) > 0 {
			got <- b.Cluster
			return errors.Join(err, b.Ack(ctx))
		}
		return err
	}
	byToken := listen(t, Options{Certificate: p.cert, Key: p.key, TokenFile: tokenFile(t, tokens)})
	run(t, byToken, handle)
	byCertificate := listen(t, Options{Certificate: p.cert, Key: p.key, ClientCA: p.ca, ClusterFromCertificate: true})
	run(t, byCertificate, handle)
	byBoth := listen(t, Options{Certificate: p.cert, Key: p.key, ClientCA: p.ca, ClusterFromCertificate: true, TokenFile: tokenFile(t, tokens)})
	run(t, byBoth, handle)
	for _, test := range []struct {
		name        string
		to          *Stream
		path, token string
		body        string
		status      int
		want        string
	}{
		{name: "not bound", to: byToken, path: "/prod", token: "free", body: audit + trail + foreign, status: 200, want: "prod"},
		{name: "its own by ARN", to: byToken, path: "/" + arn, token: "one", body: audit, status: 200, want: arn},
		{name: "its own by name", to: byToken, path: "/prod", token: "one", body: audit + "text\n", status: 200, want: arn},
		{name: "unsaid", to: byToken, token: "one", body: audit, status: 200, want: arn},
		{name: "another", to: byToken, path: "/dev", token: "one", body: audit, status: 403},
		{name: "of another account", to: byToken, path: "/" + other, token: "one", body: audit, status: 403},
		{name: "the end of a name", to: byToken, path: "/rod", token: "one", body: audit, status: 403},
		{name: "one of two", to: byToken, path: "/stage", token: "two", body: audit, status: 200, want: "stage"},
		{name: "which of two", to: byToken, token: "two", body: audit, status: 403},
		{name: "an ARN for a name", to: byToken, path: "/arn:aws:eks:eu-west-1:111122223333:cluster/dev", token: "three", body: audit, status: 403},
		{name: "CloudTrail", to: byToken, path: "/prod", token: "one", body: audit + trail, status: 403},
		{name: "another's log group", to: byToken, path: "/prod", token: "one", body: audit + foreign, status: 403},
		{name: "comment", to: byToken, path: "/prod", token: "#", body: audit, status: 401},
		{name: "a cluster as token", to: byToken, path: "/prod", token: "dev", body: audit, status: 401},
		{name: "certificate", to: byCertificate, path: "/prod", body: audit, status: 200, want: "prod"},
		{name: "certificate, unsaid", to: byCertificate, body: audit, status: 200, want: "prod"},
		{name: "certificate, another", to: byCertificate, path: "/dev", body: audit, status: 403},
		{name: "both", to: byBoth, path: "/prod", token: "one", body: audit, status: 200, want: arn},
		{name: "both, not bound by token", to: byBoth, path: "/prod", token: "free", body: audit, status: 200, want: "prod"},
		{name: "both, of two clusters", to: byBoth, path: "/dev", token: "three", body: audit, status: 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			url := "https://" + test.to.Addr().String() + "/audit" + test.path
			if status := deliver(t, p.client(t, true), url, test.token, "", test.body); status != test.status {
				t.Errorf("status %d, want %d", status, test.status)
			}
			select {
			case cluster := <-got:
				if cluster != test.want {
					t.Errorf("handed out as of %q, want %q", cluster, test.want)
				}
			default:
				if test.want != "" {
					t.Error("nothing was handed out")
				}
			}
		})
	}
}
