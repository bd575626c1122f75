package s3

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// fake speaks SQS and S3 as the SDK does: a queue whose messages are seen again as soon as they are let go, and objects.
type fake struct {
	url string

	mu       sync.Mutex
	messages []*queued
	objects  map[string][]byte // by bucket/key
	answers  map[string][]func(http.ResponseWriter)
	calls    map[string]int
	renewed  chan string // receipts
	lose     bool        // DeleteMessage does nothing: SQS gives a message at least once
}

type queued struct {
	id, body string
	count    int
	hidden   bool
}

func newFake(t *testing.T) *fake {
	f := &fake{objects: map[string][]byte{}, answers: map[string][]func(http.ResponseWriter){}, calls: map[string]int{}, renewed: make(chan string, 100)}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

// config is one for clients of the fake that wait for nothing.
func (f *fake) config() awssdk.Config {
	return awssdk.Config{
		Region: "eu-west-1", BaseEndpoint: &f.url,
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

func (f *fake) queue() string { return f.url + "/111122223333/logs" }

func (f *fake) send(bodies ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range bodies {
		f.messages = append(f.messages, &queued{id: fmt.Sprintf("m%d", len(f.messages)), body: b})
	}
}

// put keeps an object and announces it.
func (f *fake) put(key string, content []byte) {
	f.objects["logs/"+key] = content
	f.send(fmt.Sprintf(`{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","awsRegion":"eu-west-1","s3":{"bucket":{"name":"logs"},"object":{"key":%q}}}]}`, key))
}

func (f *fake) left() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.messages {
		if m != nil {
			n++
		}
	}
	return n
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "AmazonSQS."); ok {
		f.calls["sqs:"+operation]++
		var in struct {
			ReceiptHandle     string
			VisibilityTimeout int
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		_ = json.NewEncoder(w).Encode(f.sqs(operation, in.ReceiptHandle, in.VisibilityTimeout))
		return
	}
	f.calls["s3:GetObject"]++
	path := strings.TrimPrefix(r.URL.Path, "/")
	if queue := f.answers[path]; len(queue) > 0 {
		f.answers[path] = queue[1:]
		queue[0](w)
		return
	}
	content, ok := f.objects[path]
	if !ok {
		refuse(http.StatusNotFound, "NoSuchKey")(w)
		return
	}
	_, _ = w.Write(content)
}

func refuse(status int, code string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>synthetic</Message></Error>`, code)
	}
}

func (f *fake) sqs(operation, receipt string, seconds int) any {
	if operation == "ReceiveMessage" {
		var out []map[string]any
		for _, m := range f.messages {
			if m != nil && !m.hidden && len(out) < batchSize {
				m.hidden = true
				m.count++
				sum := md5.Sum([]byte(m.body))
				out = append(out, map[string]any{
					"MessageId": m.id, "ReceiptHandle": m.id, "Body": m.body, "MD5OfBody": hex.EncodeToString(sum[:]),
					"Attributes": map[string]string{"ApproximateReceiveCount": fmt.Sprint(m.count)},
				})
			}
		}
		return map[string]any{"Messages": out}
	}
	for i, m := range f.messages {
		if m == nil || m.id != receipt {
			continue
		}
		switch {
		case operation == "DeleteMessage" && f.lose:
			f.lose, m.hidden = false, false
		case operation == "DeleteMessage":
			f.messages[i] = nil
		case seconds == visibility:
			f.renewed <- receipt
		default:
			m.hidden = false
		}
	}
	return map[string]any{}
}
