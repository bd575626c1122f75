package report

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"drawbridge/internal/migrate"
	"drawbridge/internal/plan"
)

// The types of a CloudFormation template (CloudFormation Template Reference, "AWS::EKS::AccessEntry" and
// "AWS::EKS::PodIdentityAssociation", 2026-11).
type (
	cfnTemplate struct {
		Version     string                 `json:"AWSTemplateFormatVersion"`
		Description string                 `json:"Description"`
		Resources   map[string]cfnResource `json:"Resources"`
	}
	// cfnResource stays when its stack goes, since nobody is to lose access by that.
	cfnResource struct {
		Type                string `json:"Type"`
		DeletionPolicy      string `json:"DeletionPolicy"`
		UpdateReplacePolicy string `json:"UpdateReplacePolicy"`
		Properties          any    `json:"Properties"`
	}
	cfnEntry struct {
		ClusterName      string      `json:"ClusterName"`
		PrincipalArn     string      `json:"PrincipalArn"`
		Type             string      `json:"Type,omitzero"`
		Username         string      `json:"Username,omitzero"`
		KubernetesGroups []string    `json:"KubernetesGroups,omitempty"`
		AccessPolicies   []cfnPolicy `json:"AccessPolicies,omitempty"`
		Tags             []cfnTag    `json:"Tags,omitempty"`
	}
	cfnPolicy struct {
		PolicyArn   string   `json:"PolicyArn"`
		AccessScope cfnScope `json:"AccessScope"`
	}
	cfnScope struct {
		Type       string   `json:"Type"`
		Namespaces []string `json:"Namespaces,omitempty"`
	}
	cfnTag         struct{ Key, Value string }
	cfnAssociation struct {
		ClusterName        string   `json:"ClusterName"`
		Namespace          string   `json:"Namespace"`
		ServiceAccount     string   `json:"ServiceAccount"`
		RoleArn            string   `json:"RoleArn"`
		TargetRoleArn      string   `json:"TargetRoleArn,omitzero"`
		DisableSessionTags bool     `json:"DisableSessionTags,omitzero"`
		Policy             string   `json:"Policy,omitzero"`
		Tags               []cfnTag `json:"Tags,omitempty"`
	}
	// cfnImport is an item of --resources-to-import.
	cfnImport struct {
		ResourceType       string
		LogicalResourceID  string `json:"LogicalResourceId"`
		ResourceIdentifier map[string]string
	}
)

// cfnMax is how many resources CloudFormation takes in a template (CloudFormation User Guide, "Understand CloudFormation
// quotas", 2026-11).
const cfnMax = 500

// cfnStack is the template of one account and region.
type cfnStack struct {
	account, region string
	names           *names
	resources       map[string]cfnResource
	imports         []cfnImport
	notes           []string
}

func writePlanCloudFormation(w io.Writer, r *migrate.Result, _ Options) error {
	f, err := newForm(r)
	if err != nil {
		return err
	}
	var stacks []*cfnStack
	for _, c := range f.clusters {
		i := slices.IndexFunc(stacks, func(s *cfnStack) bool { return s.account == c.Account && s.region == c.Region })
		if i < 0 {
			i = len(stacks)
			stacks = append(stacks, &cfnStack{
				account: c.Account, region: c.Region, resources: map[string]cfnResource{},
				names: &names{illegal: cfnIllegal, legal: cfnName, taken: map[string]string{}},
			})
		}
		stacks[i].add(c)
	}
	head := f.head("CloudFormation", cfnInstead)
	if len(stacks) > 1 {
		head = append(head, "", fmt.Sprintf("%d templates follow, one for each account and region: put each into a file of its own.", len(stacks)))
	}
	out := bytes.NewBufferString(hashes(head))
	for i, s := range stacks {
		if i > 0 {
			out.WriteString("---\n")
		}
		if err := s.write(out); err != nil {
			return err
		}
	}
	_, err = w.Write(out.Bytes())
	return err
}

func cfnInstead(s planStep) []string {
	if c, ok := s.change.(plan.SetAuthenticationMode); ok {
		return []string{"in the cluster's AWS::EKS::Cluster: AccessConfig: {AuthenticationMode: " + c.Mode + "}"}
	}
	return nil
}

func (s *cfnStack) write(out *bytes.Buffer) error {
	lines := []string{"", "The stack of account " + s.account + ", region " + s.region + "."}
	lines = append(lines, s.notes...)
	if len(s.resources) > cfnMax {
		lines = append(lines, fmt.Sprintf("CloudFormation takes %d resources in a template, and these are %d: split them.", cfnMax, len(s.resources)))
	}
	if len(s.imports) > 0 {
		text, err := json.Marshal(s.imports, jsontext.AllowInvalidUTF8(true), json.Deterministic(true))
		if err != nil {
			return fmt.Errorf("name what exists: %w", err)
		}
		lines = append(lines, fmt.Sprintf("%d of these exist already. Make the stack of them first, with a template that holds only them:", len(s.imports)),
			"aws cloudformation create-change-set --change-set-type IMPORT --resources-to-import "+plan.Shell(string(text)))
	}
	out.WriteString(hashes(lines))
	if len(s.resources) == 0 {
		out.WriteString("# It has no resources.\n")
		return nil
	}
	return encodeYAML(out, cfnTemplate{"2010-09-09", "Identity of EKS clusters, written by drawbridge.", s.resources})
}

// add adds the resources of a cluster.
func (s *cfnStack) add(c formCluster) {
	for _, e := range c.entries {
		name, whole := c.principalName(e.PrincipalARN)
		entry := cfnEntry{
			ClusterName: c.Name, PrincipalArn: e.PrincipalARN, Type: e.Type, Username: e.username, KubernetesGroups: e.groups, Tags: cfnTags(e.Tags),
		}
		for _, p := range e.policies {
			entry.AccessPolicies = append(entry.AccessPolicies, cfnPolicy{p.PolicyARN, cfnScope{p.Scope.Type, p.Scope.Namespaces}})
		}
		var identifier map[string]string
		if e.exists {
			identifier = map[string]string{"PrincipalArn": e.PrincipalARN, "ClusterName": c.Name}
		}
		s.put(s.names.of(c.ID()+" "+e.PrincipalARN, whole, "Entry", c.Name, name), "AWS::EKS::AccessEntry", entry, identifier)
	}
	for _, a := range c.associations {
		var identifier map[string]string
		if a.exists {
			identifier = map[string]string{"AssociationArn": a.ARN}
		}
		s.put(s.names.of(c.ID()+" "+a.Namespace+" "+a.ServiceAccount, c.label == c.Name, "Association", c.Name, a.Namespace, a.ServiceAccount),
			"AWS::EKS::PodIdentityAssociation", cfnAssociation{
				c.Name, a.Namespace, a.ServiceAccount, a.RoleARN, a.TargetRoleARN, a.DisableSessionTags, string(a.Policy), cfnTags(a.Tags),
			}, identifier)
	}
}

// put adds a resource, with its identifier where it exists already. CloudFormation would replace dynamic references in names
// by secrets ("Get values stored in other services using dynamic references", 2026-11), and there is no way to write one as
// itself.
func (s *cfnStack) put(name, kind string, properties any, identifier map[string]string) {
	text, err := json.Marshal(properties, jsontext.AllowInvalidUTF8(true))
	if err != nil || bytes.Contains(text, []byte("{{resolve:")) {
		s.notes = append(s.notes, "NOT HERE, because CloudFormation would take a part of it for a dynamic reference: "+kind+" "+string(text))
		return
	}
	s.resources[name] = cfnResource{kind, "Retain", "Delete", properties}
	if identifier != nil {
		s.imports = append(s.imports, cfnImport{kind, name, identifier})
	}
}

func cfnTags(tags map[string]string) []cfnTag {
	var out []cfnTag
	for _, k := range sortedKeys(tags) {
		out = append(out, cfnTag{k, tags[k]})
	}
	return out
}

var cfnIllegal = regexp.MustCompile(`[^A-Za-z0-9]+`)

// cfnName joins parts to a logical id.
func cfnName(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		for _, word := range cfnIllegal.Split(p, -1) {
			b.WriteString(capital(word))
		}
	}
	name := b.String()
	if len(name) > 200 { // of 255
		name = name[:192] + name[len(name)-8:]
	}
	return name
}
