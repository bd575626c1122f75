package rbac

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Question is a request as people write it.
type Question struct {
	Verb string
	// Resource is RESOURCE[.GROUP][/NAME], RESOURCE/SUBRESOURCE, RESOURCE/NAME/SUBRESOURCE, or a URL path.
	Resource string
	// Subresource, where not nil, is the subresource, so that what follows a slash in Resource is a name.
	Subresource *string
	// Namespace is "" where none was named; All is for all namespaces.
	Namespace string
	All       bool
}

// Parse turns a question into a request. Names of resources are taken as kubectl takes them; one that is not known counts
// as it is written and as namespaced. Without a namespace the request is about the namespace default, or about the
// whole cluster for what is of no namespace. Notes say what was taken for what.
func (q Question) Parse() (r Request, notes []string, err error) {
	if q.Verb == "" || q.Resource == "" {
		return r, nil, errors.New("a question needs a verb and a resource, such as get secrets")
	}
	if q.Namespace != "" && q.All {
		return r, nil, errors.New("one namespace and all namespaces cannot be asked for at once")
	}
	r.Verb = q.Verb
	if !slices.Contains(verbs, q.Verb) && !strings.Contains(q.Verb, ":") {
		notes = append(notes, fmt.Sprintf("%s is no verb of Kubernetes; taken as it is written", q.Verb))
	}
	if strings.HasPrefix(q.Resource, "/") {
		return q.url(r, notes)
	}
	parts := strings.Split(q.Resource, "/")
	if len(parts) > 3 || slices.Contains(parts, "") || strings.HasPrefix(parts[0], ".") {
		return r, notes, fmt.Errorf("resource %q is not RESOURCE[.GROUP][/NAME][/SUBRESOURCE] or a URL path", q.Resource)
	}
	known, said := r.resource(parts[0])
	notes = append(notes, said...)
	if said, err = q.parts(&r, known, parts[1:]); err != nil {
		return r, notes, err
	}
	notes = append(notes, said...)
	return r, append(notes, q.place(&r, known)...), nil
}

// verbs are those of requests and those that admission and authorization ask for (Kubernetes documentation, "Authorization",
// 2026-11).
var verbs = strings.Fields("* get list watch create update patch delete deletecollection use bind escalate impersonate approve sign attest proxy post put head options")

func (q Question) url(r Request, notes []string) (Request, []string, error) {
	r.NonResourceURL = q.Resource
	if q.Namespace != "" || q.All || q.Subresource != nil {
		return r, notes, fmt.Errorf("the URL %s is of no namespace and has no subresource", q.Resource)
	}
	return r, notes, nil
}

// resource reads RESOURCE[.VERSION][.GROUP] and says whether, and as what, it is known.
func (r *Request) resource(word string) (known *Resource, notes []string) {
	n, group, _ := strings.Cut(word, ".")
	if first, rest, _ := strings.Cut(group, "."); isVersion(first) {
		group = rest
	}
	if n == "*" {
		r.Resource, r.APIGroup = "*", group
		if group == "" {
			r.APIGroup = "*"
		}
		return nil, nil
	}
	found, ok := FindResource(n, group)
	if !ok {
		r.Resource, r.APIGroup = n, group
		return nil, []string{fmt.Sprintf("drawbridge does not know %s; taken as it is written, in %s", word, groupText(group))}
	}
	r.Resource, r.APIGroup = found.Name, found.Group
	if n != found.Name || group != found.Group {
		notes = append(notes, fmt.Sprintf("%s is taken for %s in %s", word, found.Name, groupText(found.Group)))
	}
	return &found, notes
}

func groupText(group string) string {
	if group == "" {
		return "the core group"
	}
	return "group " + group
}

// isVersion says whether a word is a version, such as v1 or v1beta2.
func isVersion(s string) bool {
	return len(s) > 1 && s[0] == 'v' && s[1] >= '0' && s[1] <= '9'
}

// parts reads what follows the resource: a name, a subresource, or both.
func (q Question) parts(r *Request, known *Resource, parts []string) (notes []string, err error) {
	switch {
	case q.Subresource != nil && len(parts) == 2:
		return nil, errors.New("the subresource is given twice")
	case q.Subresource != nil:
		r.Subresource = *q.Subresource
		if len(parts) == 1 {
			r.Name = parts[0]
		}
	case len(parts) == 2:
		r.Name, r.Subresource = parts[0], parts[1]
	case len(parts) == 1 && known != nil && known.HasSubresource(parts[0]):
		r.Subresource = parts[0]
		notes = append(notes, fmt.Sprintf("%s is taken for the subresource; for an object of that name add --subresource ''", parts[0]))
	case len(parts) == 1:
		r.Name = parts[0]
	}
	return notes, nil
}

// place says in which namespace the request is. One about a named Namespace is in it, as the API server has it
// (Kubernetes v1.36.3, apiserver/pkg/endpoints/request).
func (q Question) place(r *Request, known *Resource) (notes []string) {
	clusterScoped := known != nil && !known.Namespaced
	switch {
	case clusterScoped && q.Namespace != "":
		notes = append(notes, fmt.Sprintf("%s are of no namespace; %s does not count", r.Resource, q.Namespace))
	case clusterScoped, q.All:
	case q.Namespace != "":
		r.Namespace = q.Namespace
	case r.Resource != "*":
		r.Namespace = "default"
	}
	if clusterScoped && r.APIGroup == "" && r.Resource == "namespaces" && r.Name != "" {
		r.Namespace = r.Name
	}
	return notes
}
