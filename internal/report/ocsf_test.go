package report

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drawbridge/internal/finding"
)

func TestOCSFSchema(t *testing.T) {
	r := readRun(t)
	validateSchema(t, "ocsf.schema.json", render(t, "ocsf", r, Options{}))
	r.Kind = finding.KindDetect
	validateSchema(t, "ocsf.schema.json", render(t, "ocsf", r, Options{}))
}

func TestASFFSchema(t *testing.T) {
	r := readRun(t)
	validateSchema(t, "asff.schema.json", render(t, "asff", r, Options{}))
	r.Kind = finding.KindDetect
	validateSchema(t, "asff.schema.json", render(t, "asff", r, Options{}))
}

func TestOCSFMeaning(t *testing.T) {
	when := time.Date(2026, 11, 19, 8, 0, 0, 0, time.UTC)
	r := readRun(t)
	r.Findings[0].Time = &when
	var events []ocsfFinding
	if err := json.Unmarshal([]byte(render(t, "ocsf", r, Options{})), &events); err != nil {
		t.Fatal(err)
	}
	if e := events[0]; e.SeverityID != 5 || e.Severity != "Critical" || e.Time != when.UnixMilli() || e.Compliance.Status != "Fail" {
		t.Errorf("first: %+v", e)
	}
	count := map[string]int{}
	for _, e := range events {
		count[e.Compliance.Status+" "+e.Status]++
	}
	if diff := cmp.Diff(map[string]int{"Fail New": 12, "Warning New": 3, "Fail Suppressed": 2}, count); diff != "" {
		t.Error(diff)
	}
}

func TestASFFMeaning(t *testing.T) {
	var findings []asffFinding
	if err := json.Unmarshal([]byte(render(t, "asff", readRun(t), Options{})), &findings); err != nil {
		t.Fatal(err)
	}
	count, ids := map[string]int{}, map[string]bool{}
	for _, f := range findings {
		count[f.Compliance.Status+" "+f.Workflow.Status]++
		ids[f.ID] = true
		if !strings.Contains(f.ProductARN, ":"+f.AWSAccountID+":product/") {
			t.Errorf("%s: %s", f.AWSAccountID, f.ProductARN)
		}
	}
	if diff := cmp.Diff(map[string]int{"FAILED NEW": 12, "WARNING NEW": 3, "FAILED SUPPRESSED": 2}, count); diff != "" {
		t.Error(diff)
	}
	if len(ids) != len(findings) {
		t.Errorf("%d ids for %d findings", len(ids), len(findings))
	}
}

// Without a cluster in the result, as before a deployment, the place comes from the finding's own ARN or is unknown.
func TestASFFUnknownPlace(t *testing.T) {
	tests := []struct{ name, arn, account, product string }{
		{"from the ARN", "arn:aws-cn:eks:cn-north-1:111122223333:cluster/x", "111122223333", "arn:aws-cn:securityhub:cn-north-1:111122223333:product/111122223333/default"},
		{"unknown", "", "000000000000", "arn:aws:securityhub::000000000000:product/000000000000/default"},
		{"hostile", "arn:aws:eks:x y:<script>:z", "000000000000", "arn:aws:securityhub::000000000000:product/000000000000/default"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &finding.Result{Findings: []finding.Finding{{ID: "x", Severity: finding.Low, Status: finding.Fail, Subject: finding.Subject{Kind: "Cluster", ARN: tt.arn}}}}
			text := render(t, "asff", r, Options{})
			validateSchema(t, "asff.schema.json", text)
			if !strings.Contains(text, `"AwsAccountId": "`+tt.account+`"`) || !strings.Contains(text, `"ProductArn": "`+tt.product+`"`) {
				t.Error(text)
			}
		})
	}
}
