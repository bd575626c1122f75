package worker

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"drawbridge/internal/detect"
	"drawbridge/internal/finding"
)

// State is what a run goes on from: where each input stands, and the engine as it was when they stood there. It is one file,
// replaced as a whole, so that a kill at any moment leaves the old one or the new one.
type State struct {
	// Positions are where the inputs stand, in their transports' words.
	Positions map[string]string
	// Engine is the engine's saved state; empty before the first save.
	Engine   []byte
	Unparsed []Unparsed

	path string
	lock *os.File
}

// ErrLocked says that another process has the folder.
var ErrLocked = errors.New("in use by another drawbridge")

// fileName is the state's, in its folder.
const fileName = "detect.state"

// OpenState reads the state of a folder, which is made if it is not there, and keeps others from using it until Close.
func OpenState(folder string) (*State, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("open the state folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the state folder: %w", err)
	}
	if err := lockFile(lock); err != nil {
		lock.Close()
		return nil, fmt.Errorf("the state folder %s: %w", folder, err)
	}
	s := &State{Positions: map[string]string{}, path: filepath.Join(folder, fileName), lock: lock}
	data, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = gob.NewDecoder(bytes.NewReader(data)).Decode(s)
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("read the state %s: %w; with another folder detection starts anew", s.path, err)
	}
	return s, nil
}

// Close lets others use the folder.
func (s *State) Close() error { return s.lock.Close() }

func (s *State) restore(o Options, report func(finding.Finding)) (*detect.Engine, error) {
	return detect.Restore(bytes.NewReader(s.Engine), o.Program, o.Context, o.Engine, report)
}

func (s *State) save(g *detect.Engine) error {
	var b bytes.Buffer
	if err := g.Save(&b); err != nil {
		return err
	}
	s.Engine = b.Bytes()
	var file bytes.Buffer
	if err := gob.NewEncoder(&file).Encode(s); err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	if err := replace(s.path, file.Bytes()); err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	return nil
}

// replace writes a file as a whole: it is there in the old form or in the new one, also after a loss of power.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), fileName+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}
