package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/model"
)

// makeServiceAccount: an association, a trust policy or a binding may name a service account that is not there. Whoever makes
// it and runs a pod as it has what it was given.
func makeServiceAccount(b *builder) {
	for _, c := range b.clusters {
		runs, spaces := map[int32]bool{}, map[int32]bool{}
		for _, h := range c.holdings["run-pods"] {
			runs[h.at] = true
		}
		for _, h := range c.holdings["create-namespaces"] {
			spaces[h.at] = true
		}
		for i := range c.holdings["write-service-accounts"] {
			h := &c.holdings["write-service-accounts"][i]
			if h.Way.Needs[0].Verb == "create" && runs[h.at] {
				b.makes(c, h.at, h.namespace, h.chain, spaces[h.at])
			}
		}
	}
}

// makes draws steps to the service accounts that can be made in a namespace, or with "" in any.
func (b *builder) makes(c *cluster, at int32, namespace string, chain func() []finding.Evidence, spaces bool) {
	missing := c.missing(b)
	in := []string{namespace}
	if namespace == "" || strings.Contains(namespace, "*") {
		in = slices.Sorted(maps.Keys(missing))
	}
	for _, space := range in {
		if namespace != "" && !c.covers(namespace, space) {
			continue
		}
		answer, conditions := access.Yes, []string(nil)
		if c.Namespace(space) != access.Present && !spaces {
			answer, conditions = access.Maybe, []string{"if somebody creates namespace " + space}
		}
		for _, sa := range missing[space] {
			b.step(at, b.newPod(c, space, sa), answer, b.with(func() Fact {
				f := Fact{Text: fmt.Sprintf("create service account %s/%s, which does not exist and is given something, and run a pod as it", space, sa), If: conditions}
				if chain != nil {
					f.Evidence = chain()
				}
				return f
			}), 0)
		}
	}
}

// covers says whether a namespace of a holding, which may hold wildcards, is or matches another.
func (c *cluster) covers(namespace, other string) bool {
	return model.AccessScope{Type: model.ScopeNamespace, Namespaces: []string{namespace}}.Covers(other)
}

// missing lists the service accounts by namespace that hold something and do not exist: those of associations, and those
// that trust policies and bindings name.
func (c *cluster) missing(b *builder) map[string][]string {
	if c.absent != nil {
		return c.absent
	}
	c.absent = map[string][]string{}
	seen := map[[2]string]bool{}
	for v := range b.vertices {
		id := &b.vertices[v].id
		sa := [2]string{id.Namespace, id.Name}
		if id.Kind != access.KindServiceAccount || id.Cluster != c.label || seen[sa] {
			continue
		}
		seen[sa] = true
		if _, presence := c.ServiceAccount(sa[0], sa[1]); presence == access.Absent {
			c.absent[sa[0]] = append(c.absent[sa[0]], sa[1])
		}
	}
	return c.absent
}
