package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	arn "drawbridge/internal/iam"
)

// StateDir is the folder of drawbridge's own state: drawbridge in $XDG_STATE_HOME, or in ~/.local/state (XDG Base Directory
// Specification 0.8).
func StateDir() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "drawbridge"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the folder for locks: %w; set XDG_STATE_HOME", err)
	}
	return filepath.Join(home, ".local", "state", "drawbridge"), nil
}

// held is a cluster, or an account, that other runs of this machine are kept away from until it is closed or the process ends.
// Its file names the journal of the last run.
type held struct{ file *os.File }

// lock holds the cluster that is touched, or the account where none is.
func lock(dir string, r reach) (_ held, err error) {
	if dir == "" {
		if dir, err = StateDir(); err != nil {
			return held{}, err
		}
	}
	about := "cluster " + r.cluster
	if r.cluster == "" {
		about = "account"
		if len(r.parts) > 0 {
			a, err := arn.ParseARN(r.parts[0].name)
			if err != nil {
				return held{}, fmt.Errorf("%s: %w", r.parts[0], err)
			}
			about = "account " + a.Account
		}
	}
	dir = filepath.Join(dir, "locks")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return held{}, fmt.Errorf("lock %s: %w", about, err)
	}
	sum := sha256.Sum256([]byte(about))
	f, err := os.OpenFile(filepath.Join(dir, hex.EncodeToString(sum[:16])), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return held{}, fmt.Errorf("lock %s: %w", about, err)
	}
	if err := lockFile(f); err != nil {
		return held{}, errors.Join(fmt.Errorf("lock %s: %w", about, err), f.Close())
	}
	return held{f}, nil
}

func (h held) close() { h.file.Close() }

// finished makes sure that the last run was finished or undone: what it has left half-done, another one must not build on. A
// journal that is no longer there is no hindrance.
func (h held) finished() error {
	path, err := io.ReadAll(io.NewSectionReader(h.file, 0, 1<<16))
	if err != nil || len(path) == 0 {
		return err
	}
	j, err := readJournal(string(path))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the last run here cannot be judged: %w", err)
	}
	if j.status().open() {
		return &Unfinished{string(path)}
	}
	return nil
}

// remember names the journal of the run that begins.
func (h held) remember(journal string) error {
	path, err := filepath.Abs(journal)
	if err == nil {
		err = h.file.Truncate(0)
	}
	if err == nil {
		_, err = h.file.WriteAt([]byte(path), 0)
	}
	if err == nil {
		err = h.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("note the journal of this run: %w", err)
	}
	return nil
}
