package report

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compileSchema reads a schema in testdata/schema; the README there says where each is from.
func compileSchema(name string) (*jsonschema.Schema, error) {
	text, err := os.ReadFile("testdata/schema/" + name)
	if err != nil {
		return nil, err
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(name, parsed); err != nil {
		return nil, err
	}
	return c.Compile(name)
}

func validateSchema(t testing.TB, name, doc string) {
	t.Helper()
	if err := schemaBack(name)(doc, nil); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func TestSARIFSchema(t *testing.T) {
	validateSchema(t, "sarif-2.1.0.schema.json", render(t, "sarif", readRun(t), Options{Pages: pages}))
}

// What the schema does not say but the text of SARIF 2.1.0 and GitHub do.
func TestSARIFSemantics(t *testing.T) {
	type location struct {
		PhysicalLocation struct {
			ArtifactLocation struct{ URI string }
			Region           struct{ StartLine int }
		}
		LogicalLocations []struct{ FullyQualifiedName string }
	}
	var doc struct {
		Runs []struct {
			Tool struct {
				Driver struct {
					Rules []struct {
						ID   string
						Help struct{ Markdown string }
					}
				}
			}
			Invocations []struct{ ToolExecutionNotifications []any }
			Results     []struct {
				RuleID, Kind, Level string
				PartialFingerprints map[string]string
				Locations           []location
				Suppressions        []struct{ Kind, Justification string }
			}
		}
	}
	if err := json.Unmarshal([]byte(render(t, "sarif", readRun(t), Options{Pages: pages})), &doc); err != nil {
		t.Fatal(err)
	}
	run := doc.Runs[0]
	rules, helped := map[string]bool{}, 0
	for _, r := range run.Tool.Driver.Rules {
		rules[r.ID] = true
		if strings.Contains(r.Help.Markdown, "Why it matters") {
			helped++
		}
	}
	if helped != 2 {
		t.Errorf("%d rules with help, want the 2 that have pages", helped)
	}
	open, suppressed, uris := 0, 0, map[string]int{}
	for _, r := range run.Results {
		if !rules[r.RuleID] {
			t.Errorf("no rule %s", r.RuleID)
		}
		if r.Kind != "fail" && r.Level != "none" {
			t.Errorf("%s: kind %s with level %s", r.RuleID, r.Kind, r.Level)
		}
		if r.Kind == "open" {
			open++
		}
		if len(r.Suppressions) > 0 && r.Suppressions[0].Justification != "" {
			suppressed++
		}
		if len(r.PartialFingerprints) != 1 || len(r.Locations) != 1 || r.Locations[0].PhysicalLocation.ArtifactLocation.URI == "" {
			t.Errorf("%s: no fingerprint or place", r.RuleID)
			continue
		}
		uris[r.Locations[0].PhysicalLocation.ArtifactLocation.URI] = r.Locations[0].PhysicalLocation.Region.StartLine
	}
	if open != 3 || suppressed != 2 || len(run.Invocations[0].ToolExecutionNotifications) != 4 {
		t.Errorf("open %d, suppressed %d, notifications %d", open, suppressed, len(run.Invocations[0].ToolExecutionNotifications))
	}
	if uris["infra/iam/payments%20roles.tf"] != 41 {
		t.Errorf("file locations: %v", uris)
	}
	if _, ok := uris["prod-eu/AccessEntry/arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fci"]; !ok {
		t.Errorf("object locations: %v", uris)
	}
}
