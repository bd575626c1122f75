package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

type numbered struct {
	name string
	n    int
	err  error
}

func (s numbered) Receive(ctx context.Context, handle func(context.Context, Batch) error) error {
	for i := range s.n {
		if err := handle(ctx, Batch{Input: s.name, Position: fmt.Sprint(i)}); err != nil {
			return err
		}
	}
	return s.err
}

func TestMerge(t *testing.T) {
	got := map[string][]string{}
	err := Merge(numbered{"a", 100, nil}, numbered{"b", 50, nil}, numbered{"c", 0, nil}).Receive(t.Context(), func(_ context.Context, b Batch) error {
		got[b.Input] = append(got[b.Input], b.Position)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got["a"]) != 100 || len(got["b"]) != 50 {
		t.Errorf("a gave %d of 100, b %d of 50", len(got["a"]), len(got["b"]))
	}
	if !slices.IsSortedFunc(got["a"], func(x, y string) int { return len(x) - len(y) }) {
		t.Error("the batches of one stream came in another order")
	}
}

func TestMergeFails(t *testing.T) {
	broken := errors.New("broken")
	endless := numbered{"a", 1 << 30, nil}
	if err := Merge(endless, numbered{"b", 3, broken}).Receive(t.Context(), func(context.Context, Batch) error { return nil }); !errors.Is(err, broken) {
		t.Errorf("the error is %v, want that of the stream that broke", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := Merge(endless, endless).Receive(ctx, func(context.Context, Batch) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("asked to stop: %v", err)
	}
}
