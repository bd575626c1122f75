package dump

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// input is one file to read.
type input struct {
	path  string   // as it is shown
	roots []string // the named paths it was found under
	named bool     // named by the user, not found in a folder
	// stream is what to read of an input that can be read only once; nil for regular files.
	stream io.ReadCloser
}

// open returns the bytes of the file.
func (in *input) open() (io.ReadCloser, error) {
	if in.stream != nil {
		return in.stream, nil
	}
	return os.Open(in.path)
}

// dir is the folder that the file stands in, which decides whose cluster it is about.
func (in *input) dir() string {
	return filepath.Dir(in.path) // that of standard input is where the user is
}

func (in *input) under(root string) bool { return slices.Contains(in.roots, root) }

// standardInput is how standard input is shown.
const standardInput = "standard input"

// within says whether a file is the path or lies in it.
func within(path, file string) bool {
	if path == "-" {
		path = standardInput
	}
	path = filepath.Clean(path)
	return file == path || path == "." && !filepath.IsAbs(file) || strings.HasPrefix(file, strings.TrimSuffix(path, "/")+"/")
}

// skippedFolders hold no state of a cluster, but thousands of files.
var skippedFolders = map[string]bool{".git": true, ".terraform": true, "node_modules": true}

// find lists the files behind the paths, each once, in the order of their names. Links inside a folder are not
// followed: what they point to inside the folder is found anyway, and the rest is not part of the folder.
func find(paths []string, stdin io.Reader) ([]*input, []Notice, error) {
	f := finder{byPath: map[string]*input{}}
	var errs []error
	for _, path := range paths {
		if path == "-" {
			if stdin == nil {
				errs = append(errs, errors.New("there is no standard input to read"))
				continue
			}
			f.add(&input{path: standardInput, named: true, stream: io.NopCloser(stdin)}, path)
			continue
		}
		if err := f.path(path); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, err
	}
	inputs := make([]*input, 0, len(f.byPath))
	for _, in := range f.byPath {
		inputs = append(inputs, in)
	}
	slices.SortFunc(inputs, func(a, b *input) int { return strings.Compare(a.path, b.path) })
	return inputs, f.notices, nil
}

type finder struct {
	byPath  map[string]*input
	notices []Notice
}

func (f *finder) add(in *input, root string) {
	if have := f.byPath[in.path]; have != nil {
		have.named = have.named || in.named
		have.roots = append(have.roots, root)
		return
	}
	in.roots = []string{root}
	f.byPath[in.path] = in
}

func (f *finder) skip(path, why string) {
	f.notices = append(f.notices, Notice{File: path, Text: why})
}

// path adds a named file, or all files of a named folder.
func (f *finder) path(root string) error {
	clean := filepath.Clean(root)
	info, err := os.Stat(clean)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return f.folder(root, clean)
	}
	in := &input{path: clean, named: true}
	if !info.Mode().IsRegular() { // a pipe, as `-f <(kubectl get …)` gives
		file, err := os.Open(clean)
		if err != nil {
			return err
		}
		in.stream = file
	}
	f.add(in, root)
	return nil
}

func (f *finder) folder(root, clean string) error {
	if target, err := filepath.EvalSymlinks(clean); err == nil && target != clean {
		clean += string(filepath.Separator) // a named folder may be a link
	}
	return filepath.WalkDir(clean, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && d == nil:
			return fmt.Errorf("read folder: %w", err)
		case err != nil:
			f.add(&input{path: path, stream: io.NopCloser(brokenReader{err})}, root)
			return nil
		case d.IsDir() && skippedFolders[d.Name()] && path != clean:
			f.skip(path, "left out: such folders hold no state of a cluster")
			return fs.SkipDir
		case d.IsDir():
		case d.Type()&fs.ModeSymlink != 0:
			f.skip(path, "left out: links inside a folder are not followed")
		case !d.Type().IsRegular():
			f.skip(path, "left out: not a regular file")
		default:
			f.add(&input{path: filepath.Clean(path)}, root)
		}
		return nil
	})
}

// brokenReader fails as something in the folder failed.
type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }
