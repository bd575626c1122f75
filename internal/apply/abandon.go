package apply

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// ErrFinished says that a run has left nothing half-done, so that there is nothing to give up.
var ErrFinished = errors.New("the run is finished or undone: there is nothing to give up, and no run is kept from starting")

// Abandon gives up a run that can neither be resumed nor undone, as after somebody else changed what it was about. Nothing is
// called and nothing undone: what was done stays. The journal is kept in its folder under the name that is returned, and can still
// be verified or undone from there; the cluster is free for a plan from what stands. A run that is at work is not given up.
func Abandon(o Options) (kept string, st *Status, err error) {
	o = o.withDefaults()
	j, err := openJournal(o.Journal, &o)
	if err != nil {
		return "", nil, err
	}
	reached, err := reachOfAll(j.plan)
	if err != nil {
		return "", nil, errors.Join(err, j.close())
	}
	hold, err := lock(o.StateDir, reached)
	if err != nil {
		return "", nil, errors.Join(err, j.close())
	}
	defer hold.close()
	st = j.status()
	if err := j.close(); err != nil { // who holds the cluster needs the journal no longer; open files cannot be renamed everywhere
		return "", nil, fmt.Errorf("close journal %s: %w", o.Journal, err)
	}
	if !st.open() {
		return "", nil, ErrFinished
	}
	kept, err = rename(o.Journal)
	return kept, st, err
}

// rename gives a journal another name, of which there is no file yet.
func rename(path string) (string, error) {
	for n := 1; ; n++ {
		to := path + ".abandoned"
		if n > 1 {
			to += "-" + strconv.Itoa(n)
		}
		err := publish(path, to)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err == nil {
			err = os.Remove(path)
		}
		if err == nil {
			err = syncFolder(filepath.Dir(path))
		}
		if err != nil {
			return "", fmt.Errorf("keep journal %s as %s: %w", path, to, err)
		}
		return to, nil
	}
}
