package dump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"drawbridge/internal/model"
)

// Unnamed is what the cluster of Kubernetes objects is called when nothing in the input names it.
const Unnamed = "unnamed"

// Options change how Open reads.
type Options struct {
	// Areas limits what is decoded from snapshot files; none means all.
	Areas []model.Area
	// Bare reads less of each object of snapshot files; see model.ReadBare.
	Bare bool
}

// Notice is something about the input that its owner may want to know and that takes nothing away from the snapshot: a
// file that was left out, and why.
type Notice struct {
	File string
	Line int // 1-based; 0 is unknown
	Text string
}

// String is the notice as a person reads it.
func (n Notice) String() string {
	if n.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", n.File, n.Line, n.Text)
	}
	return n.File + ": " + n.Text
}

// Unrecognised is the error about a named path in which nothing is recognised.
type Unrecognised struct {
	Path string
	// Saw is what was there instead, a few of each.
	Saw []string
}

// Error says what was seen and what would have been recognised.
func (e *Unrecognised) Error() string {
	saw := "it holds no files"
	if len(e.Saw) > 0 {
		saw = "saw " + strings.Join(e.Saw, "; ")
	}
	path := e.Path
	if path == "-" {
		path = standardInput
	}
	return fmt.Sprintf("%s: nothing recognised: %s; recognised are drawbridge snapshots, answers of `aws eks`, `aws iam`, "+
		"`aws ec2`, `aws logs` and `aws cloudtrail` as JSON, and Kubernetes objects as `kubectl get -o json|yaml` or manifests hold them", path, saw)
}

// Open reads files and folders into one snapshot; the path "-" is stdin. The result does not depend on the order of the
// paths or on how the answers are split over files.
//
// A named file that cannot be read or is broken is an error with its place, and so is a named path in which nothing is
// recognised, or nothing but broken files (*Unrecognised). A broken file beside good ones is a gap and the rest goes on. When the only errors are
// *Unrecognised, the snapshot of the other paths is returned with them. Areas that no file speaks of are neither read
// nor gaps; see model.Snapshot.Complete.
func Open(ctx context.Context, paths []string, stdin io.Reader, o Options) (*model.Snapshot, []Notice, error) {
	inputs, others, err := find(paths, stdin)
	if err != nil {
		return nil, nil, err
	}
	harvests, err := readAll(ctx, inputs, o)
	if err != nil {
		return nil, nil, err
	}
	var broken, unknown []error
	var notices []Notice
	for _, h := range harvests {
		notices = append(notices, h.notices...)
		others = append(others, h.unknown...)
		if h.in.named {
			for _, p := range h.problems {
				broken = append(broken, errors.New(p.String()))
			}
		}
	}
	if len(broken) > 0 {
		return nil, append(notices, summary(others)...), errors.Join(broken...)
	}
	for _, path := range paths {
		if e := unrecognised(path, harvests, slices.Concat(notices, others)); e != nil {
			unknown = append(unknown, e)
		}
	}
	return assemble(harvests), append(notices, summary(others)...), errors.Join(unknown...)
}

// summary keeps a few notices about files of other kinds and counts the rest: a repository holds thousands of them.
func summary(others []Notice) []Notice {
	const most = 10
	if len(others) <= most {
		return others
	}
	return append(others[:most:most], Notice{File: others[most].File, Text: fmt.Sprintf("not recognised either, nor are %d more files or documents", len(others)-most-1)})
}

// readAll reads the inputs side by side; the harvests are in the order of the inputs.
func readAll(ctx context.Context, inputs []*input, o Options) ([]*harvest, error) {
	cores := runtime.GOMAXPROCS(0)
	p := &pool{jobs: make(chan func(), 2*cores)}
	p.start(cores)
	harvests := make([]*harvest, len(inputs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(cores)
	for i, in := range inputs {
		g.Go(func() error {
			harvests[i] = (&fileReader{ctx: ctx, in: in, options: o, pool: p}).read()
			return ctx.Err()
		})
	}
	err := g.Wait()
	p.stop()
	if err != nil {
		return nil, fmt.Errorf("read files: %w", err)
	}
	for _, h := range harvests {
		h.gather()
	}
	return harvests, nil
}

// pool decodes batches of values while files are still being read.
type pool struct {
	jobs chan func()
	wg   sync.WaitGroup
}

func (p *pool) start(n int) {
	for range n {
		p.wg.Go(func() {
			for job := range p.jobs {
				job()
			}
		})
	}
}

func (p *pool) stop() {
	close(p.jobs)
	p.wg.Wait()
}

// unrecognised returns an error if nothing under a named path was recognised.
func unrecognised(path string, harvests []*harvest, notices []Notice) error {
	e := &Unrecognised{Path: path}
	for _, h := range harvests {
		if !h.in.under(path) {
			continue
		}
		if h.recognised > 0 {
			return nil
		}
		for _, p := range h.problems {
			e.Saw = append(e.Saw, p.String())
		}
	}
	e.Saw = e.Saw[:min(len(e.Saw), 3)]
	for _, n := range notices {
		if len(e.Saw) == 4 {
			e.Saw = append(e.Saw, "…")
			break
		}
		if within(path, n.File) {
			e.Saw = append(e.Saw, n.String())
		}
	}
	return e
}
