package kube

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// Options say how a cluster is read. The zero value is good.
type Options struct {
	// Cluster is the name of the cluster in the snapshot and in its gaps.
	Cluster string
	// Progress, if not nil, is told after each resource how many of all are done, and which one was ("list pods"). Calls
	// do not overlap.
	Progress func(done, total int, what string)
}

// parallel is how many resources are read at once. More is not faster, for the API server and the decoder are the
// limit, and every one holds a page in memory.
const parallel = 6

// Collect reads the Kubernetes areas of a cluster. The cluster that it returns has the given name, the areas that could
// be read whole marked as read, and nothing that comes from AWS. Every resource that could not be read is one gap, with
// the verb and resource that were missing; what it had yielded is left out.
//
// It returns an error only if the context ended, the configuration is unusable, or there was no usable answer at all;
// the latter is an [*Unreachable].
func Collect(ctx context.Context, config *rest.Config, o Options) (*model.Cluster, []finding.Gap, error) {
	client, err := newClient(config)
	if err != nil {
		return nil, nil, fmt.Errorf("use the configuration of the Kubernetes API at %s: %w", config.Host, err)
	}
	results := readAll(ctx, client, o.Progress)
	if err := ctx.Err(); err != nil {
		return nil, nil, fmt.Errorf("read the Kubernetes API at %s: %w", config.Host, err)
	}
	if err := unusable(config.Host, results); err != nil {
		return nil, nil, err
	}
	cluster := &model.Cluster{Name: o.Cluster}
	var gaps []finding.Gap
	for i, r := range resources {
		cluster.MarkRead(r.area)
		if err := results[i].err; err != nil {
			gaps = append(gaps, finding.Gap{Area: string(r.area), Action: r.action(), Reason: err.Error(), Cluster: o.Cluster})
		} else if results[i].store != nil {
			results[i].store(cluster)
		}
	}
	for _, g := range gaps {
		delete(cluster.Read, model.Area(g.Area))
	}
	return cluster, gaps, nil
}

// result is what a reader returned.
type result struct {
	store func(*model.Cluster)
	err   error
}

// readAll reads all resources, a few at a time, and returns the results in the order of the table. It gives up as soon
// as a request did not reach the API server before any other had an answer.
func readAll(ctx context.Context, c *client, progress func(int, int, string)) []result {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	results := make([]result, len(resources))
	var mu sync.Mutex
	done, reached := 0, false
	var g errgroup.Group
	g.SetLimit(parallel)
	for i, r := range resources {
		g.Go(func() error {
			store, err := r.read(ctx, c)
			mu.Lock()
			defer mu.Unlock()
			results[i] = result{store, err}
			if reached = reached || results[i].usable(); !reached && !isStatus(err) && err != nil {
				giveUp()
			}
			if done++; progress != nil {
				progress(done, len(resources), r.action())
			}
			return nil
		})
	}
	_ = g.Wait() // each resource keeps its own error
	return results
}
