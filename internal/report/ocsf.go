package report

import (
	"cmp"
	"io"
	"strings"
	"time"

	"drawbridge/internal/finding"
)

// OCSF: the version of the schema and the classes and identifiers that are used of it (schema.ocsf.io, 2026-11).
const (
	ocsfVersion          = "1.5.0"
	ocsfFindings         = 2    // category
	ocsfCompliance       = 2003 // class Compliance Finding: what a check reports
	ocsfDetection        = 2004 // class Detection Finding: what a detection reports
	ocsfCreate           = 1    // activity
	ocsfNew              = 1    // finding status
	ocsfSuppressed       = 3    // finding status
	ocsfComplianceNoData = 2    // compliance status Warning: no result due to missing information
	ocsfComplianceFail   = 3    // compliance status
	ocsfRule             = 1    // analytic type
	ocsfAWSAccount       = 10   // account type
)

type ocsfFinding struct {
	ActivityID   int            `json:"activity_id"`
	ActivityName string         `json:"activity_name"`
	CategoryUID  int            `json:"category_uid"`
	CategoryName string         `json:"category_name"`
	ClassUID     int            `json:"class_uid"`
	ClassName    string         `json:"class_name"`
	TypeUID      int            `json:"type_uid"`
	TypeName     string         `json:"type_name"`
	SeverityID   int            `json:"severity_id"`
	Severity     string         `json:"severity"`
	StatusID     int            `json:"status_id"`
	Status       string         `json:"status"`
	Time         int64          `json:"time"`
	Message      string         `json:"message"`
	Metadata     ocsfMetadata   `json:"metadata"`
	Cloud        ocsfCloud      `json:"cloud"`
	FindingInfo  ocsfInfo       `json:"finding_info"`
	Compliance   *ocsfCompliant `json:"compliance,omitempty"`
	Resources    []ocsfResource `json:"resources"`
	Remediation  *ocsfText      `json:"remediation,omitempty"`
	Comment      string         `json:"comment,omitempty"`
	Unmapped     ocsfUnmapped   `json:"unmapped"`
}

type ocsfMetadata struct {
	Version   string      `json:"version"`
	Product   ocsfProduct `json:"product"`
	Profiles  []string    `json:"profiles"`
	EventCode string      `json:"event_code"`
}

type ocsfProduct struct {
	Name       string `json:"name"`
	VendorName string `json:"vendor_name"`
	Version    string `json:"version,omitempty"`
}

type ocsfCloud struct {
	Provider string       `json:"provider"`
	Region   string       `json:"region,omitempty"`
	Account  *ocsfAccount `json:"account,omitempty"`
}

type ocsfAccount struct {
	UID    string `json:"uid"`
	Type   string `json:"type"`
	TypeID int    `json:"type_id"`
}

type ocsfInfo struct {
	UID         string       `json:"uid"`
	Title       string       `json:"title"`
	Desc        string       `json:"desc"`
	CreatedTime int64        `json:"created_time"`
	Analytic    ocsfAnalytic `json:"analytic"`
	Attacks     []ocsfAttack `json:"attacks,omitempty"`
	DataSources []string     `json:"data_sources,omitempty"`
}

type ocsfAnalytic struct {
	UID    string `json:"uid"`
	Name   string `json:"name"`
	Type   string `json:"type"`
	TypeID int    `json:"type_id"`
}

type ocsfAttack struct {
	Technique    *ocsfEntity `json:"technique,omitempty"`
	SubTechnique *ocsfEntity `json:"sub_technique,omitempty"`
}

type ocsfEntity struct {
	UID string `json:"uid"`
}

type ocsfCompliant struct {
	Standards    []string `json:"standards"`
	Requirements []string `json:"requirements,omitempty"`
	Status       string   `json:"status"`
	StatusID     int      `json:"status_id"`
	StatusDetail string   `json:"status_detail,omitempty"`
}

type ocsfResource struct {
	UID            string `json:"uid,omitempty"`
	Name           string `json:"name"`
	Type           string `json:"type"`
	Namespace      string `json:"namespace,omitempty"`
	Region         string `json:"region,omitempty"`
	CloudPartition string `json:"cloud_partition,omitempty"`
}

type ocsfText struct {
	Desc string `json:"desc"`
}

// ocsfUnmapped is what OCSF has no place for.
type ocsfUnmapped struct {
	Cluster     string   `json:"cluster,omitempty"`
	Evidence    []string `json:"evidence,omitempty"`
	Location    string   `json:"location,omitempty"`
	Suppression string   `json:"suppression,omitempty"`
}

// writeOCSF writes an array of events: Compliance Findings for checks, Detection Findings for detections.
func writeOCSF(w io.Writer, r *finding.Result, _ Options) error {
	v := newView(r)
	events := make([]ocsfFinding, 0, len(r.Findings)+len(r.Suppressed))
	for _, f := range r.Findings {
		events = append(events, ocsfEvent(v, f))
	}
	for _, s := range r.Suppressed {
		e := ocsfEvent(v, s.Finding)
		e.StatusID, e.Status = ocsfSuppressed, "Suppressed"
		e.Comment = visible(cmp.Or(s.Suppression.Reason, "no reason given"))
		e.Unmapped.Suppression = visible(strings.Join(decision(s.Suppression), "; "))
		events = append(events, e)
	}
	return encodeJSON(w, events)
}

func ocsfEvent(v *view, f finding.Finding) ocsfFinding {
	when := v.Time
	if f.Time != nil {
		when = *f.Time
	}
	c := v.clusterOf(f)
	title := visible(cmp.Or(f.Title, f.ID))
	e := ocsfFinding{
		ActivityID: ocsfCreate, ActivityName: "Create", CategoryUID: ocsfFindings, CategoryName: "Findings",
		ClassUID: ocsfCompliance, ClassName: "Compliance Finding",
		SeverityID: f.Severity.Rank(), Severity: capital(string(f.Severity)), // OCSF counts from Informational 1 to Critical 5, as Rank does
		StatusID: ocsfNew, Status: "New", Time: millis(when), Message: visible(f.Message),
		Metadata: ocsfMetadata{
			Version: ocsfVersion, Profiles: []string{"cloud"}, EventCode: visible(f.ID),
			Product: ocsfProduct{Name: "drawbridge", VendorName: "drawbridge", Version: visible(v.Tool.Version)},
		},
		Cloud: ocsfCloud{Provider: "AWS", Region: visible(c.Region)},
		FindingInfo: ocsfInfo{
			UID: visible(fingerprint(f)), Title: title, Desc: visible(f.Message), CreatedTime: millis(when),
			Analytic: ocsfAnalytic{UID: visible(f.ID), Name: title, Type: "Rule", TypeID: ocsfRule},
			Attacks:  ocsfAttacks(f.Techniques), DataSources: sources(f.Evidence),
		},
		Resources: []ocsfResource{{
			UID: visible(f.Subject.ARN), Name: visible(f.Subject.Name), Type: visible(f.Subject.Kind), Namespace: visible(f.Subject.Namespace),
			Region: visible(c.Region), CloudPartition: visible(c.Partition),
		}},
		Unmapped: ocsfUnmapped{Cluster: visible(f.Cluster), Evidence: evidenceLines(f.Evidence)},
	}
	if c.Account != "" {
		e.Cloud.Account = &ocsfAccount{UID: visible(c.Account), Type: "AWS Account", TypeID: ocsfAWSAccount}
	}
	if f.Remediation.Text != "" {
		e.Remediation = &ocsfText{visibleText(f.Remediation.Text)}
	}
	if f.Location != nil {
		e.Unmapped.Location = visible(place(*f.Location))
	}
	if v.Kind == finding.KindDetect {
		e.ClassUID, e.ClassName = ocsfDetection, "Detection Finding"
	} else {
		e.Compliance = ocsfComplianceOf(f)
	}
	e.TypeUID, e.TypeName = e.ClassUID*100+ocsfCreate, e.ClassName+": Create"
	return e
}

// ocsfComplianceOf says which requirements a finding bears on. A standard is required: a check that no framework names
// is drawbridge's own requirement.
func ocsfComplianceOf(f finding.Finding) *ocsfCompliant {
	c := &ocsfCompliant{Status: "Fail", StatusID: ocsfComplianceFail}
	if f.Status == finding.NotAssessed {
		c.Status, c.StatusID, c.StatusDetail = "Warning", ocsfComplianceNoData, "not assessed: "+visible(f.Message)
	}
	for _, control := range f.Controls {
		if control.Framework != "" {
			c.Standards = appendNew(c.Standards, visible(control.Framework))
		}
		c.Requirements = appendNew(c.Requirements, visible(control.Framework+" "+control.ID))
	}
	if len(c.Standards) == 0 {
		c.Standards = []string{"drawbridge"}
	}
	return c
}

func ocsfAttacks(techniques []string) []ocsfAttack {
	var attacks []ocsfAttack
	for _, t := range techniques {
		whole, _, sub := strings.Cut(t, ".")
		a := ocsfAttack{Technique: &ocsfEntity{visible(whole)}}
		if sub {
			a.SubTechnique = &ocsfEntity{visible(t)}
		}
		attacks = append(attacks, a)
	}
	return attacks
}

func sources(es []finding.Evidence) []string {
	var out []string
	for _, e := range es {
		if e.Source != "" {
			out = appendNew(out, visible(e.Source))
		}
	}
	return out
}

func millis(t time.Time) int64 { return max(0, t.UnixMilli()) }
