package aws

import (
	"context"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// slots bounds the calls in flight to one region, or to IAM.
type slots chan struct{}

// call runs one AWS call within the limit.
func call[T any](ctx context.Context, s slots, run func() (T, error)) (T, error) {
	var none T
	select {
	case s <- struct{}{}:
	case <-ctx.Done():
		return none, ctx.Err()
	}
	defer func() { <-s }()
	if err := ctx.Err(); err != nil {
		return none, err
	}
	return run()
}

// pager is what the SDK's paginators have in common: P is a page, O the options of the service's client.
type pager[P, O any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*O)) (P, error)
}

// pages returns the items of all pages; with an error, those of the pages before it.
func pages[T, P, O any](ctx context.Context, s slots, p pager[P, O], items func(P) []T) ([]T, error) {
	var all []T
	for p.HasMorePages() {
		page, err := call(ctx, s, func() (P, error) { return p.NextPage(ctx) })
		if err != nil {
			return all, err
		}
		all = append(all, items(page)...)
	}
	return all, nil
}

// each reads one thing per key at the same time and returns what it got in the order of the keys, and whether that is all
// there is. What failed is handed to failed; a thing that is gone is not missing. A read may return part of a thing with
// its error.
func each[K, T any](ctx context.Context, s slots, keys []K, read func(K) (*T, error), failed func(K, error)) (items []*T, complete bool) {
	got := make([]*T, len(keys))
	var incomplete atomic.Bool
	var g errgroup.Group
	g.SetLimit(cap(s))
	for i, key := range keys {
		g.Go(func() error {
			item, err := read(key)
			if err != nil {
				failed(key, err)
				incomplete.CompareAndSwap(false, !gone(err))
			}
			got[i] = item
			return nil
		})
	}
	_ = g.Wait() // no read returns an error: failures are gaps
	return slices.DeleteFunc(got, func(item *T) bool { return item == nil }), !incomplete.Load()
}
