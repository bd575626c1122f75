package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"drawbridge/internal/finding"
)

// Document is a policy document as AWS stores it: JSON text. In YAML and JSON it may also be written as an object.
type Document string

// UnmarshalJSON accepts a string that holds the document, or the document itself.
func (d *Document) UnmarshalJSON(b []byte) error {
	b = bytes.TrimSpace(b)
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return fmt.Errorf("policy document: %w", err)
		}
		*d = Document(s)
		return nil
	}
	if bytes.Equal(b, []byte("null")) {
		*d = ""
		return nil
	}
	*d = Document(b)
	return nil
}

// InlinePolicy is a policy that is part of its role, user or group.
type InlinePolicy struct {
	Name     string   `json:"name"`
	Document Document `json:"document"`
}

// IAMRole is an IAM role with everything that decides who takes it and what it may do.
type IAMRole struct {
	ARN              string            `json:"arn"`
	ID               string            `json:"id,omitempty"` // unique id, AROA…
	Name             string            `json:"name"`
	Created          time.Time         `json:"created,omitzero"`
	Trust            Document          `json:"trust,omitempty"`
	Inline           []InlinePolicy    `json:"inline,omitempty"`
	Attached         []string          `json:"attached,omitempty"` // ARNs of managed policies
	Boundary         string            `json:"boundary,omitempty"` // ARN of the permissions boundary
	InstanceProfiles []string          `json:"instanceProfiles,omitempty"`
	Tags             map[string]string `json:"tags,omitempty"`
	// PoliciesUnknown says that the role was read without all of its policies.
	PoliciesUnknown bool `json:"policiesUnknown,omitzero"`
	At
}

// Subject names the role.
func (r *IAMRole) Subject() finding.Subject {
	return finding.Subject{Kind: "IAMRole", Name: r.Name, ARN: r.ARN}
}

// IAMUser is an IAM user with its policies and groups.
type IAMUser struct {
	ARN             string            `json:"arn"`
	ID              string            `json:"id,omitempty"` // unique id, AIDA…
	Name            string            `json:"name"`
	Created         time.Time         `json:"created,omitzero"`
	Inline          []InlinePolicy    `json:"inline,omitempty"`
	Attached        []string          `json:"attached,omitempty"`
	Boundary        string            `json:"boundary,omitempty"`
	Groups          []string          `json:"groups,omitempty"` // names
	Tags            map[string]string `json:"tags,omitempty"`
	PoliciesUnknown bool              `json:"policiesUnknown,omitzero"`
	At
}

// Subject names the user.
func (u *IAMUser) Subject() finding.Subject {
	return finding.Subject{Kind: "IAMUser", Name: u.Name, ARN: u.ARN}
}

// IAMGroup is an IAM group with its policies.
type IAMGroup struct {
	ARN      string         `json:"arn"`
	Name     string         `json:"name"`
	Inline   []InlinePolicy `json:"inline,omitempty"`
	Attached []string       `json:"attached,omitempty"`
	At
}

// Subject names the group.
func (g *IAMGroup) Subject() finding.Subject {
	return finding.Subject{Kind: "IAMGroup", Name: g.Name, ARN: g.ARN}
}

// IAMPolicy is a managed policy in its default version.
type IAMPolicy struct {
	ARN      string   `json:"arn"`
	Name     string   `json:"name,omitempty"`
	Version  string   `json:"version,omitempty"`
	Document Document `json:"document,omitempty"`
	At
}

// Subject names the managed policy.
func (p *IAMPolicy) Subject() finding.Subject {
	return finding.Subject{Kind: "IAMPolicy", Name: p.Name, ARN: p.ARN}
}

// OIDCProvider is an IAM OpenID Connect provider, on which IRSA stands.
type OIDCProvider struct {
	ARN       string    `json:"arn"`
	URL       string    `json:"url,omitempty"` // without https://
	ClientIDs []string  `json:"clientIds,omitempty"`
	Created   time.Time `json:"created,omitzero"`
	At
}

// Subject names the provider by its URL.
func (o *OIDCProvider) Subject() finding.Subject {
	return finding.Subject{Kind: "OIDCProvider", Name: o.URL, ARN: o.ARN}
}

// Trail is a CloudTrail trail and what it records.
type Trail struct {
	Name         string `json:"name"`
	ARN          string `json:"arn,omitempty"`
	HomeRegion   string `json:"homeRegion,omitempty"`
	MultiRegion  bool   `json:"multiRegion,omitzero"`
	Organization bool   `json:"organization,omitzero"`
	// SelectorsUnknown says that the event selectors could not be read.
	SelectorsUnknown bool               `json:"selectorsUnknown,omitzero"`
	Selectors        []EventSelector    `json:"selectors,omitempty"`
	Advanced         []AdvancedSelector `json:"advancedSelectors,omitempty"`
	// Logging says whether the trail is switched on; nil where it was not read.
	Logging *bool `json:"logging,omitzero"`
	At
}

// Subject names the trail.
func (t *Trail) Subject() finding.Subject {
	return finding.Subject{Kind: "Trail", Name: t.Name, ARN: t.ARN}
}

// EventSelector is a basic event selector: ReadWriteType is ReadOnly, WriteOnly or All.
type EventSelector struct {
	ReadWriteType    string   `json:"readWriteType,omitempty"`
	ManagementEvents bool     `json:"managementEvents,omitzero"`
	ExcludedSources  []string `json:"excludedSources,omitempty"`
}

// AdvancedSelector is an advanced event selector: all of its fields must match.
type AdvancedSelector struct {
	Name   string          `json:"name,omitempty"`
	Fields []FieldSelector `json:"fields,omitempty"`
}

// FieldSelector matches one field of an event.
type FieldSelector struct {
	Field         string   `json:"field"`
	Equals        []string `json:"equals,omitempty"`
	NotEquals     []string `json:"notEquals,omitempty"`
	StartsWith    []string `json:"startsWith,omitempty"`
	NotStartsWith []string `json:"notStartsWith,omitempty"`
	EndsWith      []string `json:"endsWith,omitempty"`
	NotEndsWith   []string `json:"notEndsWith,omitempty"`
}
