package aws

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	lab "drawbridge/internal/lab/aws"
)

// Read-only is a property of the build: the interfaces can do nothing else.
func TestClientsOnlyRead(t *testing.T) {
	reading := regexp.MustCompile(`^(List|Describe|Get|Simulate)[A-Z]`)
	for _, s := range services {
		if s.api.NumMethod() == 0 {
			t.Errorf("%s has no methods", s.api)
		}
		for m := range s.api.Methods() {
			if !reading.MatchString(m.Name) {
				t.Errorf("%s.%s does not only read", s.api, m.Name)
			}
		}
	}
}

// Actions is what a full collection calls, with and without leave to read IAM as a whole, and nothing else.
func TestActionsAreWhatIsCalled(t *testing.T) {
	s := fleet(t, lab.Options{})
	collect(t, options(s))
	s.Deny("iam:GetAccountAuthorizationDetails")
	collect(t, options(s))
	if w := s.Writes(); len(w) > 0 {
		t.Errorf("called %v", w)
	}
	var called []string
	for _, c := range s.Calls() {
		called = append(called, c.Action)
	}
	slices.Sort(called)
	if diff := cmp.Diff(Actions(), slices.Compact(called)); diff != "" {
		t.Errorf("Actions() against the calls made (-table +called):\n%s", diff)
	}
}

// The retries that a fleet needs are on unless the configuration brings its own.
func TestRetries(t *testing.T) {
	s := fleet(t, lab.Options{})
	o := options(s)
	o.Config = nil
	for _, pair := range s.Env(account, home) {
		key, value, _ := strings.Cut(pair, "=")
		t.Setenv(key, value)
	}
	configs, _, err := o.withDefaults().configs(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	retryer := configs[0].Retryer()
	if n := retryer.MaxAttempts(); n != 10 || configs[0].Region != home {
		t.Errorf("%d attempts, region %q", n, configs[0].Region)
	}
	throttled := &smithy.GenericAPIError{Code: "ThrottlingException"}
	for attempt, most := range map[int]time.Duration{1: 250 * time.Millisecond, 2: 500 * time.Millisecond, 7: 16 * time.Second, 8: 20 * time.Second, 1 << 20: 20 * time.Second} {
		if d, err := retryer.RetryDelay(attempt, throttled); err != nil || d < most/2 || d > most {
			t.Errorf("after attempt %d it waits %s, want %s to %s: %v", attempt, d, most/2, most, err)
		}
	}
	for range 1000 { // those of other calls are no reason to give up
		if _, err := retryer.GetRetryToken(t.Context(), throttled); err != nil {
			t.Fatal(err)
		}
	}
	s.ThrottleEvery(5)
	if got := collect(t, o); len(got.Clusters) != 2 || len(got.Gaps) != 0 {
		t.Errorf("%d clusters, gaps %v", len(got.Clusters), gapLines(got))
	}
}
