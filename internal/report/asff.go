package report

import (
	"cmp"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"drawbridge/internal/finding"
)

// The AWS Security Finding Format, as BatchImportFindings takes it, with the limits of its attributes in characters
// (AWS Security Hub User Guide, "AWS Security Finding Format (ASFF)", 2026-11).
const (
	asffSchema         = "2018-10-08"
	asffTitleMax       = 256
	asffDescriptionMax = 1024
	asffIDMax          = 512
	asffTextMax        = 512
	asffValueMax       = 1024
	asffRequirements   = 32
	asffEvidenceMax    = 20
	// asffUnknownAccount stands where no account is known, as before a deployment: the attribute is required.
	asffUnknownAccount = "000000000000"
)

type asffFinding struct {
	SchemaVersion         string
	ID                    string `json:"Id"`
	ProductARN            string `json:"ProductArn"`
	ProductName           string
	CompanyName           string
	GeneratorID           string `json:"GeneratorId"`
	AWSAccountID          string `json:"AwsAccountId"`
	Types                 []string
	CreatedAt             string
	UpdatedAt             string
	Severity              asffSeverity
	Title                 string
	Description           string
	Remediation           *asffRemediation `json:",omitempty"`
	ProductFields         map[string]string
	Resources             []asffResource
	Compliance            *asffCompliance `json:",omitempty"`
	Workflow              asffWorkflow
	RecordState           string
	Note                  *asffNote `json:",omitempty"`
	FindingProviderFields asffProvider
}

type asffSeverity struct {
	Label    string
	Original string
}

type asffRemediation struct {
	Recommendation asffRecommendation
}

type asffRecommendation struct{ Text string }

type asffResource struct {
	Type      string
	ID        string       `json:"Id"`
	Partition string       `json:",omitempty"`
	Region    string       `json:",omitempty"`
	Details   *asffDetails `json:",omitempty"`
}

type asffDetails struct{ Other map[string]string }

type asffCompliance struct {
	Status              string
	RelatedRequirements []string           `json:",omitempty"`
	StatusReasons       []asffStatusReason `json:",omitempty"`
}

type asffStatusReason struct{ ReasonCode, Description string }

type asffWorkflow struct{ Status string }

type asffNote struct{ Text, UpdatedBy, UpdatedAt string }

type asffProvider struct {
	Severity asffSeverity
	Types    []string
}

// writeASFF writes an array of findings. BatchImportFindings takes them in hundreds, each in the account and region of
// its ProductArn.
func writeASFF(w io.Writer, r *finding.Result, _ Options) error {
	v := newView(r)
	out := make([]asffFinding, 0, len(r.Findings)+len(r.Suppressed))
	for _, f := range r.Findings {
		out = append(out, asffOf(v, f))
	}
	for _, s := range r.Suppressed {
		a := asffOf(v, s.Finding)
		a.Workflow.Status = "SUPPRESSED"
		a.Note = &asffNote{
			Text:      limit(visible(strings.Join(decision(s.Suppression), "; ")), asffTextMax),
			UpdatedBy: limit(visible(cmp.Or(s.Suppression.Owner, s.Suppression.Source, "drawbridge")), asffTextMax), UpdatedAt: asffTime(r.Time),
		}
		out = append(out, a)
	}
	return encodeJSON(w, out)
}

func asffOf(v *view, f finding.Finding) asffFinding {
	c := asffPlace(v.clusterOf(f))
	when := v.Time
	if f.Time != nil {
		when = *f.Time
	}
	label := strings.ToUpper(string(f.Severity))
	severity := asffSeverity{Label: label, Original: string(f.Severity)}
	types := []string{"Software and Configuration Checks/AWS Security Best Practices"}
	if v.Kind == finding.KindDetect {
		types = []string{"TTPs"}
	}
	a := asffFinding{
		SchemaVersion: asffSchema, ID: limit(visible("drawbridge/"+f.ID+"/"+fingerprint(f)), asffIDMax),
		ProductARN:  "arn:" + c.Partition + ":securityhub:" + c.Region + ":" + c.Account + ":product/" + c.Account + "/default",
		ProductName: "drawbridge", CompanyName: "drawbridge", GeneratorID: limit(visible("drawbridge/"+f.ID), asffIDMax),
		AWSAccountID: c.Account, Types: types,
		CreatedAt: asffTime(when), UpdatedAt: asffTime(v.Time), Severity: severity,
		Title:         limit(visible(cmp.Or(f.Title, f.ID, "untitled")), asffTitleMax),
		Description:   limit(visible(cmp.Or(f.Message, f.Title, f.ID, "no message")), asffDescriptionMax),
		ProductFields: asffFields(v, f), Resources: asffResources(c, f),
		Workflow: asffWorkflow{"NEW"}, RecordState: "ACTIVE",
		FindingProviderFields: asffProvider{Severity: severity, Types: types},
	}
	if f.Remediation.Text != "" {
		a.Remediation = &asffRemediation{asffRecommendation{limit(visibleText(f.Remediation.Text), asffTextMax)}}
	}
	if v.Kind != finding.KindDetect {
		a.Compliance = asffComplianceOf(f)
	}
	return a
}

// asffComplianceOf maps not assessed to WARNING, "some information is missing": Security Hub archives some findings with
// NOT_AVAILABLE by itself, and what was not assessed must stay in sight.
func asffComplianceOf(f finding.Finding) *asffCompliance {
	c := &asffCompliance{Status: "FAILED"}
	if f.Status == finding.NotAssessed {
		c.Status = "WARNING"
		c.StatusReasons = []asffStatusReason{{"NOT_ASSESSED", limit(visible(cmp.Or(f.Message, "not assessed")), asffTextMax)}}
	}
	for _, word := range controlWords(f.Controls) {
		if word = limit(visible(word), asffTextMax); len(c.RelatedRequirements) < asffRequirements {
			c.RelatedRequirements = appendNew(c.RelatedRequirements, word)
		}
	}
	return c
}

// asffFields is what the format has no attribute for; it allows fifty.
func asffFields(v *view, f finding.Finding) map[string]string {
	fields := map[string]string{
		"drawbridge/status": string(f.Status), "drawbridge/kind": f.Subject.Kind, "drawbridge/namespace": f.Subject.Namespace,
		"drawbridge/name": f.Subject.Name, "drawbridge/fingerprint": fingerprint(f), "drawbridge/version": v.Tool.Version,
		"drawbridge/techniques": strings.Join(f.Techniques, ","), "drawbridge/cluster": f.Cluster,
	}
	if f.Location != nil {
		fields["drawbridge/location"] = place(*f.Location)
	}
	for i, line := range evidenceLines(f.Evidence) {
		if i == asffEvidenceMax {
			break
		}
		fields["drawbridge/evidence/"+strconv.Itoa(i+1)] = line
	}
	for key, value := range fields {
		if fields[key] = limit(visible(value), asffValueMax); value == "" {
			delete(fields, key)
		}
	}
	return fields
}

// asffTypes are the resource types of the format for what is an AWS resource of its own.
var asffTypes = map[string]string{
	"Cluster": "AwsEksCluster", "IAMRole": "AwsIamRole", "IAMUser": "AwsIamUser", "IAMGroup": "AwsIamGroup",
	"IAMPolicy": "AwsIamPolicy", "Trail": "AwsCloudTrailTrail",
}

// asffResources is the subject, and the cluster it belongs to.
func asffResources(c finding.Cluster, f finding.Finding) []asffResource {
	kind := cmp.Or(asffTypes[f.Subject.Kind], "Other")
	id := cmp.Or(f.Subject.ARN, strings.Join(nonEmpty(f.Cluster, f.Subject.Kind, f.Subject.Namespace, f.Subject.Name), "/"), "unknown")
	other := map[string]string{}
	for key, value := range map[string]string{"kind": f.Subject.Kind, "namespace": f.Subject.Namespace, "name": f.Subject.Name} {
		if value != "" {
			other[key] = limit(visible(value), asffValueMax)
		}
	}
	resource := asffResource{Type: kind, ID: limit(visible(id), asffIDMax), Partition: c.Partition, Region: c.Region}
	if len(other) > 0 {
		resource.Details = &asffDetails{other}
	}
	out := []asffResource{resource}
	if c.ARN != "" && f.Subject.Kind != "Cluster" {
		out = append(out, asffResource{Type: "AwsEksCluster", ID: limit(visible(c.ARN), asffIDMax), Partition: c.Partition, Region: c.Region})
	}
	return out
}

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2}[a-z0-9-]{1,14}$`)
)

// asffPlace is c with nothing but well-formed places in it: they become parts of an ARN.
func asffPlace(c finding.Cluster) finding.Cluster {
	if !accountForm.MatchString(c.Account) {
		c.Account = asffUnknownAccount
	}
	if !regionForm.MatchString(c.Region) {
		c.Region = ""
	}
	if !slices.Contains([]string{"aws", "aws-cn", "aws-us-gov"}, c.Partition) {
		c.Partition = "aws"
	}
	return c
}

func asffTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
