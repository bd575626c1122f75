package webhook

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"drawbridge/internal/stream"
)

// events is a synthetic EventList.
const events = `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a-1","stage":"ResponseComplete","requestURI":"/api/v1/secrets","verb":"list","user":{"username":"jane"},"requestReceivedTimestamp":"2026-11-01T10:00:00.000000Z","stageTimestamp":"2026-11-01T10:00:00.000000Z"}]}`

// pki is an authority with a certificate for loopback and one for a client, as files.
type pki struct{ ca, cert, key, clientCert, clientKey string }

func newPKI(t *testing.T) pki {
	t.Helper()
	dir := t.TempDir()
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	caKey := newKey(t)
	file := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	issue := func(name string, key *ecdsa.PrivateKey, c *x509.Certificate) (string, string) {
		der, err := x509.CreateCertificate(rand.Reader, c, authority, &key.PublicKey, caKey)
		if err != nil {
			t.Fatal(err)
		}
		private, err := x509.MarshalECPrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return file(name+".crt", "CERTIFICATE", der), file(name+".key", "EC PRIVATE KEY", private)
	}
	var p pki
	p.ca, _ = issue("ca", caKey, authority)
	p.cert, p.key = issue("server", newKey(t), &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}}})
	p.clientCert, p.clientKey = issue("client", newKey(t), &x509.Certificate{Subject: pkix.Name{CommonName: "prod"}, SerialNumber: big.NewInt(3), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return p
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// client trusts the authority, and shows its certificate if it is to.
func (p pki) client(t *testing.T, known bool) *http.Client {
	t.Helper()
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	ca, err := os.ReadFile(p.ca)
	if err != nil {
		t.Fatal(err)
	}
	c.RootCAs.AppendCertsFromPEM(ca)
	if known {
		pair, err := tls.LoadX509KeyPair(p.clientCert, p.clientKey)
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	tr := &http.Transport{TLSClientConfig: c}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func tokenFile(t *testing.T, token string) string {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func listen(t *testing.T, o Options) *Stream {
	t.Helper()
	o.Address = "127.0.0.1:0"
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// run receives until the test ends; batches go to the handler.
func run(t *testing.T, s *Stream, handle func(context.Context, stream.Batch) error) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Receive(ctx, handle) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

// deliver sends a body and returns the status.
func deliver(t *testing.T, c *http.Client, url, token, encoding, body string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

func TestPosts(t *testing.T) {
	p := newPKI(t)
	var reported []string
	s := listen(t, Options{Certificate: p.cert, Key: p.key, TokenFile: tokenFile(t, "secret\n"), MaxBody: 4096, Report: func(err error) { reported = append(reported, err.Error()) }})
	got := make(chan string, 10)
	run(t, s, func(ctx context.Context, b stream.Batch) error {
		data, err := io.ReadAll(b.Body)
		if len(data) > 0 {
			got <- b.Input + "|" + b.Cluster + "|" + string(data)
			return errors.Join(err, b.Ack(ctx))
		}
		return err
	})
	url, c := "https://"+s.Addr().String(), p.client(t, false)
	const arn = "arn:aws:eks:eu-west-1:111122223333:cluster/prod"
	for _, test := range []struct {
		name, path, token, encoding, body string
		status                            int
		want                              string
	}{
		{name: "plain", path: "/audit/prod", token: "secret", body: events, status: 200, want: "webhook of prod|prod|" + events},
		{name: "ARN", path: "/audit/" + arn + "?timeout=30s", token: "secret", body: events, status: 200, want: "webhook of " + arn + "|" + arn + "|" + events},
		{name: "no cluster", path: "/audit", token: "secret", body: events, status: 200, want: "webhook||" + events},
		{name: "gzip", path: "/audit/prod", token: "secret", encoding: "gzip", body: zipped(events), status: 200, want: "webhook of prod|prod|" + events},
		{name: "empty list", path: "/audit/prod", token: "secret", body: `{"kind":"EventList","items":[]}`, status: 200, want: `webhook of prod|prod|{"kind":"EventList","items":[]}`},
		{name: "no token", path: "/audit/prod", body: events, status: 401},
		{name: "wrong token", path: "/audit/prod", token: "secrets", body: events, status: 401},
		{name: "bad name", path: "/audit/pr%20od", token: "secret", body: events, status: 404},
		{name: "path above", path: "/audit/a/b", token: "secret", body: events, status: 404},
		{name: "elsewhere", path: "/", token: "secret", body: events, status: 404},
		{name: "large", path: "/audit/prod", token: "secret", body: events + strings.Repeat(" ", 4096), status: 413},
		{name: "bomb", path: "/audit/prod", token: "secret", encoding: "gzip", body: zipped(events + strings.Repeat(" ", 1<<20)), status: 413},
		{name: "cut", path: "/audit/prod", token: "secret", encoding: "gzip", body: zipped(events)[:40], status: 400},
		{name: "not gzip", path: "/audit/prod", token: "secret", encoding: "gzip", body: events, status: 400},
		{name: "brotli", path: "/audit/prod", token: "secret", encoding: "br", body: events, status: 415},
		{name: "no event", path: "/audit/prod", token: "secret", body: "hello", status: 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			if status := deliver(t, c, url+test.path, test.token, test.encoding, test.body); status != test.status {
				t.Fatalf("status %d, want %d", status, test.status)
			}
			select {
			case g := <-got:
				if g != test.want {
					t.Errorf("handed out %s, want %s", g, test.want)
				}
			default:
				if test.want != "" {
					t.Error("nothing was handed out")
				}
			}
		})
	}
	if len(reported) != 10 || strings.Contains(strings.Join(reported, ""), "secret") {
		t.Errorf("reported %q", reported)
	}
	resp, err := c.Get(url + "/audit/prod")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET is answered with %d", resp.StatusCode)
	}
}

func TestClientCertificate(t *testing.T) {
	p := newPKI(t)
	s := listen(t, Options{Certificate: p.cert, Key: p.key, ClientCA: p.ca})
	run(t, s, func(ctx context.Context, b stream.Batch) error {
		if b.Ack == nil {
			return nil
		}
		return b.Ack(ctx)
	})
	url := "https://" + s.Addr().String() + "/audit/prod"
	if status := deliver(t, p.client(t, true), url, "", "", events); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if resp, err := p.client(t, false).Post(url, "", strings.NewReader(events)); err == nil {
		resp.Body.Close()
		t.Errorf("a client without a certificate is answered with %d", resp.StatusCode)
	}
}

// TestAnswerIsAcknowledgement: a post is answered when it is acknowledged, which an idle stream gives occasion to; one that is
// not is to be sent again, and so is one that cannot be held.
func TestAnswerIsAcknowledgement(t *testing.T) {
	s := listen(t, Options{MaxBody: maxHeld})
	tick := make(chan time.Time)
	s.tick = tick
	handled, acked := make(chan func(context.Context) error, 2), make(chan bool)
	run(t, s, func(ctx context.Context, b stream.Batch) error {
		if b.Ack == nil {
			acked <- true
			return nil
		}
		handled <- b.Ack
		return nil
	})
	url := "http://" + s.Addr().String() + "/audit/prod"
	status := make(chan int)
	send := func() {
		resp, err := http.Post(url, "application/json", strings.NewReader(events))
		if err != nil {
			status <- 0
			return
		}
		resp.Body.Close()
		status <- resp.StatusCode
	}
	go send()
	ack := <-handled
	select {
	case n := <-status:
		t.Fatalf("answered with %d before it was acknowledged", n)
	default:
	}
	tick <- time.Time{}
	<-acked
	if err := ack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := <-status; n != http.StatusOK {
		t.Errorf("status %d", n)
	}
	if !s.held.TryAcquire(maxHeld) {
		t.Error("bytes of posts that were answered are held")
	}
	go send()
	if n := <-status; n != http.StatusTooManyRequests {
		t.Errorf("a post too many is answered with %d", n)
	}
	s.held.Release(maxHeld)
	s.patience = 0
	go send()
	select {
	case <-handled:
		if n := <-status; n != http.StatusTooManyRequests {
			t.Errorf("a post that nobody acknowledges is answered with %d", n)
		}
	case n := <-status:
		if n != http.StatusTooManyRequests {
			t.Errorf("a post that nobody reads is answered with %d", n)
		}
	}
}

// TestFailed: a post whose handler fails is to be sent again.
func TestFailed(t *testing.T) {
	s := listen(t, Options{})
	full := errors.New("disk full")
	ended := make(chan error, 1)
	go func() { ended <- s.Receive(t.Context(), func(context.Context, stream.Batch) error { return full }) }()
	if status := deliver(t, http.DefaultClient, "http://"+s.Addr().String()+"/audit/prod", "", "", events); status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
	if err := <-ended; !errors.Is(err, full) {
		t.Errorf("ended with %v", err)
	}
}

func TestNew(t *testing.T) {
	p := newPKI(t)
	for name, o := range map[string]Options{
		"open to all":       {Address: "0.0.0.0:0"},
		"no sender's proof": {Address: "0.0.0.0:0", Certificate: p.cert, Key: p.key},
		"no certificate":    {Address: "0.0.0.0:0", TokenFile: tokenFile(t, "x")},
		"CA alone":          {Address: "127.0.0.1:0", ClientCA: p.ca},
		"empty token":       {Address: "127.0.0.1:0", TokenFile: tokenFile(t, " \n")},
		"no token file":     {Address: "127.0.0.1:0", TokenFile: "/nowhere"},
		"no key":            {Address: "127.0.0.1:0", Certificate: p.cert},
		"CA is a key":       {Address: "127.0.0.1:0", Certificate: p.cert, Key: p.key, ClientCA: p.key},
		"no address":        {Address: "nowhere"},
		"odd token line":    {Address: "127.0.0.1:0", TokenFile: tokenFile(t, "pr/od token\n")},
		"long token line":   {Address: "127.0.0.1:0", TokenFile: tokenFile(t, "prod a b\n")},
		"names without CA":  {Address: "127.0.0.1:0", Certificate: p.cert, Key: p.key, ClusterFromCertificate: true},
	} {
		t.Run(name, func(t *testing.T) {
			if s, err := New(o); err == nil {
				s.listener.Close()
				t.Error("it listens")
			}
		})
	}
}
