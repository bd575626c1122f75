package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// These records are synthetic.
func auditRecord(id string) string {
	return `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"` + id + `","stage":"ResponseComplete","requestURI":"/api/v1/pods","verb":"get","user":{"username":"a\"b"},"annotations":{"authorization.k8s.io/reason":"RBAC: allowed by \"x\""}}`
}

func trailRecord(id string) string {
	return `{"eventVersion":"1.11","eventTime":"2026-11-23T10:00:00Z","eventSource":"eks.amazonaws.com","eventName":"DescribeCluster","requestParameters":{"name":"prod"},"eventID":"` + id + `"}`
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func indented(s string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(s), "", "    "); err != nil {
		panic(err)
	}
	return b.String()
}

func TestEnvelopes(t *testing.T) {
	a1, a2, a3 := auditRecord("1"), auditRecord("2"), auditRecord("3")
	c1, c2, c3 := trailRecord("1"), trailRecord("2"), trailRecord("3")
	item := func(s string) string { // the API server leaves kind and apiVersion out in a list
		return strings.Replace(s, `"kind":"Event","apiVersion":"audit.k8s.io/v1",`, "", 1)
	}
	message := func(s string) string {
		return `{"id":"3","timestamp":1763892000000,"message":` + quoted(s) + `}`
	}
	subscription := `{"messageType":"DATA_MESSAGE","owner":"111122223333","logGroup":"/aws/eks/prod/cluster","logStream":"kube-apiserver-audit-x","subscriptionFilters":["f"],"logEvents":[` + message(a1) + "," + message(a2) + "," + message(a3) + `]}`
	control := `{"messageType":"CONTROL_MESSAGE","owner":"CloudwatchLogs","logGroup":"","logStream":"","subscriptionFilters":[],"logEvents":[{"id":"","timestamp":1,"message":"CWL CONTROL MESSAGE: Checking health of destination Firehose."}]}`
	filtered := func(s string) string {
		return `{"logStreamName":"kube-apiserver-audit-x","timestamp":1,"message":` + quoted(s) + `,"ingestionTime":2,"eventId":"4"}`
	}
	lookup := func(s string) string {
		return `{"EventId":"x","EventName":"DescribeCluster","ReadOnly":"true","Resources":[],"CloudTrailEvent":` + quoted(s) + `}`
	}
	azure := func(s string) string {
		return `{"time":"2026-11-23T10:00:00Z","category":"kube-audit","operationName":"x","properties":{"log":` + quoted(s) + `,"stream":"stdout"}}`
	}
	for _, c := range []struct{ name, stream string }{
		{"a record per line", a1 + "\n" + c2 + "\n" + a3 + "\n"},
		{"line breaks of Windows, empty lines, byte order mark, no last line break", "\ufeff" + a1 + "\r\n\r\n" + a2 + "\r\n  " + a3},
		{"CloudTrail's object", `{"Records":[` + c1 + "," + c2 + "," + c3 + "]}"},
		{"CloudTrail's object, printed for people", indented(`{"Records":[` + c1 + "," + c2 + "," + c3 + "]}")},
		{"Records on lines of their own", "{\"Records\":[\n" + c1 + ",\n" + c2 + ",\n" + c3 + "\n]}\n"},
		{"EventList of the audit webhook", `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[` + item(a1) + "," + item(a2) + "," + item(a3) + "]}"},
		{"EventList with its kind last", `{"items":[` + item(a1) + "," + item(a2) + "," + item(a3) + `],"metadata":{},"apiVersion":"audit.k8s.io/v1","kind":"EventList"}`},
		{"lookup-events", `{"Events":[` + lookup(c1) + "," + lookup(c2) + "," + lookup(c3) + "]}"},
		{"lookup-events, printed for people", indented(`{"Events":[` + lookup(c1) + "," + lookup(c2) + "," + lookup(c3) + `],"NextToken":"t"}`)},
		{"CloudWatch Logs export", "2026-11-23T10:00:00.000Z " + a1 + "\n2026-11-23T10:00:01.000Z " + a2 + "\n2026-11-23T10:00:02.000Z " + a3 + "\n"},
		{"container log lines", "2026-11-23T10:00:00.1Z stdout F " + a1 + "\n2026-11-23T10:00:00.2Z stdout F " + a2 + "\n2026-11-23T10:00:00.3Z stderr F " + a3},
		{"subscription", subscription},
		{"subscription, and the test of the destination before", control + "\n" + subscription},
		{"objects that follow each other without line break, as Firehose writes them", control + subscription},
		{"filter-log-events", `{"events":[` + filtered(a1) + "," + filtered(a2) + "," + filtered(a3) + `],"searchedLogStreams":[]}`},
		{"filter-log-events, printed for people", indented(`{"events":[` + filtered(a1) + "," + filtered(a2) + "," + filtered(a3) + `],"searchedLogStreams":[]}`)},
		{"audit event as a string, per line", azure(a1) + "\n" + azure(a2) + "\n" + azure(a3)},
		{"audit event as a string, in a list", `{"records":[` + azure(a1) + "," + azure(a2) + "," + azure(a3) + "]}"},
		{"EventBridge", `{"version":"0","id":"x","detail-type":"AWS API Call via CloudTrail","source":"aws.eks","detail":` + c1 + "}\n" + `{"version":"0","detail":` + c2 + "}\n" + c3},
		{"EventBridge in a queue's message", `{"Records":[{"messageId":"m","body":` + quoted(`{"version":"0","detail":`+c1+"}") + `},{"messageId":"n","body":` + quoted(c2) + "}]}" + c3},
		{"JSON list", "[" + a1 + ",\n" + a2 + "," + a3 + "]"},
		{"JSON list of strings", "[" + quoted(a1) + "," + quoted(c2) + "," + quoted(a3) + "]"},
		{"JSON strings, per line", quoted(a1) + "\n" + quoted(c2) + "\n" + quoted(a3)},
		{"records printed for people", indented(a1) + "\n" + indented(c2) + "\n" + indented(a3)},
		{"mixed", a1 + `{"Records":[` + c2 + "]}\n" + "2026-11-23T10:00:00.000Z " + a3},
	} {
		t.Run(c.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"as it is": strings.NewReader(c.stream), "in memory": bytes.NewBufferString(c.stream),
				"byte by byte": iotest.OneByteReader(strings.NewReader(c.stream)), "error with data": iotest.DataErrReader(strings.NewReader(c.stream)),
			} {
				ids, reasons := decodeReader(t, r, Options{})
				if diff := cmp.Diff([]string{"1", "2", "3"}, ids); diff != "" || reasons != nil {
					t.Errorf("%s: %s%q", how, diff, reasons)
				}
			}
		})
	}
}

func TestUnreadable(t *testing.T) {
	a1, a2, c1, c2 := auditRecord("1"), auditRecord("2"), trailRecord("1"), trailRecord("2")
	long := strings.Replace(auditRecord("x"), "/api/v1/pods", "/"+strings.Repeat("a", 9000), 1)
	for _, c := range []struct {
		name, stream string
		ids          []string
		reasons      []string
	}{
		{"truncated line in a string", a1 + "\n" + a1[:80] + "\n" + a2, []string{"1", "2"}, []string{"truncated"}},
		{"truncated line between members", a1 + "\n" + a1[:strings.Index(a1, `"level"`)] + "\n" + a2, []string{"1", "2"}, []string{"truncated"}},
		{"truncated line after a bracket", a1 + "\n" + `{"auditID":"x","verb":"get","sourceIPs":[` + "\n" + a2, []string{"1", "2"}, []string{"truncated"}},
		{"truncated last line", a1 + "\n" + a2[:100], []string{"1"}, []string{"truncated"}},
		{"truncated object of CloudTrail", `{"Records":[` + c1 + "," + c2[:50], []string{"1"}, []string{"truncated"}},
		{"object of CloudTrail that ends after a record", `{"Records":[` + c1 + ",", []string{"1"}, []string{"truncated"}},
		{"longer than allowed, on a line", a1 + "\n" + long + "\n" + a2, []string{"1", "2"}, []string{"longer than 4096 bytes"}},
		{"longer than allowed, in a list", "[" + a1 + "," + long + "," + a2 + "]", []string{"1", "2"}, []string{"longer than 4096 bytes"}},
		{"longer than allowed, at the end", a1 + "\n" + long, []string{"1"}, []string{"longer than 4096 bytes"}},
		{"something else on a line", a1 + "\nI1123 10:00:00 server.go:1] started\n{\"a\":1}\n\"text\"\n" + a2, []string{"1", "2"}, []string{notRecord, notRecord, notRecord}},
		{"something else in a list", "[" + a1 + `,1,null,"text",{"a":[]},` + a2 + "]", []string{"1", "2"}, []string{notRecord, notRecord, notRecord, notRecord}},
		{"two values on a line", a1 + "x\n" + a2, []string{"1", "2"}, []string{notRecord}},
		{"records that follow each other on a line longer than allowed", strings.Repeat(a1, 30) + "\n" + a2, append(slices.Repeat([]string{"1"}, 30), "2"), nil},
		{"nothing", " \n\t\n", nil, nil},
		{"zero bytes", "\x00\x00\n" + a1, []string{"1"}, []string{notRecord}},
		{"zero byte in a string", strings.Replace(a1, "pods", "po\x00ds", 1) + "\n" + a2, []string{"2"}, []string{"not JSON"}},
		{"a bracket and no more on a line", a1 + "\n{\n" + a2, []string{"1", "2"}, []string{"truncated"}},
		{"unfinished pretty-printed record before others", "{\n  \"auditID\": \"x\",\n" + a1 + "\n" + a2, []string{"1", "2"}, []string{"truncated", notRecord}},
		{"unfinished list before others", `{"Records":[` + c1 + "," + c2[:40] + "\n" + a2, []string{"1", "2"}, []string{"not JSON"}},
		{"unfinished list of lists", strings.Repeat("[", 9) + "\n" + a1, []string{"1"}, []string{"truncated"}},
		{"unfinished pretty-printed record", "{\n  \"auditID\": \"1\",\n", nil, []string{"truncated", notRecord}},
		{"nested too deep, in a list", "[" + strings.Replace(a1, `"Metadata"`, strings.Repeat("[", 1500)+strings.Repeat("]", 1500), 1) + "," + a2 + "]", []string{"2"}, []string{"nested deeper"}},
		{"an S3 notification, which has CloudTrail's names", `{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","awsRegion":"eu-west-1","eventName":"ObjectCreated:Put"}]}`, nil, []string{notRecord}},
		{"wraps without end", strings.Repeat(`{"message":`, 300) + a1 + strings.Repeat("}", 300), nil, []string{notRecord}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"as it is": strings.NewReader(c.stream), "in memory": bytes.NewBufferString(c.stream), "byte by byte": iotest.OneByteReader(strings.NewReader(c.stream)),
			} {
				ids, reasons := decodeReader(t, r, Options{MaxRecord: 4096})
				if diff := cmp.Diff(c.ids, ids); diff != "" {
					t.Errorf("%s: %s", how, diff)
				}
				ok := len(reasons) == len(c.reasons)
				for i := range min(len(reasons), len(c.reasons)) {
					ok = ok && strings.Contains(reasons[i], c.reasons[i])
				}
				if !ok {
					t.Errorf("%s: reasons %q, want %q", how, reasons, c.reasons)
				}
			}
		})
	}
}

// TestHostileStreams: what never ends takes no more than linear time.
func TestHostileStreams(t *testing.T) {
	for name, stream := range map[string]string{
		"brackets on lines": strings.Repeat("[\n", 500_000), "objects on lines": strings.Repeat("{\n\"a\":\n", 200_000), "brackets": strings.Repeat("[", 1_000_000),
		"objects": strings.Repeat(`{"a":`, 300_000), "lists of records": strings.Repeat(`{"Records":[`, 200_000), "lists of records on lines": strings.Repeat("{\"Records\":[\n", 100_000),
		"quotes": strings.Repeat(`"`, 999_999), "backslashes": `"` + strings.Repeat(`\\`, 1_000_000), "wraps": strings.Repeat(`{"message":"`, 200_000),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if ids, reasons := decodeAll(t, stream, Options{}); ids != nil || reasons == nil {
				t.Errorf("%q %q", ids, reasons)
			}
			_ = Redact(nil, []byte(stream))
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestReaderError(t *testing.T) {
	broken := errors.New("broken disk")
	d := NewDecoder(io.MultiReader(strings.NewReader(auditRecord("1")+"\n"), iotest.ErrReader(broken)), Options{Input: "a.log"})
	var e Event
	if err := d.Next(&e); err != nil || e.Input() != "a.log" {
		t.Fatalf("%v, input %q", err, e.Input())
	}
	for range 2 {
		if err := d.Next(&e); !errors.Is(err, broken) || !strings.Contains(err.Error(), "a.log") {
			t.Errorf("error %v", err)
		}
	}
}

func TestClusterOfTransport(t *testing.T) {
	group := func(name string) string {
		return `{"messageType":"DATA_MESSAGE","owner":"111122223333","logGroup":"` + name + `","logEvents":[{"id":"1","message":` + quoted(auditRecord("1")) + `}]}`
	}
	for _, c := range []struct {
		name, stream, given string
		want                Cluster
	}{
		{"given by name", auditRecord("1"), "prod", Cluster{Name: "prod"}},
		{"given by ARN", auditRecord("1"), "arn:aws:eks:eu-west-1:111122223333:cluster/prod", Cluster{"prod", "111122223333", "eu-west-1"}},
		{"unknown", auditRecord("1"), "", Cluster{}},
		{"log group", group("/aws/eks/prod/cluster"), "", Cluster{Name: "prod", Account: "111122223333"}},
		{"log group before what is given", group("/aws/eks/prod/cluster"), "test", Cluster{Name: "prod", Account: "111122223333"}},
		{"what is given knows more", group("/aws/eks/prod/cluster"), "arn:aws:eks:eu-west-1:111122223333:cluster/prod", Cluster{"prod", "111122223333", "eu-west-1"}},
		{"another log group", group("/my/own"), "test", Cluster{Name: "test"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := NewDecoder(strings.NewReader(c.stream), Options{Cluster: c.given})
			var e Event
			if err := d.Next(&e); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, e.Cluster()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestResume reads lines up to each record, and the rest from there.
func TestResume(t *testing.T) {
	var stream strings.Builder
	for i := range 20 {
		fmt.Fprintln(&stream, auditRecord(fmt.Sprint(i)))
	}
	all, _ := decodeAll(t, stream.String(), Options{})
	d := NewDecoder(strings.NewReader(stream.String()), Options{})
	var e Event
	for i := range all {
		if err := d.Next(&e); err != nil {
			t.Fatal(err)
		}
		rest, reasons := decodeAll(t, stream.String()[d.Offset():], Options{})
		if diff := cmp.Diff(all[i+1:], rest, cmp.Transformer("len", func(s []string) string { return strings.Join(s, " ") })); diff != "" || reasons != nil {
			t.Fatalf("%s%q", diff, reasons)
		}
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	stream := bytes.Repeat(audit(t), 20)
	r := bytes.NewReader(stream)
	d := NewDecoder(r, Options{})
	var e Event
	next := func() {
		if err := d.Next(&e); err != nil {
			t.Fatal(err)
		}
		_ = e.Time()
		_ = e.Field(Resource).Is("secrets")
		_ = e.Field(Username).String()
	}
	next()
	if n := testing.AllocsPerRun(500, next); n > 0 {
		t.Errorf("%v allocations per event", n)
	}
}

// TestReadsNoMoreThanItNeeds: on a live stream, a lone bracket does not make the decoder wait for its counterpart.
func TestReadsNoMoreThanItNeeds(t *testing.T) {
	stream := "{\n" + strings.Repeat(auditRecord("1")+"\n", 10)
	rest := strings.NewReader(stream)
	d := NewDecoder(iotest.OneByteReader(rest), Options{})
	var e Event
	if err := d.Next(&e); err == nil {
		t.Error("a bracket was read as a record")
	}
	if err := d.Next(&e); err != nil || len(stream)-rest.Len() > len(auditRecord("1"))+4 {
		t.Errorf("%v, %d bytes were read", err, len(stream)-rest.Len())
	}
}
