//go:build !cgo

package oracle

import (
	"os"
	"testing"
)

// athena cannot be had without cgo.
type athena struct{}

func newAthena(t testing.TB) *athena {
	if os.Getenv("CI") == "true" {
		t.Fatal("DuckDB needs cgo: CGO_ENABLED=1 and a C compiler")
	}
	t.Skip("DuckDB needs cgo: CGO_ENABLED=1 and a C compiler")
	return nil
}

func (*athena) load(testing.TB, []record)              {}
func (*athena) ids(testing.TB, string) map[string]bool { return nil }
