package sns

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/finding"
)

const topic = "arn:aws:sns:eu-west-1:111122223333:findings"

// published is a sink of a synthetic topic, spoken to as the SDK does, and what it was given.
func published(t *testing.T, topic string, dead func(string, string) error) (*Sink, *[]url.Values) {
	var got []url.Values
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Form.Get("Action") != "Publish" || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/sns/") {
			t.Errorf("%v, %v", r.Form, err)
		}
		got = append(got, r.Form)
		w.Header().Set("Content-Type", "text/xml")
		switch message := r.Form.Get("Message"); {
		case strings.Contains(message, "long"):
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>Invalid parameter: Message too long</Message></Error></ErrorResponse>`)
		case strings.Contains(message, "denied"):
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code><Message>not authorized to perform: SNS:Publish</Message></Error></ErrorResponse>`)
		default:
			fmt.Fprint(w, `<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>`)
		}
	}))
	t.Cleanup(server.Close)
	s := New(awssdk.Config{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
		return awssdk.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "synthetic"}, nil
	})}, topic, dead)
	return s, &got
}

func TestDeliver(t *testing.T) {
	dead := map[string]string{}
	s, got := published(t, topic, func(input, reason string) error { dead[input] = reason; return nil })
	fs := []finding.Finding{{ID: "nodes-proxy-used", Fingerprint: "a", Severity: finding.High}, {Fingerprint: "b", Message: "long"}, {Fingerprint: "a"}}
	for range 2 {
		if err := s.Deliver(t.Context(), fs); err != nil {
			t.Fatal(err)
		}
	}
	if len(*got) != 2 || len(dead) != 1 || !strings.Contains(dead["finding b to "+topic], "too long") {
		t.Fatalf("published %v, dead letters %v", *got, dead)
	}
	first := (*got)[0]
	var f finding.Finding
	if err := json.Unmarshal([]byte(first.Get("Message")), &f); err != nil || f.Fingerprint != "a" || first.Get("TopicArn") != topic {
		t.Errorf("published %v", first)
	}
	attributes := map[string]string{}
	for i := 1; first.Get(fmt.Sprintf("MessageAttributes.entry.%d.Name", i)) != ""; i++ {
		attributes[first.Get(fmt.Sprintf("MessageAttributes.entry.%d.Name", i))] = first.Get(fmt.Sprintf("MessageAttributes.entry.%d.Value.StringValue", i))
	}
	if diff := cmp.Diff(map[string]string{"id": "nodes-proxy-used", "severity": "high", "fingerprint": "a"}, attributes); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if first.Has("MessageGroupId") {
		t.Error("a topic without order is given a group")
	}
}

// TestDenied: what is not the finding's fault is an error, and it is published the next time.
func TestDenied(t *testing.T) {
	s, got := published(t, topic, func(string, string) error { t.Error("it is passed over"); return nil })
	for range 2 {
		if err := s.Deliver(t.Context(), []finding.Finding{{Fingerprint: "a", Message: "denied"}}); err == nil || !strings.Contains(err.Error(), "SNS:Publish") {
			t.Errorf("error %v", err)
		}
	}
	if len(*got) != 2 {
		t.Errorf("asked %d times", len(*got))
	}
}

func TestFIFO(t *testing.T) {
	s, got := published(t, topic+".fifo", nil)
	long := strings.Repeat("x", 200)
	if err := s.Deliver(t.Context(), []finding.Finding{{Fingerprint: "a", Cluster: "ä b" + long}, {Fingerprint: "b"}}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"a " + long[:128], "b drawbridge"} {
		if v := (*got)[i]; v.Get("MessageDeduplicationId")+" "+v.Get("MessageGroupId") != want {
			t.Errorf("published %v", v)
		}
	}
	if g := group(finding.Finding{Cluster: "ä b"}); g != "__b" {
		t.Errorf("group %q", g)
	}
}
