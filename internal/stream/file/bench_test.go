package file

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"drawbridge/internal/event"
	"drawbridge/internal/stream"
)

// objects writes CloudTrail's objects of 1,000 synthetic records and returns their folder and how much is in them.
func objects(b *testing.B, n int) (dir string, size int) {
	dir = b.TempDir()
	rnd := rand.New(rand.NewPCG(1, 2))
	uuid := func() string { return fmt.Sprintf("%016x-%016x", rnd.Uint64(), rnd.Uint64()) }
	for i := range n {
		var out strings.Builder
		out.WriteString(`{"Records":[`)
		for k := range 1000 {
			if k > 0 {
				out.WriteByte(',')
			}
			who := rnd.IntN(40)
			fmt.Fprintf(&out, `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROA%[1]d:s","arn":"arn:aws:sts::111122223333:assumed-role/r-%[1]d/s","accountId":"111122223333","accessKeyId":"ASIA%[2]X","sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROA%[1]d","arn":"arn:aws:iam::111122223333:role/r-%[1]d","accountId":"111122223333","userName":"r-%[1]d"},"attributes":{"creationDate":"2026-11-23T09:00:00Z","mfaAuthenticated":"false"}}},"eventTime":"2026-11-23T10:%02[3]d:%02[3]dZ","eventSource":"s3.amazonaws.com","eventName":"GetObject","awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.%[3]d","userAgent":"[aws-sdk-go-v2/1.47.7 os/linux lang/go#1.26 md/GOARCH#amd64]","requestParameters":{"bucketName":"b-%[1]d","Host":"b-%[1]d.s3.eu-west-1.amazonaws.com","key":"%[4]s/%[5]s"},"responseElements":null,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"%[6]s%[7]s","bytesTransferredOut":%[3]d},"requestID":"%[8]s","eventID":"%[9]s","readOnly":true,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::b-%[1]d/*"}],"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333","eventCategory":"Data","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"s3.eu-west-1.amazonaws.com"}}`,
				who, rnd.Uint64(), rnd.IntN(60), uuid(), uuid(), uuid(), uuid(), uuid(), uuid())
		}
		out.WriteString("]}")
		size += out.Len()
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.json.gz", i)), []byte(gz(out.String())), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return dir, size
}

// BenchmarkObjects compares, in turns, decompressing CloudTrail's objects on one core with reading their events from disk,
// on one and on two.
func BenchmarkObjects(b *testing.B) {
	dir, size := objects(b, 8)
	read := func() {
		err := New(Options{Paths: []string{dir}}).Receive(b.Context(), func(_ context.Context, batch stream.Batch) error {
			d := event.NewDecoder(batch.Body, event.Options{})
			var e event.Event
			for {
				if err := d.Next(&e); err != nil {
					return nil
				}
				if e.Field(event.EventName).Is("no") {
					b.Fatal("no")
				}
			}
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	cores := func(n int, do func()) func() {
		return func() {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
			do()
		}
	}
	names := []string{"gunzip", "one-core", "two-cores"}
	ways := []func(){cores(1, func() { gunzip(b, dir) }), cores(1, read), cores(2, read)}
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
	}
	b.ReportMetric(best[0].Seconds()/best[1].Seconds(), "of-gunzip")
	b.ReportMetric(best[1].Seconds()/best[2].Seconds(), "two-to-one")
	b.ReportMetric(0, "ns/op")
}

// gunzip decompresses a folder's files, one after the other.
func gunzip(b *testing.B, dir string) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		b.Fatal(err)
	}
	var z gzip.Reader
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		if err := z.Reset(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, &z); err != nil {
			b.Fatal(err)
		}
	}
}
