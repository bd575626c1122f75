// Package ocsf writes findings to a file as lines of OCSF, for whatever ships files. It appends: whoever wants the file to be
// shorter moves it away, and gets a new one.
package ocsf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"drawbridge/internal/finding"
	"drawbridge/internal/sink"
	"drawbridge/internal/stream"
)

// tail is how much of a file is read to know what is in it already: more than a run repeats after a crash.
const tail = 64 << 20

// Sink is a sink.Sink of a file.
type Sink struct {
	path  string
	frame sink.Frame
	f     *os.File
	size  int64
	done  *stream.Recent
}

// Open opens the file, or makes it. A line that was not finished is taken off, and what the last lines hold is not written again.
func Open(path string, frame sink.Frame) (*Sink, error) {
	s := &Sink{path: path, frame: frame, done: stream.NewRecent(sink.Remembered)}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Sink) open() error {
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		s.f = f
		if s.size, err = s.known(); err == nil {
			if err = f.Truncate(s.size); err == nil {
				return nil
			}
		}
		f.Close()
	}
	return fmt.Errorf("open the file of findings: %w", err)
}

// known reads the last lines, and returns where the last whole one ends.
func (s *Sink) known() (int64, error) {
	info, err := s.f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a file", s.path)
	}
	from := max(0, info.Size()-tail)
	data, err := io.ReadAll(io.NewSectionReader(s.f, from, info.Size()-from))
	if err != nil {
		return 0, err
	}
	end := bytes.LastIndexByte(data, '\n') + 1
	if end == 0 && from > 0 {
		return 0, fmt.Errorf("%s has no lines", s.path)
	}
	for i, line := range bytes.SplitAfter(data[:end], []byte{'\n'}) {
		var event struct {
			FindingInfo struct {
				UID string `json:"uid"`
			} `json:"finding_info"`
		}
		err := json.Unmarshal(line, &event)
		if err == nil && event.FindingInfo.UID != "" {
			s.done.Add(event.FindingInfo.UID)
		} else if len(line) > 0 && (i > 0 || from == 0) {
			return 0, fmt.Errorf("%s has lines that are no findings: another file is meant", s.path)
		}
	}
	if end == 0 && len(data) > 0 && data[0] != '{' {
		return 0, fmt.Errorf("%s has no findings: another file is meant", s.path)
	}
	return from + int64(end), nil
}

// Deliver returns when the findings are on the disk, all or, with an error, none.
func (s *Sink) Deliver(_ context.Context, found []finding.Finding) error {
	var fresh []finding.Finding
	seen := map[string]bool{}
	for _, f := range found {
		if !s.done.Has(f.Fingerprint) && !seen[f.Fingerprint] {
			seen[f.Fingerprint] = true
			fresh = append(fresh, f)
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := s.follow(); err != nil {
		return err
	}
	lines, err := s.frame.Format("ocsf", fresh)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for _, line := range lines {
		b.Write(line)
		b.WriteByte('\n')
	}
	_, err = s.f.WriteAt(b.Bytes(), s.size)
	if err = errors.Join(err, s.f.Sync()); err != nil {
		return fmt.Errorf("write %d findings: %w", len(fresh), errors.Join(err, s.f.Truncate(s.size)))
	}
	s.size += int64(b.Len())
	for _, f := range fresh {
		s.done.Add(f.Fingerprint)
	}
	return nil
}

// follow opens the file anew if it was moved away.
func (s *Sink) follow() error {
	now, err := os.Stat(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write findings: %w", err)
	}
	was, statErr := s.f.Stat()
	if err == nil && statErr == nil && os.SameFile(now, was) {
		return nil
	}
	s.f.Close()
	return s.open()
}

// Close closes the file.
func (s *Sink) Close() error { return s.f.Close() }
