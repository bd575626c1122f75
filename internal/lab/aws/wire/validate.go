package wire

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	smithy "github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
)

// Validate compares a decoded JSON value (numbers as json.Number) with a schema and returns every
// difference: members that the model does not have, wrong kinds, values outside an enumeration and, for
// requests (Required knows only those), missing members. An empty result means that it fits. A nil schema
// is that of an operation without output.
func (m *Model) Validate(s *smithy.Schema, v any) []string {
	if s == nil {
		if object, ok := v.(map[string]any); !ok || len(object) > 0 {
			return []string{"the operation has no output"}
		}
		return nil
	}
	return m.validate(shape(s), s, v)
}

func (m *Model) validate(path string, s *smithy.Schema, v any) []string {
	if v == nil {
		return nil
	}
	switch s.Type() {
	case smithy.ShapeTypeStructure, smithy.ShapeTypeUnion:
		return m.validateStructure(path, s, v)
	case smithy.ShapeTypeList, smithy.ShapeTypeSet:
		list, ok := v.([]any)
		if !ok {
			return wrongKind(path, v, "list")
		}
		var bad []string
		for i, item := range list {
			bad = append(bad, m.validate(fmt.Sprintf("%s[%d]", path, i), s.ListMember(), item)...)
		}
		return bad
	case smithy.ShapeTypeMap:
		object, ok := v.(map[string]any)
		if !ok {
			return wrongKind(path, v, "map")
		}
		var bad []string
		for _, key := range slices.Sorted(maps.Keys(object)) {
			bad = append(bad, m.validate(path+"["+key+"]", s.MapValue(), object[key])...)
		}
		return bad
	}
	return m.validateScalar(path, s, v)
}

func (m *Model) validateStructure(path string, s *smithy.Schema, v any) []string {
	object, ok := v.(map[string]any)
	if !ok {
		return wrongKind(path, v, "structure "+shape(s))
	}
	known := map[string]*smithy.Schema{}
	for _, mem := range s.Members() {
		known[member(mem)] = mem
	}
	var bad []string
	for _, key := range slices.Sorted(maps.Keys(object)) {
		mem, ok := known[key]
		if !ok {
			bad = append(bad, fmt.Sprintf("%s.%s: %s has no such member", path, key, shape(s)))
			continue
		}
		bad = append(bad, m.validate(path+"."+key, mem, object[key])...)
	}
	for _, name := range m.Required[shape(s)] {
		if !equalFoldIn(slices.Collect(maps.Keys(object)), name) {
			bad = append(bad, fmt.Sprintf("%s.%s: required", path, name))
		}
	}
	if s.Type() == smithy.ShapeTypeUnion && len(object) != 1 {
		bad = append(bad, fmt.Sprintf("%s: a union has one member, here are %d", path, len(object)))
	}
	return bad
}

func (m *Model) validateScalar(path string, s *smithy.Schema, v any) []string {
	switch s.Type() {
	case smithy.ShapeTypeString, smithy.ShapeTypeEnum, smithy.ShapeTypeBlob:
		text, ok := v.(string)
		if !ok {
			return wrongKind(path, v, "string")
		}
		if values := m.Enums[shape(s)]; s.Type() == smithy.ShapeTypeEnum && len(values) > 0 && !slices.Contains(values, text) {
			return []string{fmt.Sprintf("%s: %q is not one of [%s]", path, text, strings.Join(values, ", "))}
		}
	case smithy.ShapeTypeBoolean:
		if _, ok := v.(bool); !ok {
			return wrongKind(path, v, "boolean")
		}
	case smithy.ShapeTypeByte, smithy.ShapeTypeShort, smithy.ShapeTypeInteger, smithy.ShapeTypeLong, smithy.ShapeTypeIntEnum:
		n, ok := v.(json.Number)
		if !ok {
			return wrongKind(path, v, "integer")
		}
		if _, err := n.Int64(); err != nil {
			return wrongKind(path, v, "integer")
		}
	case smithy.ShapeTypeFloat, smithy.ShapeTypeDouble, smithy.ShapeTypeTimestamp:
		if _, ok := v.(json.Number); !ok {
			return wrongKind(path, v, "number")
		}
	}
	return nil
}

func wrongKind(path string, v any, want string) []string {
	return []string{fmt.Sprintf("%s: %T where the model says %s", path, v, want)}
}

// bound tells whether a member travels outside the body: in the path, the query or a header.
func bound(s *smithy.Schema) bool {
	_, label := smithy.SchemaDirectTrait[*traits.HTTPLabel](s)
	_, query := smithy.SchemaDirectTrait[*traits.HTTPQuery](s)
	_, header := smithy.SchemaDirectTrait[*traits.HTTPHeader](s)
	return label || query || header
}
