package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"

	"drawbridge/internal/event"
	"drawbridge/internal/stream"
)

const (
	blockSize = 1 << 20  // a batch of a file of lines
	maxBlock  = 16 << 20 // what is read at once to find an end of a record, before the rest of the file becomes one batch
	atEnd     = "end"    // the Position of a batch whose length nobody knows
)

// reading is a file that is being read.
type reading struct {
	input
	free   *buffers
	blocks chan block

	// These are for others when blocks is closed.
	recognised bool
	err        error
}

// block is a batch to be.
type block struct {
	body     io.Reader
	position string
	data     []byte // given back when the batch is done
	close    func()
}

// run reads a file block by block until its end, or until the context is done.
func (r *reading) run(ctx context.Context, resume string) {
	defer close(r.blocks)
	if resume == atEnd {
		r.recognised = true
		return
	}
	f, err := os.Open(r.path)
	if err != nil {
		r.err = err
		return
	}
	in, closeAll, err := r.free.Open(f, func() { _ = f.Close() })
	if err != nil {
		closeAll()
		r.err = fmt.Errorf("read %s: %w", r.path, err)
		return
	}
	offset, err := r.seek(f, in, resume)
	if err == nil {
		var handed bool
		if handed, err = r.cut(ctx, in, offset, closeAll); handed {
			return
		}
	}
	closeAll()
	if err != nil {
		r.err = fmt.Errorf("read %s: %w", r.path, err)
	}
}

// seek moves to where the last run was done.
func (r *reading) seek(f *os.File, in io.Reader, resume string) (int64, error) {
	offset, err := strconv.ParseInt(resume, 10, 64)
	if err != nil || offset <= 0 {
		return 0, nil
	}
	r.recognised = true
	if in == io.Reader(f) {
		if info, err := f.Stat(); err != nil || info.Size() < offset {
			return 0, err // it was written anew
		}
		return f.Seek(offset, io.SeekStart)
	}
	_, err = io.CopyN(io.Discard, in, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return offset, err
}

// cut hands out what in has, in blocks that end where a record ends. handed says that the rest was given away with its
// reader.
func (r *reading) cut(ctx context.Context, in io.Reader, offset int64, closeAll func()) (handed bool, err error) {
	data := r.free.get()
	for first := true; ; {
		data, err = fill(in, data)
		end := len(data)
		if err == nil {
			end = boundary(data)
		}
		if end == 0 && err == nil {
			if cap(data) < maxBlock {
				data = append(make([]byte, 0, 2*cap(data)), data...)
				continue
			}
			r.recognised = true
			b := block{body: io.MultiReader(bytes.NewReader(data), in), position: atEnd, data: data, close: closeAll}
			return r.give(ctx, b), nil
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		done := end == len(data)
		var rest []byte
		if !done {
			rest = append(r.free.get(), data[end:]...)
		}
		offset += int64(end)
		if r.recognised = r.recognised || hasRecord(data[:end]); end > 0 && (r.recognised || !first || !done) {
			if !r.give(ctx, block{body: bytes.NewBuffer(data[:end]), position: strconv.FormatInt(offset, 10), data: data}) {
				return false, nil
			}
		}
		if done {
			return false, err
		}
		data, first = rest, false
	}
}

// give hands a block over; false if nobody wants it any more.
func (r *reading) give(ctx context.Context, b block) bool {
	select {
	case r.blocks <- b:
		return true
	case <-ctx.Done():
		return false
	}
}

// fill reads until data has no more room. The error is io.EOF at a sound end.
func fill(in io.Reader, data []byte) ([]byte, error) {
	for len(data) < cap(data) {
		n, err := in.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err != nil {
			return data, err
		}
	}
	return data, nil
}

// boundary returns where the last record begins that may be cut off: after a line that ends an object, before one that
// begins another value or a text. Within one JSON value no line break stands so. 0 if there is no such place.
func boundary(data []byte) int {
	if bytes.IndexByte(data, '\n') < 0 {
		return 0 // as in most objects of CloudTrail
	}
	for end := len(data) - 1; ; {
		i := bytes.LastIndexByte(data[:max(end, 0)], '\n')
		if i <= 0 {
			return 0
		}
		before := bytes.TrimSuffix(data[:i], []byte{'\r'})
		next := data[i+1]
		if bytes.HasSuffix(before, []byte{'}'}) && (next == '{' || '0' <= next && next <= '9' || 'A' <= next && next <= 'Z' || 'a' <= next && next <= 'z') {
			return i + 1
		}
		end = i
	}
}

// hasRecord says whether a block has at least one record.
func hasRecord(data []byte) bool {
	d := event.NewDecoder(bytes.NewBuffer(data), event.Options{})
	var e event.Event
	for {
		err := d.Next(&e)
		if err == nil {
			return true
		}
		if _, unparsed := errors.AsType[*event.Unparsed](err); !unparsed {
			return false
		}
	}
}

// runPipe makes one batch of what can be read only once. Its records are handed out as they come.
func (r *reading) runPipe(stdin io.Reader) {
	defer close(r.blocks)
	r.recognised = true // whoever reads it will see
	in, closeAll := stdin, func() {}
	if r.path != "-" {
		f, err := os.Open(r.path)
		if err != nil {
			r.err = err
			return
		}
		in, closeAll = f, func() { _ = f.Close() }
	}
	if in == nil {
		r.err = errors.New("read -: there is no standard input")
		return
	}
	in, closeAll, err := r.free.Open(in, closeAll)
	if err != nil {
		closeAll()
		r.err = fmt.Errorf("read %s: %w", r.path, err)
		return
	}
	r.blocks <- block{body: in, close: closeAll}
}

// buffers are blocks' bytes and decompressors, used again.
type buffers struct {
	stream.Decompressor
	mu   sync.Mutex
	free [][]byte
}

func (b *buffers) get() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.free); n > 0 {
		last := b.free[n-1]
		b.free = b.free[:n-1]
		return last[:0]
	}
	return make([]byte, 0, blockSize)
}

func (b *buffers) put(data []byte) {
	if data == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free = append(b.free, data)
}
