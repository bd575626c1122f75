package diff

import (
	"slices"
	"strings"
	"sync"

	"drawbridge/internal/awsdata"
	"drawbridge/internal/iam"
)

// known are the actions of the Service Authorization Reference, and what has been asked of them.
type known struct {
	names   []string
	index   map[string]int  // by name in lower case
	matches sync.Map        // pattern in lower case -> set
	forms   func() []*forms // of each name
	about   func() []formActions
	globs   sync.Map // formsIn -> []glob
}

// formsIn are forms in a partition.
type formsIn struct {
	forms     *forms
	partition string
}

func (k *known) globsOf(f *forms, partition string) []glob {
	key := formsIn{f, partition}
	if g, ok := k.globs.Load(key); ok {
		return g.([]glob)
	}
	all := make([]glob, len(f.arns))
	for i, form := range f.arns {
		all[i] = formGlob(form, partition)
	}
	k.globs.Store(key, all)
	return all
}

func newKnown() *known {
	k := &known{names: awsdata.ActionsMatching("*"), index: map[string]int{}}
	for i, n := range k.names {
		k.index[strings.ToLower(n)] = i
	}
	k.forms = sync.OnceValue(k.readForms)
	k.about = sync.OnceValue(k.readAbout)
	return k
}

// matching are the known actions that a pattern stands for.
func (k *known) matching(pattern string) set {
	pattern = strings.ToLower(pattern)
	if s, ok := k.matches.Load(pattern); ok {
		return s.(set)
	}
	s := newSet(len(k.names))
	if i, ok := k.index[pattern]; ok {
		s.add(i)
	} else if strings.ContainsAny(pattern, "*?") {
		for _, n := range awsdata.ActionsMatching(pattern) {
			s.add(k.index[strings.ToLower(n)])
		}
	}
	k.matches.Store(pattern, s)
	return s
}

// forms are the ARNs that an action may be about, as the reference writes them. Named says that every request names one.
type forms struct {
	arns  []string
	named bool
}

// anyForm is of an action that is not known.
var anyForm = &forms{arns: []string{"arn:*"}}

// readForms looks up the forms of all actions; those that have the same share them.
func (k *known) readForms() []*forms {
	all := make([]*forms, len(k.names))
	same := map[string]*forms{}
	for i, n := range k.names {
		f := formsOf(n)
		key := mark(f.named) + strings.Join(f.arns, "\x00")
		if same[key] == nil {
			same[key] = f
		}
		all[i] = same[key]
	}
	return all
}

// formActions are the actions that have the same forms, by index.
type formActions struct {
	*forms
	actions []int
}

func (k *known) readAbout() []formActions {
	var all []formActions
	index := map[*forms]int{}
	for i, f := range k.forms() {
		at, have := index[f]
		if !have {
			at = len(all)
			index[f] = at
			all = append(all, formActions{forms: f})
		}
		all[at].actions = append(all[at].actions, i)
	}
	return all
}

func formsOf(action string) *forms {
	info, ok := awsdata.Action(action)
	if !ok {
		return anyForm
	}
	f := &forms{named: slices.ContainsFunc(info.ResourceTypes, func(r awsdata.ActionResource) bool { return r.Required })}
	prefix, _, _ := strings.Cut(info.Name, ":")
	service, _ := awsdata.Service(prefix)
	for _, t := range info.ResourceTypes {
		for _, r := range service.ResourceTypes {
			if r.Name == t.Type {
				f.arns = append(f.arns, r.ARNs...)
			}
		}
	}
	slices.Sort(f.arns)
	f.arns = slices.Compact(f.arns)
	return f
}

// universe is the actions in question: the known ones, then those that a policy names besides, then one for every way in
// which wildcards may match an action of a service that is not known. An action that a known service gets one day is not
// in it: statements that match the same actions of today are alike.
type universe struct {
	known *known
	extra []string
	named int // how many of the extra ones a policy names; the others are made up
	size  int
}

// universeOf returns false if patterns overlap in too many ways.
func (k *known) universeOf(all []*statement) (*universe, bool) {
	u := &universe{known: k}
	named, open := map[string]string{}, map[string]glob{}
	for _, s := range all {
		for i, pieces := range s.ActionPatterns() {
			written := append(slices.Clone(s.Action), s.NotAction...)[i]
			text := strings.ToLower(written)
			service, _, _ := strings.Cut(text, ":")
			_, knownService := awsdata.Service(service)
			switch {
			case !strings.ContainsAny(text, "*?"):
				if _, ok := k.index[text]; !ok {
					named[text] = written
				}
			case knownService && strings.Contains(text, ":"):
			default:
				open[text] = folded(pieces)
			}
		}
	}
	patterns := []glob{{many, ':', many}}
	for _, text := range sortedKeys(open) {
		if text != "*" {
			patterns = append(patterns, open[text])
		}
	}
	for _, text := range sortedKeys(named) {
		u.extra = append(u.extra, named[text])
	}
	u.named = len(u.extra)
	wild := len(patterns)
	for _, text := range sortedKeys(named) { // so that no class has a named action for its example
		patterns = append(patterns, textGlob(text))
	}
	if wild == 1 {
		u.extra = append(u.extra, "other:Action")
	} else {
		found, ok := classes(patterns, "", alphabetOf(patterns, "xyzabcdefghijklmnopqrstuvw"), maxStates)
		if !ok {
			return nil, false
		}
		for _, c := range found {
			service, _, _ := strings.Cut(c.example, ":")
			if _, taken := awsdata.Service(service); c.members.has(0) && !taken && named[c.example] == "" {
				u.extra = append(u.extra, c.example)
			}
		}
	}
	u.size = len(k.names) + len(u.extra)
	return u, true
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func folded(pieces []iam.Piece) glob {
	var g glob
	for _, p := range pieces {
		for _, r := range strings.ToLower(p.Text) {
			g = g.append(piece(r), false, false)
		}
		g = g.wild(p.Wild)
	}
	return g
}

func (g glob) wild(w iam.Wild) glob {
	switch w {
	case iam.ManyAny:
		return g.append(0, true, false)
	case iam.OneAny:
		return g.append(0, false, true)
	}
	return g
}

func (u *universe) name(i int) string {
	if n := len(u.known.names); i >= n {
		return u.extra[i-n]
	}
	return u.known.names[i]
}

// made says whether an action is made up, to stand for many.
func (u *universe) made(i int) bool { return i >= len(u.known.names)+u.named }

func (u *universe) forms(i int) *forms {
	if i >= len(u.known.names) {
		return anyForm
	}
	return u.known.forms()[i]
}

// pattern is the actions that one string of a policy stands for.
func (u *universe) pattern(text string) set {
	all := newSet(u.size)
	copy(all, u.known.matching(text))
	one := textGlob(strings.ToLower(text))
	for i, action := range u.extra {
		if one.match(strings.ToLower(action)) {
			all.add(len(u.known.names) + i)
		}
	}
	return all
}

// of is the actions that a statement is about.
func (u *universe) of(s *statement) set {
	all := newSet(u.size)
	for _, text := range append(slices.Clone(s.Action), s.NotAction...) {
		for i, w := range u.known.matching(text) {
			all[i] |= w
		}
	}
	n := len(u.known.names)
	if s.NotAction != nil {
		for i := range n {
			all[i/64] ^= 1 << (i % 64)
		}
	}
	for i, action := range u.extra {
		if s.MatchesAction(action) == iam.True {
			all.add(n + i)
		}
	}
	return all
}
