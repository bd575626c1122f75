package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/invopop/jsonschema"
	rbacv1 "k8s.io/api/rbac/v1"

	"drawbridge/internal/access"
	"drawbridge/internal/finding"
	"drawbridge/internal/graph"
	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// addSchemas writes the JSON Schemas of the formats, from the Go types that are written and read.
func addSchemas(pages map[string]string) error {
	r := reflector()
	result := r.Reflect(&finding.Result{})
	result.ID, result.Title = "", "drawbridge result, version "+finding.Version
	result.Description = "What `drawbridge scan -o json` prints and `drawbridge convert` reads."
	addChanges(r, result)
	if err := addSchema(pages, "formats/result.schema.json", result); err != nil {
		return err
	}
	paths := r.Reflect(&graph.Result{})
	paths.ID, paths.Title = "", "drawbridge attack paths, version "+finding.Version
	paths.Description = "What `drawbridge paths -o json` prints."
	addChanges(r, paths)
	if err := addSchema(pages, "formats/paths.schema.json", paths); err != nil {
		return err
	}
	answers := r.Reflect(&access.Portrait{})
	answers.ID, answers.Title = "", "drawbridge answers about access, version "+finding.Version
	answers.Description = "What `drawbridge access of`, `check`, `check-aws`, `who-can` and `who-can-aws` print with -o json; only `of` has powers. Lines of `access of --all` are single answers."
	answers.Required = slices.DeleteFunc(answers.Required, func(n string) bool { return n == "powers" })
	if err := addSchema(pages, "formats/access.schema.json", answers); err != nil {
		return err
	}
	difference := r.Reflect(&access.Difference{})
	difference.ID, difference.Title = "", "drawbridge difference in access, version "+finding.Version
	difference.Description = "What `drawbridge access diff -o json` prints."
	if err := addSchema(pages, "formats/diff.schema.json", difference); err != nil {
		return err
	}
	migration := r.Reflect(&migrate.Result{})
	migration.ID, migration.Title = "", "drawbridge migration, version "+finding.Version
	migration.Description = "What `drawbridge migrate … -o json` prints."
	addChanges(r, migration)
	if err := addSchema(pages, "formats/plan.schema.json", migration); err != nil {
		return err
	}
	snapshot, err := snapshotSchema(r)
	if err != nil {
		return err
	}
	return addSchema(pages, "formats/snapshot.schema.json", snapshot)
}

func reflector() *jsonschema.Reflector {
	return &jsonschema.Reflector{
		ExpandedStruct: true, AllowAdditionalProperties: true, Anonymous: true,
		Namer: func(t reflect.Type) string {
			if t == reflect.TypeFor[rbacv1.Subject]() {
				return "BindingSubject" // Subject is what findings are about
			}
			return ""
		},
		Mapper: func(t reflect.Type) *jsonschema.Schema {
			switch t {
			case reflect.TypeFor[model.Document]():
				return &jsonschema.Schema{Type: "string", Description: "A policy document: JSON text as AWS stores it."}
			case reflect.TypeFor[json.RawMessage]():
				return &jsonschema.Schema{Ref: "#/$defs/Change"}
			case reflect.TypeFor[time.Time]():
				return &jsonschema.Schema{Type: "string", Format: "date-time"}
			}
			return nil
		},
	}
}

// addChanges describes what a step of a plan can be: one change of a closed set, told apart by its action.
func addChanges(r *jsonschema.Reflector, result *jsonschema.Schema) {
	any := &jsonschema.Schema{Description: "One call of an API of AWS or Kubernetes."}
	for _, c := range plan.Changes() {
		one := r.Reflect(c)
		maps.Copy(result.Definitions, one.Definitions)
		one.Definitions, one.Version, one.ID = nil, "", ""
		one.Properties.Set("action", &jsonschema.Schema{Const: plan.Action(c)})
		one.Required = append(one.Required, "action")
		result.Definitions[plan.Action(c)] = one
		any.OneOf = append(any.OneOf, &jsonschema.Schema{Ref: "#/$defs/" + plan.Action(c)})
	}
	result.Definitions["Change"] = any
}

// snapshotSchema describes the file: a header, and sections whose items depend on their area.
func snapshotSchema(r *jsonschema.Reflector) (*jsonschema.Schema, error) {
	header := r.Reflect(&struct {
		Version  string           `json:"version"`
		Time     time.Time        `json:"time,omitempty"`
		Tool     string           `json:"tool,omitempty"`
		Clusters []*model.Cluster `json:"clusters"`
		Accounts []*model.Account `json:"accounts"`
		Gaps     []finding.Gap    `json:"gaps"`
	}{})
	header.ID, header.Title = "", "drawbridge snapshot, version "+model.Version
	header.Description = "What `drawbridge collect` writes: a header, then one section a line for each area, or part of one, of a cluster or account. Cluster and account are indexes into the header's lists."
	version, ok := header.Properties.Get("version")
	if !ok {
		return nil, fmt.Errorf("the snapshot's header has no version")
	}
	version.Const = model.Version
	var kinds []*jsonschema.Schema
	for _, a := range model.Areas {
		item := r.ReflectFromType(a.ItemType())
		for name, def := range item.Definitions {
			header.Definitions[name] = def
		}
		item.Definitions, item.Version, item.ID = nil, "", ""
		name := string(a.Area) + "Item"
		header.Definitions[name] = item
		owner := "cluster"
		if a.OfAccount {
			owner = "account"
		}
		section := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), Required: []string{"area", owner, "items"}}
		section.Properties.Set("area", &jsonschema.Schema{Const: string(a.Area)})
		section.Properties.Set(owner, &jsonschema.Schema{Type: "integer", Minimum: json.Number("0")})
		section.Properties.Set("items", &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Ref: "#/$defs/" + name}})
		kinds = append(kinds, section)
	}
	header.Properties.Set("sections", &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{OneOf: kinds}})
	header.Required = append(header.Required, "sections")
	return header, nil
}

func addSchema(pages map[string]string, name string, s *jsonschema.Schema) error {
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	pages[name] = string(b) + "\n"
	return nil
}
