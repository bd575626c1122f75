// Package demo holds the built-in demo: a snapshot of a small synthetic fleet with everything wrong, collected from the
// lab by `make demo`. It is data, so that the program need not contain the lab.
package demo

import (
	"bytes"
	_ "embed"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"drawbridge/internal/model"
)

//go:embed demo.json.zst
var file []byte

// Snapshot decodes the demo.
func Snapshot() (*model.Snapshot, error) {
	z, err := zstd.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("read the built-in demo: %w", err)
	}
	defer z.Close()
	s, err := model.Read(z)
	if err != nil {
		return nil, fmt.Errorf("read the built-in demo: %w", err)
	}
	return s, nil
}
