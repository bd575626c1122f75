package detect

import (
	"testing"
)

// TestRunsPods: the fast answer is that of the table.
func TestRunsPods(t *testing.T) {
	for resource := range templates {
		if !runsPods(resource) {
			t.Errorf("%s runs pods", resource)
		}
	}
	for _, resource := range []string{"", "leases", "Pods", "configmaps"} {
		if _, ok := templates[resource]; ok || runsPods(resource) {
			t.Errorf("%s runs no pods", resource)
		}
	}
}
