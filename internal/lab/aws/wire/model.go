// Package wire speaks the protocols of AWS on the server's side: it routes REST-JSON requests, checks
// JSON against the SDK's own schemas, reads query forms, and writes the XML and JSON that clients expect.
// It holds no state and knows no service's rules: package lab/aws has those.
package wire

import (
	"slices"
	"strings"

	smithy "github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
)

//go:generate go run ./gen

// Operation is one operation of a schema-based service with its input and output schemas; Out is nil if
// the operation has no output.
type Operation struct {
	Name            string
	Schema, In, Out *smithy.Schema
}

// Model is what the SDK knows of a service.
type Model struct {
	Operations []Operation
	Errors     map[string]int      // error code -> HTTP status
	Required   map[string][]string // structure -> members that must be there
	Enums      map[string][]string // enumeration -> its values
}

// Operation returns the operation of that name.
func (m *Model) Operation(name string) (Operation, bool) {
	i := slices.IndexFunc(m.Operations, func(o Operation) bool { return o.Name == name })
	if i < 0 {
		return Operation{}, false
	}
	return m.Operations[i], true
}

// Status returns the HTTP status of an error code; 400 for one that the model does not have.
func (m *Model) Status(code string) int {
	if s, ok := m.Errors[code]; ok {
		return s
	}
	return 400
}

// member is the wire name of a structure's member.
func member(s *smithy.Schema) string {
	if t, ok := smithy.SchemaDirectTrait[*traits.JSONName](s); ok {
		return t.Name
	}
	return s.MemberName()
}

// shape is the name of the shape that a schema or a member refers to.
func shape(s *smithy.Schema) string {
	if n := s.TargetID().Name; n != "" {
		return n
	}
	return s.ID().Name
}

func equalFoldIn(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}
