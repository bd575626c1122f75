// Package file streams event logs from files, folders and standard input, compressed or not: once, to their ends. It does
// not follow files that grow; whoever pipes them in gets the records as they come.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"drawbridge/internal/stream"
)

// ErrNotRecognised is in the error of Receive for each path in which no record was found, and in what Options.Report gets
// for each file of a folder.
var ErrNotRecognised = errors.New("no CloudTrail or Kubernetes audit record in it")

// Options are what to read, and how.
type Options struct {
	Paths  []string          // files, folders with all that is below them, "-" for standard input
	Stdin  io.Reader         // what "-" is
	Resume map[string]string // the last acknowledged Position of an input, to go on after it
	Ahead  int               // files that are read and decompressed at the same time; 0 for one more than there are cores

	// Report, if it is set, is told at once what was wrong with a file; the error of Receive has it too, but for files of
	// folders that hold no record beside others that do.
	Report func(input string, err error)
}

// Stream is a stream.Stream of files.
type Stream struct{ o Options }

// New returns a stream. Nothing is opened before Receive.
func New(o Options) *Stream {
	if o.Ahead <= 0 {
		o.Ahead = runtime.GOMAXPROCS(0) + 1
	}
	return &Stream{o}
}

// input is one file to read.
type input struct {
	path   string
	root   int  // which of Options.Paths it comes from
	folder bool // which is a folder
	pipe   bool // can be read once, from the beginning to the end: standard input, a named pipe
}

// Receive hands out the files in the order of the paths, those of a folder sorted by name. A Position is an offset in the
// decompressed file. The handler is called by one goroutine, while others read ahead.
func (s *Stream) Receive(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()

	inputs, errs := s.inputs()
	for _, err := range errs {
		if at, ok := errors.AsType[*fs.PathError](err); ok && s.o.Report != nil {
			s.o.Report(at.Path, err)
		}
	}
	recognised := make([]bool, len(s.o.Paths))
	free := &buffers{}
	var queue []*reading
	for next := 0; len(queue) > 0 || next < len(inputs); {
		for ; next < len(inputs) && len(queue) < s.o.Ahead; next++ {
			r := &reading{input: inputs[next], blocks: make(chan block, 2), free: free}
			if !r.pipe {
				running.Go(func() { r.run(ctx, s.o.Resume[r.path]) })
			}
			queue = append(queue, r)
		}
		r := queue[0]
		queue = queue[1:]
		if r.pipe {
			r.runPipe(s.o.Stdin)
		}
		if err := r.hand(ctx, handle); err != nil {
			return err
		}
		recognised[r.root] = recognised[r.root] || r.recognised
		err := r.err
		if err == nil && !r.recognised {
			err = fmt.Errorf("%s: %w", r.path, ErrNotRecognised)
		}
		if err != nil && s.o.Report != nil {
			s.o.Report(r.path, err)
		}
		if r.err != nil {
			errs = append(errs, r.err)
			recognised[r.root] = recognised[r.root] || !r.folder // one error for one file is enough
		}
	}
	for i, ok := range recognised {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %w", s.o.Paths[i], ErrNotRecognised))
		}
	}
	return errors.Join(errs...)
}

// inputs lists the files to read.
func (s *Stream) inputs() (all []input, errs []error) {
	for root, path := range s.o.Paths {
		if path == "-" {
			all = append(all, input{path: "-", root: root, pipe: true})
			continue
		}
		err := filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
			hidden := p != path && strings.HasPrefix(filepath.Base(p), ".")
			switch {
			case err != nil:
				errs = append(errs, err)
			case d.IsDir() && hidden:
				return fs.SkipDir
			case d.IsDir() || hidden:
			case p == path:
				info, err := os.Stat(p) // a symbolic link, if it is named, is followed
				switch {
				case err != nil:
					errs = append(errs, err)
				case info.IsDir():
					more, moreErrs := New(Options{Paths: []string{p + string(filepath.Separator)}}).inputs()
					for i := range more {
						more[i].root = root
					}
					all, errs = append(all, more...), append(errs, moreErrs...)
				default:
					all = append(all, input{path: p, root: root, pipe: !info.Mode().IsRegular()})
				}
			case d.Type().IsRegular():
				all = append(all, input{path: p, root: root, folder: true})
			}
			return nil
		})
		if err != nil {
			errs = append(errs, err)
		}
	}
	return all, errs
}

// hand gives the batches of one file to the handler.
func (r *reading) hand(ctx context.Context, handle func(context.Context, stream.Batch) error) error {
	cluster := stream.ClusterOfPath(filepath.ToSlash(r.path))
	for {
		select {
		case b, more := <-r.blocks:
			if !more {
				return ctx.Err()
			}
			batch := stream.Batch{Input: r.path, Position: b.position, Cluster: cluster, Body: b.body}
			if b.close == nil { // the file may be closed before its bytes are done with
				batch.Free = func() { r.free.put(b.data) }
			}
			err := handle(ctx, batch)
			if b.close != nil {
				r.free.put(b.data)
				b.close()
			}
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
