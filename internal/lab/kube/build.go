package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// recipe is everything about a build that is not in the module files; a change of it makes a new folder. One setting
// for all programs, because CGO_ENABLED and -trimpath are part of nearly every build id: with two, everything is
// compiled twice.
const recipe = "CGO_ENABLED=0 -trimpath -s -w versioned 1"

// Build compiles the lab's programs into [BinDir], those that are not there yet, and returns the folder. It writes what
// it does and how long that took to w. Two builds at once are safe: the second waits for the first, and a program appears
// under its name only when it is complete.
func Build(ctx context.Context, w io.Writer) (string, error) { return build(ctx, w, all) }

func build(ctx context.Context, w io.Writer, programs []binary) (string, error) {
	repo, err := repository()
	if err != nil {
		return "", err
	}
	dir, err := BinDir()
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make the lab's folder: %w", err)
	}
	unlock, err := lock(filepath.Join(dir, ".lock"), w)
	if err != nil {
		return "", err
	}
	defer unlock()
	fmt.Fprintf(w, "lab: %s\n", dir)
	for _, b := range programs {
		if err := b.build(ctx, w, repo, dir); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func (b binary) build(ctx context.Context, w io.Writer, repo, dir string) error {
	out := filepath.Join(dir, b.name)
	if _, err := os.Stat(out); err == nil {
		fmt.Fprintf(w, "lab: %-24s is there\n", b.name)
		return nil
	}
	fmt.Fprintf(w, "lab: %-24s building %s\n", b.name, b.pkg)
	start := time.Now()
	part := out + ".part"
	cmd := exec.CommandContext(ctx, "go", "build", "-p", "2", "-trimpath", "-ldflags", b.ldflags(), "-o", part, b.pkg)
	cmd.Dir = filepath.Join(repo, b.module)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly -buildvcs=false")
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build %s in %s: %w", b.name, b.module, err)
	}
	info, err := os.Stat(part)
	if err != nil {
		return fmt.Errorf("build %s: %w", b.name, err)
	}
	if err := os.Rename(part, out); err != nil {
		return fmt.Errorf("build %s: %w", b.name, err)
	}
	fmt.Fprintf(w, "lab: %-24s built in %s, %d MB\n", b.name, time.Since(start).Round(time.Second), info.Size()>>20)
	return nil
}

// ldflags strips the program and, for Kubernetes' own, sets the version: built from a module it would call itself
// v0.0.0-master.
func (b binary) ldflags() string {
	if !b.kubernetes {
		return "-s -w"
	}
	minor := strings.Split(Version, ".")[1]
	const p = "k8s.io/component-base/version."
	return "-s -w -X " + p + "gitVersion=" + Version + " -X " + p + "gitMajor=1 -X " + p + "gitMinor=" + minor +
		" -X " + p + "gitTreeState=clean -X " + p + "gitCommit=module"
}

// lock takes the file for this process and returns the function that gives it back; the kernel does so too if the
// process dies.
func lock(path string, w io.Writer) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the lab's folder: %w", err)
	}
	if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		fmt.Fprintf(w, "lab: waiting for another build (%s)\n", path)
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}
