package rbac

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Request is what an authorizer is asked. A request with a NonResourceURL is about that URL and its
// resource fields are ignored.
type Request struct {
	User   string
	Groups []string

	Verb        string
	Namespace   string // "" is a cluster-wide request: all namespaces, or a cluster-scoped object
	APIGroup    string // "" is the core group
	Resource    string
	Subresource string
	Name        string // "" for list, create and other requests that name no object

	NonResourceURL string
}

// String renders the request as "verb group/resource/sub name in namespace", for findings and tests.
func (r Request) String() string {
	if r.NonResourceURL != "" {
		return r.Verb + " " + r.NonResourceURL
	}
	s := r.Resource
	if r.Subresource != "" {
		s += "/" + r.Subresource
	}
	if r.APIGroup != "" {
		s += "." + r.APIGroup
	}
	if s = r.Verb + " " + s; r.Name != "" {
		s += " " + r.Name
	}
	if r.Namespace != "" {
		s += " in " + r.Namespace
	}
	return s
}

// Allows reports whether one rule allows the request. Who asks, and in which namespace, is not the rule's
// affair but the binding's.
func Allows(rule rbacv1.PolicyRule, r Request) bool { return allows(&rule, &r) }

func allows(rule *rbacv1.PolicyRule, r *Request) bool {
	if !matches(rule.Verbs, r.Verb) {
		return false
	}
	if r.NonResourceURL != "" {
		return matchesURL(rule.NonResourceURLs, r.NonResourceURL)
	}
	return matches(rule.APIGroups, r.APIGroup) && matchesResource(rule.Resources, r.Resource, r.Subresource) &&
		(len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, r.Name))
}

// matches compares verbs and API groups; "*" is the only wildcard.
func matches(list []string, s string) bool {
	for _, e := range list {
		if e == "*" || e == s {
			return true
		}
	}
	return false
}

// matchesResource knows "*" for every resource and subresource, "pods", "pods/log" and "*/log". There is no
// "pods/*": it matches only a subresource of that very name.
func matchesResource(list []string, resource, subresource string) bool {
	for _, e := range list {
		if e == "*" {
			return true
		}
		if subresource == "" {
			if e == resource {
				return true
			}
			continue
		}
		head, found := strings.CutSuffix(e, subresource)
		if found && (head == "*/" || len(head) == len(resource)+1 && head[:len(resource)] == resource && head[len(resource)] == '/') {
			return true
		}
	}
	return false
}

// matchesURL takes a trailing "*" for a prefix; a "*" elsewhere is an ordinary character.
func matchesURL(list []string, url string) bool {
	for _, e := range list {
		if e == "*" || e == url || strings.HasSuffix(e, "*") && strings.HasPrefix(url, strings.TrimRight(e, "*")) {
			return true
		}
	}
	return false
}
