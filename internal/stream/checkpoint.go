package stream

import (
	"context"
	"errors"
)

// Checkpoint is what a reader goes on from after a crash: where each input stands, and its own state as it was when they
// stood there.
type Checkpoint struct {
	// Positions are the inputs' last positions, by Batch.Input.
	Positions map[string]string
	// State is the reader's; empty before the first save.
	State []byte
}

// Store keeps one checkpoint. A save is there as a whole or not at all.
type Store interface {
	// Load returns the checkpoint, an empty one if none was saved.
	Load(context.Context) (*Checkpoint, error)
	// Save replaces the checkpoint. It is ErrFenced if another reader has saved one since it was loaded.
	Save(context.Context, *Checkpoint) error
}

// ErrFenced says that the checkpoint belongs to another reader now: what this one did since is not to be told.
var ErrFenced = errors.New("another worker has taken over")
