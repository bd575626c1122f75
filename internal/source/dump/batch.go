package dump

import (
	"fmt"
	"sync"

	"github.com/go-json-experiment/json"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

const (
	batchBytes = 512 << 10
	// maxParked bounds the elements that wait for the kind of their list to be known.
	maxParked = 1 << 30
)

// batch is a run of elements of one list, copied out of the decoder's buffer and decoded by a worker.
type batch struct {
	f       *fileReader
	key     string // the list
	doc     int
	loc     *finding.Location
	api     string // apiVersion and kind of elements that do not say their own
	kind    string
	text    []byte
	ends    []int
	offsets []int64
	into    *part
}

// texts are the buffers of batches: most of what is read passes through them.
var texts = sync.Pool{New: func() any { b := make([]byte, 0, batchBytes); return &b }}

func newBatch(f *fileReader, doc *document, key string) *batch {
	b := &batch{f: f, key: key, doc: doc.number, loc: doc.loc}
	b.typed(doc)
	return b
}

// typed takes over what the document says about its elements.
func (b *batch) typed(doc *document) {
	if kind, ok := elementKind(doc.text("kind")); ok {
		b.kind, b.api = kind, doc.text("apiVersion")
	}
}

func (b *batch) full(more int) bool { return len(b.text) > 0 && len(b.text)+more > batchBytes }

func (b *batch) add(value []byte, offset int64) {
	if b.text == nil {
		b.text = *texts.Get().(*[]byte)
	}
	b.text = append(b.text, value...)
	b.ends = append(b.ends, len(b.text))
	b.offsets = append(b.offsets, offset)
}

// submit gives a batch to the workers, or parks it as long as nobody knows what its elements are.
func (f *fileReader) submit(doc *document, b *batch) {
	if len(b.ends) == 0 {
		return
	}
	if b.key == "items" && b.kind == "" && !hasKind(b.text[:b.ends[0]]) {
		parked := len(b.text)
		for _, p := range doc.parked {
			parked += len(p.text)
		}
		if parked <= maxParked {
			doc.parked = append(doc.parked, b)
		}
		return
	}
	f.decode(b)
}

// decode queues a batch.
func (f *fileReader) decode(b *batch) {
	b.into = f.part()
	f.pool.jobs <- b.run
}

// unpark decodes what waited for the kind of its list.
func (f *fileReader) unpark(doc *document) {
	for _, b := range doc.parked {
		b.typed(doc)
		f.decode(b)
	}
	doc.parked = nil
}

// drop forgets what waited for a kind that never came.
func (f *fileReader) drop(doc *document) { doc.parked = nil }

// run decodes the elements. One that cannot be decoded is a problem of its own; the others go on.
func (b *batch) run() {
	from := 0
	for i, end := range b.ends {
		value := b.text[from:end]
		from = end
		if err := elements[b.key](b, value); err != nil {
			b.into.problems = append(b.into.problems, problem{
				file: b.loc.File, line: b.loc.Line, at: b.offsets[i],
				text: fmt.Sprintf("element of %s: %v", b.key, shape(err)), areas: b.areas(value),
			})
		}
	}
	if text := b.text[:0]; cap(text) <= 2*batchBytes {
		texts.Put(&text)
	}
	b.text = nil
}

// element decodes one value of a list.
func element[T any](b []byte) (T, error) {
	var v T
	err := json.Unmarshal(b, &v)
	return v, err
}

// areas are what an element that could not be decoded may have been about.
func (b *batch) areas(value []byte) []model.Area {
	if b.key != "items" {
		return areaOfKey[b.key]
	}
	if _, kind := typeOf(value); kind != "" {
		return areasOfKind(kind)
	}
	return areasOfKind(b.kind)
}

func kubeElement(b *batch, value []byte) error {
	return b.into.object(value, b.api, b.kind, b.loc, true)
}
