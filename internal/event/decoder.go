package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// DefaultMaxRecord is how long a record may be, in bytes, where Options do not say: above what the API server's own limit
// on requests (3 MB) lets into one event with both its objects.
const DefaultMaxRecord = 8 << 20

// maxRecordLimit keeps offsets within an int32.
const maxRecordLimit = 1 << 30

// Options are what is known of a stream before it is read.
type Options struct {
	Input     string // where it is read: a file, an object; events and errors say so
	Cluster   string // name or ARN of the cluster whose audit log it is; what the records' envelope says goes before it
	MaxRecord int    // bytes; DefaultMaxRecord if it is 0
}

// Decoder finds records in a stream, whatever envelope they travel in: a record per line, {"Records":[…]}, an EventList,
// CloudWatch Logs' shapes, also mixed. It is not safe for concurrent use.
type Decoder struct {
	r     io.Reader
	input string
	given Cluster // by Options
	max   int

	buf     []byte // what was read; buf[pos:] is still to be decoded
	pos     int
	base    int64 // offset of buf[0] in the stream
	readErr error // why there is no more

	list    bool    // inside an envelope's list
	bare    bool    // which is a JSON list, without an object around it
	control bool    // whose elements are no records: CloudWatch Logs tests a destination
	noBreak int64   // up to this offset there is no line break
	lines   int64   // up to this offset only lines are read
	cluster Cluster // of the envelope
	scratch []byte  // a record that was a JSON string
	early   early
}

// early are records that were decoded before they were asked for.
type early struct {
	on     bool // they are being decoded
	events []Event
	handed int
	bad    []fault
}

// fault is an error, and how many events come before it.
type fault struct {
	before int
	err    error
}

// NewDecoder returns a decoder of what r has. The content of a *bytes.Buffer is decoded where it stands.
func NewDecoder(r io.Reader, o Options) *Decoder {
	limit := o.MaxRecord
	if limit <= 0 {
		limit = DefaultMaxRecord
	}
	given := ParseCluster(o.Cluster)
	d := &Decoder{r: r, input: o.Input, given: given, cluster: given, max: min(limit, maxRecordLimit)}
	if b, ok := r.(*bytes.Buffer); ok {
		d.buf, d.readErr = b.Bytes(), io.EOF
	}
	return d
}

// Offset returns how many bytes, after decompression, were consumed. A stream of JSON lines may be resumed there.
func (d *Decoder) Offset() int64 { return d.base + int64(d.pos) }

// Next reads the next record into e, which holds until the next call. The error is io.EOF at the end; an *Unparsed for
// what could not be read, after which Next goes on; any other is the reader's, and final.
func (d *Decoder) Next(e *Event) error {
	a := &d.early
	switch {
	case len(a.bad) > 0 && a.bad[0].before == a.handed:
		err := a.bad[0].err
		a.bad = a.bad[1:]
		return err
	case a.handed < len(a.events):
		*e = a.events[a.handed]
		a.handed++
		return nil
	}
	return d.decode(e)
}

// Ahead decodes up to n records before they are asked for, so that it may be done while those of another decoder are worked on.
// It does so only for what stands in memory already, and so cannot fail. memory is that of an earlier call whose records are
// done with, or nil; what it returns is to be given to the next.
func (d *Decoder) Ahead(n int, memory []Event) []Event {
	if _, whole := d.r.(*bytes.Buffer); !whole {
		return memory
	}
	a := &d.early
	a.on, a.events = true, memory[:0]
	for len(a.events)+len(a.bad) < n {
		k := len(a.events)
		if k == cap(a.events) {
			a.events = append(a.events, Event{})[:k]
		}
		a.events = a.events[:k+1]
		err := d.decode(&a.events[k])
		if err == nil {
			continue
		}
		a.events = a.events[:k]
		if errors.Is(err, io.EOF) { // which Next finds again
			break
		}
		a.bad = append(a.bad, fault{k, err})
	}
	a.on = false
	return a.events
}

// decode reads the next record.
func (d *Decoder) decode(e *Event) error {
	for {
		var done bool
		var err error
		if d.list {
			done, err = d.element(e)
		} else {
			done, err = d.top(e)
		}
		if done || err != nil {
			return err
		}
	}
}

// more reads more bytes behind those that are to be decoded; false if there are none, or no room for them.
func (d *Decoder) more() bool {
	if d.readErr != nil {
		return false
	}
	if d.pos > 0 {
		d.base += int64(d.pos)
		d.buf = d.buf[:copy(d.buf, d.buf[d.pos:])]
		d.pos = 0
	}
	if len(d.buf) == cap(d.buf) {
		if len(d.buf) > d.max {
			return false
		}
		grown := make([]byte, len(d.buf), max(blockSize, 2*cap(d.buf)))
		copy(grown, d.buf)
		d.buf = grown
	}
	for tries := 0; ; tries++ {
		n, err := d.r.Read(d.buf[len(d.buf):cap(d.buf)])
		d.buf = d.buf[:len(d.buf)+n]
		if err != nil {
			d.readErr = err
		} else if n == 0 && tries == 100 {
			d.readErr = io.ErrNoProgress
		}
		if n > 0 || d.readErr != nil {
			return n > 0
		}
	}
}

const blockSize = 256 << 10

// next moves to the next byte that is neither white nor one of skip; false at the end.
func (d *Decoder) next(skip string) bool {
	for {
		for d.pos < len(d.buf) {
			c := d.buf[d.pos]
			if c != ' ' && c != '\n' && c != '\r' && c != '\t' && (skip == "" || strings.IndexByte(skip, c) < 0) {
				return true
			}
			d.pos++
		}
		if !d.more() {
			return false
		}
	}
}

// end is the error at the end of the stream.
func (d *Decoder) end() error {
	if d.readErr == nil || errors.Is(d.readErr, io.EOF) {
		return io.EOF
	}
	return fmt.Errorf("read %s: %w", d.input, d.readErr)
}

func (d *Decoder) unparsed(at int64, reason string) error {
	return &Unparsed{Input: d.input, Offset: at, Reason: reason}
}

// emit fills in what the record itself does not say.
func (d *Decoder) emit(e *Event) {
	e.input, e.cluster = d.input, d.cluster
}

// line returns the bytes up to the next line break, reading on if need be; whole is false if the line is longer than a
// record may be.
func (d *Decoder) line() (line []byte, whole bool) {
	for {
		if n := d.lineEnd(); n >= 0 {
			return d.buf[d.pos : d.pos+n], n <= d.max
		}
		if have := len(d.buf) - d.pos; have > d.max || !d.more() {
			return d.buf[d.pos:], have <= d.max
		}
	}
}

// lineEnd returns how far the next line break is; -1 if none was read yet. No byte is looked at twice.
func (d *Decoder) lineEnd() int {
	from := max(d.pos, int(d.noBreak-d.base))
	n := bytes.IndexByte(d.buf[from:], '\n')
	if n < 0 {
		d.noBreak = d.base + int64(len(d.buf))
		return -1
	}
	d.noBreak = d.base + int64(from+n)
	return from + n - d.pos
}

// top reads at the top of the stream: a record, or the beginning of an envelope.
func (d *Decoder) top(e *Event) (done bool, err error) {
	if !d.next("\ufeff") {
		return false, d.end()
	}
	switch d.buf[d.pos] {
	case '[':
		if d.Offset() < d.lines {
			return d.textLine(e)
		}
		d.pos++
		d.list, d.bare, d.control, d.cluster = true, true, false, d.given
		return false, nil
	case '{':
	default:
		return d.textLine(e)
	}
	// An envelope is looked for first where nothing says that it is a record: one line of it may be long.
	looksBare := d.Offset() < d.lines || planeOf(d.buf[d.pos:]) != 0
	if !looksBare && d.open() {
		return false, nil
	}
	n := d.lineEnd()
	if n < 0 {
		n = len(d.buf) - d.pos
	}
	if end := e.scanRecord(d.buf[d.pos : d.pos+n]); end > 0 && end <= d.max {
		d.pos += end
		d.cluster = d.given
		d.emit(e)
		return true, nil
	}
	if d.Offset() >= d.lines && looksBare && d.open() {
		return false, nil
	}
	return d.object(e)
}

// object reads the object that begins here, which is no envelope of a list: a record on one line, or printed over many.
func (d *Decoder) object(e *Event) (done bool, err error) {
	line, whole := d.line()
	at := d.Offset()
	d.cluster = d.given
	if whole && at >= d.lines && len(bytes.TrimSpace(line)) == 1 && d.isPretty(len(line)) {
		return d.nested(e)
	}
	end, reason := d.record(e, line, 0)
	switch {
	case reason == "" && end <= d.max: // more may follow on the line
		d.pos += end
		return true, nil
	case !whole:
		return false, d.skipLine(at)
	}
	d.pos += len(line)
	return false, d.unparsed(at, reason)
}

// isPretty says whether a line that is nothing but a bracket is followed by one that begins with a name or another bracket,
// as pretty-printers write it.
func (d *Decoder) isPretty(line int) bool {
	for {
		if i := space(d.buf[d.pos:], line); i >= 0 {
			return d.buf[d.pos+i] == '"' || d.buf[d.pos+i] == '}'
		}
		if len(d.buf)-d.pos > d.max || !d.more() {
			return false
		}
	}
}

// skipLine passes over a line that is longer than a record may be.
func (d *Decoder) skipLine(at int64) error {
	for {
		if n := bytes.IndexByte(d.buf[d.pos:], '\n'); n >= 0 {
			d.pos += n
			break
		}
		d.pos = len(d.buf)
		if !d.more() {
			break
		}
	}
	return d.unparsed(at, d.tooLong())
}

// textLine reads a line that is not JSON: a record may follow a timestamp, as in CloudWatch Logs' exports.
func (d *Decoder) textLine(e *Event) (done bool, err error) {
	line, whole := d.line()
	at := d.Offset()
	d.cluster = d.given
	if !whole {
		return false, d.skipLine(at)
	}
	text := line
	if line[0] == '"' {
		if end := skipString(line, 0); end > 0 {
			d.scratch = unescape(d.room(), line[1:end-1])
			text = d.scratch
		}
	}
	d.pos += len(line)
	open := bytes.IndexByte(text, '{')
	if open < 0 {
		return false, d.unparsed(at, notRecord)
	}
	if _, reason := d.record(e, text[open:], 0); reason != "" {
		return false, d.unparsed(at, reason)
	}
	return true, nil
}

// room is where a record goes that was a JSON string.
func (d *Decoder) room() []byte {
	if d.early.on {
		return nil // each has its own, as they are handed out later
	}
	return d.scratch[:0]
}

// nested reads the object that begins here by its brackets, over line breaks.
func (d *Decoder) nested(e *Event) (done bool, err error) {
	at := d.Offset()
	n, reason := d.value()
	if reason != "" {
		d.resume(len(d.buf))
		return false, d.unparsed(at, reason)
	}
	b := d.buf[d.pos : d.pos+n]
	d.pos += n
	if _, reason = d.record(e, b, 0); reason != "" {
		return false, d.unparsed(at, reason)
	}
	return true, nil
}

const truncated = "truncated: the record ends in the middle"

// value makes sure that the whole value that begins here was read and returns its length. The reason why it cannot be
// leaves the decoder where it was.
func (d *Decoder) value() (n int, reason string) {
	for {
		b := d.buf[d.pos:]
		if n = skipTo(b, 0, math.MaxInt); n > d.max || n < 0 && len(b) > d.max {
			return 0, d.tooLong()
		}
		if n > 0 && (n < len(b) || d.readErr != nil || strings.IndexByte(`]}"`, b[n-1]) >= 0) {
			return n, ""
		}
		if d.readErr != nil {
			return 0, truncated
		}
		d.grow()
	}
}

// resume goes on with the next line after a value that does not end, or that ends where another one does. Up to end no
// value is looked for any more that goes over a line's end, as each would be looked for in vain, and take as long.
func (d *Decoder) resume(end int) {
	d.list = false
	d.lines = d.base + int64(end)
	if n := bytes.IndexByte(d.buf[d.pos:], '\n'); n >= 0 {
		d.pos += n
	} else {
		d.pos = len(d.buf)
	}
}

// grow reads a good part more than there is, so that looking again from the beginning costs little.
func (d *Decoder) grow() {
	have := len(d.buf) - d.pos
	for len(d.buf)-d.pos <= have+have/4 && d.more() {
	}
}

func (d *Decoder) tooLong() string { return fmt.Sprintf("longer than %d bytes", d.max) }

// skipValue passes over an object, list or string of any length; false if it does not end.
func (d *Decoder) skipValue() bool {
	depth, inString, escaped := 0, false, false
	for {
		for d.pos < len(d.buf) {
			c := d.buf[d.pos]
			d.pos++
			switch {
			case escaped:
				escaped = false
			case inString && c == '\\':
				escaped = true
			case c == '"':
				inString = !inString
			case inString:
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				depth--
			}
			if depth <= 0 && !inString {
				return true
			}
		}
		if !d.more() {
			return false
		}
	}
}
