package diff

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/rbac"
)

// everything is the word for all verbs, groups, resources and URLs.
const everything = "*"

// tokens turns the words of a rule's field.
func tokens(list []string) []token {
	all := make([]token, len(list))
	for i, s := range list {
		all[i] = token{text: s}
		if s == everything {
			all[i] = token{whole: true}
		}
	}
	return unique(all)
}

// back turns words into the list that a rule has.
func back(list []token) []string {
	all := make([]string, len(list))
	for i, t := range list {
		if all[i] = t.text; t.whole {
			all[i] = everything
		}
	}
	return all
}

func places(namespaces []string) []token {
	if namespaces == nil {
		return []token{{whole: true}}
	}
	var all []token
	for _, n := range namespaces {
		if n != "" { // no namespace has no name
			all = append(all, token{text: n})
		}
	}
	return unique(all)
}

func placesBack(list []token) []string {
	if slices.Contains(list, token{whole: true}) {
		return nil
	}
	return back(list)
}

// The dimensions of requests about resources, in the order of the sets of a box.
const (
	inNamespace = iota
	ofGroup
	ofResource
	withVerb
	named
)

var ofResources = kind{
	names: func(r *Rule) ([][]token, bool) {
		w := [][]token{places(r.Namespaces), tokens(r.APIGroups), tokens(r.Resources), tokens(r.Verbs), {{whole: true}}}
		if len(r.ResourceNames) > 0 {
			names := make([]token, len(r.ResourceNames))
			for i, n := range r.ResourceNames {
				names[i] = token{text: n}
			}
			w[named] = unique(names)
		}
		return w, !slices.ContainsFunc(w, func(list []token) bool { return len(list) == 0 })
	},
	divide: func(w []map[token]bool) ([]*dimension, bool) {
		where, ok := namespaces(w[inNamespace])
		if !ok {
			return nil, false
		}
		return []*dimension{where, words(w[ofGroup], spareGroups), resources(w[ofResource], spareResources), words(w[withVerb], spareVerbs), words(w[named], []string{""})}, true
	},
	rule: func(w [][]token) Rule {
		r := Rule{PolicyRule: rbacv1.PolicyRule{Verbs: back(w[withVerb]), APIGroups: back(w[ofGroup]), Resources: back(w[ofResource])}, Namespaces: placesBack(w[inNamespace])}
		if !w[named][0].whole {
			r.ResourceNames = back(w[named])
		}
		return r
	},
	witness: func(dims []*dimension, b box) rbac.Request {
		q := rbac.Request{
			Verb: dims[withVerb].like(b[withVerb], spareVerbs...), Namespace: dims[inNamespace].like(b[inNamespace], ""),
			Name: dims[named].like(b[named], ""), APIGroup: dims[ofGroup].like(b[ofGroup], spareGroups...),
		}
		resource := dims[ofResource].like(b[ofResource])
		for _, w := range wellKnown {
			if b[ofGroup].has(dims[ofGroup].atomOf(w.group)) && b[ofResource].has(dims[ofResource].atomOf(w.resource)) {
				q.APIGroup, resource = w.group, w.resource
				break
			}
		}
		q.Resource, q.Subresource, _ = strings.Cut(resource, "/")
		return q
	},
}

// ofURLs are requests about URLs, which only rules for the whole cluster allow.
var ofURLs = kind{
	names: func(r *Rule) ([][]token, bool) {
		paths := tokens(r.NonResourceURLs)
		for i, t := range paths {
			if prefix := strings.TrimRight(t.text, "*"); prefix != t.text && (prefix == "" || prefix == "/") {
				paths[i] = token{whole: true}
			}
		}
		w := [][]token{places(r.Namespaces), tokens(r.Verbs), unique(paths)}
		return w, r.Namespaces == nil && len(r.Verbs) > 0 && len(r.NonResourceURLs) > 0
	},
	divide: func(w []map[token]bool) ([]*dimension, bool) {
		where, _ := namespaces(nil)
		return []*dimension{where, words(w[1], spareVerbs), urls(w[2])}, true
	},
	rule: func(w [][]token) Rule {
		return Rule{PolicyRule: rbacv1.PolicyRule{Verbs: back(w[1]), NonResourceURLs: back(w[2])}}
	},
	witness: func(dims []*dimension, b box) rbac.Request {
		return rbac.Request{Verb: dims[1].like(b[1], spareVerbs...), NonResourceURL: dims[2].like(b[2], "/metrics", "/")}
	},
}

// like is a value of one of a set's atoms: the first of those asked for that is, else an example.
func (d *dimension) like(s set, asked ...string) string {
	for _, v := range asked {
		if s.has(d.atomOf(v)) {
			return v
		}
	}
	for i := range s.each {
		return d.example[i]
	}
	return ""
}

// wellKnown are resources in the order in which a witness is best about them, and the spare words for what no rule names.
var wellKnown = []struct{ group, resource string }{
	{"", "secrets"},
	{"", "pods/exec"},
	{"", "serviceaccounts/token"},
	{"", "pods"},
	{"rbac.authorization.k8s.io", "clusterroles"},
	{"rbac.authorization.k8s.io", "roles"},
	{"rbac.authorization.k8s.io", "rolebindings"},
	{"rbac.authorization.k8s.io", "clusterrolebindings"},
	{"", "configmaps"},
	{"", "serviceaccounts"},
	{"", "nodes/proxy"},
	{"", "nodes"},
	{"", "pods/log"},
	{"apps", "deployments"},
	{"apps", "daemonsets"},
	{"apps", "statefulsets"},
	{"apps", "replicasets"},
	{"batch", "jobs"},
	{"batch", "cronjobs"},
	{"", "services"},
	{"", "namespaces"},
	{"", "events"},
	{"", "endpoints"},
	{"", "persistentvolumes"},
	{"networking.k8s.io", "networkpolicies"},
	{"networking.k8s.io", "ingresses"},
	{"apps", "deployments/scale"},
	{"", "pods/status"},
	{"coordination.k8s.io", "leases"},
	{"storage.k8s.io", "storageclasses"},
	{"policy", "poddisruptionbudgets"},
	{"example.com", "widgets"},
}

var (
	spareVerbs     = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "bind", "escalate", "impersonate"}
	spareGroups    = spare(func(g, _ string) string { return g })
	spareResources = spare(func(_, r string) string { return r })
)

func spare(of func(group, resource string) string) []string {
	var all []string
	for _, w := range wellKnown {
		if s := of(w.group, w.resource); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}
