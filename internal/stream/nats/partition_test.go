package nats

import (
	"encoding/binary"
	"io"
	"runtime"
	"testing"

	"drawbridge/internal/stream"
)

// TestUnpackClaims: a message of a few bytes that says that it is a block of three gigabytes gets no room for them, and is handed on
// as it is, so that it is counted.
func TestUnpackClaims(t *testing.T) {
	data := append(binary.AppendUvarint(nil, 3<<30), "no block"...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var b stream.Batch
	unpack(&b, data)
	runtime.ReadMemStats(&after)
	got, err := io.ReadAll(b.Body)
	b.Release()
	if err != nil || string(got) != string(data) {
		t.Errorf("handed on as %q, %v", got, err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes for a message of %d", used, len(data))
	}
}
