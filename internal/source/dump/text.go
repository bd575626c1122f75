package dump

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// headSize is how much of a file is looked at to tell what it is.
	headSize = 64 << 10
	// maxUnpacked bounds what a compressed file may unfold to.
	maxUnpacked = 8 << 30
	// maxValue bounds one object, list element or policy in a file. etcd holds no object above 1.5 MiB.
	maxValue = 64 << 20
)

// readers are the buffers that files are read through.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, headSize) }}

// unpack returns the text of a file as UTF-8 without a byte order mark, decompressed where it is gzip or Zstandard.
// Whoever calls it calls done when the text is read.
func unpack(r io.Reader) (text *bufio.Reader, done func(), err error) {
	raw := readers.Get().(*bufio.Reader)
	raw.Reset(r)
	first := raw
	done = func() { first.Reset(nil); readers.Put(first) }
	magic, _ := raw.Peek(4)
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, nil, fmt.Errorf("gzip: %w", err)
		}
		raw = bufio.NewReaderSize(&capped{r: z, left: maxUnpacked}, headSize)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, nil, fmt.Errorf("zstd: %w", err)
		}
		release := done
		done = func() { z.Close(); release() }
		raw = bufio.NewReaderSize(&capped{r: z, left: maxUnpacked}, headSize)
	}
	mark, _ := raw.Peek(3)
	switch {
	case bytes.HasPrefix(mark, []byte{0xef, 0xbb, 0xbf}):
		passOver(raw, 3)
	case bytes.HasPrefix(mark, []byte{0xff, 0xfe}): // PowerShell's > writes UTF-16
		passOver(raw, 2)
		raw = bufio.NewReaderSize(&utf16Reader{r: raw, order: binary.LittleEndian}, headSize)
	case bytes.HasPrefix(mark, []byte{0xfe, 0xff}):
		passOver(raw, 2)
		raw = bufio.NewReaderSize(&utf16Reader{r: raw, order: binary.BigEndian}, headSize)
	}
	return raw, done, nil
}

// capped fails once a compressed file has unfolded to more than any real one does.
type capped struct {
	r    io.Reader
	left int64
}

func (c *capped) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, fmt.Errorf("unfolds to more than %d GiB", maxUnpacked>>30)
	}
	return n, err
}

// utf16Reader turns UTF-16 into UTF-8.
type utf16Reader struct {
	r     *bufio.Reader
	order binary.ByteOrder
	out   []byte
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) < len(p) {
		r, err := u.rune()
		if err != nil {
			if len(u.out) > 0 {
				break
			}
			return 0, err
		}
		u.out = utf8.AppendRune(u.out, r)
	}
	n := copy(p, u.out)
	u.out = append(u.out[:0], u.out[n:]...)
	return n, nil
}

func (u *utf16Reader) rune() (rune, error) {
	var b [2]byte
	if _, err := io.ReadFull(u.r, b[:]); err != nil {
		return 0, err
	}
	r := rune(u.order.Uint16(b[:]))
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	low, err := u.r.Peek(2)
	if err != nil {
		return utf8.RuneError, nil
	}
	if pair := utf16.DecodeRune(r, rune(u.order.Uint16(low))); pair != utf8.RuneError {
		passOver(u.r, 2)
		return pair, nil
	}
	return utf8.RuneError, nil
}

// form is what a file looks like from its first bytes.
type form int

const (
	formEmpty form = iota
	formBinary
	formJSON
	formText
)

func formOf(head []byte) form {
	if bytes.IndexByte(head, 0) >= 0 {
		return formBinary
	}
	text := bytes.TrimLeft(head, " \t\r\n")
	switch {
	case len(text) == 0:
		return formEmpty
	case text[0] == '{' && follows(text, `"}`), text[0] == '[' && follows(text, `{["]-0123456789tfn`):
		return formJSON
	}
	return formText
}

// follows says whether one of the characters comes next after the first: `{` begins YAML and templates too.
func follows(text []byte, one string) bool {
	rest := bytes.TrimLeft(text[1:], " \t\r\n")
	return len(rest) == 0 || strings.IndexByte(one, rest[0]) >= 0
}

var errTooLarge = fmt.Errorf("one value is larger than %d MiB", maxValue>>20)

// window is what a decoder reads from. It fails when one value grows past maxValue, so that a decoder never holds more.
type window struct {
	ctx   context.Context
	r     io.Reader
	read  int64 // bytes handed out
	floor int64 // where the value being read begins
}

func (w *window) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	if w.read-w.floor > maxValue {
		return 0, errTooLarge
	}
	n, err := w.r.Read(p)
	w.read += int64(n)
	return n, err
}

// lineAt is the 1-based line of a byte of the text, or 0 for an input that cannot be read again.
func (in *input) lineAt(offset int64) int {
	if in.stream != nil || offset < 0 {
		return 0
	}
	file, err := in.open()
	if err != nil {
		return 0
	}
	defer file.Close()
	text, done, err := unpack(file)
	if err != nil {
		return 0
	}
	defer done()
	line, buf := 1, make([]byte, headSize)
	for offset > 0 {
		n, err := text.Read(buf[:min(int64(len(buf)), offset)])
		line += bytes.Count(buf[:n], []byte{'\n'})
		offset -= int64(n)
		if err != nil {
			break
		}
	}
	return line
}

// bare drops the name of the file from an error that carries it, because the place is named anyway.
func bare(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// passOver drops bytes that were peeked at, which cannot fail.
func passOver(r *bufio.Reader, n int) { _, _ = r.Discard(n) }
