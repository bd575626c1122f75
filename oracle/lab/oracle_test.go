package oracle

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"drawbridge/internal/lab/kube"
	"drawbridge/internal/model"
)

var (
	requests = flag.Int("requests", 5000, "requests to compare")
	seed     = flag.Uint64("seed", 1, "seed of the generator")
)

// modes are the authentication modes of the worlds, in turn.
var modes = []string{model.ModeAPIConfigMap, model.ModeAPI, model.ModeConfigMap}

func TestAgainstTheWholeLab(t *testing.T) {
	kube.Require(t)
	if testing.Short() {
		*requests = 1000
	}
	n := tally{outcomes: map[string]int{}}
	for i := 0; n.requests < *requests && !t.Failed(); i++ {
		mode := modes[i%len(modes)]
		t.Run(fmt.Sprintf("%d %s", i, mode), func(t *testing.T) {
			start := time.Now()
			w := newWorld(t, *seed+uint64(i)<<32, mode)
			ready := time.Since(start)
			if i == 0 {
				w.tokens(t)
				w.rules(t, &n)
			}
			w.compare(t, &n)
			t.Logf("ready in %s, asked in %s", ready.Round(time.Millisecond), (time.Since(start) - ready).Round(time.Millisecond))
		})
	}
	t.Log(&n)
	if n.requests >= 2000 {
		n.check(t)
	}
}

// check notices a generator that misses something.
func (n *tally) check(t *testing.T) {
	t.Helper()
	allowed, unknown := 0, 0
	for outcome, count := range n.outcomes {
		if strings.HasPrefix(outcome, "allowed") {
			allowed += count
		}
		if strings.Contains(outcome, "unknown to us") {
			unknown += count
		}
	}
	if allowed < n.requests/4 || unknown > n.requests/8 {
		t.Errorf("of %d requests %d are allowed, %d unknown to us: not enough, or too many", n.requests, allowed, unknown)
	}
	for _, outcome := range []string{refused, denied, byMasters, byNode, byRBAC, byAccessPolicy, byDoing} {
		if n.outcomes[outcome] < n.requests/250 {
			t.Errorf("hardly a request is %s", outcome)
		}
	}
}

// tally counts outcomes.
type tally struct {
	mu         sync.Mutex
	requests   int
	mismatches int
	outcomes   map[string]int
}

func (n *tally) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := fmt.Sprintf("%d mismatches in %d requests", n.mismatches, n.requests)
	for _, k := range slices.Sorted(maps.Keys(n.outcomes)) {
		s += fmt.Sprintf("\n%7d %4.1f%% %s", n.outcomes[k], 100*float64(n.outcomes[k])/float64(n.requests), k)
	}
	return s
}

func (n *tally) add(outcome string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.requests++
	n.outcomes[outcome]++
}

// mismatch reports what differs; after some there is nothing to learn from more.
func (n *tally) mismatch(t *testing.T, format string, args ...any) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mismatches++; n.mismatches <= 20 {
		t.Errorf(format, args...)
	}
}
