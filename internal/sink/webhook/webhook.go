// Package webhook posts findings to a URL, one a request, in the form they have in results. It follows no redirects.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"

	"drawbridge/internal/finding"
	"drawbridge/internal/sink"
	"drawbridge/internal/stream"
)

// Options are where to post. The URL is one of https, or of http on loopback.
type Options struct {
	URL *url.URL
	// SecretFile holds the key by which bodies are signed: SignatureHeader is sha256= and the HMAC of the body in hex. Without it
	// nothing is signed.
	SecretFile string
	// Tries is how often a finding is posted that is not answered, or with 429 or 5xx; 0 is 12, in about a minute and a half.
	Tries int
	Dead  sink.Dead
}

// SignatureHeader and KeyHeader are the headers of a request. The key is the finding's fingerprint: it tells a finding that is
// posted again.
const (
	SignatureHeader = "X-Drawbridge-Signature-256"
	KeyHeader       = "Idempotency-Key"
)

const (
	tries   = 12
	timeout = 30 * time.Second
	// longestWait is the most that a receiver can have us wait.
	longestWait = 60
)

// Sink is a sink.Sink of a URL.
type Sink struct {
	o      Options
	secret []byte
	client *http.Client
	wait   backoff.BackOff // nil: exponential
	done   *stream.Recent
}

// New returns a sink. Nothing is sent before Deliver.
func New(o Options) (*Sink, error) {
	if o.Tries <= 0 {
		o.Tries = tries
	}
	ip := net.ParseIP(o.URL.Hostname())
	local := o.URL.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if o.URL.Host == "" || o.URL.Scheme != "https" && (o.URL.Scheme != "http" || !local) {
		return nil, fmt.Errorf("post findings to %s: want https", o.URL.Host)
	}
	s := &Sink{o: o, done: stream.NewRecent(sink.Remembered), client: &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if o.SecretFile != "" {
		secret, err := os.ReadFile(o.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("read the secret of %s: %w", o.URL.Host, err)
		}
		if s.secret = bytes.TrimSpace(secret); len(s.secret) == 0 {
			return nil, fmt.Errorf("read the secret of %s: %s is empty", o.URL.Host, o.SecretFile)
		}
	}
	return s, nil
}

// Deliver posts findings one after the other.
func (s *Sink) Deliver(ctx context.Context, fs []finding.Finding) error {
	return sink.OneByOne(fs, s.done, s.o.URL.Host, s.o.Dead, func(f finding.Finding, body []byte) (string, error) {
		return s.retry(ctx, f.Fingerprint, body)
	})
}

// retry posts until there is an answer that counts. refused says why the receiver does not want it.
func (s *Sink) retry(ctx context.Context, key string, body []byte) (refused string, err error) {
	wait := s.wait
	if wait == nil {
		wait = backoff.NewExponentialBackOff()
	}
	return backoff.Retry(ctx, func() (string, error) { return s.post(ctx, key, body) }, backoff.WithBackOff(wait), backoff.WithMaxTries(uint(s.o.Tries)))
}

func (s *Sink) post(ctx context.Context, key string, body []byte) (refused string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.URL.String(), bytes.NewReader(body))
	if err != nil {
		return "", backoff.Permanent(quiet(err))
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "drawbridge")
	r.Header.Set(KeyHeader, key)
	if s.secret != nil {
		sum := hmac.New(sha256.New, s.secret)
		sum.Write(body)
		r.Header.Set(SignatureHeader, "sha256="+hex.EncodeToString(sum.Sum(nil)))
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return "", quiet(err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // so that the connection can be used again
	switch status := resp.StatusCode; {
	case status >= 200 && status < 300:
		return "", nil
	case status == http.StatusTooManyRequests, status >= 500:
		if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && after > 0 {
			return "", backoff.RetryAfter(min(after, longestWait))
		}
		return "", errors.New(resp.Status)
	default:
		return resp.Status, nil
	}
}

// quiet leaves the URL out of an error: its path may be a secret.
func quiet(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
