package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"drawbridge/internal/event"
	"drawbridge/internal/stream"
)

const (
	inMemory  = 16 << 20 // decompressed; larger objects go through a temporary file
	maxObject = 8 << 30  // decompressed: far more than anything writes, and less than a bomb
)

// poison is an error that another try will not mend.
type poison struct{ error }

func (p poison) Unwrap() error { return p.error }

// reader fetches objects.
type reader struct {
	api        objectsAPI
	unpack     stream.Decompressor
	buffers    sync.Pool
	tempFolder string
}

// body is an object that was read to its end and found to be whole.
type body struct {
	io.Reader
	close func()
}

// read fetches an object and decompresses all of it before anybody sees a part, so that one that is cut off or corrupt is
// known for what it is. The error is a poison if the object is to blame.
func (r *reader) read(ctx context.Context, o object) (body, error) {
	b, err := r.whole(ctx, o)
	if err != nil {
		b.close()
		return body{}, fmt.Errorf("read %s: %w", o, err)
	}
	return b, nil
}

func (r *reader) whole(ctx context.Context, o object) (body, error) {
	none := body{close: func() {}}
	got, err := r.api.GetObject(ctx, &s3.GetObjectInput{Bucket: &o.bucket, Key: &o.key}, func(c *s3.Options) {
		if o.region != "" {
			c.Region = o.region
		}
	})
	if err != nil {
		if permanent(err) {
			err = poison{err}
		}
		return none, err
	}
	network := &noting{r: got.Body}
	in, done, err := r.unpack.Open(network, func() { got.Body.Close() })
	defer done()
	if err != nil {
		return none, network.blame(err)
	}
	packed := &noting{r: io.LimitReader(in, maxObject)}
	b, err := r.spool(packed)
	switch {
	case err != nil && packed.err != nil:
		return b, network.blame(packed.err)
	case err != nil:
		return b, err // the disk's
	case packed.n == maxObject:
		return b, poison{fmt.Errorf("more than %d bytes", int64(maxObject))}
	}
	return b, b.check(o)
}

// spool keeps the bytes, in memory or in a file that has no name any more.
func (r *reader) spool(in io.Reader) (body, error) {
	buffer, _ := r.buffers.Get().(*bytes.Buffer)
	if buffer == nil {
		buffer = new(bytes.Buffer)
	}
	b := body{buffer, func() {
		buffer.Reset()
		r.buffers.Put(buffer)
	}}
	_, err := io.CopyN(buffer, in, inMemory)
	if errors.Is(err, io.EOF) {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	f, err := os.CreateTemp(r.tempFolder, "drawbridge-*")
	if err != nil {
		return b, err
	}
	free := b.close
	b = body{f, func() {
		f.Close()
		os.Remove(f.Name())
		free()
	}}
	if _, err = f.Write(buffer.Bytes()); err == nil {
		_, err = io.Copy(f, in)
	}
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	return b, err
}

// check refuses what has bytes that cannot be read, and no record.
func (b body) check(o object) error {
	d := event.NewDecoder(b.Reader, event.Options{Input: o.String()})
	var e event.Event
	var first error
	for {
		err := d.Next(&e)
		if _, unparsed := errors.AsType[*event.Unparsed](err); unparsed {
			if first == nil {
				first = err
			}
			continue
		}
		if errors.Is(err, io.EOF) && first != nil {
			return poison{fmt.Errorf("no CloudTrail or Kubernetes audit record in it: %w", first)}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		break
	}
	if f, ok := b.Reader.(*os.File); ok {
		_, err := f.Seek(0, io.SeekStart)
		return err
	}
	return nil
}

// noting remembers what went wrong below a decompressor.
type noting struct {
	r   io.Reader
	n   int64
	err error
}

func (n *noting) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	n.n += int64(k)
	if err != nil && !errors.Is(err, io.EOF) {
		n.err = err
	}
	return k, err
}

// blame says whose an error is that was met while reading from n: n's, or that of the bytes it gave.
func (n *noting) blame(err error) error {
	if n.err != nil {
		return n.err
	}
	return poison{err}
}

// passing are codes of errors that are not about the object: S3 answers them with a 4xx too.
var passing = []string{"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "RequestTimeTooSkewed", "RequestTimeout", "SlowDown", "TokenRefreshRequired"}

// permanent says whether S3 will answer the same again.
func permanent(err error) bool {
	if api, ok := errors.AsType[smithy.APIError](err); ok && slices.Contains(passing, api.ErrorCode()) {
		return false
	}
	answer, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok {
		return false
	}
	status := answer.HTTPStatusCode()
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
}
