package rbac

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Power is something worth knowing that a set of rules lets its holder do.
type Power struct {
	ID    string // e.g. "run-pods"
	Title string // continues "can …"
	Ways  []Way  // any of them gives the power
}

// Way is one way to a power. Its requests carry no user; a Namespace in one says that the power is one only
// there, which is for the caller to heed, as rules do not know where they are bound.
type Way struct {
	Needs []Request // all of them
	// SameObject says that all needs are about one object.
	SameObject bool
	// On is a mode of constrained impersonation: besides Needs the holder must have a verb that
	// begins with "impersonate-on:<mode>:" on something.
	On string
	// Since and Before are Kubernetes 1.x minor versions between which the way is open by default: from Since on,
	// and up to but without Before. 0 is no limit.
	Since, Before int
}

// OpenIn reports whether the way is open by default in Kubernetes 1.minor. Where the version is not
// known (0) every way counts as open.
func (w Way) OpenIn(minor int) bool {
	return minor == 0 || minor >= w.Since && (w.Before == 0 || minor < w.Before)
}

// Held is a power that rules give, and how.
type Held struct {
	Power *Power
	Way   Way
	Rules []int // the rule that allows each of Way.Needs
	// Names limits the power to objects of these names; empty is no limit.
	Names []string
}

// PowersOf returns every power that the rules give together: see HeldBy.
func PowersOf(rules []rbacv1.PolicyRule) []Held {
	var held []Held
	for i := range powers {
		held = append(held, powers[i].HeldBy(rules)...)
	}
	return held
}

// HeldBy returns the ways in which the rules give the power: each way once if it has no limit to names, or
// else once for every rule that gives it for objects of certain names.
func (p *Power) HeldBy(rules []rbacv1.PolicyRule) []Held {
	var held []Held
	for _, w := range p.Ways {
		if w.On != "" && !impersonatesOn(rules, w.On) {
			continue
		}
		for _, h := range w.held(rules) {
			h.Power = p
			held = append(held, h)
		}
	}
	return held
}

// held finds rules for each need: one without a limit to names if there is one, else every limited one.
func (w Way) held(rules []rbacv1.PolicyRule) []Held {
	for i := range w.Needs { // mostly one is not given
		if !given(rules, &w.Needs[i]) {
			return nil
		}
	}
	held := []Held{{Way: w}}
	for _, need := range w.Needs {
		choice, limited := giving(rules, need)
		if len(choice) > 0 {
			choice = choice[:1]
		} else {
			choice = limited
		}
		var longer []Held
		for _, h := range held {
			for _, rule := range choice {
				if names, ok := w.narrow(h, rules[rule].ResourceNames, need); ok {
					longer = append(longer, Held{Way: w, Rules: append(slices.Clone(h.Rules), rule), Names: names})
				}
			}
		}
		held = longer
	}
	return held
}

// narrow returns the names left when one more rule is needed. For the same object the rule's names
// intersect with those so far, and none left is no way; else the last need's names count.
func (w Way) narrow(h Held, names []string, need Request) ([]string, bool) {
	switch {
	case need.Name != "":
		return nil, true
	case w.SameObject && len(names) > 0 && slices.ContainsFunc(w.Needs, nameless):
		return nil, false // the name is not known when the object is created
	case !w.SameObject || len(h.Names) == 0:
		return names, true
	case len(names) == 0:
		return h.Names, true
	}
	both := slices.DeleteFunc(slices.Clone(h.Names), func(n string) bool { return !slices.Contains(names, n) })
	return both, len(both) > 0
}

// giving lists the rules that allow a request, for every object and for named ones only. A request that names
// an object is free if the rule names it too. Creating cannot be limited by name, because the object's name is not
// part of the request; subresources have one (Kubernetes documentation, "Using RBAC Authorization", 2026-11).
func giving(rules []rbacv1.PolicyRule, need Request) (free, limited []int) {
	for i := range rules {
		if allows(&rules[i], &need) {
			free = append(free, i)
			continue
		}
		open := rules[i]
		open.ResourceNames = nil
		if need.Name == "" && !nameless(need) && allows(&open, &need) {
			limited = append(limited, i)
		}
	}
	return free, limited
}

// given says whether any rule gives what is needed, whether or not for objects of certain names.
func given(rules []rbacv1.PolicyRule, need *Request) bool {
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		if need.Name == "" && !nameless(*need) {
			r.ResourceNames = nil
		}
		return allows(&r, need)
	})
}

// nameless reports requests that never carry an object's name.
func nameless(r Request) bool {
	return r.Verb == "create" && r.Subresource == "" || r.Verb == "deletecollection"
}

func impersonatesOn(rules []rbacv1.PolicyRule, mode string) bool {
	prefix := "impersonate-on:" + mode + ":"
	return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
		return len(r.Resources)+len(r.NonResourceURLs) > 0 && slices.ContainsFunc(r.Verbs, func(v string) bool {
			return v == "*" || strings.HasPrefix(v, prefix)
		})
	})
}

// Has reports whether the rules give the power with this ID to any extent in Kubernetes 1.minor (0 if not known).
func Has(rules []rbacv1.PolicyRule, id string, minor int) bool {
	p := PowerByID(id)
	return p != nil && slices.ContainsFunc(p.HeldBy(rules), func(h Held) bool { return h.Way.OpenIn(minor) })
}

// PowerByID returns the power with the ID, or nil.
func PowerByID(id string) *Power {
	i := slices.IndexFunc(powers, func(p Power) bool { return p.ID == id })
	if i < 0 {
		return nil
	}
	return &powers[i]
}

// Powers returns all powers in the order of the table. The caller must not change them.
func Powers() []Power { return powers }

// each makes one way per verb for "resource" or "resource/subresource".
func each(group, resource string, verbs ...string) []Way {
	name, sub, _ := strings.Cut(resource, "/")
	var ways []Way
	for _, v := range verbs {
		ways = append(ways, Way{Needs: []Request{{Verb: v, APIGroup: group, Resource: name, Subresource: sub}}})
	}
	return ways
}

// write makes the ways to change objects of one kind.
func write(group string, resources ...string) []Way {
	var ways []Way
	for _, r := range resources {
		ways = append(ways, each(group, r, "create", "update", "patch")...)
	}
	return ways
}

// writeNamed makes the ways to change one object.
func writeNamed(group, resource, name string) []Way {
	ways := each(group, resource, "create", "update", "patch")
	for i := range ways {
		if need := &ways[i].Needs[0]; need.Verb != "create" {
			need.Name = name
		}
	}
	return ways
}

// in limits ways to a namespace.
func in(namespace string, ways []Way) []Way {
	for i := range ways {
		for j := range ways[i].Needs {
			ways[i].Needs[j].Namespace = namespace
		}
	}
	return ways
}

// before and since limit ways to Kubernetes versions.
func before(minor int, ways []Way) []Way {
	for i := range ways {
		ways[i].Before = minor
	}
	return ways
}

func since(minor int, ways []Way) []Way {
	for i := range ways {
		ways[i].Since = minor
	}
	return ways
}
