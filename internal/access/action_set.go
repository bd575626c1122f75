package access

import (
	"slices"
	"strings"
	"sync"

	"drawbridge/internal/iam"
)

// actionSet is a set of the actions that package access asks for, so that of thousands of roles only those are evaluated
// that one of their statements may make matter.
type actionSet [4]uint64

func (s *actionSet) add(more *actionSet) {
	for i := range s {
		s[i] |= more[i]
	}
}

// has says whether an action may be in the set: one that askedFor does not know may be in any.
func (s *actionSet) has(action string) bool {
	i, known := askedFor().index[action]
	return !known || s[i/64]>>(i%64)&1 == 1
}

// hasAny says whether one of several actions may be in the set.
func (s *actionSet) hasAny(actions []string) bool { return slices.ContainsFunc(actions, s.has) }

func (s *actionSet) empty() bool { return *s == actionSet{} }

// askedActions are all the actions that are ever asked for.
type askedActions struct {
	names     []string
	index     map[string]int
	byService map[string][]int
}

var askedFor = sync.OnceValue(func() *askedActions {
	all := &askedActions{index: map[string]int{}, byService: map[string][]int{}}
	for i := range privileges {
		for _, way := range privileges[i].ways {
			for _, n := range way {
				all.names = append(all.names, n.action)
			}
		}
	}
	all.names = append(append(all.names, takeoverActions...), attachActions...)
	all.names = append(all.names, "eks:UpdateClusterConfig", "eks:DisassociateIdentityProviderConfig", "iam:DeleteRole", "iam:DeleteUser", "iam:PassRole")
	slices.Sort(all.names)
	all.names = slices.Compact(all.names)
	if len(all.names) > len(actionSet{})*64 {
		panic("more actions are asked for than a set holds")
	}
	for i, action := range all.names {
		all.index[action] = i
		service, _, _ := strings.Cut(action, ":")
		all.byService[service] = append(all.byService[service], i)
	}
	return all
})

// mayAllow returns the asked actions that a policy's statements may allow, on whatever resources and conditions. It is
// worked out once for each document.
func (a *Access) mayAllow(p *iam.Policy) *actionSet {
	if s, ok := a.asked.Load(p); ok {
		return s.(*actionSet)
	}
	asked, set := askedFor(), &actionSet{}
	for i := range p.Statements {
		s := &p.Statements[i]
		if s.Effect != iam.Allow {
			continue
		}
		for _, n := range candidates(asked, s) {
			if s.MatchesAction(asked.names[n]) != iam.False {
				set[n/64] |= 1 << (n % 64)
			}
		}
	}
	a.asked.Store(p, set)
	return set
}

// candidates returns the asked actions of the services that a statement names: all where it names services by a pattern, or
// by leaving some out.
func candidates(asked *askedActions, s *iam.Statement) []int {
	var some []int
	seen := map[string]bool{}
	for _, action := range s.Action {
		service, _, colon := strings.Cut(strings.ToLower(action), ":")
		if !colon || strings.ContainsAny(service, "*?") {
			return asked.everything()
		}
		if !seen[service] {
			seen[service] = true
			some = append(some, asked.byService[service]...)
		}
	}
	if s.NotAction != nil {
		return asked.everything()
	}
	return some
}

func (a *askedActions) everything() []int {
	all := make([]int, len(a.names))
	for i := range all {
		all[i] = i
	}
	return all
}
