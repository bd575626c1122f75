package report

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	gocmp "github.com/google/go-cmp/cmp"

	"drawbridge/internal/model"
)

// TestPlanTerraform lets Terraform itself read what is emitted: it is formatted, valid, and what Terraform plans from it is
// what the migration leaves behind. The provider is a stand-in, which oracle/terraform builds.
func TestPlanTerraform(t *testing.T) {
	run := terraformAt(t)
	for name, r := range plans(t) {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			text := renderPlan(t, "terraform", r, Options{})
			if err := os.WriteFile(filepath.Join(folder, "main.tf"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, folder, "fmt", "-check", "-diff")
			run(t, folder, "validate")
			run(t, folder, "plan", "-out=plan", "-input=false", "-lock=false")
			planned, imported, err := terraformPlanned(run(t, folder, "show", "-json", "plan"))
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(wanted(r, "terraform"), planned.sorted()); diff != "" {
				t.Errorf("-want +planned:\n%s", diff)
			}
			if want := strings.Count(text, "\nimport {"); imported != want || want == 0 {
				t.Errorf("%d resources are imported, want %d and at least one", imported, want)
			}
			if name == "entries" {
				if err := os.WriteFile(filepath.Join(folder, "main.tf"), []byte(strings.Replace(text, "user_name", "username", 1)), 0o600); err != nil {
					t.Fatal(err)
				}
				if out, err := terraformRun(folder, "validate"); err == nil {
					t.Errorf("an argument that there is not is valid:\n%s", out)
				}
			}
		})
	}
}

// TestPlanTerraformHostile lets Terraform evaluate hostile names: each arrives as it is, and none is a template.
func TestPlanTerraformHostile(t *testing.T) {
	run := terraformAt(t)
	for i, r := range []int{1, 2, 3, 4} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			result := hostilePlan().Example(r)
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "main.tf"), []byte(renderPlan(t, "terraform", result, Options{})), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, folder, "fmt", "-check", "-diff")
			run(t, folder, "validate")
		})
	}
}

// terraformAt returns what runs terraform in a folder, with the stand-in for its AWS provider.
func terraformAt(t *testing.T) func(t *testing.T, folder string, args ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("terraform and the stand-in for its provider take several seconds")
	}
	missing := func(err error) {
		t.Helper()
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("no terraform to ask: %v", err)
	}
	if _, err := exec.LookPath("terraform"); err != nil {
		missing(err)
	}
	bin := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", filepath.Join(bin, "terraform-provider-aws"), "./terraform-provider-aws")
	build.Dir = filepath.Join("..", "..", "oracle", "terraform")
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly -buildvcs=false")
	if out, err := build.CombinedOutput(); err != nil {
		missing(fmt.Errorf("build the stand-in for the provider: %w: %s", err, out))
	}
	config := filepath.Join(bin, "terraform.rc")
	text := fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"hashicorp/aws\" = %q\n  }\n  direct {\n    exclude = [\"*/*/*\"]\n  }\n}\n", bin)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TF_CLI_CONFIG_FILE", config)
	t.Setenv("CHECKPOINT_DISABLE", "1")
	return func(t *testing.T, folder string, args ...string) string {
		t.Helper()
		out, err := terraformRun(folder, args...)
		if err != nil {
			t.Fatalf("terraform %s: %v\n%s", args[0], err, out)
		}
		return out
	}
}

// terraformRun runs terraform in a folder. Where it fails its output is all that it said.
func terraformRun(folder string, args ...string) (string, error) {
	cmd := exec.Command("terraform", append([]string{"-chdir=" + folder}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String() + stderr.String(), err
	}
	return stdout.String(), nil
}

// terraformPlanned reads the values that Terraform plans, and counts what it imports.
func terraformPlanned(text string) (*written, int, error) {
	var p struct {
		PlannedValues struct {
			RootModule struct {
				Resources []struct {
					Type   string         `json:"type"`
					Values map[string]any `json:"values"`
				} `json:"resources"`
			} `json:"root_module"`
		} `json:"planned_values"`
		ResourceChanges []struct {
			Change struct {
				Importing any `json:"importing"`
			} `json:"change"`
		} `json:"resource_changes"`
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return nil, 0, err
	}
	w, imported := &written{}, 0
	for _, c := range p.ResourceChanges {
		if c.Change.Importing != nil {
			imported++
		}
	}
	for _, x := range p.PlannedValues.RootModule.Resources {
		of := func(key string) string { s, _ := x.Values[key].(string); return s }
		switch x.Type {
		case "aws_eks_access_entry":
			w.entry(of("cluster_name"), model.AccessEntry{
				PrincipalARN: of("principal_arn"), Type: of("type"), Username: of("user_name"), Groups: stringsOf(x.Values["kubernetes_groups"]), Tags: tagsOf(x.Values["tags"]),
			})
		case "aws_eks_access_policy_association":
			scopes, _ := x.Values["access_scope"].([]any)
			if len(scopes) != 1 {
				return nil, 0, errors.New("an association without scope")
			}
			scope := scopes[0].(map[string]any)
			w.policy(of("cluster_name"), model.PolicyAssociation{PrincipalARN: of("principal_arn"), PolicyARN: of("policy_arn"), Scope: model.AccessScope{Type: scope["type"].(string), Namespaces: stringsOf(scope["namespaces"])}})
		case "aws_eks_pod_identity_association":
			off, _ := x.Values["disable_session_tags"].(bool)
			w.association(of("cluster_name"), model.PodIdentityAssociation{
				Namespace: of("namespace"), ServiceAccount: of("service_account"), RoleARN: of("role_arn"), TargetRoleARN: of("target_role_arn"),
				DisableSessionTags: off, Policy: model.Document(canonical(of("policy"))), Tags: tagsOf(x.Values["tags"]),
			})
		}
	}
	return w, imported, nil
}
