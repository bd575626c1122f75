// Package main collects the built-in demo: it seeds a small synthetic fleet into the lab, three clusters of one
// organisation with their real API servers and its AWS account, reads it with the real sources and writes the snapshot
// that package demo embeds. It says nothing about what is wrong with the fleet; that is for the checks to find.
//
//	go run ./internal/lab/demo -o internal/demo/demo.json.zst
//
// The same seed gives the same bytes: what the lab makes up anew in every run is replaced, see normalise.go.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/klauspost/compress/zstd"

	"drawbridge/internal/model"
)

func main() {
	out := flag.String("o", "internal/demo/demo.json.zst", "`FILE` to write, a snapshot compressed with zstd")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *out); err != nil {
		fmt.Fprintln(os.Stderr, "collect the demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string) error {
	s, err := collect(ctx)
	if err != nil {
		return err
	}
	if err := write(out, s); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	for _, c := range s.Clusters {
		fmt.Fprintf(os.Stderr, "%s: nodes %d, pods %d, access entries %d, associations %d\n",
			c.Name, len(c.Nodes), len(c.Pods), len(c.AccessEntries), len(c.PodIdentityAssociations))
	}
	fmt.Fprintf(os.Stderr, "%s: %d bytes, gaps %d\n", out, info.Size(), len(s.Gaps))
	return nil
}

// write puts the whole file in place or leaves the old one. One encoder, so that the same snapshot gives the same bytes.
func write(out string, s *model.Snapshot) error {
	f, err := os.CreateTemp(filepath.Dir(out), ".demo-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := encode(f, s); err != nil {
		f.Close()
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), out)
}

func encode(w io.Writer, s *model.Snapshot) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	if err := model.Write(z, s); err != nil {
		return err
	}
	return z.Close()
}
