package dump

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// fileReader reads one file into a harvest.
type fileReader struct {
	ctx     context.Context
	in      *input
	options Options
	pool    *pool

	h    *harvest
	loc  *finding.Location // of everything in a JSON file
	docs int               // documents read so far
	head string            // the beginning of the file, to guess what a broken one holds
}

func (f *fileReader) read() *harvest {
	f.h = &harvest{in: f.in}
	f.loc = &finding.Location{File: f.in.path}
	raw, err := f.in.open()
	if err != nil {
		f.problem(0, -1, bare(err), nil)
		return f.h
	}
	defer raw.Close()
	text, done, err := unpack(raw)
	if err != nil {
		f.problem(0, -1, bare(err), nil)
		return f.h
	}
	defer done()
	head, err := text.Peek(headSize)
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		f.problem(0, -1, bare(err), nil)
		return f.h
	}
	f.head = string(head[:min(len(head), 4096)])
	switch form := formOf(head); {
	case model.IsSnapshot(head):
		f.snapshot(text)
	case form == formEmpty:
		f.unknown("the file is empty")
	case form == formBinary:
		f.unknown("a binary file")
	case form == formJSON:
		f.json(text)
	default:
		f.yaml(text)
	}
	return f.h
}

func (f *fileReader) snapshot(text io.Reader) {
	read := model.Read
	if f.options.Bare {
		read = model.ReadBare
	}
	s, err := read(&window{ctx: f.ctx, r: text, floor: 1 << 62}, f.options.Areas...)
	if err != nil {
		f.problem(0, -1, err, nil)
		return
	}
	f.h.snapshot = s
	f.h.recognised++
}

// unknown notes that the file, or a document in it, is nothing that this source reads.
func (f *fileReader) unknown(what string) {
	if len(f.h.unknown) < 10 {
		f.h.unknown = append(f.h.unknown, Notice{File: f.in.path, Text: what})
	}
}

// problem records that the file could not be read from some place on.
func (f *fileReader) problem(line int, at int64, err error, areas []model.Area) {
	f.h.problems = append(f.h.problems, problem{file: f.in.path, line: line, at: at, text: err.Error(), areas: areas})
}

// part adds an empty part at the end of the file's.
func (f *fileReader) part() *part {
	p := &part{}
	f.h.parts = append(f.h.parts, p)
	return p
}

// json reads a file of JSON values one after the other, as a loop over `aws` commands writes them.
func (f *fileReader) json(text *bufio.Reader) {
	w := &window{ctx: f.ctx, r: text}
	d := &documents{f: f, w: w, dec: jsontext.NewDecoder(w)}
	for {
		w.floor = d.dec.InputOffset()
		err := d.next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			f.brokenJSON(d, err)
			return
		}
	}
}

// brokenJSON records a syntax error. A file in a folder that shows no sign of an answer is none of ours, unless it ends
// early: then nobody can tell what it was.
func (f *fileReader) brokenJSON(d *documents, err error) {
	at := d.dec.InputOffset()
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		at, err = e.ByteOffset, jsonError(e.Err)
	}
	areas := append(d.doc.areas(), guess(f.head)...)
	if len(areas) == 0 && !f.in.named && !errors.Is(err, errCut) {
		f.unknown(fmt.Sprintf("not JSON (%v)", err))
		return
	}
	f.problem(0, at, fmt.Errorf("broken JSON: %w", err), areas)
}

func jsonError(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errCut
	}
	return err
}

var errCut = errors.New("the file ends early")

// documents reads the top-level JSON values of a text.
type documents struct {
	f    *fileReader
	w    *window
	dec  *jsontext.Decoder
	line int      // of the YAML document that the JSON was made from, else 0
	doc  document // the one being read
}

// next reads one top-level value. An array at the top holds documents (`jq -s`).
func (d *documents) next() error {
	switch d.dec.PeekKind() {
	case '{':
		return d.document()
	case '[':
		if _, err := d.dec.ReadToken(); err != nil {
			return err
		}
		if d.dec.PeekKind() != '{' {
			d.f.unknown("a JSON list that holds no answers")
		}
		for d.dec.PeekKind() == '{' {
			if err := d.document(); err != nil {
				return err
			}
		}
		for k := d.dec.PeekKind(); k != ']' && k != 0; k = d.dec.PeekKind() {
			d.w.floor = d.dec.InputOffset()
			if err := d.dec.SkipValue(); err != nil {
				return err
			}
		}
		_, err := d.dec.ReadToken()
		return err
	case 0:
		_, err := d.dec.ReadToken()
		return err
	}
	d.f.unknown("a JSON value that is neither object nor list")
	return d.dec.SkipValue()
}

// document is one JSON object at the top of a file: an answer of AWS, a Kubernetes object or list, or something else.
// Its long lists are decoded while they are read, everything else is kept as text until the object ends.
type document struct {
	number   int
	at       int64 // where it begins; -1 where it was made from YAML
	loc      *finding.Location
	members  map[string]jsontext.Value
	order    []string
	size     int
	streamed map[string]int // long lists and how many elements they had
	parked   []*batch       // elements of a list whose kind is not known yet
}

func (d *documents) document() error {
	d.f.docs++
	d.doc = document{number: d.f.docs, loc: d.f.loc, members: map[string]jsontext.Value{}, streamed: map[string]int{}}
	if d.line > 0 {
		d.doc.at = -1
		d.doc.loc = &finding.Location{File: d.f.in.path, Line: d.line}
	}
	doc := &d.doc
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	if doc.at >= 0 {
		doc.at = d.dec.InputOffset() - 1
	}
	for d.dec.PeekKind() == '"' {
		d.w.floor = d.dec.InputOffset()
		name, err := d.dec.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		if elements[key] != nil && d.dec.PeekKind() == '[' {
			if err := d.stream(key); err != nil {
				return err
			}
			continue
		}
		value, err := d.dec.ReadValue()
		if err != nil {
			return err
		}
		if doc.size += len(key) + len(value); doc.size > maxValue {
			return errTooLarge
		}
		doc.members[key] = value.Clone()
		doc.order = append(doc.order, key)
	}
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	return d.f.finish(doc)
}

// stream hands the elements of a long list to the workers in batches.
func (d *documents) stream(key string) error {
	doc := &d.doc
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	doc.streamed[key] += 0 // an empty list is an answer too
	b := newBatch(d.f, doc, key)
	defer func() { d.f.submit(doc, b) }()
	for k := d.dec.PeekKind(); k != ']' && k != 0; k = d.dec.PeekKind() {
		d.w.floor = d.dec.InputOffset()
		value, err := d.dec.ReadValue()
		if err != nil {
			return err
		}
		doc.streamed[key]++
		if b.full(len(value)) {
			d.f.submit(doc, b)
			b = newBatch(d.f, doc, key)
		}
		b.add(value, d.dec.InputOffset()-int64(len(value)))
	}
	_, err := d.dec.ReadToken()
	return err
}

// areas are those that the document has shown to be about, as far as it was read.
func (doc *document) areas() []model.Area {
	var areas []model.Area
	for _, key := range slices.Sorted(maps.Keys(doc.streamed)) {
		areas = append(areas, areaOfKey[key]...)
	}
	for _, key := range slices.Sorted(maps.Keys(doc.members)) {
		areas = append(areas, areaOfKey[key]...)
	}
	return append(areas, areasOfKind(doc.text("kind"))...)
}

// text is a member that is a string, or "".
func (doc *document) text(key string) string {
	var s string
	if v := doc.members[key]; v.Kind() == '"' {
		_ = json.Unmarshal(v, &s)
	}
	return s
}

// raw is the document as JSON again, without its streamed lists.
func (doc *document) raw() jsontext.Value {
	b := []byte{'{'}
	for i, key := range doc.order {
		if i > 0 {
			b = append(b, ',')
		}
		b, _ = jsontext.AppendQuote(b, key)
		b = append(append(b, ':'), doc.members[key]...)
	}
	return append(b, '}')
}

// decode reads the members of the document into a struct; it fails on a member of the wrong type.
func (doc *document) decode(into any) error { return json.Unmarshal(doc.raw(), into) }

// finish tells what a document is once all of it is read.
func (f *fileReader) finish(doc *document) error {
	if kind := doc.text("kind"); kind != "" && doc.text("apiVersion") != "" {
		f.kubeDocument(doc, kind)
		return nil
	}
	f.drop(doc)
	if model.IsSnapshot([]byte(`"` + doc.text("version"))) {
		f.again()
		return nil
	}
	p := f.part()
	known, err := f.answer(p, doc)
	switch {
	case err != nil:
		f.problem(doc.loc.Line, doc.at, fmt.Errorf("%s: %w", strings.Join(known, ", "), shape(err)), doc.areas())
	case len(known) > 0:
		p.recognised++
	default:
		f.unknown("a document that is no answer this source knows (keys: " + few(doc.keys()) + ")")
	}
	return nil
}

// again reads the file once more as the snapshot that a late key has shown it to be.
func (f *fileReader) again() {
	if f.in.stream != nil {
		f.problem(0, -1, errors.New("a snapshot whose version does not stand at its beginning cannot be read from a stream: save it to a file"), nil)
		return
	}
	raw, err := f.in.open()
	if err != nil {
		f.problem(0, -1, bare(err), nil)
		return
	}
	defer raw.Close()
	text, done, err := unpack(raw)
	if err != nil {
		f.problem(0, -1, bare(err), nil)
		return
	}
	defer done()
	f.snapshot(text)
}

func (doc *document) keys() []string {
	return append(slices.Clone(doc.order), slices.Sorted(maps.Keys(doc.streamed))...)
}

// shape makes the message of a type error short: which member was of the wrong type.
func shape(err error) error {
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		place := cmp.Or(string(e.JSONPointer), "/")
		if e.Err != nil {
			return fmt.Errorf("wrong type at %s: %w", place, e.Err)
		}
		return fmt.Errorf("wrong type at %s: %s where %s is expected", place, kindWord(e.JSONKind), goWord(e.GoType))
	}
	return err
}

func kindWord(k jsontext.Kind) string {
	switch k {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "text"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	}
	return "null"
}

func goWord(t reflect.Type) string {
	if t == nil {
		return "something else"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return goWord(t.Elem())
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "a boolean"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32, reflect.Uint64, reflect.Float64:
		return "a number"
	}
	return t.String()
}

// few names the first few of a list and counts the rest.
func few(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
