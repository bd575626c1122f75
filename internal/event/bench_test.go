package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

// auditCorpus is the real audit events in random order, with ids and names of their own, so that the processor cannot learn
// them.
func auditCorpus(b *testing.B, size int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	records := bytes.Split(bytes.TrimSpace(audit(b)), []byte("\n"))
	var out bytes.Buffer
	for out.Len() < size {
		r := records[rnd.IntN(len(records))]
		r = bytes.ReplaceAll(r, []byte("team-"), fmt.Appendf(nil, "%s-", strings.Repeat("t", 1+rnd.IntN(12))))
		r = bytes.ReplaceAll(r, []byte("suite/"), fmt.Appendf(nil, "%s/", strings.Repeat("s", 1+rnd.IntN(30))))
		r = bytes.ReplaceAll(r, []byte(`"name":"`), fmt.Appendf(nil, `"name":"%s`, strings.Repeat("n", rnd.IntN(20))))
		out.Write(r)
		out.WriteByte('\n')
	}
	return out.Bytes()
}

// trailCorpus is synthetic records in CloudTrail's objects of 1,000.
func trailCorpus(size int) (objects [][]byte) {
	rnd := rand.New(rand.NewPCG(1, 2))
	services := []string{"s3", "sts", "ec2", "kms", "eks", "iam", "logs", "dynamodb"}
	for total := 0; total < size; {
		var out bytes.Buffer
		out.WriteString(`{"Records":[`)
		for i := range 1000 {
			if i > 0 {
				out.WriteByte(',')
			}
			service := services[rnd.IntN(len(services))]
			chars := func(n int) string {
				const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
				b := make([]byte, n)
				for i := range b {
					b[i] = alphabet[rnd.IntN(len(alphabet))]
				}
				return string(b)
			}
			uuid := func() string {
				return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", rnd.Uint32(), rnd.IntN(1<<16), rnd.IntN(1<<12), rnd.IntN(1<<12), rnd.Int64N(1<<48))
			}
			who := rnd.IntN(40)
			role, id, key := fmt.Sprintf("role-%d-%s", who, strings.Repeat("r", who%20)), fmt.Sprintf("AROAEXAMPLE%08dXX", who), "ASIA"+chars(16)
			parameters, more := "null", ""
			if service == "s3" {
				parameters = fmt.Sprintf(`{"bucketName":"b-%d","Host":"b-%d.s3.eu-west-1.amazonaws.com","key":"%s/%s/%s","x-id":"GetObject"}`, who, who, uuid(), strings.Repeat("k", rnd.IntN(60)), uuid())
				more = fmt.Sprintf(`"x-amz-id-2":"%s==",`, chars(74))
			} else if rnd.IntN(2) > 0 {
				parameters = fmt.Sprintf(`{"name":"%s","maxResults":%d}`, strings.ToLower(chars(8)), rnd.IntN(100))
			}
			fmt.Fprintf(&out, `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"%[1]s:s-%[2]d","arn":"arn:aws:sts::111122223333:assumed-role/%[3]s/s-%[2]d","accountId":"111122223333","accessKeyId":"%[12]s","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"%[1]s","arn":"arn:aws:iam::111122223333:role/%[3]s","accountId":"111122223333","userName":"%[3]s"},"attributes":{"creationDate":"2026-11-23T09:%02[4]d:00Z","mfaAuthenticated":"false"}}},"eventTime":"2026-11-23T10:%02[4]d:%02[5]dZ","eventSource":"%[6]s.amazonaws.com","eventName":"Get%[7]s","awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.%[4]d","userAgent":"[aws-sdk-go-v2/1.47.7 os/linux lang/go#1.26 md/GOARCH#amd64 %[8]s]","requestParameters":%[9]s,"responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader",%[13]s"bytesTransferredOut":%[5]d},"requestID":"%[10]s","eventID":"%[11]s","readOnly":true,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::b-%[2]d/*"}],"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"%[6]s.eu-west-1.amazonaws.com"}}`,
				id, rnd.IntN(1000), role, rnd.IntN(60), rnd.IntN(60), service, strings.Repeat("O", 1+rnd.IntN(12)), strings.Repeat("x", rnd.IntN(40)), parameters, uuid(), uuid(), key, more)
		}
		out.WriteString("]}")
		total += out.Len()
		objects = append(objects, out.Bytes())
	}
	return objects
}

// drain reads a stream as a detection engine does: some fields of each event are looked at.
func drain(b testing.TB, r io.Reader) (n int) {
	d := NewDecoder(r, Options{})
	var e Event
	for {
		if err := d.Next(&e); err != nil {
			if !errors.Is(err, io.EOF) {
				b.Fatal(err)
			}
			return n
		}
		n++
		if e.Field(Resource).Is("no") || e.Field(EventName).Is("no") || e.Field(Verb).Is("no") || e.Time().IsZero() {
			b.Fatal("no")
		}
	}
}

// rates times each way over the same bytes in turns, and reports the MB/s of its best turn, and their ratio to the first's:
// on a machine that others use, too, the best is what the code can do.
func rates(b *testing.B, size int, names []string, ways ...func()) {
	best := make([]time.Duration, len(ways))
	for b.Loop() {
		for i, way := range ways {
			start := time.Now()
			way()
			if took := time.Since(start); best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	for i, name := range names {
		b.ReportMetric(float64(size)/best[i].Seconds()/1e6, name+"-MB/s")
		if i > 0 {
			b.ReportMetric(best[i].Seconds()/best[0].Seconds(), name+"-x")
		}
	}
	b.ReportMetric(0, "ns/op")
}

func BenchmarkAudit(b *testing.B) {
	corpus := auditCorpus(b, 1<<20)
	rates(b, len(corpus), []string{"events", "stream", "split", "json"},
		func() { drain(b, bytes.NewBuffer(corpus)) },
		func() { drain(b, bytes.NewReader(corpus)) },
		func() {
			for rest := corpus; len(rest) > 0; {
				n := bytes.IndexByte(rest, '\n')
				rest = rest[n+1:]
			}
		},
		func() {
			for line := range bytes.Lines(corpus) {
				var e struct {
					AuditID, Stage, RequestURI, Verb, UserAgent string
					User                                        struct {
						Username string
						Groups   []string
						Extra    map[string][]string
					}
					SourceIPs                                []string
					ObjectRef                                struct{ Resource, Subresource, Name, Namespace, APIGroup string }
					ResponseStatus                           struct{ Code int }
					RequestReceivedTimestamp, StageTimestamp time.Time
					Annotations                              map[string]string
				}
				if err := json.Unmarshal(line, &e); err != nil {
					b.Fatal(err)
				}
			}
		})
}

func BenchmarkCloudTrail(b *testing.B) {
	objects := trailCorpus(1 << 20)
	size := 0
	var zipped [][]byte
	for _, o := range objects {
		size += len(o)
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, _ = w.Write(o)
		_ = w.Close()
		zipped = append(zipped, z.Bytes())
	}
	block := make([]byte, 0, 2*len(objects[0]))
	unzip := func(do func(r io.Reader)) func() {
		var z gzip.Reader
		return func() {
			for _, o := range zipped {
				if err := z.Reset(bytes.NewReader(o)); err != nil {
					b.Fatal(err)
				}
				do(&z)
			}
		}
	}
	whole := func(r io.Reader) []byte {
		buf := bytes.NewBuffer(block)
		if _, err := buf.ReadFrom(r); err != nil {
			b.Fatal(err)
		}
		return buf.Bytes()
	}
	rates(b, size, []string{"events", "gz-events", "gunzip"},
		func() {
			for _, o := range objects {
				drain(b, bytes.NewBuffer(o))
			}
		},
		unzip(func(r io.Reader) { drain(b, bytes.NewBuffer(whole(r))) }),
		unzip(func(r io.Reader) { whole(r) }),
	)
}
