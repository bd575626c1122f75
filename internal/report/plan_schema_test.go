package report

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"drawbridge/internal/model"
)

// TestPlanSchemas holds templates and configurations to their tools' schemas, and the schemas to refusing what is not in them.
func TestPlanSchemas(t *testing.T) {
	for tool, name := range map[string]string{"cloudformation": "cloudformation-eks.schema.json", "eksctl": "eksctl.schema.json"} {
		schema, err := compileSchema(name)
		if err != nil {
			t.Fatal(err)
		}
		for plan, r := range plans(t) {
			t.Run(tool+"/"+plan, func(t *testing.T) {
				docs, err := documents[any](renderPlan(t, tool, r, Options{}))
				if err != nil || len(docs) == 0 {
					t.Fatalf("%d documents, %v", len(docs), err)
				}
				for _, doc := range docs {
					if err := fits(schema, doc); err != nil {
						t.Error(err)
					}
					doc.(map[string]any)["Surprise"] = 1
					if fits(schema, doc) == nil {
						t.Error("the schema takes anything")
					}
				}
			})
		}
	}
}

// TestPlanJSON holds the JSON to the schema that is published.
func TestPlanJSON(t *testing.T) {
	schema, err := compileSchema("../../../../docs/reference/formats/plan.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range plans(t) {
		var doc map[string]any
		if err := json.Unmarshal([]byte(renderPlan(t, "json", r, Options{})), &doc); err != nil {
			t.Fatal(err)
		}
		if err := fits(schema, doc); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		delete(doc, "steps")
		if fits(schema, doc) == nil {
			t.Errorf("%s: the schema takes a plan without steps", name)
		}
	}
}

func fits(schema *jsonschema.Schema, doc any) error {
	text, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(instance)
}

// TestPlanEksctlTypes has the types of access entries that eksctl does not document: they are named, not written.
func TestPlanEksctlTypes(t *testing.T) {
	schema, err := compileSchema("eksctl.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{model.EntryStandard, model.EntryEC2Linux, model.EntryEC2Windows, model.EntryFargate, model.EntryHybrid, model.EntryEC2, model.EntryHyperpod} {
		c := formCluster{Cluster: &model.Cluster{Name: "prod"}, entries: []formEntry{{AccessEntry: &model.AccessEntry{PrincipalARN: "arn:aws:iam::111122223333:role/x", Type: kind}}}}
		config, notes := eksctlOf(c)
		if err := fits(schema, config); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if written, told := config.AccessConfig != nil, strings.Contains(strings.Join(notes, "\n"), "NOT HERE"); written == told {
			t.Errorf("%s: written %t, told that it is not %t", kind, written, told)
		}
	}
}

// TestPlanEksctlRefuses has what eksctl itself refuses: the schema does, too.
func TestPlanEksctlRefuses(t *testing.T) {
	schema, err := compileSchema("eksctl.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	const role, view = "arn:aws:iam::111122223333:role/x", "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
	scoped := func(policy, kind string, namespaces ...string) []eksctlPolicy {
		return []eksctlPolicy{{policy, model.AccessScope{Type: kind, Namespaces: namespaces}}}
	}
	for name, c := range map[string]struct {
		entry eksctlEntry
		fits  bool
	}{
		"a policy on a namespace":                  {eksctlEntry{PrincipalARN: role, AccessPolicies: scoped(view, "namespace", "shop")}, true},
		"a policy on the cluster":                  {eksctlEntry{PrincipalARN: role, Type: "STANDARD", AccessPolicies: scoped(view, "cluster")}, true},
		"nodes":                                    {eksctlEntry{PrincipalARN: role, Type: "EC2_LINUX"}, true},
		"nodes with groups":                        {eksctlEntry{PrincipalARN: role, Type: "EC2_LINUX", KubernetesGroups: []string{"g"}}, false},
		"nodes with a username":                    {eksctlEntry{PrincipalARN: role, Type: "EC2_WINDOWS", KubernetesUsername: "u"}, false},
		"nodes with a policy":                      {eksctlEntry{PrincipalARN: role, Type: "FARGATE_LINUX", AccessPolicies: scoped(view, "cluster")}, false},
		"the cluster, with namespaces":             {eksctlEntry{PrincipalARN: role, AccessPolicies: scoped(view, "cluster", "shop")}, false},
		"namespaces, of which there are none":      {eksctlEntry{PrincipalARN: role, AccessPolicies: scoped(view, "namespace")}, false},
		"a policy of IAM":                          {eksctlEntry{PrincipalARN: role, AccessPolicies: scoped("arn:aws:iam::aws:policy/AdministratorAccess", "cluster")}, false},
		"a type that eksctl does not document":     {eksctlEntry{PrincipalARN: role, Type: "HYBRID_LINUX"}, false},
		"a principal that is only named by a name": {eksctlEntry{PrincipalARN: "x"}, false},
	} {
		config := eksctlConfig{APIVersion: "eksctl.io/v1alpha5", Kind: "ClusterConfig", Metadata: eksctlMetadata{"prod", "eu-central-1"}, AccessConfig: &eksctlAccess{[]eksctlEntry{c.entry}}}
		if err := fits(schema, config); (err == nil) != c.fits {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPlanDynamicReference has a name that CloudFormation would replace by a secret: it is told, not written.
func TestPlanDynamicReference(t *testing.T) {
	r := entriesPlan(t)
	const group = "{{resolve:secretsmanager:x}}"
	for _, e := range r.After.Clusters[0].AccessEntries {
		if strings.HasSuffix(e.PrincipalARN, "role/dev") {
			e.Groups = append(e.Groups, group)
		}
	}
	var notes, template []string
	for _, line := range strings.Split(renderPlan(t, "cloudformation", r, Options{}), "\n") {
		if strings.HasPrefix(line, "#") {
			notes = append(notes, line)
		} else {
			template = append(template, line)
		}
	}
	if text := strings.Join(template, "\n"); strings.Contains(text, "resolve") || strings.Contains(text, "role/dev") {
		t.Errorf("the entry is written:\n%s", text)
	}
	if !strings.Contains(strings.Join(notes, "\n"), "NOT HERE") {
		t.Error("nothing says that the entry is left out")
	}
}

// TestPlanCfnLint has AWS's linter look at the templates. It is Python, and skipped where it is missing, in CI too.
func TestPlanCfnLint(t *testing.T) {
	if testing.Short() {
		t.Skip("cfn-lint takes several seconds")
	}
	program, err := exec.LookPath("cfn-lint")
	if err == nil {
		err = exec.CommandContext(t.Context(), program, "--version").Run()
	}
	if err != nil {
		t.Skipf("no cfn-lint to ask: %v", err)
	}
	folder, n := t.TempDir(), 0
	for _, r := range plans(t) {
		for _, text := range strings.Split(renderPlan(t, "cloudformation", r, Options{}), "---\n") {
			n++
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d.yaml", n)), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out, err := exec.CommandContext(t.Context(), program, filepath.Join(folder, "*.yaml")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(folder, "bad.yaml"), []byte("Resources: {X: {Type: AWS::EKS::AccessEntry, Properties: {ClusterName: prod}}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if exec.CommandContext(t.Context(), program, filepath.Join(folder, "bad.yaml")).Run() == nil {
		t.Error("cfn-lint takes an access entry without principal")
	}
}
