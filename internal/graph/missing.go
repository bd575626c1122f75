package graph

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
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
			if h.Way.Needs[0].Verb != "create" || !runs[h.at] {
				continue
			}
			for _, namespace := range c.scope(h.namespace) {
				b.step(h.at, b.made(c, namespace, spaces[h.at] && namespace == ""), access.Yes, b.with(func() Fact {
					return Fact{Text: makes + " " + h.where(), Evidence: h.chain()}
				}), 0)
			}
		}
	}
}

const makes = "create a service account that is given something and does not exist, and run a pod as it"

// made is a service account that an attacker makes in a namespace, or with "" in any; with spaces, namespaces are made too.
func (b *builder) made(c *cluster, namespace string, spaces bool) int32 {
	k := key{anyMade, c.n, namespace, ""}
	if spaces {
		k.b = "and namespaces"
	}
	return b.vertex(k, access.Identity{Kind: KindAny, Cluster: c.label, Namespace: namespace, Name: "a service account of its own making"}, true)
}

// missing links the places of those who make service accounts to the service accounts that wait to be made.
func (b *builder) missing(c *cluster) {
	absent := c.absent(b)
	has := func(namespace, spaces string) bool {
		_, made := b.keys[key{anyMade, c.n, namespace, spaces}]
		return made
	}
	if has("", "and namespaces") {
		b.link(b.made(c, "", true), b.made(c, "", false), 0, 0)
	}
	for _, namespace := range c.namespaces {
		if has("", "") {
			b.link(b.made(c, "", false), b.made(c, namespace, false), 0, 0)
		}
		if !has(namespace, "") {
			continue
		}
		from := b.made(c, namespace, false)
		for _, pattern := range c.patterns {
			if name := madeFor(pattern, namespace); name != "" && pattern != "" {
				b.link(from, c.matching(b, pattern), b.says(Fact{Evidence: []finding.Evidence{{Text: name + " would match", Source: pattern}}}), 0)
			}
		}
		for _, sa := range absent[namespace] {
			b.link(from, b.newPod(c, namespace, sa), b.absence(namespace, sa), 0)
		}
		delete(absent, namespace)
	}
	if !has("", "") {
		return
	}
	for _, namespace := range slices.Sorted(maps.Keys(absent)) { // of namespaces that do not exist either
		for _, sa := range absent[namespace] {
			pod := b.newPod(c, namespace, sa)
			b.maybe(b.made(c, "", false), pod, b.gap("", "if somebody creates namespace %s", namespace), 0)
			if has("", "and namespaces") {
				b.link(b.made(c, "", true), pod, b.absence(namespace, sa), 0)
			}
		}
	}
}

func (b *builder) absence(namespace, sa string) int32 {
	return b.with(func() Fact {
		return Fact{Evidence: []finding.Evidence{{Text: fmt.Sprintf("%s/%s does not exist", namespace, sa), Source: "list serviceaccounts"}}}
	})
}

// absent lists the service accounts by namespace that hold something and do not exist: those of associations, and those that
// trust policies and bindings name.
func (c *cluster) absent(b *builder) map[string][]string {
	all := map[string][]string{}
	seen := map[[2]string]bool{}
	for v := range b.vertices {
		id := &b.vertices[v].id
		sa := [2]string{id.Namespace, id.Name}
		if id.Kind != access.KindServiceAccount || id.Cluster != c.label || seen[sa] {
			continue
		}
		seen[sa] = true
		if _, presence := c.ServiceAccount(sa[0], sa[1]); presence == access.Absent {
			all[sa[0]] = append(all[sa[0]], sa[1])
		}
	}
	return all
}

// madeFor is a service account of a namespace that a pattern of subjects matches, or "".
func madeFor(pattern, namespace string) string {
	_, name, named := strings.Cut(strings.TrimPrefix(pattern, subjectPrefix), ":")
	if !named {
		name = "any"
	}
	name = strings.NewReplacer("*", "x", "?", "x").Replace(name)
	if name == "" || strings.Contains(name, ":") || !matchesPattern(pattern, access.Subject(namespace, name)) {
		return ""
	}
	return namespace + "/" + name
}

const subjectPrefix = "system:serviceaccount:"
