package securityhub

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/finding"
	"drawbridge/internal/sink"
)

var frame = sink.Frame{Version: "v1", Now: func() time.Time { return time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC) }, Facts: func(name string) finding.Cluster {
	return finding.Cluster{Name: name, Account: "444455556666", Region: "us-east-1", Partition: "aws"}
}}

// hub is a sink of a synthetic hub that refuses the finding "bad", and the findings of each call.
func hub(t *testing.T, dead sink.Dead) (*Sink, *[][]map[string]any) {
	var got [][]map[string]any
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Findings []map[string]any }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.URL.Path != "/findings/import" {
			t.Errorf("%s: %v", r.URL.Path, err)
		}
		got = append(got, in.Findings)
		failed := []map[string]string{}
		for _, f := range in.Findings {
			if f["Id"] == "drawbridge/x/bad" {
				failed = append(failed, map[string]string{"Id": "drawbridge/x/bad", "ErrorCode": "InvalidInput", "ErrorMessage": "synthetic"})
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"FailedCount": len(failed), "SuccessCount": len(in.Findings) - len(failed), "FailedFindings": failed})
	}))
	t.Cleanup(server.Close)
	s := New(awssdk.Config{Region: "eu-west-1", BaseEndpoint: &server.URL, Credentials: awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
		return awssdk.Credentials{AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "synthetic"}, nil
	})}, Options{Account: "111122223333", Frame: frame, Dead: dead})
	return s, &got
}

// TestDeliver: what arrives is what package report writes, but for the account that calls.
func TestDeliver(t *testing.T) {
	s, got := hub(t, nil)
	at := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	f := finding.Finding{
		ID: "x", Title: "T", Severity: finding.High, Status: finding.Fail, Cluster: "prod", Fingerprint: "a", Message: "m", Time: &at,
		Subject: finding.Subject{Kind: "IAMRole", Name: "r", ARN: "arn:aws:iam::444455556666:role/r"}, Remediation: finding.Remediation{Text: "do"},
		Evidence: []finding.Evidence{{Text: "e", Source: "s"}}, Techniques: []string{"T1098"},
	}
	for range 2 {
		if err := s.Deliver(t.Context(), []finding.Finding{f}); err != nil {
			t.Fatal(err)
		}
	}
	lines, err := frame.Format("asff", []finding.Finding{f})
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(lines[0], &want); err != nil {
		t.Fatal(err)
	}
	want["AwsAccountId"], want["ProductArn"] = "111122223333", "arn:aws:securityhub:eu-west-1:111122223333:product/111122223333/default"
	if diff := cmp.Diff([][]map[string]any{{want}}, *got); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func TestHundreds(t *testing.T) {
	dead := map[string]string{}
	s, got := hub(t, func(input, reason string) error { dead[input] = reason; return nil })
	fs := []finding.Finding{{ID: "x", Fingerprint: "bad"}}
	for i := range 200 {
		fs = append(fs, finding.Finding{ID: "x", Fingerprint: fmt.Sprint(i)})
	}
	if err := s.Deliver(t.Context(), fs); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for _, call := range *got {
		sizes = append(sizes, len(call))
	}
	if diff := cmp.Diff([]int{100, 100, 1}, sizes); diff != "" {
		t.Errorf("findings a call (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"finding bad to Security Hub": "InvalidInput: synthetic"}, dead); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
}
