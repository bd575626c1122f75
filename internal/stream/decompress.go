package stream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Decompressor opens compressed bytes, and uses what that takes again. The zero value is ready, for many at the same time.
type Decompressor struct{ gzips sync.Pool }

// smallFile is the size below which a file is read at once.
const smallFile = 16 << 20

// Open recognises gzip and Zstandard by their first bytes; other bytes come as they are. What it returns is to be closed, also
// after an error, and closes in by closeIn.
func (d *Decompressor) Open(in io.Reader, closeIn func()) (io.Reader, func(), error) {
	var head [4]byte
	n, err := io.ReadFull(in, head[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, closeIn, err
	}
	var whole io.Reader = io.MultiReader(bytes.NewReader(head[:n]), in)
	if f, ok := in.(io.Seeker); ok {
		if _, err := f.Seek(0, io.SeekStart); err == nil {
			whole = in
		}
	}
	switch {
	case head[0] == 0x1f && head[1] == 0x8b:
		z, _ := d.gzips.Get().(*gzip.Reader)
		if z == nil {
			z = new(gzip.Reader)
		}
		if err := z.Reset(inMemory(whole)); err != nil {
			return nil, closeIn, err
		}
		return z, func() { d.gzips.Put(z); closeIn() }, nil
	case head == [4]byte{0x28, 0xb5, 0x2f, 0xfd}:
		z, err := zstd.NewReader(whole, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, closeIn, err
		}
		return z, func() { z.Close(); closeIn() }, nil
	}
	return whole, closeIn, nil
}

// inMemory reads a small compressed file at once, which is decompressed faster so.
func inMemory(in io.Reader) io.Reader {
	if f, ok := in.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() < smallFile {
			data := make([]byte, info.Size())
			n, err := io.ReadFull(f, data)
			if err == nil {
				return bytes.NewReader(data)
			}
			return io.MultiReader(bytes.NewReader(data[:n]), f)
		}
	}
	return bufio.NewReaderSize(in, 64<<10)
}
