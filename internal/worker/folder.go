package worker

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"drawbridge/internal/stream"
)

// Folder keeps a checkpoint in one file of a folder, which is replaced as a whole, so that a kill at any moment leaves the old
// one or the new one.
type Folder struct {
	path string
	lock *os.File
}

// ErrLocked says that another process has the folder.
var ErrLocked = errors.New("in use by another drawbridge")

// fileName is the checkpoint's, in its folder.
const fileName = "detect.state"

// OpenFolder opens a folder, which is made if it is not there, and keeps others from using it until Close.
func OpenFolder(path string) (*Folder, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("open the state folder: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the state folder: %w", err)
	}
	if err := lockFile(lock); err != nil {
		lock.Close()
		return nil, fmt.Errorf("the state folder %s: %w", path, err)
	}
	f := &Folder{path: filepath.Join(path, fileName), lock: lock}
	// What a killed save left half written.
	left, err := filepath.Glob(f.path + ".*")
	for _, name := range left {
		err = errors.Join(err, os.Remove(name))
	}
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("open the state folder: %w", err)
	}
	return f, nil
}

// Close lets others use the folder.
func (f *Folder) Close() error { return f.lock.Close() }

// Load implements [stream.Store].
func (f *Folder) Load(context.Context) (*stream.Checkpoint, error) {
	c := &stream.Checkpoint{}
	data, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = gob.NewDecoder(bytes.NewReader(data)).Decode(c)
	}
	if err != nil {
		return nil, fmt.Errorf("read the state %s: %w; with another folder detection starts anew", f.path, err)
	}
	return c, nil
}

// Save implements [stream.Store].
func (f *Folder) Save(_ context.Context, c *stream.Checkpoint) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(c); err != nil {
		return fmt.Errorf("save the state: %w", err)
	}
	if err := replace(f.path, b.Bytes()); err != nil {
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
