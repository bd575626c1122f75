package sigma

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// What a file may hold: rules are written by people, and the largest public ones are far smaller.
const (
	maxFile      = 1 << 20
	maxDocuments = 500
	maxDepth     = 32
	maxValue     = 8 << 10 // bytes of one value
	maxMatches   = 20_000  // of one condition, after selections are put in place
	maxProblems  = 50
	// maxSelections and maxCondition (bytes) keep `1 of x*` cheap to resolve.
	maxSelections = 500
	maxCondition  = 8 << 10
)

// Problem is one mistake in a file of rules.
type Problem struct {
	File      string
	Line, Col int // from 1; Col is 0 where it is not known
	Text      string
}

// Error is file:line:col: text.
func (p *Problem) Error() string {
	if p.Col == 0 {
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Col, p.Text)
}

// Parse reads every YAML document of a file. The error joins every *Problem found; the rules without problems are returned
// beside it. References between rules are not followed: they may be in other files.
func Parse(file string, data []byte) ([]*Rule, error) {
	if len(data) > maxFile {
		return nil, &Problem{File: file, Line: 1, Text: fmt.Sprintf("the file is larger than %d KiB", maxFile>>10)}
	}
	var rules []*Rule
	var problems []error
	for i, doc := range documents(string(data)) {
		if i == maxDocuments || len(problems) >= maxProblems {
			problems = append(problems, &Problem{File: file, Line: doc.line, Text: "there is more in this file, which was not read"})
			break
		}
		r := &reader{file: file, first: doc.line}
		if rule := r.document(doc.text); len(r.problems) == 0 && rule != nil {
			rules = append(rules, rule)
		}
		problems = append(problems, r.problems...)
	}
	return rules, errors.Join(problems...)
}

// ParseAll reads every *.yml and *.yaml of a folder, not of those below it, as Parse does. All problems are joined.
func ParseAll(folder fs.FS) ([]*Rule, error) {
	var rules []*Rule
	var problems []error
	for _, pattern := range []string{"*.yml", "*.yaml"} {
		names, err := fs.Glob(folder, pattern)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			data, err := fs.ReadFile(folder, name)
			if err == nil {
				var more []*Rule
				more, err = Parse(name, data)
				rules = append(rules, more...)
			}
			if err != nil {
				problems = append(problems, err)
			}
		}
	}
	if len(rules) == 0 && len(problems) == 0 {
		return nil, errors.New("there are no rules (*.yml) in the folder")
	}
	return rules, errors.Join(problems...)
}

type document struct {
	text string
	line int
}

// documents cuts a stream at its markers, which YAML knows by their place at the beginning of a line alone.
func documents(data string) []document {
	var docs []document
	var text strings.Builder
	start, line := 1, 0
	flush := func() {
		if !blank(text.String()) {
			docs = append(docs, document{text.String(), start})
		}
		text.Reset()
	}
	for l := range strings.Lines(strings.TrimPrefix(data, "\ufeff")) {
		line++
		mark, rest := "", ""
		if len(l) >= 3 && (len(l) == 3 || strings.ContainsAny(l[3:4], " \t\r\n")) {
			mark, rest = l[:3], l[3:]
		}
		switch mark {
		case "---":
			flush()
			start = line
			text.WriteString("   " + rest)
		case "...":
			flush()
			start = line + 1
		default:
			text.WriteString(l)
		}
	}
	flush()
	return docs
}

// blank finds documents of comments alone.
func blank(text string) bool {
	for l := range strings.Lines(text) {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			return false
		}
	}
	return true
}

// reader reads one document and collects what is wrong with it.
type reader struct {
	file     string
	first    int // line of the file where the document begins
	problems []error
}

func (r *reader) problem(n *yaml.Node, format string, args ...any) {
	r.problemAt(n.Line, n.Column, format, args...)
}

func (r *reader) problemAt(line, col int, format string, args ...any) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, &Problem{File: r.file, Line: r.first + max(line, 1) - 1, Col: col, Text: fmt.Sprintf(format, args...)})
	}
}

func (r *reader) document(text string) *Rule {
	var doc yaml.Node
	err := yaml.Load([]byte(text), &doc, yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth))))
	if err != nil {
		r.syntax(err)
		return nil
	}
	if len(doc.Content) == 0 {
		r.problemAt(1, 1, "a rule: want a mapping")
		return nil
	}
	top := doc.Content[0]
	if !r.bounded(top, 0) {
		return nil
	}
	rule := &Rule{File: r.file, Line: r.first + top.Line - 1, Source: strings.TrimLeft(text, " \t\r\n")}
	r.rule(rule, top)
	return rule
}

func (r *reader) syntax(err error) {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		r.problemAt(1, 0, "read YAML: %v", err)
		return
	}
	text := e.Message
	if e.ContextMsg != "" {
		text = e.ContextMsg + ", " + text
	}
	r.problemAt(e.Mark.Line, e.Mark.Column, "read YAML: %s", text)
}

// bounded refuses what makes a small file big: anchors' aliases, and merge keys, which need them.
func (r *reader) bounded(n *yaml.Node, depth int) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		r.problem(n, "aliases (*%s) are not read: write it out", n.Value)
		return false
	case depth > maxDepth:
		r.problem(n, "nested deeper than %d", maxDepth)
		return false
	}
	return !slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return !r.bounded(c, depth+1) })
}

type pair struct {
	key, value *yaml.Node
	name       string
}

// pairs are the members of a mapping; a mapping with a key twice, or with a key that is no string, has a problem.
func (r *reader) pairs(n *yaml.Node, what string) []pair {
	if n.Kind != yaml.MappingNode {
		r.problem(n, "%s: want a mapping", what)
		return nil
	}
	var all []pair
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k := n.Content[i]
		switch {
		case k.Kind != yaml.ScalarNode:
			r.problem(k, "%s: want a word as key", what)
			continue
		case seen[k.Value]:
			r.problem(k, "%s: %q is there twice", what, k.Value)
			continue
		}
		seen[k.Value] = true
		all = append(all, pair{k, n.Content[i+1], k.Value})
	}
	return all
}

func (r *reader) str(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		r.problem(n, "%s: want a string", what)
		return ""
	}
	return n.Value
}

// strs reads a list of strings, or one string.
func (r *reader) strs(n *yaml.Node, what string) []string {
	if n.Kind != yaml.SequenceNode {
		return []string{r.str(n, what)}
	}
	var all []string
	for _, c := range n.Content {
		all = append(all, r.str(c, what))
	}
	return all
}

func (r *reader) oneOf(n *yaml.Node, what string, words ...string) string {
	s := r.str(n, what)
	if !slices.Contains(words, s) {
		r.problem(n, "%s: %q is none of %s", what, s, strings.Join(words, ", "))
	}
	return s
}

var (
	uuid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
	date = regexp.MustCompile(`^\d{4}-(0[1-9]|1[012])-(0[1-9]|[12]\d|3[01])$`)
)

func (r *reader) like(n *yaml.Node, what string, form *regexp.Regexp, want string) string {
	s := r.str(n, what)
	if s != "" && !form.MatchString(s) {
		r.problem(n, "%s: want %s, not %q", what, want, s)
	}
	return s
}

// rule reads the members of a document. Members that the specification does not know are mistakes: most are misspelt ones.
func (r *reader) rule(rule *Rule, top *yaml.Node) {
	var detection, correlation, logsource *yaml.Node
	generate := false
	for _, p := range r.pairs(top, "a rule") {
		switch n := p.value; p.name {
		case "title":
			rule.Title = r.str(n, p.name)
		case "id":
			rule.ID = r.like(n, p.name, uuid, "a UUID")
		case "name":
			rule.Name = r.str(n, p.name)
		case "status":
			rule.Status = r.oneOf(n, p.name, "stable", "test", "experimental", "deprecated", "unsupported")
		case "description":
			rule.Description = r.str(n, p.name)
		case "author":
			rule.Author = r.str(n, p.name)
		case "date":
			rule.Date = r.like(n, p.name, date, "YYYY-MM-DD")
		case "modified":
			rule.Modified = r.like(n, p.name, date, "YYYY-MM-DD")
		case "references":
			rule.References = r.strs(n, p.name)
		case "tags":
			rule.Tags = r.strs(n, p.name)
		case "falsepositives":
			rule.FalsePositives = r.strs(n, p.name)
		case "level":
			rule.Level = r.oneOf(n, p.name, "informational", "low", "medium", "high", "critical")
		case "logsource":
			logsource = n
		case "detection":
			detection = n
		case "correlation":
			correlation = n
		case "generate":
			generate = r.boolean(n, p.name)
		case "drawbridge":
			rule.Custom, _ = r.plain(n).(map[string]any)
			if rule.Custom == nil {
				r.problem(n, "drawbridge: want a mapping")
			}
		case "filter":
			r.problem(p.key, "sigma filters are not read")
		// of the specification, and of the public rule set: nothing here needs them
		case "related", "taxonomy", "license", "fields", "scope", "simulation", "regression_tests_path":
		default:
			r.problem(p.key, "a rule has no %q", p.name)
		}
	}
	if rule.Title == "" {
		r.problem(top, "a rule needs a title")
	}
	switch {
	case (detection == nil) == (correlation == nil):
		r.problem(top, "a rule needs a detection or a correlation")
	case correlation != nil:
		rule.Correlation = r.correlation(correlation)
		rule.Correlation.Generate = rule.Correlation.Generate || generate
	case logsource == nil:
		r.problem(top, "a rule needs a logsource")
	default:
		rule.LogSource = r.logsource(logsource)
		rule.Condition = r.detection(detection)
	}
}

func (r *reader) logsource(n *yaml.Node) LogSource {
	var l LogSource
	for _, p := range r.pairs(n, "logsource") {
		switch p.name {
		case "category":
			l.Category = r.str(p.value, p.name)
		case "product":
			l.Product = r.str(p.value, p.name)
		case "service":
			l.Service = r.str(p.value, p.name)
		case "definition": // for people
		default:
			r.problem(p.key, "a logsource has no %q", p.name)
		}
	}
	if l == (LogSource{}) {
		r.problem(n, "a logsource needs a category, a product or a service")
	}
	return l
}

func (r *reader) boolean(n *yaml.Node, what string) bool {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		r.problem(n, "%s: want true or false", what)
	}
	return strings.EqualFold(n.Value, "true")
}

// plain turns a node into Go values.
func (r *reader) plain(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for _, p := range r.pairs(n, "drawbridge") {
			m[p.name] = r.plain(p.value)
		}
		return m
	case yaml.SequenceNode:
		all := []any{}
		for _, c := range n.Content {
			all = append(all, r.plain(c))
		}
		return all
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			return i
		}
	case "!!float":
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f
		}
	}
	return n.Value
}
