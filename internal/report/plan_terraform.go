package report

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"drawbridge/internal/migrate"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
)

// terraformLocals are the values that the form offers to what is written elsewhere.
const (
	terraformMap   = "drawbridge_access_entries"
	terraformTrust = "drawbridge_trust_policies"
)

// terraform writes the form for Terraform. Arguments and import ids are those of the AWS provider's documentation
// (registry.terraform.io, "aws_eks_access_entry", "aws_eks_access_policy_association", "aws_eks_pod_identity_association",
// 2026-11).
type terraform struct {
	hcl
	names *names
	// providers are the names of provider configurations by account and region; nil where all is in one.
	providers map[[2]string]string
}

func writePlanTerraform(w io.Writer, r *migrate.Result, _ Options) error {
	f, err := newForm(r)
	if err != nil {
		return err
	}
	t := &terraform{names: terraformNames()}
	t.comment(f.head("Terraform", terraformInstead)...)
	t.comment("", "What exists already is imported, which takes Terraform 1.5 or later: a first plan shows no changes to it but tags that the",
		"provider adds. Delete the import blocks afterwards.")
	t.configurations(f)
	for _, c := range f.clusters {
		for _, e := range c.entries {
			t.entry(c, e)
		}
		for _, a := range c.associations {
			t.association(c, a)
		}
	}
	t.moduleMap(f)
	t.trustPolicies(f)
	_, err = w.Write(t.out.Bytes())
	return err
}

// terraformInstead says how Terraform does what this form leaves to what is written elsewhere.
func terraformInstead(s planStep) []string {
	switch c := s.change.(type) {
	case plan.SetAuthenticationMode:
		return []string{"in the cluster's aws_eks_cluster: access_config { authentication_mode = " + hclString(c.Mode) + " }, or in the module: authentication_mode = " + hclString(c.Mode)}
	case plan.UpdateTrustPolicy:
		return []string{"in the role's aws_iam_role: assume_role_policy = local." + terraformTrust + "[" + hclString(s.ID) + "]"}
	}
	return nil
}

// configurations writes a provider configuration for each account and region, where there are several.
func (t *terraform) configurations(f *form) {
	seen := map[[2]string]string{}
	var order [][2]string
	aliases := terraformNames()
	for _, c := range f.clusters {
		place := [2]string{c.Account, c.Region}
		if _, ok := seen[place]; !ok {
			seen[place] = aliases.of(c.Account+" "+c.Region, true, c.Region, c.Account)
			order = append(order, place)
		}
	}
	if len(order) < 2 {
		if len(order) == 1 && order[0][1] != "" {
			t.comment("The provider must be that of account " + order[0][0] + " and region " + order[0][1] + ".")
		}
		return
	}
	t.providers = seen
	for _, place := range order {
		t.line("")
		t.open("provider \"aws\" {")
		pairs := [][2]string{{"alias", hclString(seen[place])}}
		if place[1] != "" {
			pairs = append(pairs, [2]string{"region", hclString(place[1])})
		}
		if place[0] != "" {
			pairs = append(pairs, [2]string{"allowed_account_ids", hclStrings([]string{place[0]})})
		}
		t.attributes(pairs...)
		t.end("}")
	}
}

// resource writes a resource, and the block that imports it where it exists already.
func (t *terraform) resource(c formCluster, kind, name, importID string, pairs [][2]string, blocks func()) {
	if importID != "" {
		t.line("")
		t.open("import {")
		t.attributes([2]string{"to", kind + "." + name}, [2]string{"id", hclString(importID)})
		t.end("}")
	}
	if p := t.providers[[2]string{c.Account, c.Region}]; p != "" {
		pairs = append([][2]string{{"provider", "aws." + p}}, pairs...)
	}
	t.line("")
	t.open("resource %q %q {", kind, name)
	t.attributes(pairs...)
	if blocks != nil {
		t.line("")
		blocks()
	}
	t.end("}")
}

func importOf(exists bool, id string) string {
	if !exists {
		return ""
	}
	return id
}

func (t *terraform) entry(c formCluster, e formEntry) {
	const kind = "aws_eks_access_entry"
	name, whole := c.principalName(e.PrincipalARN)
	name = t.names.of(c.ID()+" "+e.PrincipalARN, whole, c.Name, name)
	t.indent++
	pairs := append([][2]string{{"cluster_name", hclString(c.Name)}}, t.entryArguments(e)...)
	t.indent--
	t.resource(c, kind, name, importOf(e.exists, c.Name+":"+e.PrincipalARN), pairs, nil)
	for _, p := range e.policies {
		const kind = "aws_eks_access_policy_association"
		t.resource(c, kind, t.names.of(kind+" "+c.ID()+" "+e.PrincipalARN+" "+p.PolicyARN, p.published(c), name, p.PolicyName()),
			importOf(p.exists, c.Name+"#"+e.PrincipalARN+"#"+p.PolicyARN),
			[][2]string{{"cluster_name", hclString(c.Name)}, {"principal_arn", "aws_eks_access_entry." + name + ".principal_arn"}, {"policy_arn", hclString(p.PolicyARN)}},
			func() {
				t.open("access_scope {")
				t.attributes(scopeArguments(p.Scope)...)
				t.end("}")
			})
	}
}

// published says whether the policy is AWS's, so that its name tells it.
func (p formPolicy) published(c formCluster) bool {
	return p.PolicyARN == "arn:"+c.Partition+":eks::aws:cluster-access-policy/"+p.PolicyName()
}

func scopeArguments(s model.AccessScope) [][2]string {
	pairs := [][2]string{{"type", hclString(s.Type)}}
	if len(s.Namespaces) > 0 {
		pairs = append(pairs, [2]string{"namespaces", hclStrings(s.Namespaces)})
	}
	return pairs
}

// entryArguments are those that resource and module have in common.
func (t *terraform) entryArguments(e formEntry) [][2]string {
	pairs := [][2]string{{"principal_arn", hclString(e.PrincipalARN)}}
	if e.Type != "" {
		pairs = append(pairs, [2]string{"type", hclString(e.Type)})
	}
	if e.username != "" {
		pairs = append(pairs, [2]string{"user_name", hclString(e.username)})
	}
	if len(e.groups) > 0 {
		pairs = append(pairs, [2]string{"kubernetes_groups", hclStrings(e.groups)})
	}
	if len(e.Tags) > 0 {
		pairs = append(pairs, [2]string{"tags", t.tags(e.Tags)})
	}
	return pairs
}

func (t *terraform) association(c formCluster, a formAssociation) {
	const kind = "aws_eks_pod_identity_association"
	pairs := [][2]string{
		{"cluster_name", hclString(c.Name)}, {"namespace", hclString(a.Namespace)}, {"service_account", hclString(a.ServiceAccount)}, {"role_arn", hclString(a.RoleARN)},
	}
	if a.TargetRoleARN != "" {
		pairs = append(pairs, [2]string{"target_role_arn", hclString(a.TargetRoleARN)})
	}
	if a.DisableSessionTags {
		pairs = append(pairs, [2]string{"disable_session_tags", "true"})
	}
	t.indent++
	if a.Policy != "" { // since version 6.57.1 of the AWS provider (its change log, 2026-07)
		pairs = append(pairs, [2]string{"policy", t.document(a.Policy)})
	}
	if len(a.Tags) > 0 {
		pairs = append(pairs, [2]string{"tags", t.tags(a.Tags)})
	}
	t.indent--
	importID := importOf(a.exists && a.ID != "", c.Name+","+a.ID)
	if a.exists && a.ID == "" {
		t.line("")
		t.comment("This one exists; its id was not read. import { id = \"CLUSTER,ASSOCIATION-ID\" } before it is applied.")
	}
	t.resource(c, kind, t.names.of(kind+" "+c.ID()+" "+a.Namespace+" "+a.ServiceAccount, c.label == c.Name, c.Name, a.Namespace, a.ServiceAccount), importID, pairs, nil)
}

// moduleMap writes the access entries as the module terraform-aws-modules/eks takes them (its documentation, version 21,
// 2026-11).
func (t *terraform) moduleMap(f *form) {
	any := false
	for _, c := range f.clusters {
		any = any || len(c.entries) > 0
	}
	if !any {
		return
	}
	t.line("")
	t.comment("For the module terraform-aws-modules/eks, instead of the access entries above: delete those resources and their import",
		"blocks, and write access_entries = local."+terraformMap+`["CLUSTER"] in the module's block. What exists is imported as`,
		`module.eks.aws_eks_access_entry.this["KEY"] and module.eks.aws_eks_access_policy_association.this["KEY_POLICY"], with the ids above.`)
	t.open("locals {")
	t.open("%s = {", terraformMap)
	for _, c := range f.clusters {
		keys := terraformNames()
		t.open("%s = {", hclKey(c.label))
		for _, e := range c.entries {
			name, whole := c.principalName(e.PrincipalARN)
			t.open("%s = {", hclKey(keys.of(c.ID()+" "+e.PrincipalARN, whole, name)))
			t.attributes(t.entryArguments(e)...)
			if len(e.policies) > 0 {
				t.modulePolicies(c, e)
			}
			t.end("}")
		}
		t.end("}")
	}
	t.end("}")
	t.end("}")
}

func (t *terraform) modulePolicies(c formCluster, e formEntry) {
	keys := terraformNames()
	t.open("policy_associations = {")
	for _, p := range e.policies {
		t.open("%s = {", hclKey(keys.of(p.PolicyARN, p.published(c), p.PolicyName())))
		t.attributes([2]string{"policy_arn", hclString(p.PolicyARN)})
		t.open("access_scope = {")
		t.attributes(scopeArguments(p.Scope)...)
		t.end("}")
		t.end("}")
	}
	t.end("}")
}

// trustPolicies writes the trust policies of roles that are written elsewhere, by step.
func (t *terraform) trustPolicies(f *form) {
	first := true
	for _, p := range f.view.phases {
		for _, s := range p.steps {
			c, ok := s.change.(plan.UpdateTrustPolicy)
			if !ok {
				continue
			}
			if first {
				t.line("")
				t.comment("The trust policies that the steps above write, for the assume_role_policy of each aws_iam_role when its step has come.")
				t.open("locals {")
				t.open("%s = {", terraformTrust)
				first = false
			}
			t.comment("step " + s.ID + ": " + c.RoleARN)
			t.attributes([2]string{hclKey(s.ID), t.document(c.After)})
		}
	}
	if !first {
		t.end("}")
		t.end("}")
	}
}

var terraformIllegal = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

func terraformNames() *names {
	return &names{illegal: terraformIllegal, legal: terraformName, taken: map[string]string{}}
}

// terraformName joins parts to a name that Terraform takes.
func terraformName(parts ...string) string {
	name := terraformIllegal.ReplaceAllString(strings.Join(nonEmpty(parts...), "_"), "_")
	if name == "" || !(name[0] >= 'A' && name[0] <= 'Z' || name[0] >= 'a' && name[0] <= 'z' || name[0] == '_') {
		return fmt.Sprintf("_%s", name)
	}
	return name
}
