// Package s3test is a queue of SQS and buckets of S3 for tests: as much of both as package s3 calls, in memory, over HTTP, as the
// SDK speaks to them. It keeps no time: a message that was let go is seen again at once, and one whose reader died when the
// test says so.
package s3test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// Fake is the server. Its exported fields are set before it is used, or with the lock held.
type Fake struct {
	URL string

	sync.Mutex
	Messages []*Message        // nil: deleted
	Objects  map[string][]byte // by bucket/key
	// Answers are given instead of an object, in order, as long as there are some, by bucket/key.
	Answers map[string][]func(http.ResponseWriter)
	Calls   map[string]int
	// Renewed has the receipts of messages that a reader keeps.
	Renewed chan string
	// Lose says of a deletion that it is not carried out, and Repeat of a message that somebody has that another one gets it too:
	// SQS gives a message at least once. Nil: never.
	Lose, Repeat func() bool
	// Patient lets a reader wait for messages, a short while; else it is told at once that there are none.
	Patient bool
}

// Message is one in the queue.
type Message struct {
	ID, Body string
	Count    int // how often it was received
	Hidden   bool
}

// What package s3 asks for.
const (
	batchSize  = 10
	visibility = 120
)

// New starts a server for the time of a test.
func New(t testing.TB) *Fake {
	f := &Fake{Objects: map[string][]byte{}, Answers: map[string][]func(http.ResponseWriter){}, Calls: map[string]int{}, Renewed: make(chan string, 100)}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.URL = s.URL
	return f
}

// Config is one for clients of the fake that wait for nothing.
func (f *Fake) Config() awssdk.Config {
	return awssdk.Config{
		Region: "eu-west-1", BaseEndpoint: &f.URL,
		Credentials: awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
			return awssdk.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "synthetic"}, nil
		}),
		Retryer: func() awssdk.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts, o.Backoff = 4, retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
			})
		},
	}
}

// Queue is the queue's URL.
func (f *Fake) Queue() string { return f.URL + "/111122223333/logs" }

// Send puts messages into the queue.
func (f *Fake) Send(bodies ...string) {
	f.Lock()
	defer f.Unlock()
	for _, b := range bodies {
		f.Messages = append(f.Messages, &Message{ID: fmt.Sprintf("m%d", len(f.Messages)), Body: b})
	}
}

// Put keeps an object in the bucket logs and announces it.
func (f *Fake) Put(key string, content []byte) {
	f.Lock()
	f.Objects["logs/"+key] = content
	f.Unlock()
	f.Send(fmt.Sprintf(`{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","awsRegion":"eu-west-1","s3":{"bucket":{"name":"logs"},"object":{"key":%q}}}]}`, url.QueryEscape(key)))
}

// Left is how many messages are not deleted.
func (f *Fake) Left() (n int) {
	f.Lock()
	defer f.Unlock()
	for _, m := range f.Messages {
		if m != nil {
			n++
		}
	}
	return n
}

// Release lets all messages be seen again: their readers are dead for long enough.
func (f *Fake) Release() {
	f.Lock()
	defer f.Unlock()
	for _, m := range f.Messages {
		if m != nil {
			m.Hidden = false
		}
	}
}

func (f *Fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "AmazonSQS."); ok {
		var in struct {
			ReceiptHandle     string
			VisibilityTimeout int
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_ = json.NewEncoder(w).Encode(f.answer(r.Context(), operation, in.ReceiptHandle, in.VisibilityTimeout))
		return
	}
	f.object(w, strings.TrimPrefix(r.URL.Path, "/"))
}

func (f *Fake) object(w http.ResponseWriter, path string) {
	f.Lock()
	defer f.Unlock()
	f.Calls["s3:GetObject"]++
	if queue := f.Answers[path]; len(queue) > 0 {
		f.Answers[path] = queue[1:]
		queue[0](w)
		return
	}
	content, ok := f.Objects[path]
	if !ok {
		Refuse(http.StatusNotFound, "NoSuchKey")(w)
		return
	}
	_, _ = w.Write(content)
}

// Refuse is an answer of S3 that is an error.
func Refuse(status int, code string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>synthetic</Message></Error>`, code)
	}
}

// answer is the queue's. A patient one waits a little for messages.
func (f *Fake) answer(ctx context.Context, operation, receipt string, seconds int) any {
	f.Lock()
	f.Calls["sqs:"+operation]++
	f.Unlock()
	if operation != "ReceiveMessage" {
		f.change(operation, receipt, seconds)
		return map[string]any{}
	}
	got := f.receive()
	if len(got) == 0 && f.Patient {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
		if ctx.Err() == nil {
			got = f.receive()
		}
	}
	return map[string]any{"Messages": got}
}

func (f *Fake) receive() (out []map[string]any) {
	f.Lock()
	defer f.Unlock()
	for _, m := range f.Messages {
		if m == nil || len(out) == batchSize || m.Hidden && (f.Repeat == nil || !f.Repeat()) {
			continue
		}
		m.Hidden = true
		m.Count++
		sum := md5.Sum([]byte(m.Body))
		out = append(out, map[string]any{
			"MessageId": m.ID, "ReceiptHandle": m.ID, "Body": m.Body, "MD5OfBody": hex.EncodeToString(sum[:]),
			"Attributes": map[string]string{"ApproximateReceiveCount": fmt.Sprint(m.Count)},
		})
	}
	return out
}

func (f *Fake) change(operation, receipt string, seconds int) {
	f.Lock()
	defer f.Unlock()
	for i, m := range f.Messages {
		if m == nil || m.ID != receipt {
			continue
		}
		switch {
		case operation == "DeleteMessage" && f.Lose != nil && f.Lose():
			m.Hidden = false
		case operation == "DeleteMessage":
			f.Messages[i] = nil
		case seconds == visibility:
			f.Renewed <- receipt
		default:
			m.Hidden = false
		}
	}
}
