package apply

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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

// lock keeps other runs of this machine away from a cluster, or from an account where no cluster is touched, until unlock is
// called or the process ends.
func lock(dir string, r reach) (unlock func(), err error) {
	if dir == "" {
		if dir, err = StateDir(); err != nil {
			return nil, err
		}
	}
	about := "cluster " + r.cluster
	if r.cluster == "" {
		about = "account"
		if len(r.parts) > 0 {
			a, err := arn.ParseARN(r.parts[0].name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.parts[0], err)
			}
			about = "account " + a.Account
		}
	}
	dir = filepath.Join(dir, "locks")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock %s: %w", about, err)
	}
	sum := sha256.Sum256([]byte(about))
	f, err := os.OpenFile(filepath.Join(dir, hex.EncodeToString(sum[:16])), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", about, err)
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", about, err), f.Close())
	}
	return func() { f.Close() }, nil
}
