package detect

import (
	"fmt"
	"testing"
	"time"

	"drawbridge/internal/event"
	"drawbridge/internal/finding"
)

// TestAfter: what is judged an hour later is judged then, although the event is looked at again before for the sake of another
// rule: another key of the cluster uses the strange address meanwhile, so it is not strange.
func TestAfter(t *testing.T) {
	at := func(minute int) string {
		return time.Date(2026, 11, 1, 10, minute, 0, 0, time.UTC).Format(time.RFC3339)
	}
	issue := func(k int) string {
		return fmt.Sprintf(`{"eventVersion":"1.11","userIdentity":{"type":"AWSService","invokedBy":"pods.eks.amazonaws.com"},"eventTime":%q,"eventSource":"sts.amazonaws.com","eventName":"AssumeRole","awsRegion":"us-east-1","sourceIPAddress":"pods.eks.amazonaws.com","requestParameters":{"roleArn":"arn:aws:iam::111122223333:role/shop","roleSessionName":"eks-prod-%[2]d","tags":[{"key":"eks-cluster-arn","value":"arn:aws:eks:us-east-1:111122223333:cluster/prod"},{"key":"kubernetes-namespace","value":"shop"},{"key":"kubernetes-pod-name","value":"api-%[2]d"},{"key":"kubernetes-pod-uid","value":"u-%[2]d"}]},"responseElements":{"credentials":{"accessKeyId":"ASIAEXAMPLE000000%03[2]d"}},"eventID":"i-%[2]d","recipientAccountId":"111122223333"}`,
			at(0), k)
	}
	use := func(k, minute int, from string) string {
		return fmt.Sprintf(`{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/shop/eks-prod-%[2]d","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE000000%03[2]d","sessionContext":{"sessionIssuer":{"type":"Role","arn":"arn:aws:iam::111122223333:role/shop"}}},"eventTime":%[1]q,"eventSource":"s3.amazonaws.com","eventName":"ListBuckets","awsRegion":"us-east-1","sourceIPAddress":%[3]q,"userAgent":"Boto3/1.40 os/linux","eventID":"u-%[2]d-%[4]d","recipientAccountId":"111122223333"}`,
			at(minute), k, from, minute)
	}
	const home, new = "203.0.113.10", "198.51.100.99"
	for _, shared := range []bool{true, false} {
		t.Run(fmt.Sprintf("shared %v", shared), func(t *testing.T) {
			records := []string{issue(1), issue(2), issue(3), use(1, 1, home), use(2, 1, home), use(3, 1, home), use(1, 30, new), use(1, 35, new), use(3, 55, home)}
			if shared {
				records = append(records, use(2, 70, new))
			}
			records = append(records, use(3, 200, home))
			found := 0
			g := New(catalogue(t), &Context{}, Options{Lateness: 15 * time.Minute}, func(f finding.Finding) {
				if f.ID == "pod-identity-key-used-outside" {
					found++
				}
			})
			for _, r := range records {
				var e event.Event
				if err := event.Scan([]byte(r), &e); err != nil {
					t.Fatal(err)
				}
				g.Add(&e)
			}
			if want := map[bool]int{true: 0, false: 1}[shared]; found != want {
				t.Errorf("%d findings, want %d", found, want)
			}
		})
	}
}
