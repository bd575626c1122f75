package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// audit is what a real kube-apiserver of version 1.37 wrote in the lab.
func audit(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/audit.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decodeAll reads a stream to its end: the ids of the events, and the reasons for what could not be read.
func decodeAll(t testing.TB, stream string, o Options) (ids, reasons []string) {
	t.Helper()
	return decodeReader(t, strings.NewReader(stream), o)
}

func decodeReader(t testing.TB, r io.Reader, o Options) (ids, reasons []string) {
	t.Helper()
	b, whole := r.(*bytes.Buffer)
	if whole {
		r = bytes.NewBuffer(bytes.Clone(b.Bytes()))
	}
	ids, reasons, told := tell(t, NewDecoder(r, o))
	for _, n := range []int{1, 3, 1000} {
		if !whole {
			break
		}
		d := NewDecoder(bytes.NewBuffer(bytes.Clone(b.Bytes())), o)
		memory := d.Ahead(n, make([]Event, 2, 4))
		if _, _, ahead := tell(t, d); !slices.Equal(told, ahead) {
			t.Fatalf("%d ahead: %q, and without %q", n, ahead, told)
		}
		if len(memory) > n {
			t.Fatalf("%d records ahead of %d", len(memory), n)
		}
	}
	return ids, reasons
}

// tell is what a decoder tells: ids of records and reasons, each alone, and both with all that is known of them in one order.
func tell(t testing.TB, d *Decoder) (ids, reasons, told []string) {
	t.Helper()
	var e Event
	for range 1_000_000 {
		err := d.Next(&e)
		var u *Unparsed
		switch {
		case errors.Is(err, io.EOF):
			return ids, reasons, told
		case errors.As(err, &u):
			reasons = append(reasons, u.Reason)
			told = append(told, u.Error())
		case err != nil:
			t.Fatal(err)
		default:
			ids = append(ids, strings.Clone(e.ID()))
			told = append(told, fmt.Sprint(e.Input(), e.Cluster(), e.Time(), string(e.Raw())))
		}
	}
	t.Fatal("no end")
	return nil, nil, nil
}

func scanned(t testing.TB, record string) *Event {
	t.Helper()
	var e Event
	if err := Scan([]byte(record), &e); err != nil {
		t.Fatalf("%v: %s", err, record)
	}
	return &e
}

func find(e *Event, field string) (all []string) {
	for v := range e.Find(ParsePath(e.Plane(), field)).All() {
		all = append(all, v.String())
	}
	return all
}

func TestAuditFields(t *testing.T) {
	for line := range bytes.Lines(audit(t)) {
		e := scanned(t, string(line))
		var want struct {
			AuditID, Stage, RequestURI, Verb, UserAgent string
			User                                        struct {
				Username string
				Groups   []string
			}
			SourceIPs []string
			ObjectRef struct{ Resource, Subresource, Name, Namespace, APIGroup string }
			Status    struct{ Code int } `json:"responseStatus"`
			Received  time.Time          `json:"requestReceivedTimestamp"`
		}
		if err := json.Unmarshal(line, &want); err != nil {
			t.Fatal(err)
		}
		for _, f := range []struct {
			field Field
			want  string
		}{
			{AuditID, want.AuditID},
			{Stage, want.Stage},
			{RequestURI, want.RequestURI},
			{Verb, want.Verb},
			{UserAgent, want.UserAgent},
			{Username, want.User.Username},
			{Resource, want.ObjectRef.Resource},
			{Subresource, want.ObjectRef.Subresource},
			{ObjectName, want.ObjectRef.Name},
			{Namespace, want.ObjectRef.Namespace},
			{APIGroup, want.ObjectRef.APIGroup},
		} {
			if got := e.Field(f.field).String(); got != f.want {
				t.Errorf("%s = %q, want %q", f.field, got, f.want)
			}
		}
		if !e.Time().Equal(want.Received) {
			t.Errorf("time %s, want %s", e.Time(), want.Received)
		}
		if diff := cmp.Diff(want.User.Groups, e.Actor().Groups); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(want.SourceIPs, find(e, "sourceIPs")); diff != "" {
			t.Error(diff)
		}
	}
}

// createAccessEntry is synthetic, after the API model.
const createAccessEntry = `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:jane","arn":"arn:aws:sts::111122223333:assumed-role/admin/jane","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::111122223333:role/ops/admin","accountId":"111122223333","userName":"admin"},"attributes":{"mfaAuthenticated":"false"}}},"eventTime":"2026-11-23T10:00:00Z","eventSource":"eks.amazonaws.com","eventName":"CreateAccessEntry","awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.1","userAgent":"aws-cli/2","requestParameters":{"name":"prod","principalArn":"arn:aws:iam::111122223333:role/dev","kubernetesGroups":["a","b"]},"responseElements":null,"requestID":"r","eventID":"e-1","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}`

func TestCloudTrailFields(t *testing.T) {
	e := scanned(t, createAccessEntry)
	if e.Plane() != CloudTrail || e.ID() != "e-1" || !e.Time().Equal(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)) {
		t.Errorf("plane %s, id %s, time %s", e.Plane(), e.ID(), e.Time())
	}
	if diff := cmp.Diff(Actor{
		Principal: "arn:aws:iam::111122223333:role/ops/admin", SessionARN: "arn:aws:sts::111122223333:assumed-role/admin/jane",
		Session: "jane", AccessKey: "ASIAEXAMPLE", Account: "111122223333", PrincipalID: "AROAEXAMPLE",
	}, e.Actor()); diff != "" {
		t.Error(diff)
	}
	if got := e.Cluster().ARN(); got != "arn:aws:eks:eu-west-1:111122223333:cluster/prod" {
		t.Errorf("cluster %s", got)
	}
	if diff := cmp.Diff([]string{"a", "b"}, find(e, "requestParameters.kubernetesGroups")); diff != "" {
		t.Error(diff)
	}
	if e.Field(ReadOnly).Kind() != Bool || e.Field(ResponseElements).Kind() != Null || e.Field(ErrorCode).Kind() != Absent || e.Field(Verb).Kind() != Absent {
		t.Error("kinds")
	}
}
