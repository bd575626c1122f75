// Command terraform-provider-aws stands in for Terraform's AWS provider in tests of what drawbridge emits: it has the
// arguments of three resources, plans whatever is written, and reaches nothing. It cannot be applied.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/hashicorp/terraform-plugin-go/tfprotov5"
	"github.com/hashicorp/terraform-plugin-go/tfprotov5/tf5server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// schemas are the arguments of the resources, by kind. See schema.json for where they are from.
//
//go:embed schema.json
var schemas []byte

// resource is the schema of a resource or of a block in it.
type resource struct {
	// Arguments are types by name: string, bool, set(string), map(string); with ! those that are required, with = those that
	// only the provider sets.
	Arguments map[string]string   `json:"arguments"`
	Blocks    map[string]resource `json:"blocks"`
}

func main() {
	var parsed struct {
		Resources map[string]resource `json:"resources"`
	}
	if err := json.Unmarshal(schemas, &parsed); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	p := provider{schemas: map[string]*tfprotov5.Schema{}}
	for kind, r := range parsed.Resources {
		p.schemas[kind] = &tfprotov5.Schema{Block: r.block()}
	}
	if err := tf5server.Serve("registry.terraform.io/hashicorp/aws", func() tfprotov5.ProviderServer { return p }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (r resource) block() *tfprotov5.SchemaBlock {
	b := &tfprotov5.SchemaBlock{}
	for name, text := range r.Arguments {
		a := &tfprotov5.SchemaAttribute{Name: name, Optional: true, Computed: true}
		switch text[len(text)-1] {
		case '!':
			a.Required, a.Optional, a.Computed = true, false, false
		case '=':
			a.Optional = false
		}
		switch text {
		case "bool":
			a.Type = tftypes.Bool
		case "set(string)":
			a.Type = tftypes.Set{ElementType: tftypes.String}
		case "list(string)":
			a.Type = tftypes.List{ElementType: tftypes.String}
		case "map(string)":
			a.Type = tftypes.Map{ElementType: tftypes.String}
		default:
			a.Type = tftypes.String
		}
		b.Attributes = append(b.Attributes, a)
	}
	for name, inner := range r.Blocks {
		b.BlockTypes = append(b.BlockTypes, &tfprotov5.SchemaNestedBlock{TypeName: name, Block: inner.block(), Nesting: tfprotov5.SchemaNestedBlockNestingModeList, MinItems: 1})
	}
	return b
}

// provider answers what `terraform validate` and `terraform plan` ask. What else there is, nobody asks.
type provider struct {
	tfprotov5.ProviderServer
	schemas map[string]*tfprotov5.Schema
}

func (p provider) GetMetadata(context.Context, *tfprotov5.GetMetadataRequest) (*tfprotov5.GetMetadataResponse, error) {
	r := &tfprotov5.GetMetadataResponse{}
	for kind := range p.schemas {
		r.Resources = append(r.Resources, tfprotov5.ResourceMetadata{TypeName: kind})
	}
	return r, nil
}

func (p provider) GetProviderSchema(context.Context, *tfprotov5.GetProviderSchemaRequest) (*tfprotov5.GetProviderSchemaResponse, error) {
	return &tfprotov5.GetProviderSchemaResponse{
		Provider:        &tfprotov5.Schema{Block: resource{Arguments: map[string]string{"region": "string", "allowed_account_ids": "set(string)"}}.configuration()},
		ResourceSchemas: p.schemas,
	}, nil
}

// configuration is a block in which nothing is set by the provider.
func (r resource) configuration() *tfprotov5.SchemaBlock {
	b := r.block()
	for _, a := range b.Attributes {
		a.Computed = false
	}
	return b
}

func (p provider) GetResourceIdentitySchemas(context.Context, *tfprotov5.GetResourceIdentitySchemasRequest) (*tfprotov5.GetResourceIdentitySchemasResponse, error) {
	return &tfprotov5.GetResourceIdentitySchemasResponse{}, nil
}

func (p provider) PrepareProviderConfig(_ context.Context, r *tfprotov5.PrepareProviderConfigRequest) (*tfprotov5.PrepareProviderConfigResponse, error) {
	return &tfprotov5.PrepareProviderConfigResponse{PreparedConfig: r.Config}, nil
}

func (p provider) ConfigureProvider(context.Context, *tfprotov5.ConfigureProviderRequest) (*tfprotov5.ConfigureProviderResponse, error) {
	return &tfprotov5.ConfigureProviderResponse{}, nil
}

func (p provider) ValidateResourceTypeConfig(context.Context, *tfprotov5.ValidateResourceTypeConfigRequest) (*tfprotov5.ValidateResourceTypeConfigResponse, error) {
	return &tfprotov5.ValidateResourceTypeConfigResponse{}, nil
}

// ImportResourceState knows of a resource its id.
func (p provider) ImportResourceState(_ context.Context, r *tfprotov5.ImportResourceStateRequest) (*tfprotov5.ImportResourceStateResponse, error) {
	kind := p.schemas[r.TypeName].ValueType()
	object, ok := kind.(tftypes.Object)
	if !ok {
		return nil, fmt.Errorf("%s is no object", r.TypeName)
	}
	values := map[string]tftypes.Value{}
	for name, t := range object.AttributeTypes {
		values[name] = tftypes.NewValue(t, nil)
		if _, list := t.(tftypes.List); list && slices.ContainsFunc(p.schemas[r.TypeName].Block.BlockTypes, func(b *tfprotov5.SchemaNestedBlock) bool { return b.TypeName == name }) {
			values[name] = tftypes.NewValue(t, []tftypes.Value{})
		}
	}
	values["id"] = tftypes.NewValue(tftypes.String, r.ID)
	state, err := tfprotov5.NewDynamicValue(kind, tftypes.NewValue(kind, values))
	if err != nil {
		return nil, err
	}
	return &tfprotov5.ImportResourceStateResponse{ImportedResources: []*tfprotov5.ImportedResource{{TypeName: r.TypeName, State: &state}}}, nil
}

func (p provider) ReadResource(_ context.Context, r *tfprotov5.ReadResourceRequest) (*tfprotov5.ReadResourceResponse, error) {
	return &tfprotov5.ReadResourceResponse{NewState: r.CurrentState}, nil
}

func (p provider) PlanResourceChange(_ context.Context, r *tfprotov5.PlanResourceChangeRequest) (*tfprotov5.PlanResourceChangeResponse, error) {
	return &tfprotov5.PlanResourceChangeResponse{PlannedState: r.ProposedNewState}, nil
}

func (p provider) StopProvider(context.Context, *tfprotov5.StopProviderRequest) (*tfprotov5.StopProviderResponse, error) {
	return &tfprotov5.StopProviderResponse{}, nil
}
