package dump

import (
	"os/exec"
	"strconv"
	"testing"
)

// generate writes a synthetic dump with this many pods and what goes with them.
func generate(b *testing.B, pods int) string {
	b.Helper()
	dir := b.TempDir()
	cmd := exec.Command("go", "run", "./gen", "-o", dir, "-pods", strconv.Itoa(pods))
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("generate: %v\n%s", err, out)
	}
	return dir
}

func BenchmarkOpen(b *testing.B) {
	for _, pods := range []int{1000, 10000} {
		b.Run(strconv.Itoa(pods)+"pods", func(b *testing.B) {
			dir := generate(b, pods)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := Open(b.Context(), []string{dir}, nil, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
