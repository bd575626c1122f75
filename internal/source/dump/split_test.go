package dump

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"drawbridge/internal/model"
)

// locs are the places of objects in the text of a snapshot.
var locs = regexp.MustCompile(`,?"loc":\{[^}]*\}`)

// answersOf returns the documents of an archive, each on its own.
func answersOf(t testing.TB, path string) (docs [][]byte) {
	t.Helper()
	for _, f := range parseArchive(t, path).Files {
		switch {
		case f.Name == "want":
		case strings.HasSuffix(f.Name, ".yaml"):
			docs = append(docs, f.Data)
		default:
			d := jsontext.NewDecoder(bytes.NewReader(f.Data))
			for {
				v, err := d.ReadValue()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%s: %v", f.Name, err)
				}
				docs = append(docs, v.Clone())
			}
		}
	}
	return docs
}

func parseArchive(t testing.TB, path string) *txtar.Archive {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// placeless is a snapshot without the places of its objects, as text.
func placeless(t testing.TB, s *model.Snapshot) string {
	t.Helper()
	var b bytes.Buffer
	if err := model.Write(&b, s); err != nil {
		t.Fatal(err)
	}
	return string(locs.ReplaceAll(b.Bytes(), nil))
}

// TestAnySplit: the same answers give the same snapshot, however they are split over files and folders, in whatever
// order and form.
func TestAnySplit(t *testing.T) {
	docs := answersOf(t, "testdata/full.txtar")
	for i := range 40 {
		docs = append(docs, fmt.Appendf(nil, `{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "sa-%02d", "namespace": "ns-%d"}}`, i, i%3))
	}
	whole := t.TempDir()
	for i, d := range docs {
		writeFile(t, filepath.Join(whole, fmt.Sprint(i)), d)
	}
	s, _, err := Open(t.Context(), []string{whole}, nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := placeless(t, s)
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		dir := filepath.Join(t.TempDir(), strconv.Itoa(runs))
		if err := os.Mkdir(dir, 0o755); err != nil {
			r.Fatal(err)
		}
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 1))
		files := map[string][][]byte{}
		n := 1 + rnd.IntN(len(docs))
		for _, i := range rnd.Perm(len(docs)) {
			name := fmt.Sprintf("%d", rnd.IntN(n))
			if docs[i][0] != '{' {
				name = "yaml" + name
			} else if rnd.IntN(3) == 0 {
				name = "deep/er/" + name
			}
			files[name] = append(files[name], docs[i])
		}
		var paths []string
		for name, docs := range files {
			path := filepath.Join(dir, name)
			writeFile(t, path, disguise(rnd, docs))
			paths = append(paths, path)
		}
		if rnd.IntN(2) == 0 {
			paths = []string{dir}
		}
		s, _, err := Open(t.Context(), paths, nil, Options{})
		if err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(want, placeless(t, s)); diff != "" {
			r.Errorf("snapshot (-together +split):\n%s", diff)
		}
	})
}

// disguise writes documents into one file in one of the forms that files come in.
func disguise(rnd *rand.Rand, docs [][]byte) []byte {
	if docs[0][0] != '{' {
		return bytes.Join(docs, []byte("\n---\n"))
	}
	text := bytes.Join(docs, []byte("\n"))
	if rnd.IntN(4) == 0 {
		text = []byte("[" + string(bytes.Join(docs, []byte(","))) + "]")
	}
	var out bytes.Buffer
	switch rnd.IntN(6) {
	case 0:
		w := gzip.NewWriter(&out)
		w.Write(text)
		w.Close()
	case 1:
		w, _ := zstd.NewWriter(&out)
		w.Write(text)
		w.Close()
	case 2:
		out.Write([]byte{0xff, 0xfe})
		for _, u := range utf16.Encode([]rune(string(text))) {
			out.Write([]byte{byte(u), byte(u >> 8)})
		}
	case 3:
		out.WriteString("\ufeff")
		out.Write(bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")))
	default:
		out.Write(text)
	}
	return out.Bytes()
}
