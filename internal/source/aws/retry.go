package aws

import (
	"math/rand/v2"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// A throttled call is made again after a while, each time after twice as long. The first wait is short: limits on the calls of
// EKS and IAM fill up again by the second. All waits together are about a minute.
const (
	maxAttempts = 10
	firstWait   = 250 * time.Millisecond
	longestWait = 20 * time.Second
)

// patient makes the retryer of a client. It is not the adaptive one of the SDK, which goes down to a call in two seconds at the
// first that is throttled and is slow to come back: few calls are in flight, and each that waits makes room for others. Nor does
// it give up on a call because others failed: what could not be read is a gap.
func patient() awssdk.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.RateLimiter = maxAttempts, ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) {
			most := longestWait
			if attempt < 8 { // longer ones would be cut anyway
				most = min(most, firstWait<<(max(attempt, 1)-1))
			}
			return most/2 + rand.N(most/2), nil //nolint:gosec // spreads calls, and guards nothing
		})
	})
}
