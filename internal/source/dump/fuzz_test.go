package dump

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/model"
)

// FuzzOpen: whatever a file holds, reading it ends without a panic, twice with the same result, and what comes out can
// be written.
func FuzzOpen(f *testing.F) {
	for _, path := range []string{"testdata/full.txtar", "testdata/manifests.txtar", "testdata/partial.txtar"} {
		for _, file := range parseArchive(f, path).Files {
			f.Add(file.Data)
		}
	}
	f.Add([]byte("\xff\xfe{\x00"))
	f.Add([]byte("\x1f\x8b\x08"))
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	f.Add([]byte(`{"version":"` + model.Version + `","clusters":[],"accounts":[],"gaps":[],"sections":[` + "\n]}\n"))
	f.Add([]byte("a: &a\n  <<: *a\nkind: List\napiVersion: v1\nitems:\n- kind: Pod\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := outcome(t, text)
		second, _ := outcome(t, text)
		if first != second {
			t.Fatalf("two readings differ (-first +second):\n%s", cmp.Diff(first, second))
		}
		var unrecognised *Unrecognised
		if errors.As(err, &unrecognised) && len(unrecognised.Saw) == 0 {
			t.Fatalf("nothing recognised, and nothing said about what was seen: %v", err)
		}
	})
}

func outcome(t *testing.T, text []byte) (string, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	s, notices, err := Open(ctx, []string{"-"}, bytes.NewReader(text), Options{})
	if errors.Is(err, context.DeadlineExceeded) {
		t.Fatal("reading took ten seconds")
	}
	var b strings.Builder
	if s != nil {
		if err := model.Write(&b, s); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	}
	for _, n := range notices {
		b.WriteString(n.String() + "\n")
	}
	if err != nil {
		b.WriteString(err.Error())
	}
	return b.String(), err
}
