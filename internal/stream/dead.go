package stream

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// DeadLetters is the file of what keeps failing and was passed over: a line of JSON each, with the reason.
type DeadLetters struct {
	mu  sync.Mutex
	f   *os.File
	now func() time.Time
}

// DeadLetter is one line.
type DeadLetter struct {
	Time   time.Time `json:"time"`
	Input  string    `json:"input"` // what is passed over: an object, a message, a finding that nobody takes
	Reason string    `json:"reason"`
}

// OpenDeadLetters opens the file, which is made with its folder if it is not there, to append to it.
func OpenDeadLetters(path string, now func() time.Time) (*DeadLetters, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("open the file of dead letters: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the file of dead letters: %w", err)
	}
	return &DeadLetters{f: f, now: now}, nil
}

// Add writes one, and returns when it is on the disk.
func (d *DeadLetters) Add(input, reason string) error {
	line, err := json.Marshal(DeadLetter{d.now().UTC(), input, reason})
	if err != nil {
		return fmt.Errorf("write a dead letter: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	_, err = d.f.Write(append(line, '\n'))
	if err = errors.Join(err, d.f.Sync()); err != nil {
		return fmt.Errorf("write a dead letter: %w", err)
	}
	return nil
}

// Close closes the file.
func (d *DeadLetters) Close() error { return d.f.Close() }
