package wire

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	smithy "github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
)

// Router finds the operation that a REST-JSON request means.
type Router struct {
	model  *Model
	routes []route
}

type route struct {
	op       Operation
	method   string
	segments []string
}

// NewRouter reads the model's HTTP bindings.
func NewRouter(m *Model) *Router {
	r := &Router{model: m}
	for _, op := range m.Operations {
		h, ok := smithy.SchemaTrait[*traits.HTTP](op.Schema)
		if !ok {
			continue
		}
		path, _, _ := strings.Cut(h.URI, "?")
		r.routes = append(r.routes, route{op, h.Method, segments(path)})
	}
	labels := func(t route) int { return strings.Count(strings.Join(t.segments, "/"), "{") }
	// A literal segment beats a label that would also match it.
	slices.SortStableFunc(r.routes, func(a, b route) int { return labels(a) - labels(b) })
	return r
}

// Match returns the operation and the values of its path labels. The path is the escaped one: an ARN's
// slashes are %2F within one segment.
func (r *Router) Match(method, escapedPath string) (Operation, map[string]string, bool) {
	have := segments(escapedPath)
	for _, t := range r.routes {
		if t.method != method {
			continue
		}
		if labels, ok := t.match(have); ok {
			return t.op, labels, true
		}
	}
	return Operation{}, nil, false
}

func (t route) match(have []string) (map[string]string, bool) {
	if len(have) != len(t.segments) {
		return nil, false
	}
	labels := map[string]string{}
	for i, want := range t.segments {
		if !strings.HasPrefix(want, "{") {
			if want != have[i] {
				return nil, false
			}
			continue
		}
		value, err := url.PathUnescape(have[i])
		if err != nil || value == "" {
			return nil, false
		}
		labels[strings.Trim(want, "{}+")] = value
	}
	return labels, true
}

func segments(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }

// Input gathers labels, query and body into one object keyed by member name, as the operation's input
// structure has them, and returns what does not fit the model. The error is for a body that is not JSON.
func (r *Router) Input(op Operation, labels map[string]string, query url.Values, body []byte) (map[string]any, []string, error) {
	in, err := DecodeObject(body)
	if err != nil {
		return nil, nil, err
	}
	var bad []string
	taken := map[string]bool{}
	for name, mem := range op.In.Members() {
		if _, there := in[member(mem)]; there && bound(mem) {
			bad = append(bad, fmt.Sprintf("%s: sent in the body, belongs in the path or the query", name))
		}
		if value, ok := labels[name]; ok {
			in[name] = value
		}
		if t, ok := smithy.SchemaDirectTrait[*traits.HTTPQuery](mem); ok {
			taken[t.Name] = true
			if values, ok := query[t.Name]; ok {
				in[name] = queryValue(mem, values)
			}
		}
	}
	for name := range query {
		if !taken[name] {
			bad = append(bad, fmt.Sprintf("%s: no such query parameter", name))
		}
	}
	slices.Sort(bad)
	return in, append(bad, r.model.Validate(op.In, in)...), nil
}

// queryValue gives text the JSON kind that the schema asks for; text that has another kind stays text and
// so fails validation.
func queryValue(s *smithy.Schema, values []string) any {
	switch s.Type() {
	case smithy.ShapeTypeList:
		list := make([]any, len(values))
		for i, v := range values {
			list[i] = v
		}
		return list
	case smithy.ShapeTypeBoolean:
		if values[0] == "true" || values[0] == "false" {
			return values[0] == "true"
		}
	case smithy.ShapeTypeInteger, smithy.ShapeTypeLong:
		return json.Number(values[0])
	}
	return values[0]
}
