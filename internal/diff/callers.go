package diff

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"sync"

	"drawbridge/internal/iam"
)

// Permission is a part of what some callers may do in AWS and others may not.
type Permission struct {
	// Actions and Resources are what it is about, less the exceptions, in the words of the policies where these fit.
	Actions, ExceptActions     []string
	Resources, ExceptResources []string
	// If are the conditions that must hold; Unless those under which the others may do it too.
	If, Unless []string
	// Caller is the index of a caller who may.
	Caller int
	// Witness is a request that the caller may make and none of the others; its principal and context are the caller's.
	Witness iam.Request
	// Given are the condition keys that the witness sets besides; an empty list is a key that must be absent.
	Given map[string][]string

	keys []chosen
}

// Ask puts the witness to a caller.
func (p *Permission) Ask(c *Caller) iam.Decision {
	r := iam.Request{Principal: c.Principal, Action: p.Witness.Action, Resource: p.Witness.Resource, Context: (&caller{Caller: *c, request: iam.Request{Principal: c.Principal, Context: c.Context}}).with(p.keys)}
	return iam.EvaluateIdentity(c.Policies, r)
}

// Open is something that could not be decided: it may or may not be a difference.
type Open struct {
	Actions, Resources []string
	Why                string
}

// AWS compares what callers may do in AWS. It remembers what it looked up, and is safe for concurrent use.
type AWS struct{ known func() *known }

// NewAWS prepares to compare. What is costly is worked out when it is first asked for.
func NewAWS() *AWS { return &AWS{sync.OnceValue(newKnown)} }

// maxVariables bounds how many conditions that nothing is known of may decide one request.
const maxVariables = 12

// Minus returns what the callers a, together, may do and the callers b may not. Conditions that requests decide are taken
// as independent of each other: what is equal so is equal. What is not is a difference if a request proves it, which
// iam.EvaluateIdentity allows to one of a and denies to all of b; all else is open. Both are empty only if b may do all
// that a may, actions taken that AWS has published.
func (w *AWS) Minus(a, b []Caller) ([]Permission, []Open) {
	left, right := readCallers(a), readCallers(b)
	missing := unreadOnOneSide(left, right)
	x := &comparison{aws: w, a: left, b: right}
	x.a = dropAlike(left, right)
	if len(x.a) == 0 {
		return nil, missing
	}
	x.unlike = unlikeStatements(x.a, x.b)
	found, open := x.run()
	return found, append(missing, open...)
}

func readCallers(list []Caller) []*caller {
	all := make([]*caller, len(list))
	for i, c := range list {
		all[i] = readCaller(c)
		all[i].index = i
	}
	return all
}

// unreadOnOneSide says so where layers of policies were not read on one side.
func unreadOnOneSide(a, b []*caller) []Open {
	layers := func(list []*caller) string {
		var words []string
		for _, c := range list {
			for _, l := range c.unread {
				words = append(words, l.String())
			}
		}
		slices.Sort(words)
		return strings.Join(slices.Compact(words), ", ")
	}
	l, r := layers(a), layers(b)
	if l == r || len(a) == 0 && len(b) == 0 {
		return nil
	}
	var why []string
	for _, s := range []string{l, r} {
		if s != "" {
			why = append(why, s)
		}
	}
	return []Open{{Why: "not read in full on one side: " + strings.Join(why, "; on the other: ")}}
}

// comparison is one run of Minus.
type comparison struct {
	aws    *AWS
	a, b   []*caller
	unlike map[*statement]bool

	universe *universe
	all      []*statement
	open     []Open
	found    []finding
}

// finding is what was found of one class of actions, through one statement and under the same conditions.
type finding struct {
	by        *statement // that allows; nil for a root user
	actions   set
	division  *arns
	resources set
	outcome
}

func (x *comparison) run() ([]Permission, []Open) {
	for _, c := range slices.Concat(x.a, x.b) {
		if c.Principal.Kind == iam.NoPrincipal {
			return nil, []Open{{Why: "a principal of which nothing is known"}}
		}
		x.all = append(x.all, c.all...)
	}
	var ok bool
	if x.universe, ok = x.aws.known().universeOf(x.all); !ok {
		return nil, []Open{{Why: ErrEntangled.Error()}}
	}
	for _, c := range x.actionClasses() {
		x.actions(c)
	}
	return x.say()
}

// actionClasses divides the actions that may differ by which statements are about them.
func (x *comparison) actionClasses() []set {
	differing := newSet(x.universe.size)
	everything := slices.ContainsFunc(slices.Concat(x.a, x.b), func(c *caller) bool { return c.root })
	for _, s := range x.all {
		s.actions = x.universe.of(s)
		if x.unlike[s] {
			differing = differing.or(s.actions)
		}
	}
	if everything {
		for i := range x.universe.size {
			differing.add(i)
		}
	}
	if differing.empty() {
		return nil
	}
	classes := []set{differing}
	for _, s := range x.all {
		var next []set
		for _, c := range classes {
			for _, part := range []set{c.and(s.actions), c.without(s.actions)} {
				if !part.empty() {
					next = append(next, part)
				}
			}
		}
		classes = next
	}
	return classes
}

// actions looks at one class of actions: on all resources alike, or form by form where statements tell resources apart.
func (x *comparison) actions(class set) {
	var about []*statement
	var patterns []glob
	seen := map[string]bool{}
	for _, s := range x.all {
		if !s.actions.meets(class) {
			continue
		}
		about = append(about, s)
		pieces, _ := s.ResourcePatterns(&s.caller.request)
		for _, p := range pieces {
			g := pieceGlob(p)
			if key := g.spell(); !seen[key] && !g.everything() {
				seen[key] = true
				patterns = append(patterns, g)
			}
		}
	}
	if len(patterns) == 0 {
		x.resources(class, about, &arns{examples: []string{x.example(class)}, forms: []glob{{many}}})
		return
	}
	partition, account := x.home()
	groups := map[string]*formGroup{}
	byForms := map[*forms]*formGroup{}
	for i := range class.each {
		f := x.universe.forms(i)
		g := byForms[f]
		if g == nil {
			g = x.formGroup(groups, patterns, f, partition)
			byForms[f] = g
		}
		g.actions.add(i)
	}
	for _, key := range sortedKeys(groups) {
		g := groups[key]
		division, ok := resourcesOf(patterns, g.forms, x.aws.known().globsOf(g.forms, partition), partition, account)
		if !ok {
			x.open = append(x.open, Open{Actions: x.names(g.actions, 3), Why: "the patterns of resources overlap in too many ways to be compared"})
			continue
		}
		division.forms = g.globs
		x.resources(g.actions, about, division)
	}
}

// formGroup is actions whose resources the patterns divide in the same way: those of the same forms, and all those whose
// resources no pattern is about.
type formGroup struct {
	forms   *forms // of the first
	globs   []glob // of all
	actions set
}

func (x *comparison) formGroup(groups map[string]*formGroup, patterns []glob, f *forms, partition string) *formGroup {
	key := ""
	if len(bearing(patterns, x.aws.known().globsOf(f, partition))) > 0 {
		key = mark(f.named) + "\x01" + strings.Join(f.arns, "\x00")
	}
	if groups[key] == nil {
		groups[key] = &formGroup{forms: f, actions: newSet(x.universe.size)}
	}
	groups[key].globs = append(groups[key].globs, x.aws.known().globsOf(f, partition)...)
	return groups[key]
}

// example is a resource of the first action of a class.
func (x *comparison) example(class set) string {
	for i := range class.each {
		partition, account := x.home()
		if f := x.universe.forms(i); len(f.arns) > 0 {
			return likely(f.arns[0], partition, account)
		}
		break
	}
	return noResource
}

// home is the partition and account of the first caller.
func (x *comparison) home() (partition, account string) {
	arn, err := iam.ParseARN(x.a[0].Principal.String())
	if err != nil {
		return "aws", x.a[0].Principal.Account
	}
	return arn.Partition, arn.Account
}

func (x *comparison) names(actions set, most int) []string {
	var all []string
	for i := range actions.each {
		if len(all) == most {
			return append(all, fmt.Sprintf("%d more", actions.count()-most))
		}
		if x.universe.made(i) {
			all = append(all, "(actions that AWS has not published)")
		} else {
			all = append(all, x.universe.name(i))
		}
	}
	return all
}

// spell writes a pattern; wildcards are not mistaken for the characters.
func (g glob) spell() string {
	r := make([]rune, len(g))
	for i, p := range g {
		switch p {
		case many:
			r[i] = 0xe000
		case one:
			r[i] = 0xe001
		default:
			r[i] = rune(p)
		}
	}
	return string(r)
}

// resources looks at one class of actions on each class of resources.
func (x *comparison) resources(actions set, about []*statement, division *arns) {
	index := map[string]int{}
	for i, resource := range division.examples {
		c := x.cell(actions, about, resource)
		if c == nil {
			continue
		}
		for j, by := range c.by {
			key := c.key() + "\x01" + strconv.Itoa(x.number(by))
			at, have := index[key]
			if !have {
				at = len(x.found)
				index[key] = at
				x.found = append(x.found, finding{c.by[j], actions, division, newSet(len(division.examples)), *c})
			}
			x.found[at].resources.add(i)
		}
	}
}

// number tells statements apart; 0 is none.
func (x *comparison) number(s *statement) int { return slices.Index(x.all, s) + 1 }

// outcome is what one request comes to.
type outcome struct {
	ifs, unless []string
	by          []*statement // that allow it
	proof       *proof       // nil where it is open
	open        string
}

func (o *outcome) key() string {
	caller := -1
	if o.proof != nil {
		caller = o.proof.caller
	}
	return strings.Join(slices.Concat(o.ifs, []string{"\x01"}, o.unless, []string{"\x01", o.open, strconv.Itoa(caller)}), "\x00")
}

// cell compares one request, which stands for its class, and returns nil if it is no difference.
func (x *comparison) cell(actions set, about []*statement, resource string) *outcome {
	action := ""
	for i := range actions.each {
		action = x.universe.name(i)
		break
	}
	t := x.table(about, action, resource)
	if !t.unlike {
		return nil
	}
	if len(t.variables) > maxVariables {
		return &outcome{by: t.through(x.a, ^uint(0)), open: fmt.Sprintf("%d conditions decide it, too many to be compared", len(t.variables))}
	}
	var differing []uint
	for v := range uint(1) << len(t.variables) {
		if t.any(x.a, v) && !t.any(x.b, v) {
			differing = append(differing, v)
		}
	}
	if len(differing) == 0 {
		return nil
	}
	slices.SortStableFunc(differing, func(a, b uint) int { return bits.OnesCount(a) - bits.OnesCount(b) })
	for _, v := range differing[:min(len(differing), maxTries)] {
		if p := x.prove(t, v, action, resource); p != nil {
			return x.proven(t, v, p)
		}
	}
	return &outcome{by: t.through(x.a, differing[0]), open: t.why(differing[0])}
}

// maxTries bounds how many combinations of conditions are tried for a proof.
const maxTries = 24

// proven puts into words under which conditions a request differs.
func (x *comparison) proven(t *table, v uint, p *proof) *outcome {
	o := &outcome{proof: p, by: t.through(x.a[p.at:p.at+1], v)}
	for i, variable := range t.variables {
		flipped := v ^ 1<<i
		if t.any(x.a, flipped) && !t.any(x.b, flipped) {
			continue // it does not matter
		}
		if v>>i&1 == 1 {
			o.ifs = append(o.ifs, variable.text)
		} else {
			o.unless = append(o.unless, variable.text)
		}
	}
	return o
}
