package sigma

import (
	"encoding/base64"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// detection reads the selections and puts them into the condition.
func (r *reader) detection(n *yaml.Node) Expr {
	c := condition{r: r, selections: map[string]Expr{}}
	var text *yaml.Node
	for _, p := range r.pairs(n, "detection") {
		switch p.name {
		case "condition":
			text = p.value
		case "timeframe":
			r.problem(p.key, "timeframe is not part of Sigma any more: write a correlation")
		default:
			if x := r.selection(p.value, p.name); x != nil {
				c.names = append(c.names, p.name)
				c.selections[p.name] = x
			}
		}
	}
	switch {
	case text == nil:
		r.problem(n, "detection: there is no condition")
		return nil
	case len(c.names) > maxSelections:
		r.problem(n, "detection: more than %d selections", maxSelections)
		return nil
	}
	if len(r.problems) > 0 {
		return nil // names that are missing now are not the mistake
	}
	return c.read(text)
}

// selection reads a map (all of it), or a list of maps and keywords (one of it).
func (r *reader) selection(n *yaml.Node, name string) Expr {
	switch {
	case n.Kind == yaml.MappingNode && len(n.Content) > 0:
		return r.all(n, name)
	case n.Kind == yaml.SequenceNode && len(n.Content) > 0:
		var any Or
		keywords := &Match{Op: Contains, Line: r.first + n.Line - 1}
		for _, c := range n.Content {
			switch c.Kind {
			case yaml.MappingNode:
				if x := r.all(c, name); x != nil {
					any = append(any, x)
				}
			case yaml.ScalarNode:
				if v, ok := r.value(c, modifiers{op: Contains}); ok {
					keywords.Values = append(keywords.Values, v...)
				}
			default:
				r.problem(c, "selection %s: want maps or keywords in the list", name)
			}
		}
		if len(keywords.Values) > 0 {
			any = append(any, keywords)
		}
		return one(any)
	default:
		r.problem(n, "selection %s: want a map, a list of maps or a list of keywords, and not an empty one", name)
		return nil
	}
}

// all reads the fields of a map.
func (r *reader) all(n *yaml.Node, name string) Expr {
	var all And
	for _, p := range r.pairs(n, "selection "+name) {
		if m := r.field(p); m != nil {
			all = append(all, m)
		}
	}
	if len(n.Content) == 0 {
		r.problem(n, "selection %s: the map is empty", name)
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}

func one(any Or) Expr {
	switch len(any) {
	case 0:
		return nil
	case 1:
		return any[0]
	}
	return any
}

// modifiers are what stands behind a field's name.
type modifiers struct {
	op                            Op
	all, cased                    bool
	windash, base64, base64offset bool
	flags                         string
}

var ops = map[string]Op{
	"contains": Contains, "startswith": StartsWith, "endswith": EndsWith, "re": Regex, "cidr": CIDR, "exists": Exists,
	"lt": Less, "lte": LessEqual, "gt": Greater, "gte": GreaterEqual, "fieldref": FieldRef,
}

// refused are modifiers of the specification (Sigma modifiers appendix 2.1.0) that are not read, with what to do instead.
var refused = map[string]string{
	"neq":    "write a selection of its own and negate it in the condition",
	"expand": "there is nothing here that placeholders stand for",
	"wide":   "no log read here holds UTF-16", "utf16": "no log read here holds UTF-16", "utf16le": "no log read here holds UTF-16", "utf16be": "no log read here holds UTF-16",
	"minute": "parts of dates are not compared", "hour": "parts of dates are not compared", "day": "parts of dates are not compared",
	"week": "parts of dates are not compared", "month": "parts of dates are not compared", "year": "parts of dates are not compared",
}

func (r *reader) modifiers(key *yaml.Node, words []string) (m modifiers, ok bool) {
	seen := map[string]bool{}
	for _, w := range words {
		op, isOp := ops[w]
		switch {
		case seen[w]:
			r.problem(key, "modifier %s is there twice", w)
			return m, false
		case isOp && m.op != 0:
			r.problem(key, "modifiers %s and %s do not go together", m.op, w)
			return m, false
		case isOp:
			m.op = op
		case w == "all":
			m.all = true
		case w == "cased":
			m.cased = true
		case w == "windash":
			m.windash = true
		case w == "base64":
			m.base64 = true
		case w == "base64offset":
			m.base64offset = true
		case (w == "i" || w == "m" || w == "s") && m.op == Regex:
			m.flags += w
		case refused[w] != "":
			r.problem(key, "modifier %s is not read: %s", w, refused[w])
			return m, false
		default:
			r.problem(key, "there is no modifier %q here", w)
			return m, false
		}
		seen[w] = true
	}
	transforms := m.windash || m.base64 || m.base64offset
	text := m.op == 0 || m.op == Contains || m.op == StartsWith || m.op == EndsWith
	switch {
	case transforms && !text:
		r.problem(key, "modifier %s compares no strings that windash or base64 could make", m.op)
	case m.cased && !text && m.op != FieldRef:
		r.problem(key, "modifiers cased and %s do not go together", m.op)
	case m.all && (m.op == Exists || m.op == Less || m.op == LessEqual || m.op == Greater || m.op == GreaterEqual):
		r.problem(key, "modifiers all and %s do not go together", m.op)
	case m.base64 && m.base64offset:
		r.problem(key, "modifiers base64 and base64offset do not go together")
	case m.base64offset && m.op != Contains:
		r.problem(key, "modifier base64offset needs contains: it makes inner parts of encoded texts")
	default:
		return m, true
	}
	return m, false
}

// field reads one `field|modifier: values`.
func (r *reader) field(p pair) *Match {
	words := strings.Split(p.name, "|")
	mods, ok := r.modifiers(p.key, words[1:])
	if !ok {
		return nil
	}
	m := &Match{Field: words[0], Op: mods.op, All: mods.all, Cased: mods.cased, Line: r.first + p.key.Line - 1}
	switch {
	case m.Field == "" && len(words) == 1:
		r.problem(p.key, "want the name of a field")
		return nil
	case m.Field == "" && m.Op == 0:
		m.Op, mods.op = Contains, Contains
	case m.Field == "" && m.Op != Contains && m.Op != Regex:
		r.problem(p.key, "modifier %s needs a field", m.Op)
		return nil
	case m.Op == 0:
		m.Op, mods.op = Equals, Equals
	}
	list := []*yaml.Node{p.value}
	if p.value.Kind == yaml.SequenceNode {
		list = p.value.Content
	}
	switch {
	case len(list) == 0:
		r.problem(p.value, "%s: the list is empty", p.name)
		return nil
	case m.All && len(list) < 2:
		r.problem(p.key, "modifier all needs more than one value")
		return nil
	case m.Op == Exists && len(list) != 1:
		r.problem(p.value, "modifier exists has one value")
		return nil
	}
	for _, n := range list {
		v, ok := r.value(n, mods)
		if !ok {
			return nil
		}
		if m.All && len(v) > 1 {
			r.problem(n, "modifier all with values of which there are several forms: write a selection for each")
			return nil
		}
		m.Values = append(m.Values, v...)
	}
	return m
}

// value reads one value, which windash and base64offset make several of.
func (r *reader) value(n *yaml.Node, m modifiers) ([]Value, bool) {
	if n.Kind != yaml.ScalarNode {
		r.problem(n, "want a value, not a list or map")
		return nil, false
	}
	if len(n.Value) > maxValue {
		r.problem(n, "the value is longer than %d bytes", maxValue)
		return nil, false
	}
	v := Value{text: n.Value}
	switch n.ShortTag() {
	case "!!null":
		v.kind, v.text = null, "null"
	case "!!bool":
		v.kind, v.b, v.text = boolean, strings.EqualFold(n.Value, "true"), strings.ToLower(n.Value)
	case "!!int", "!!float":
		num, ok := toNumber(n.Value)
		if !ok || leadingZero(n.Value) {
			r.problem(n, "%s is not a decimal number: quote it if the text is meant", n.Value)
			return nil, false
		}
		v.kind, v.num = number, num
	}
	if !r.fits(n, &v, m) {
		return nil, false
	}
	switch m.op {
	case Regex:
		return r.regex(n, v, m)
	case CIDR:
		p, err := netip.ParsePrefix(v.text)
		if err != nil {
			r.problem(n, "%q is not a network in CIDR notation", v.text)
			return nil, false
		}
		if p.Addr().Is4In6() {
			r.problem(n, "write %s as an IPv4 network", v.text)
			return nil, false
		}
		v.prefix = p.Masked()
		return []Value{v}, true
	case Equals, Contains, StartsWith, EndsWith:
		return r.texts(n, v, m)
	default:
		return []Value{v}, true
	}
}

// leadingZero finds numbers that are octal to some readers of YAML.
func leadingZero(s string) bool {
	s = strings.TrimLeft(s, "+-")
	return len(s) > 1 && s[0] == '0' && s[1] >= '0' && s[1] <= '9'
}

// fits says whether the kind of a value is one that its comparison can use.
func (r *reader) fits(n *yaml.Node, v *Value, m modifiers) bool {
	switch {
	case v.kind == null && (m.op != Equals || m.all):
		r.problem(n, "null is a value of its own: it has no modifiers")
	case v.kind == null && (m.windash || m.base64 || m.cased):
		r.problem(n, "null is a value of its own: it has no modifiers")
	case m.op == Exists && v.kind != boolean:
		r.problem(n, "modifier exists wants true or false")
	case slices.Contains([]Op{Less, LessEqual, Greater, GreaterEqual}, m.op) && v.kind != number:
		r.problem(n, "modifier %s wants a number", m.op)
	case m.op == FieldRef && (v.kind != text || v.text == ""):
		r.problem(n, "modifier fieldref wants the name of a field")
	default:
		return true
	}
	return false
}

// maxProgram bounds a regular expression, counted with its repetitions.
const maxProgram = 10_000

func (r *reader) regex(n *yaml.Node, v Value, m modifiers) ([]Value, bool) {
	pattern := v.text
	if m.flags != "" {
		pattern = "(?" + m.flags + ")" + pattern
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err == nil && size(tree) > maxProgram {
		r.problem(n, "the regular expression is too big with its repetitions")
		return nil, false
	}
	if err == nil {
		v.re, err = regexp.Compile(pattern)
	}
	if err != nil {
		r.problem(n, "%v", err)
		return nil, false
	}
	return []Value{v}, true
}

func size(re *syntax.Regexp) int {
	n := max(1, len(re.Rune))
	for _, s := range re.Sub {
		n += size(s)
		if n > maxProgram {
			return n
		}
	}
	if re.Op == syntax.OpRepeat {
		n *= max(1, re.Min, re.Max)
	}
	return min(n, maxProgram+1)
}

// texts makes the forms of a string that windash and base64 ask for.
func (r *reader) texts(n *yaml.Node, v Value, m modifiers) ([]Value, bool) {
	if v.kind == null {
		return []Value{v}, true
	}
	forms := []string{v.text}
	if m.windash {
		forms = dashes(v.text)
		if forms == nil {
			r.problem(n, "modifier windash: more than %d dashes and slashes in one value", maxDashes)
			return nil, false
		}
	}
	var all []Value
	for _, f := range forms {
		w := v
		w.text = f
		w.compile()
		if w.matchesAll() && m.op != Equals {
			r.problem(n, "the value %q matches everything", n.Value)
			return nil, false
		}
		if !m.base64 && !m.base64offset {
			all = append(all, w)
			continue
		}
		plain, ok := w.Literal()
		if !ok {
			r.problem(n, "modifier base64: a value with wildcards cannot be encoded")
			return nil, false
		}
		for _, e := range encodings(plain, m.base64offset) {
			e := Value{text: e}
			e.compile()
			if e.matchesAll() {
				r.problem(n, "modifier base64offset: %q is too short to be recognised", n.Value)
				return nil, false
			}
			all = append(all, e)
		}
	}
	return all, true
}

const maxDashes = 4 // of five kinds: 625 forms

// dashes are all forms of a text with other characters that start a command line's options in Windows.
func dashes(s string) []string {
	const all = "-/–—―"
	forms := []string{""}
	for _, c := range s {
		if !strings.ContainsRune(all, c) {
			for j := range forms {
				forms[j] += string(c)
			}
			continue
		}
		if len(forms) == 5*5*5*5 {
			return nil
		}
		next := make([]string, 0, 5*len(forms))
		for _, f := range forms {
			for _, d := range all {
				next = append(next, f+string(d))
			}
		}
		forms = next
	}
	return forms
}

// encodings are the Base64 of a text, or what of it is the same wherever in a longer text it stands.
func encodings(s string, anywhere bool) []string {
	if !anywhere {
		return []string{base64.StdEncoding.EncodeToString([]byte(s))}
	}
	var all []string
	for shift := range 3 {
		e := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + s))
		from := []int{0, 2, 3}[shift]  // characters that hold bits of what stands before
		to := (len(s) + shift) * 8 / 6 // whole characters
		all = append(all, e[min(from, to):to])
	}
	return all
}
