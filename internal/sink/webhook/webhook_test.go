package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/finding"
)

func parse(t *testing.T, s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestDeliver(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	answers := map[string][]int{"busy": {503, 429, 200}, "bad": {400}, "moved": {302}}
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var f finding.Finding
		if err := json.Unmarshal(body, &f); err != nil || f.Fingerprint != r.Header.Get(KeyHeader) {
			t.Errorf("body %s with key %s: %v", body, r.Header.Get(KeyHeader), err)
		}
		sum := hmac.New(sha256.New, []byte("key"))
		sum.Write(body)
		if want := "sha256=" + hex.EncodeToString(sum.Sum(nil)); r.Header.Get(SignatureHeader) != want {
			t.Errorf("signature %s, want %s", r.Header.Get(SignatureHeader), want)
		}
		got = append(got, f.Fingerprint)
		if queue := answers[f.Fingerprint]; len(queue) > 0 {
			answers[f.Fingerprint] = queue[1:]
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(queue[0])
		}
	}))
	t.Cleanup(server.Close)
	dead := map[string]string{}
	s, err := New(Options{URL: parse(t, server.URL+"/hook"), SecretFile: secret, Dead: func(input, reason string) error { dead[input] = reason; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	s.wait = &backoff.ZeroBackOff{}
	fs := []finding.Finding{{Fingerprint: "a"}, {Fingerprint: "busy"}, {Fingerprint: "bad"}, {Fingerprint: "moved"}, {Fingerprint: "a"}}
	for range 2 {
		if err := s.Deliver(t.Context(), fs); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"a", "busy", "busy", "busy", "bad", "moved"}, got); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
	to := " to " + strings.TrimPrefix(server.URL, "http://")
	if diff := cmp.Diff(map[string]string{"finding bad" + to: "400 Bad Request", "finding moved" + to: "302 Found"}, dead); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}

// TestUnanswered: tries are bounded, the error does not show the URL, and the finding is delivered the next time.
func TestUnanswered(t *testing.T) {
	posts, status := 0, 500
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { posts++; w.WriteHeader(status) }))
	s, err := New(Options{URL: parse(t, server.URL+"/services/SECRET"), Tries: 3})
	if err != nil {
		t.Fatal(err)
	}
	s.wait = &backoff.ZeroBackOff{}
	fs := []finding.Finding{{Fingerprint: "a"}}
	if err := s.Deliver(t.Context(), fs); err == nil || posts != 3 {
		t.Errorf("%v after %d posts", err, posts)
	}
	status = 204
	if err := s.Deliver(t.Context(), fs); err != nil {
		t.Error(err)
	}
	server.Close()
	if err := s.Deliver(t.Context(), []finding.Finding{{Fingerprint: "b"}}); err == nil || strings.Contains(err.Error(), "SECRET") {
		t.Errorf("a server that is gone: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Deliver(ctx, []finding.Finding{{Fingerprint: "b"}}); err == nil {
		t.Error("it was delivered after all")
	}
}

func TestNew(t *testing.T) {
	for raw, ok := range map[string]bool{
		"https://example.com/x": true, "http://127.0.0.1:1/x": true, "http://[::1]:1/x": true, "http://localhost/": true,
		"http://example.com/x": false, "ftp://127.0.0.1/": false, "https:///x": false, "": false,
	} {
		if _, err := New(Options{URL: parse(t, raw)}); (err == nil) != ok {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if _, err := New(Options{URL: parse(t, "https://example.com"), SecretFile: "/nowhere"}); err == nil {
		t.Error("a secret that cannot be read is no error")
	}
}
