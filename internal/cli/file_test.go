package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// names are the files of a folder, hidden ones too.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func contents(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestWriteFileWhole: a file is there in full or as it was before, and there is no rest of it.
func TestWriteFileWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out")
	cut := errors.New("no space left")
	halfway := func(w io.Writer) error { return errors.Join(text("half")(w), cut) }
	if err := writeFile(path, 0o644, halfway); !errors.Is(err, cut) {
		t.Errorf("error %v, want %v", err, cut)
	}
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("left behind: %q", got)
	}
	if err := writeFile(path, 0o644, text("first")); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(path, 0o644, halfway); !errors.Is(err, cut) {
		t.Errorf("error %v, want %v", err, cut)
	}
	if diff := cmp.Diff([]string{"out"}, names(t, dir)); diff != "" || contents(t, path) != "first" {
		t.Errorf("%q holds %q; files (-want +got):\n%s", path, contents(t, path), diff)
	}
	if err := writeFile(path, 0o644, text("second")); err != nil || contents(t, path) != "second" {
		t.Errorf("%q holds %q, error %v", path, contents(t, path), err)
	}
}

// TestWriteFileMode: a snapshot is its owner's alone whatever was there before, and no file is open wider than the user's
// umask allows.
func TestWriteFileMode(t *testing.T) {
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	for _, tt := range []struct {
		name       string
		mode, want os.FileMode
	}{{"snapshot", 0o600, 0o600}, {"report", 0o644, 0o640}} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out")
			for range 2 {
				if err := writeFile(path, tt.mode, text("x")); err != nil {
					t.Fatal(err)
				}
				info, err := os.Stat(path)
				if err != nil {
					t.Fatal(err)
				}
				if got := info.Mode().Perm(); got != tt.want {
					t.Errorf("mode %o, want %o", got, tt.want)
				}
				if err := os.Chmod(path, 0o666); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestWriteFileLinksAndDevices: a link stays a link, and what is no regular file is written to: renaming over /dev/null
// would take it away from the whole machine.
func TestWriteFileLinksAndDevices(t *testing.T) {
	dir := t.TempDir()
	target, link, pipe := filepath.Join(dir, "target"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(target, []byte("old"), 0o600), os.Symlink("target", link), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(link, 0o644, text("new")); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(link); err != nil || to != "target" || contents(t, target) != "new" {
		t.Errorf("link leads to %q (%v), which holds %q", to, err, contents(t, target))
	}
	read := make(chan string)
	go func() {
		b, err := os.ReadFile(pipe)
		if err != nil {
			b = []byte(err.Error())
		}
		read <- string(b)
	}()
	if err := writeFile(pipe, 0o644, text("through")); err != nil {
		t.Fatal(err)
	}
	if got := <-read; got != "through" {
		t.Errorf("read %q from the pipe", got)
	}
	if info, err := os.Stat(pipe); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("the pipe is now %v, %v", info.Mode(), err)
	}
}
