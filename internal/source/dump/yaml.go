package dump

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v4"

	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

const (
	// maxYAML bounds a YAML file; larger dumps are better taken as JSON, which is read piece by piece.
	maxYAML = 512 << 20
	// itemsAtOnce is how many elements of a list one worker takes.
	itemsAtOnce = 64
)

// ours finds in a text the first sign of something that this source reads: the type of a Kubernetes object, or a member
// of an answer at the beginning of a line.
var ours = regexp.MustCompile(`(?m)^[ \t]*(?:- )?["']?(?:kind|apiVersion)["']?:|^(?:` + strings.Join(members(), "|") + `):`)

func members() []string {
	var all []string
	for _, a := range answers {
		all = append(all, a.member)
	}
	return all
}

// kindIn finds the kinds that a text speaks of, also where it cannot be parsed.
var kindIn = regexp.MustCompile(`(?m)(?:^|[\s{,])["']?kind["']?:[ \t]*["']?(\w+)`)

// memberIn finds the members of answers in broken JSON.
var memberIn = regexp.MustCompile(`"(` + strings.Join(members(), "|") + `)"\s*:`)

// guess tells what a text that cannot be parsed may hold.
func guess(text string) []model.Area {
	var areas []model.Area
	for _, m := range kindIn.FindAllStringSubmatch(text, 1000) {
		areas = append(areas, areasOfKind(m[1])...)
	}
	for _, m := range memberIn.FindAllStringSubmatch(text, 1000) {
		areas = append(areas, areaOfKey[m[1]]...)
	}
	return areas
}

// prose are files whose text may quote manifests: a syntax error in them means nothing.
var prose = map[string]bool{".md": true, ".markdown": true, ".rst": true, ".adoc": true, ".txt": true, ".html": true, ".go": true, ".py": true, ".sh": true, ".tf": true, ".log": true}

// yaml reads a file of YAML documents.
func (f *fileReader) yaml(text *bufio.Reader) {
	head, _ := text.Peek(headSize)
	if noOrganization(head) {
		p := f.part()
		p.items = append(p.items, item{area: model.AreaOrganization, value: (*model.Organization)(nil), loc: f.loc})
		f.h.recognised++
		return
	}
	if areas, err := refusal(head); err != nil {
		f.problem(1, -1, err, areas)
		return
	}
	if !ours.Match(head) {
		f.unknown("a text file that holds neither JSON nor Kubernetes objects")
		return
	}
	all, err := io.ReadAll(io.LimitReader(&window{ctx: f.ctx, r: text, floor: 1 << 62}, maxYAML+1))
	if err == nil && len(all) > maxYAML {
		err = fmt.Errorf("the YAML is larger than %d MiB: take it as JSON", maxYAML>>20)
	}
	if err != nil {
		f.problem(0, -1, bare(err), guess(f.head))
		return
	}
	for _, d := range splitDocuments(all) {
		if f.ctx.Err() != nil {
			return
		}
		f.yamlDocument(d)
	}
	if h := f.h; len(h.parts)+len(h.problems)+len(h.unknown)+len(h.notices) == 0 {
		f.unknown("YAML that holds no objects")
	}
}

// chunk is a piece of a YAML file and the line that it begins at.
type chunk struct {
	text []byte
	line int
}

// splitDocuments cuts a stream at its document markers, which YAML allows nowhere else at the beginning of a line, so
// that one broken document leaves the others whole.
func splitDocuments(all []byte) []chunk {
	var docs []chunk
	line, from, fromLine := 1, 0, 1
	cut := func(to int) {
		if d := all[from:to]; len(bytes.TrimSpace(d)) > 0 {
			docs = append(docs, chunk{d, fromLine})
		}
	}
	for at := 0; at < len(all); line++ {
		end := len(all)
		if i := bytes.IndexByte(all[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		if l := all[at:end]; bytes.HasPrefix(l, []byte("---")) && (len(l) == 3 || strings.IndexByte(" \t\r\n", l[3]) >= 0) {
			cut(at)
			from, fromLine = at, line
		}
		at = end
	}
	cut(len(all))
	return docs
}

func (f *fileReader) yamlDocument(d chunk) {
	if shell, items := splitItems(d); items != nil && f.yamlList(shell, items) {
		return
	}
	root, err := parseYAML(d)
	switch {
	case err != nil:
		f.brokenYAML(d, err)
	case root == nil:
	case root.Kind == yaml.MappingNode:
		f.yamlMapping(root, d)
	case root.Kind == yaml.SequenceNode: // a list of objects, as `yq '.items'` prints it
		for _, n := range root.Content {
			if n.Kind == yaml.MappingNode {
				f.yamlMapping(n, d)
			}
		}
	}
}

// brokenYAML records a syntax error.
func (f *fileReader) brokenYAML(d chunk, err error) {
	areas := guess(string(d.text))
	line := d.line
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		line += max(e.Mark.Line-1, 0)
		err = errors.New(e.Message)
	}
	if e, ok := errors.AsType[*lineError](err); ok {
		line, err = d.line+e.line-1, e.err
	}
	what := "broken YAML"
	if bytes.Contains(d.text, []byte("{{")) {
		what = "a template, which has to be rendered first (helm template, kustomize build)"
	}
	if !f.in.named && (len(areas) == 0 || prose[filepath.Ext(f.in.path)]) {
		f.h.notices = append(f.h.notices, Notice{File: f.in.path, Line: line, Text: fmt.Sprintf("%s: %v", what, err)})
		return
	}
	f.problem(line, -1, fmt.Errorf("%s: %w", what, err), areas)
}

// parseYAML returns the top node of a document, or nil where it holds none.
func parseYAML(d chunk) (*yaml.Node, error) {
	if len(d.text) > maxValue {
		return nil, errTooLarge
	}
	l, err := yaml.NewLoader(bytes.NewReader(d.text))
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := l.Load(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		return nil, err
	}
	if doc.Kind == yaml.DocumentNode {
		if len(doc.Content) == 0 {
			return nil, nil
		}
		return doc.Content[0], nil
	}
	return &doc, nil
}

// yamlMapping takes in one object of a YAML file: a Kubernetes object or list, or an answer of AWS.
func (f *fileReader) yamlMapping(n *yaml.Node, d chunk) {
	if items := member(n, "items"); items != nil && items.Kind == yaml.SequenceNode && strings.HasSuffix(textOf(n, "kind"), "List") {
		f.yamlItems(f.yamlShell(n, d.line), items.Content, d.line)
		return
	}
	raw, err := toJSON(n)
	if err != nil {
		f.brokenYAML(d, err)
		return
	}
	w := &window{ctx: f.ctx, r: bytes.NewReader(raw)}
	docs := &documents{f: f, w: w, dec: jsontext.NewDecoder(w), line: d.line + n.Line - 1}
	if err := docs.next(); err != nil {
		f.problem(docs.line, -1, err, guess(string(raw[:min(len(raw), headSize)])))
	}
}

// yamlShell is what a list says about itself, as a document without its elements.
func (f *fileReader) yamlShell(n *yaml.Node, firstLine int) *document {
	f.docs++
	doc := &document{number: f.docs, at: -1, loc: f.at(firstLine + n.Line - 1), members: map[string]jsontext.Value{}, streamed: map[string]int{}}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i].Value
		if raw, err := toJSON(n.Content[i+1]); key != "items" && err == nil {
			doc.members[key] = raw
			doc.order = append(doc.order, key)
		}
	}
	return doc
}

func (f *fileReader) at(line int) *finding.Location {
	return &finding.Location{File: f.in.path, Line: line}
}

// yamlItems takes in the elements of a list whose nodes are at hand.
func (f *fileReader) yamlItems(doc *document, items []*yaml.Node, firstLine int) {
	doc.streamed["items"] = len(items)
	api, kind := doc.text("apiVersion"), ""
	if k, ok := elementKind(doc.text("kind")); ok {
		kind = k
	}
	p := f.part()
	for _, n := range items {
		p.yamlItem(f.in.path, n, api, kind, firstLine)
	}
	f.kubeDocument(doc, doc.text("kind"))
}

// yamlItem takes in one element of a list.
func (p *part) yamlItem(file string, n *yaml.Node, api, kind string, firstLine int) {
	loc := &finding.Location{File: file, Line: firstLine + n.Line - 1}
	raw, err := toJSON(n)
	if err == nil {
		err = p.object(raw, api, kind, loc, true)
	}
	if err != nil {
		areas := areasOfKind(kind)
		if own := textOf(n, "kind"); own != "" {
			areas = areasOfKind(own)
		}
		if e, ok := errors.AsType[*lineError](err); ok {
			loc = &finding.Location{File: file, Line: firstLine + e.line - 1}
			err = e.err
		}
		p.problems = append(p.problems, problem{file: file, line: loc.Line, at: -1, text: fmt.Sprintf("element of items: %v", shape(err)), areas: areas})
	}
}

// splitItems cuts the elements out of a list as kubectl prints it: `items:` at the beginning of a line, then elements
// that each begin with a dash there. Nothing inside an element can begin so, because it is indented; where a quoted text
// seems to, the pieces do not parse and the document is read as a whole. It returns no items for any other document.
func splitItems(d chunk) (shell []chunk, items []chunk) {
	start, line := lineIs(d, "items:")
	if start < 0 {
		return nil, nil
	}
	shell = []chunk{{d.text[:start], d.line}}
	at := start + bytes.IndexByte(d.text[start:], '\n') + 1
	from, fromLine := -1, 0
	cut := func(to int) {
		if from >= 0 {
			items = append(items, chunk{d.text[from:to], fromLine})
		}
	}
	for line++; at < len(d.text); line++ {
		end := len(d.text)
		if i := bytes.IndexByte(d.text[at:], '\n'); i >= 0 {
			end = at + i + 1
		}
		switch c := d.text[at]; {
		case c == '-' && end-at > 1 && d.text[at+1] == ' ':
			cut(at)
			from, fromLine = at, line
		case c != ' ' && c != '\n' && c != '\r' && c != '#':
			cut(at)
			return append(shell, chunk{d.text[at:], line}), items
		case from < 0 && c == ' ':
			return nil, nil // elements that are indented
		}
		at = end
	}
	cut(len(d.text))
	return shell, items
}

// lineIs finds the first line that is the text, and returns its offset and number; -1 for none.
func lineIs(d chunk, text string) (offset, line int) {
	for i, from := 0, 0; ; i = from {
		j := bytes.Index(d.text[i:], []byte(text))
		if j < 0 {
			return -1, 0
		}
		i += j
		from = i + len(text)
		rest, _, ok := bytes.Cut(d.text[from:], []byte("\n"))
		if ok && (i == 0 || d.text[i-1] == '\n') && len(bytes.TrimSpace(rest)) == 0 {
			return i, d.line + bytes.Count(d.text[:i], []byte("\n"))
		}
	}
}

// yamlList reads a list in pieces, the elements side by side. It returns false, and has taken in nothing, where a piece
// does not parse by itself.
func (f *fileReader) yamlList(shell, items []chunk) bool {
	n, err := parseYAML(chunk{bytes.Join([][]byte{shell[0].text, shell[len(shell)-1].text}[:len(shell)], nil), shell[0].line})
	if err != nil || n == nil || n.Kind != yaml.MappingNode || !strings.HasSuffix(textOf(n, "kind"), "List") || textOf(n, "apiVersion") == "" {
		return false
	}
	doc := f.yamlShell(n, shell[0].line)
	api := doc.text("apiVersion")
	kind, _ := elementKind(doc.text("kind"))
	var parts []*part
	var done []chan bool
	for len(items) > 0 {
		some := items[:min(len(items), itemsAtOnce)]
		items = items[len(some):]
		p, ok := &part{}, make(chan bool, 1)
		parts, done = append(parts, p), append(done, ok)
		doc.streamed["items"] += len(some)
		f.pool.jobs <- func() { ok <- p.yamlPieces(f.in.path, some, api, kind) }
	}
	all := true
	for _, ok := range done {
		all = <-ok && all
	}
	if all {
		f.h.parts = append(f.h.parts, parts...)
		f.kubeDocument(doc, doc.text("kind"))
	}
	return all
}

func (p *part) yamlPieces(file string, items []chunk, api, kind string) bool {
	for _, c := range items {
		n, err := parseYAML(c)
		if err != nil || n == nil || n.Kind != yaml.SequenceNode || len(n.Content) != 1 {
			return false
		}
		p.yamlItem(file, n.Content[0], api, kind, c.line)
	}
	return true
}

// member is the value of a key of a mapping, or nil.
func member(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func textOf(n *yaml.Node, key string) string {
	if v := member(n, key); v != nil && v.Kind == yaml.ScalarNode {
		return v.Value
	}
	return ""
}
