package kube

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBuildKeepsWhatIsThere(t *testing.T) {
	t.Setenv("DRAWBRIDGE_LAB_DIR", t.TempDir())
	dir, err := BinDir()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, b := range all {
		if err := os.WriteFile(filepath.Join(dir, b.name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	got, err := Build(t.Context(), &out)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(dir, got); diff != "" {
		t.Errorf("folder (-want +got):\n%s", diff)
	}
	if n := strings.Count(out.String(), "is there"); n != len(all) {
		t.Errorf("%d programs are said to be there, want %d:\n%s", n, len(all), &out)
	}
}

func TestBuildFailureLeavesNothing(t *testing.T) {
	t.Setenv("DRAWBRIDGE_LAB_DIR", t.TempDir())
	absent := binary{name: "absent", module: etcd.module, pkg: "k8s.io/kubernetes/cmd/absent"}
	var out bytes.Buffer
	if _, err := build(t.Context(), &out, []binary{absent}); err == nil {
		t.Fatal("built a package that does not exist")
	}
	dir, err := BinDir()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, absent.name)); err == nil {
		t.Error("a failed build left a program")
	}
}

// TestLock takes the lock twice, as two builds would: the second says that it waits and has it when the first is done.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".lock")
	var first bytes.Buffer
	unlock, err := lock(path, &first)
	if err != nil {
		t.Fatal(err)
	}
	if first.Len() > 0 {
		t.Errorf("the first waits: %s", &first)
	}
	waits := make(announcement)
	got := make(chan error)
	go func() {
		unlock, err := lock(path, waits)
		if err == nil {
			unlock()
		}
		got <- err
	}()
	select {
	case said := <-waits:
		if !strings.Contains(said, "waiting") {
			t.Errorf("the second says %q", said)
		}
	case err := <-got:
		t.Fatalf("the second did not wait: %v", err)
	}
	unlock()
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

// announcement is a writer that hands over each write.
type announcement chan string

func (a announcement) Write(p []byte) (int, error) {
	a <- string(p)
	return len(p), nil
}
