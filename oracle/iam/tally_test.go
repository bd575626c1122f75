package oracle

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"drawbridge/internal/iam"
)

// tally counts what was compared, so that a corpus that proves little is noticed.
type tally struct {
	mismatches int
	excluded   map[string]int
	parts      map[string]*part
}

// part counts the cases that have a part of the language in them by their verdicts, and those that it decides: of a kind of
// policies, the verdict is another without them; of a part of statements, it is in a statement that decides.
type part struct{ Allowed, Explicit, Implicit, Decides int }

// kinds take a kind of policies out of a case, and say whether it had them.
var kinds = map[string]func(*iam.Policies) bool{
	"identity policies": func(p *iam.Policies) bool { had := p.Identity != nil; p.Identity = nil; return had },
	"boundary":          func(p *iam.Policies) bool { had := p.Boundary != nil; p.Boundary = nil; return had },
	"session policy":    func(p *iam.Policies) bool { had := p.Session != nil; p.Session = nil; return had },
	"SCP":               func(p *iam.Policies) bool { had := p.SCP != nil; p.SCP = nil; return had },
	"RCP":               func(p *iam.Policies) bool { had := p.RCP != nil; p.RCP = nil; return had },
	"resource policy":   func(p *iam.Policies) bool { had := p.Resource != nil; p.Resource = nil; return had },
	"trust policy":      func(p *iam.Policies) bool { had := p.Trust != nil; p.Trust = nil; return had },
}

func (n *tally) of(name string) *part {
	if n.parts[name] == nil {
		n.parts[name] = &part{}
	}
	return n.parts[name]
}

func (n *tally) count(c *testCase, q question, d iam.Decision) {
	has, decides := map[string]bool{"any case": true}, map[string]bool{}
	border := ", one account"
	if c.Owner != home {
		border = ", two accounts"
	}
	for kind, without := range kinds {
		less := q.policies
		if !without(&less) {
			continue
		}
		if kind == "resource policy" || kind == "trust policy" {
			kind += border
		}
		has[kind] = true
		decides[kind] = word(iam.Evaluate(less, q.request)) != word(d)
	}
	q.eachPolicy(func(p *iam.Policy) {
		for i := range p.Statements {
			for _, name := range partsOf(p, &p.Statements[i]) {
				has[name] = true
			}
		}
	})
	for _, m := range d.By() {
		q.eachPolicy(func(p *iam.Policy) {
			if i := m.Statement.Index - 1; i < len(p.Statements) && &p.Statements[i] == m.Statement {
				for _, name := range partsOf(p, m.Statement) {
					decides[name] = true
				}
			}
		})
	}
	for name := range has {
		p := n.of(name)
		switch {
		case d.Verdict == iam.Allowed:
			p.Allowed++
		case d.Explicit:
			p.Explicit++
		case d.Verdict == iam.Denied:
			p.Implicit++
		}
		if decides[name] {
			p.Decides++
		}
	}
}

func (q *question) eachPolicy(visit func(*iam.Policy)) {
	p := &q.policies
	lists := append([][]iam.Named{p.Identity, p.Session, p.Resource}, append(p.SCP, p.RCP...)...)
	for _, one := range []*iam.Named{p.Boundary, p.Trust} {
		if one != nil {
			lists = append(lists, []iam.Named{*one})
		}
	}
	for _, named := range slices.Concat(lists...) {
		visit(named.Policy)
	}
}

// partsOf lists the parts of the language that are in a statement.
func partsOf(p *iam.Policy, s *iam.Statement) []string {
	var all []string
	add := func(has bool, name string) {
		if has {
			all = append(all, name)
		}
	}
	variables := func(values []string) {
		for _, v := range values {
			add(strings.Contains(v, "${"), "variable")
			add(strings.Contains(v, "${") && strings.Contains(v, "'"), "variable with a default")
		}
	}
	add(p.Version == "2008-10-17", "version 2008-10-17")
	add(s.NotPrincipal != nil, "NotPrincipal")
	add(s.NotAction != nil, "NotAction")
	add(s.NotResource != nil, "NotResource")
	variables(slices.Concat(s.Resource, s.NotResource))
	for i := range s.Conditions {
		c := &s.Conditions[i]
		operator := c.Operator
		add(c.Key != canonical(c.Key), "key in another case")
		add(len(c.Values) > 1, "several values")
		variables(c.Values)
		if set, rest, found := strings.Cut(operator, ":"); found {
			add(true, set)
			operator = rest
		}
		operator, ifExists := strings.CutSuffix(operator, "IfExists")
		add(ifExists, "IfExists")
		add(true, operator)
	}
	add(len(s.Conditions) > 1, "several conditions")
	slices.Sort(all)
	return slices.Compact(all)
}

// report prints what was compared, and refuses a corpus of which too much is of one kind, or that leaves parts out.
func (n *tally) report(t *testing.T) {
	var text strings.Builder
	fmt.Fprintf(&text, "%d mismatches\n%-32s %8s %8s %8s %8s\n", n.mismatches, "", "allowed", "explicit", "implicit", "decides")
	for _, name := range slices.Sorted(maps.Keys(n.parts)) {
		p := n.parts[name]
		fmt.Fprintf(&text, "%-32s %8d %8d %8d %8d\n", name, p.Allowed, p.Explicit, p.Implicit, p.Decides)
	}
	for _, e := range exclusions {
		fmt.Fprintf(&text, "excluded %6d  %s\n", n.excluded[e.name], e.name)
	}
	t.Log(text.String())
	if *cases < 20_000 {
		return
	}
	for _, e := range exclusions {
		if n.excluded[e.name] == 0 {
			t.Errorf("no case meets the exclusion %q any more", e.name)
		}
	}
	if all := n.of("any case"); min(all.Allowed, all.Explicit, all.Implicit) < *cases/4 {
		t.Errorf("the verdicts are lopsided: %+v", *all)
	}
	for name, p := range n.parts {
		if name != "any case" && (p.Decides < *cases/1000 || min(p.Allowed, p.Explicit, p.Implicit) < *cases/1000) {
			t.Errorf("%s is hardly tested: %+v", name, *p)
		}
	}
}
