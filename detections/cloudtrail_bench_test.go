package detections_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"drawbridge/internal/detect"
	"drawbridge/internal/event"
	"drawbridge/internal/finding"
)

// trail is a synthetic hour of CloudTrail of one account: pods that get keys and use them, people and pipelines with keys
// whose issue is in the log or is not, nodes, and AWS services. No detection reports any of it.
func trail(events int) []byte {
	var b bytes.Buffer
	random := rand.New(rand.NewPCG(5, 7))
	from := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	write := func(i int, source, name, identity, address, rest string) {
		at := from.Add(time.Duration(i) * time.Hour / time.Duration(events)).Format(time.RFC3339)
		fmt.Fprintf(&b, `{"eventVersion":"1.11","userIdentity":%s,"eventTime":%q,"eventSource":"%s.amazonaws.com","eventName":%q,"awsRegion":"us-east-1","sourceIPAddress":%q,"userAgent":"Boto3/1.40.55 md/Botocore#1.40.55 ua/2.1 os/linux#6.1.155 md/arch#x86_64 lang/python#3.13.7 md/pyimpl#CPython",%s,"additionalEventData":{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","x-amz-id-2":"%016x%016x%016x%016x"},"requestID":"%08x-1111-4222-8333-%012x","eventID":"%08x-7a0d-4b6e-9a54-%012x","readOnly":true,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"%s.us-east-1.amazonaws.com"}}`+"\n",
			identity, at, source, name, address, rest, random.Uint64(), random.Uint64(), random.Uint64(), random.Uint64(), random.Uint32(), random.Int64N(1<<48), random.Uint32(), random.Int64N(1<<48), source)
	}
	session := func(role, name, key string) string {
		return fmt.Sprintf(`{"type":"AssumedRole","principalId":"AROAEXAMPLEROLE000001:%s","arn":"arn:aws:sts::111122223333:assumed-role/%s/%s","accountId":"111122223333","accessKeyId":%q,"sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLEROLE000001","arn":"arn:aws:iam::111122223333:role/%s","accountId":"111122223333","userName":%q},"attributes":{"creationDate":"2026-11-01T09:00:00Z","mfaAuthenticated":"false"}}}`,
			name, role, name, key, role, role)
	}
	const service = `{"type":"AWSService","invokedBy":"pods.eks.amazonaws.com"}`
	for i := range events {
		pod := i / 40
		podKey := fmt.Sprintf("ASIAPOD%013d", pod)
		switch {
		case i%40 == 0:
			write(i, "sts", "AssumeRole", service, "pods.eks.amazonaws.com", fmt.Sprintf(`"requestParameters":{"roleArn":"arn:aws:iam::111122223333:role/shop","roleSessionName":"eks-prod-api-%d","durationSeconds":21600,"tags":[{"key":"eks-cluster-arn","value":"arn:aws:eks:us-east-1:111122223333:cluster/prod"},{"key":"eks-cluster-name","value":"prod"},{"key":"kubernetes-namespace","value":"shop"},{"key":"kubernetes-service-account","value":"api"},{"key":"kubernetes-pod-name","value":"api-%d"},{"key":"kubernetes-pod-uid","value":"uid-%d"}]},"responseElements":{"credentials":{"accessKeyId":%q}}`, pod, pod, pod, podKey))
		case i%40 < 20:
			write(i, "s3", "GetBucketLocation", session("shop", fmt.Sprintf("eks-prod-api-%d", pod), podKey), "203.0.113.10", `"requestParameters":{"bucketName":"example"},"responseElements":null`)
		case i%40 < 30:
			write(i, "ec2", "DescribeInstances", session("ci", "build", fmt.Sprintf("ASIACI%014d", i/400)), "198.51.100.7", `"requestParameters":{"instancesSet":{},"filterSet":{}},"responseElements":null`)
		case i%40 < 36:
			write(i, "kms", "Decrypt", session("lambda", "function", fmt.Sprintf("ASIAFN%014d", i%3000)), "lambda.amazonaws.com", `"requestParameters":{"encryptionAlgorithm":"SYMMETRIC_DEFAULT"},"responseElements":null`)
		default:
			write(i, "ecr", "BatchGetImage", session("node", fmt.Sprintf("i-%017d", i%200), fmt.Sprintf("ASIANODE%012d", i%200)), "203.0.113.10", `"requestParameters":{"repositoryName":"shop"},"responseElements":null`)
		}
	}
	return b.Bytes()
}

// BenchmarkCloudTrail is JSON lines of CloudTrail through every detection, on one core, over files and as a stream with
// fifteen minutes for late arrivals; scan is the reading alone.
func BenchmarkCloudTrail(b *testing.B) {
	p := load(b)
	const n = 40_000
	data := trail(n)
	run := func(b *testing.B, o detect.Options) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		var found int
		for b.Loop() {
			g := detect.New(p, &detect.Context{}, o, func(finding.Finding) { found++ })
			d := event.NewDecoder(bytes.NewReader(data), event.Options{})
			var e event.Event
			for {
				err := d.Next(&e)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					b.Fatal(err)
				}
				g.Add(&e)
			}
			g.Flush()
		}
		if found > 0 {
			b.Errorf("%d findings in what is ordinary", found)
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	}
	b.Run("files", func(b *testing.B) { run(b, detect.Options{}) })
	b.Run("stream", func(b *testing.B) { run(b, detect.Options{Lateness: 15 * time.Minute}) })
	b.Run("scan", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			d := event.NewDecoder(bytes.NewReader(data), event.Options{})
			var e event.Event
			for d.Next(&e) == nil {
			}
		}
		b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
}
