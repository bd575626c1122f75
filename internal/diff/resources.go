package diff

import (
	"regexp"
	"slices"
	"strings"

	"drawbridge/internal/iam"
)

// arns divides the resources that some actions may be about by which patterns of statements match them.
type arns struct {
	examples []string // one of each class; "*" is the request without a resource
	family   *family
	index    map[string]int // of a class by its patterns
	// told are the patterns that tell classes apart, spelled; forms are those of all resources.
	told  map[string]bool
	forms []glob
}

// tells says whether all resources of a class are alike to a pattern.
func (r *arns) tells(g glob) bool {
	return g.everything() || r.told[g.spell()] || !slices.ContainsFunc(r.forms, func(f glob) bool { return f.meets(g) })
}

// noResource is what a request without a resource has.
const noResource = "*"

// variable is a part of the form of an ARN.
var variable = regexp.MustCompile(`\$\{[^}]*\}`)

// glob is a form as a pattern.
func formGlob(form, partition string) glob {
	return textGlob(variable.ReplaceAllString(strings.ReplaceAll(form, "${Partition}", partition), "*"))
}

// bearing are the patterns that match some of the resources of forms.
func bearing(patterns []glob, forms []glob) []int {
	var all []int
	for i, p := range patterns {
		if slices.ContainsFunc(forms, func(f glob) bool { return p.beginsLike(f) && p.meets(f) }) {
			all = append(all, i)
		}
	}
	return all
}

// beginsLike says whether two patterns agree up to the first wildcard of either.
func (g glob) beginsLike(h glob) bool {
	for i := range min(len(g), len(h)) {
		if g[i] < 0 || h[i] < 0 {
			return true
		}
		if g[i] != h[i] {
			return false
		}
	}
	return len(g) == len(h) || len(g) > len(h) && g[len(h)] == many || len(h) > len(g) && h[len(g)] == many
}

// meets says whether two patterns have a string in common.
func (g glob) meets(h glob) bool {
	// reach[j] says that what is read of g can be what the first j pieces of h match.
	reach := make([]bool, len(h)+1)
	reach[0] = true
	spread(h, reach)
	for _, p := range g {
		next := make([]bool, len(h)+1)
		for j, reached := range reach {
			switch {
			case !reached:
			case p == many: // takes any number of h's pieces, or none
				for k := j; k <= len(h); k++ {
					next[k] = true
				}
			case j == len(h):
			case h[j] == many:
				next[j] = true
			case p == one || h[j] == one || p == h[j]:
				next[j+1] = true
			}
		}
		reach = next
		spread(h, reach)
	}
	return reach[len(h)]
}

// spread goes past the pieces that may stand for nothing.
func spread(h glob, reach []bool) {
	for j, p := range h {
		if reach[j] && p == many {
			reach[j+1] = true
		}
	}
}

// resourcesOf divides the resources of some forms by patterns. It returns false if patterns overlap in too many ways.
func resourcesOf(patterns []glob, f *forms, formGlobs []glob, partition, account string) (*arns, bool) {
	r := &arns{family: newFamily(patterns), index: map[string]int{}, told: map[string]bool{}, forms: formGlobs}
	for _, p := range patterns {
		r.told[p.spell()] = true
	}
	add := func(example string) {
		key := r.family.match(example).key()
		if _, have := r.index[key]; !have {
			r.index[key] = len(r.examples)
			r.examples = append(r.examples, example)
		}
	}
	for _, form := range f.arns { // these read best
		add(likely(form, partition, account))
	}
	if !f.named {
		add(noResource)
	}
	families := make([][]glob, len(formGlobs)) // a form, and the patterns with wildcards that bear on it
	named := map[string]glob{}                 // those without
	for i, form := range formGlobs {
		families[i] = []glob{form}
		for _, j := range bearing(patterns, formGlobs[i:i+1]) {
			p := patterns[j]
			example := p.fill("example")
			if strings.HasPrefix(example, "arn:") && form.match(example) { // and so do these
				add(example)
			}
			if p.hasWild() {
				families[i] = append(families[i], p)
			} else {
				named[example] = p
			}
		}
	}
	for _, some := range families {
		if len(some) > 1 && !r.search(some, named, add) {
			return nil, false
		}
	}
	return r, true
}

// search adds an example of every class of resources of a form, which comes first in the list, that patterns make. Resources
// that are named one by one are classes of their own, so that an example must be none of them.
func (r *arns) search(some []glob, named map[string]glob, add func(string)) bool {
	const letters = "xyzabcdefghijklmnopqrstuvw0123456789"
	found, ok := classes(some, "arn:", alphabetOf(some, letters), maxStates)
	if !ok {
		return false
	}
	family := newFamily(some)
	var inWay []glob
	for _, c := range found {
		if !c.members.has(0) {
			continue
		}
		example, ok := notNamed(c.example, func(s string) bool { return named[s] == nil && family.match(s).equal(c.members) })
		if ok {
			add(example)
			continue
		}
		for s, g := range named {
			if family.match(s).equal(c.members) {
				inWay = append(inWay, g)
			}
		}
	}
	if len(inWay) == 0 {
		return true
	}
	all := slices.Concat(some, inWay)
	if found, ok = classes(all, "arn:", alphabetOf(all, letters), maxStates); !ok {
		return false
	}
	for _, c := range found {
		if c.members.has(0) {
			add(c.example)
		}
	}
	return true
}

// hasWild says whether there is a wildcard.
func (g glob) hasWild() bool { return slices.ContainsFunc(g, func(p piece) bool { return p < 0 }) }

// likely is an ARN of a form as it may well be.
func likely(form, partition, account string) string {
	if form == "arn:*" {
		return "arn:" + partition + ":example:us-east-1:" + account + ":example"
	}
	form = strings.NewReplacer("${Partition}", partition, "${Region}", "us-east-1", "${Account}", account).Replace(form)
	return variable.ReplaceAllString(form, "example")
}

func (g glob) everything() bool { return len(g) == 1 && g[0] == many }

// fill is the pattern with wildcards filled in.
func (g glob) fill(with string) string {
	var b strings.Builder
	for _, p := range g {
		switch p {
		case many:
			b.WriteString(with)
		case one:
			b.WriteString(with[:1])
		default:
			b.WriteRune(rune(p))
		}
	}
	return b.String()
}

func pieceGlob(pieces []iam.Piece) glob {
	var g glob
	for _, p := range pieces {
		for _, r := range p.Text {
			g = g.append(piece(r), false, false)
		}
		g = g.wild(p.Wild)
	}
	return g
}
