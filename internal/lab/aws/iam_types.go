package aws

import (
	"encoding/xml"
	"net/url"
	"strings"

	"drawbridge/internal/lab/aws/wire"
)

// Role is an IAM role as GetAccountAuthorizationDetails and GetRole show it together.
type Role struct {
	RoleName                 string
	Path                     string // "/" if empty
	RoleID                   string // AROA…
	ARN                      string
	CreateDate               *wire.Time
	AssumeRolePolicyDocument string // the trust policy, JSON
	Description              string
	MaxSessionDuration       int    // seconds
	PermissionsBoundary      string // ARN of a managed policy
	Tags                     []Tag
	LastUsed                 *RoleLastUsed
	InlinePolicies           []InlinePolicy
	AttachedPolicies         []string // ARNs of managed policies
}

// RoleLastUsed is when and where a role was last used; nil if never in the tracking period.
type RoleLastUsed struct {
	LastUsedDate *wire.Time
	Region       string
}

// User is an IAM user with its policies and the names of its groups.
type User struct {
	UserName            string
	Path                string
	UserID              string // AIDA…
	ARN                 string
	CreateDate          *wire.Time
	PasswordLastUsed    *wire.Time
	PermissionsBoundary string
	Tags                []Tag
	Groups              []string
	InlinePolicies      []InlinePolicy
	AttachedPolicies    []string
}

// Group is an IAM group with its policies.
type Group struct {
	GroupName        string
	Path             string
	GroupID          string // AGPA…
	ARN              string
	CreateDate       *wire.Time
	InlinePolicies   []InlinePolicy
	AttachedPolicies []string
}

// ManagedPolicy is a customer-managed policy, or one of AWS's if its ARN says so.
type ManagedPolicy struct {
	PolicyName  string
	Path        string
	PolicyID    string // ANPA…
	ARN         string
	Description string
	CreateDate  *wire.Time
	UpdateDate  *wire.Time
	Tags        []Tag
	Versions    []PolicyVersion // in order of creation; one of them is the default
}

// PolicyVersion is one version of a managed policy.
type PolicyVersion struct {
	VersionID        string // v1, v2, …
	Document         string // JSON
	IsDefaultVersion bool
	CreateDate       *wire.Time
}

// InlinePolicy is a policy that belongs to one identity.
type InlinePolicy struct {
	PolicyName     string
	PolicyDocument string // JSON
}

// InstanceProfile carries a role to EC2 instances.
type InstanceProfile struct {
	InstanceProfileName string
	Path                string
	InstanceProfileID   string // AIPA…
	ARN                 string
	CreateDate          *wire.Time
	Roles               []string // names; one at most
	Tags                []Tag
}

// OIDCProvider is an OpenID Connect provider that the account's trust policies may name.
type OIDCProvider struct {
	URL            string // without https://
	ARN            string
	ClientIDList   []string
	ThumbprintList []string
	CreateDate     *wire.Time
	Tags           []Tag
}

// Tag is a key with a value.
type Tag struct {
	Key   string
	Value string
}

// document is a policy in an IAM answer: percent-encoded (RFC 3986), as IAM sends it.
type document string

func (d document) MarshalText() ([]byte, error) {
	return []byte(strings.ReplaceAll(url.QueryEscape(string(d)), "+", "%20")), nil
}

// members is a list whose element is left out when it is empty; encoding/xml would write it for a
// path such as "Tags>member".
type members[T any] []T

func (m members[T]) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if len(m) == 0 {
		return nil
	}
	return e.EncodeElement(struct {
		Items []T `xml:"member"`
	}{m}, start)
}

// The answers' structures: IAM's names, in XML.
type (
	boundaryXML struct {
		PermissionsBoundaryType string
		PermissionsBoundaryArn  string
	}
	roleXML struct {
		Path                     string
		RoleName                 string
		RoleId                   string
		Arn                      string
		CreateDate               *wire.Time
		AssumeRolePolicyDocument document
		Description              string       `xml:",omitempty"`
		MaxSessionDuration       int          `xml:",omitempty"`
		PermissionsBoundary      *boundaryXML `xml:",omitempty"`
		Tags                     members[Tag]
		RoleLastUsed             *RoleLastUsed `xml:",omitempty"`
	}
	userXML struct {
		Path                string
		UserName            string
		UserId              string
		Arn                 string
		CreateDate          *wire.Time
		PasswordLastUsed    *wire.Time   `xml:",omitempty"`
		PermissionsBoundary *boundaryXML `xml:",omitempty"`
		Tags                members[Tag]
	}
	groupXML struct {
		Path       string
		GroupName  string
		GroupId    string
		Arn        string
		CreateDate *wire.Time
	}
	policyXML struct {
		PolicyName                    string
		PolicyId                      string
		Arn                           string
		Path                          string
		DefaultVersionId              string
		AttachmentCount               int
		PermissionsBoundaryUsageCount int
		IsAttachable                  bool
		Description                   string `xml:",omitempty"`
		CreateDate                    *wire.Time
		UpdateDate                    *wire.Time
		Tags                          members[Tag]
		PolicyVersionList             members[versionXML]
	}
	versionXML struct {
		Document         document `xml:",omitempty"`
		VersionId        string
		IsDefaultVersion bool
		CreateDate       *wire.Time
	}
	inlineXML struct {
		PolicyName     string
		PolicyDocument document
	}
	attachedXML struct {
		PolicyName string
		PolicyArn  string
	}
	profileXML struct {
		Path                string
		InstanceProfileName string
		InstanceProfileId   string
		Arn                 string
		CreateDate          *wire.Time
		Roles               []roleXML `xml:"Roles>member"`
		Tags                members[Tag]
	}
	listXML struct {
		IsTruncated bool
		Marker      string `xml:",omitempty"`
	}
)

func boundaryOf(arn string) *boundaryXML {
	if arn == "" {
		return nil
	}
	return &boundaryXML{"Policy", arn}
}

func (r *Role) xml() roleXML {
	return roleXML{
		r.Path, r.RoleName, r.RoleID, r.ARN, r.CreateDate, document(r.AssumeRolePolicyDocument), r.Description, r.MaxSessionDuration,
		boundaryOf(r.PermissionsBoundary), r.Tags, r.LastUsed,
	}
}

func (u *User) xml() userXML {
	return userXML{u.Path, u.UserName, u.UserID, u.ARN, u.CreateDate, u.PasswordLastUsed, boundaryOf(u.PermissionsBoundary), u.Tags}
}

func (g *Group) xml() groupXML {
	return groupXML{g.Path, g.GroupName, g.GroupID, g.ARN, g.CreateDate}
}

func (p *ManagedPolicy) defaultVersion() PolicyVersion {
	for _, v := range p.Versions {
		if v.IsDefaultVersion {
			return v
		}
	}
	return PolicyVersion{}
}

func (v PolicyVersion) xml() versionXML {
	return versionXML{document(v.Document), v.VersionID, v.IsDefaultVersion, v.CreateDate}
}

// attached turns ARNs into the pairs that IAM shows.
func attached(arns []string) []attachedXML {
	var out []attachedXML
	for _, arn := range arns {
		out = append(out, attachedXML{arn[strings.LastIndex(arn, "/")+1:], arn})
	}
	return out
}

func inline(policies []InlinePolicy) []inlineXML {
	var out []inlineXML
	for _, p := range policies {
		out = append(out, inlineXML{p.PolicyName, document(p.PolicyDocument)})
	}
	return out
}
