package event

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
)

// node is a JSON value as jsontext reads it: what the scanner, the strict decoder and Find are compared with. Nothing here
// is shared with them.
type node struct {
	kind jsontext.Kind
	text string // of a string, unescaped; of another, its JSON
	keys []string
	sub  []node
}

func parse(d *jsontext.Decoder) (node, error) {
	k := d.PeekKind()
	if k != '{' && k != '[' {
		v, err := d.ReadValue()
		if err != nil {
			return node{}, err
		}
		n := node{kind: k, text: string(v)}
		if k == '"' {
			b, err := jsontext.AppendUnquote(nil, v)
			n.text = string(b)
			if err != nil && !strings.Contains(err.Error(), "UTF-8") && !strings.Contains(err.Error(), "surrogate") {
				return n, err
			}
		}
		if k == 'n' {
			n.text = ""
		}
		return n, nil
	}
	n := node{kind: k}
	if _, err := d.ReadToken(); err != nil {
		return n, err
	}
	for d.PeekKind() != '}' && d.PeekKind() != ']' {
		if k == '{' {
			name, err := d.ReadToken()
			if err != nil {
				return n, err
			}
			n.keys = append(n.keys, name.String())
		}
		sub, err := parse(d)
		if err != nil {
			return n, err
		}
		n.sub = append(n.sub, sub)
	}
	_, err := d.ReadToken()
	return n, err
}

// find is Find over a node.
func (n node) find(path string) (all []node) {
	switch {
	case n.kind == '[':
		for _, s := range n.sub {
			all = append(all, s.find(path)...)
		}
		if len(n.sub) == 0 && path == "" {
			all = append(all, n)
		}
	case path == "":
		all = append(all, n)
	case n.kind == '{':
		for i, key := range n.keys {
			if key == path {
				all = append(all, n.sub[i].find("")...)
			} else if strings.HasPrefix(path, key+".") {
				all = append(all, n.sub[i].find(path[len(key)+1:])...)
			}
		}
	}
	return all
}

// paths lists every way through a node, and some that lead nowhere.
func (n node) paths(prefix string, to *[]string) {
	if len(*to) > 300 {
		return
	}
	for i, s := range n.sub {
		p := prefix
		if n.kind == '{' {
			p = strings.TrimPrefix(prefix+"."+n.keys[i], ".")
			*to = append(*to, p, p+".x")
		}
		s.paths(p, to)
	}
}

// runes is text with each byte that is no UTF-8 replaced, as jsontext does.
func runes(s string) string { return string([]rune(s)) }

// compare fails unless scanner, strict decoder and jsontext agree on a record.
func compare(t *testing.T, record []byte, extra string) {
	t.Helper()
	var fast, slow Event
	end := fast.scanRecord(bytes.Clone(record))
	strictEnd, reason := slow.strict(record)
	if end > 0 && reason != "" {
		// Only what the scanner skips by its brackets may be broken.
		if !strings.HasPrefix(reason, "not JSON") && !strings.HasPrefix(reason, "truncated") {
			t.Fatalf("scanned, but strictly %q: %q", reason, record)
		}
		return
	}
	if reason != "" {
		return
	}
	if end > 0 && (end != strictEnd || fast.plane != slow.plane || fast.spans != slow.spans) {
		t.Fatalf("scanner %s %d %v\nstrict %s %d %v\n%q", fast.plane, end, fast.spans, slow.plane, strictEnd, slow.spans, record)
	}
	root, err := parse(jsontext.NewDecoder(bytes.NewReader(record), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)))
	if err != nil {
		t.Fatalf("strict, but %v: %q", err, record)
	}
	paths := []string{extra}
	root.paths("", &paths)
	for _, path := range paths {
		if strings.ContainsRune(path, utf8.RuneError) { // a key with bytes that are no UTF-8 is left as it is
			continue
		}
		if field, rest := fieldOf(slow.plane, path); field != 0 && hidden(root, field.String(), rest) {
			continue
		}
		var want, got []string
		for _, n := range root.find(path) {
			if n.kind != '{' && n.kind != '[' {
				want = append(want, runes(n.text))
			}
		}
		for v := range slow.Find(ParsePath(slow.plane, path)).All() {
			if v.percent = false; v.Kind() != Object && v.Kind() != List {
				got = append(got, runes(v.String()))
			}
		}
		if !slices.Equal(want, got) {
			t.Fatalf("%q: %q, want %q: %q", path, got, want, record)
		}
	}
}

// hidden says whether a path could also be read another way than through the field it begins with: a key with dots on the
// way to the field, which neither log has, is not looked for.
func hidden(root node, field, rest string) bool {
	path := field
	if rest != "" {
		path += "." + rest
	}
	ways := func(n node) int { return len(n.find(path)) }
	straight := root
	for _, key := range splitField(field) {
		i := slices.Index(straight.keys, key)
		if i < 0 {
			return ways(root) > 0
		}
		straight = straight.sub[i]
	}
	return ways(root) != len(straight.find(rest))
}

// splitField splits a field's name into its keys.
func splitField(field string) []string {
	if rest, ok := strings.CutPrefix(field, "annotations."); ok {
		return []string{"annotations", rest}
	}
	return strings.Split(field, ".")
}

func TestDifferential(t *testing.T) {
	n := 0
	for _, record := range samples(t) {
		compare(t, record, "")
		n++
		// without each byte, with each byte doubled, cut after each: most of these are no longer JSON
		for i := 0; i < len(record); i += 1 + len(record)/50 {
			compare(t, slices.Concat(record[:i], record[i+1:]), "")
			compare(t, slices.Concat(record[:i+1], record[i:]), "")
			compare(t, record[:i], "")
		}
	}
	if n < 60 {
		t.Errorf("%d records", n)
	}
}

// samples are the real audit events, and synthetic records of both planes with what is odd about real ones.
func samples(t testing.TB) (all [][]byte) {
	all = bytes.Split(bytes.TrimSpace(audit(t)), []byte("\n"))
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b)
	}
	for _, c := range odd {
		all = append(all, []byte(c))
	}
	return append(all, []byte(createAccessEntry))
}

// odd are records that tempt a scanner.
var odd = []string{
	`{"verb":"get","auditID":"1"}`,
	` { "verb" : "get" , "auditID" : "1" , "user" : { } , "sourceIPs" : [ ] } `,
	`{"auditID":"1","verb":"get","user":null,"objectRef":null,"responseStatus":{"code":2e2},"annotations":{}}`,
	`{"auditID":"\u0031","verb":"g\u0065t","user":{"username":"\ud83d\ude00 \ud800 \"\\\/\b\f\n\r\t"}}`,
	`{"audit\u0049D":"1","v\u0065rb":"get","us\u0065r":{"\u0075sername":"a"}}`,
	`{"auditid":"no","AUDITID":"no","auditID":"1","Verb":"no","verb":"get","user":{"Username":"no","username":"a"}}`,
	`{"auditID":"1","verb":"get","requestObject":{"a":1,"a":{"b":"}"},"c.d":{"e":["[",{"f":"\\"},{"f":"\\\""}]}}}`,
	`{"auditID":"1","verb":"get","verb":"list"}`,
	`{"auditID":"1","verb":"get","user":{"username":"a"},"user":{"username":"b"}}`,
	`{"auditID":"1","verb":"get","user":{"username":"a","username":"b"}}`,
	`{"auditID":"1","verb":"get","user":{"extra":{"a":["b"],"a":["c"]}}}`,
	`{"auditID":"1","verb":"get","user":{"extra":{"a":"b"}}}`,
	`{"auditID":"1","verb":"get","user":{"extra":{"a":[1]}}}`,
	`{"auditID":"1","verb":"get","sourceIPs":["a",["b"]]}`,
	`{"auditID":"1","verb":{"get":1}}`,
	`{"auditID":"1","verb":"get","objectRef":"invalid"}`,
	`{"auditID":"1","verb":"get","objectRef":{"resource":["secrets"]}}`,
	`{"auditID":"1","verb":"get","responseStatus":{"code":"201"}}`,
	`{"kind":0,"verb":"get","auditID":"1"}`,
	`{"auditID":"1","verb":"get","requestReceivedTimestamp":"yesterday"}`,
	`{"auditID":"1","verb":"get","requestObject":` + strings.Repeat("[", 1200) + strings.Repeat("]", 1200) + `}`,
	"{\"auditID\":\"1\",\"verb\":\"get\",\"userAgent\":\"\xff\xc3\x28\"}",
	"{\"auditID\":\"1\",\"verb\":\"get\",\"userAgent\":\"a\x00b\"}",
	`{"auditID":"1","verb":"get","userAgent":"\q"}`,
	`{"auditID":"1","verb":"get","responseStatus":{"code":0200}}`,
	`{"auditID":"1","verb":"get","responseStatus":{"code":-}}`,
	`{"eventSource":"eks.amazonaws.com","eventName":"x","requestParameters":{"a":{"b":[{"c":"%41%zz%"}]},"a.b":{"c":1}},"readOnly":"true"}`,
	`{"eventSource":"eks.amazonaws.com","eventName":"x","requestParameters":"text"}`,
	`{"eventType":"AwsCloudTrailInsight","eventVersion":"1.08","insightDetails":{"eventName":"x"}}`,
}

func FuzzScan(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s, "requestObject.metadata.name")
	}
	f.Fuzz(func(t *testing.T, record []byte, path string) {
		compare(t, record, path)
	})
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte(auditRecord("1") + "\n" + `{"Records":[` + trailRecord("2") + "]}"))
	f.Add([]byte(`{"logGroup":"/aws/eks/a/cluster","logEvents":[{"message":` + quoted(auditRecord("1")) + `}]}`))
	f.Add([]byte("2026-11-23T10:00:00.000Z " + auditRecord("1") + "\n" + indented(auditRecord("2"))))
	f.Fuzz(func(t *testing.T, stream []byte) {
		// In memory and byte by byte, the same is read; a decoder always ends.
		read := func(o Options, whole bool) (ids, reasons []string) {
			if whole {
				return decodeReader(t, bytes.NewBuffer(bytes.Clone(stream)), o)
			}
			return decodeReader(t, &slow{stream}, o)
		}
		for _, o := range []Options{{}, {MaxRecord: 100}} {
			ids, reasons := read(o, true)
			slowIDs, slowReasons := read(o, false)
			if diff := cmp.Diff(ids, slowIDs) + cmp.Diff(reasons, slowReasons); diff != "" {
				t.Fatalf("%s%q", diff, stream)
			}
		}
		_ = Redact(nil, stream)
	})
}

// slow reads a few bytes at a time.
type slow struct{ rest []byte }

func (s *slow) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 7)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
