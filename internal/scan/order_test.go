package scan_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drawbridge/checks"
	"drawbridge/controls"
	"drawbridge/internal/demo"
	"drawbridge/internal/finding"
	"drawbridge/internal/scan"
)

// TestOrder: every check says the same of the demo's fleet in whatever order its objects come. Sources promise none, and
// a baseline lives on fingerprints.
func TestOrder(t *testing.T) {
	found := func(shuffle *rand.Rand) map[string]string {
		s, err := demo.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		if shuffle != nil {
			for _, c := range s.Clusters {
				mix(reflect.ValueOf(c).Elem(), shuffle)
			}
			for _, a := range s.Accounts {
				mix(reflect.ValueOf(a).Elem(), shuffle)
			}
			shuffle.Shuffle(len(s.Clusters), func(i, j int) { s.Clusters[i], s.Clusters[j] = s.Clusters[j], s.Clusters[i] })
		}
		r := scan.Run(s, scan.Options{Checks: checks.All, Controls: controls.Of, Now: now})
		all := map[string]string{}
		for _, f := range r.Findings {
			if all[f.Fingerprint] != "" {
				t.Errorf("%s and %s have one fingerprint", all[f.Fingerprint], line(f))
			}
			all[f.Fingerprint] = line(f)
		}
		return all
	}
	want := found(nil)
	if len(want) < 50 {
		t.Fatalf("the demo has only %d findings", len(want))
	}
	for seed := range uint64(5) {
		if diff := cmp.Diff(want, found(rand.New(rand.NewPCG(seed, 0)))); diff != "" {
			t.Errorf("seed %d (-in order +shuffled):\n%s", seed, diff)
			return
		}
	}
}

func line(f finding.Finding) string {
	return fmt.Sprintf("%s: %s %s %s: %s", f.Cluster, f.Status, f.ID, f.Subject, f.Message)
}

// mix shuffles the lists of objects of a cluster or an account.
func mix(v reflect.Value, r *rand.Rand) {
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.Pointer {
			r.Shuffle(f.Len(), reflect.Swapper(f.Interface()))
		}
	}
}
