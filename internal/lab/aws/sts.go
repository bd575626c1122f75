package aws

import (
	"net/url"
	"regexp"
	"slices"
	"time"

	"drawbridge/internal/lab/aws/wire"
)

var stsOperations = map[string]handler{
	"GetCallerIdentity":         op(getCallerIdentity),
	"AssumeRole":                op(assumeRole),
	"AssumeRoleWithWebIdentity": op(assumeRoleWithWebIdentity),
}

func stsResource(_ *call, form url.Values) string {
	if arn := form.Get("RoleArn"); arn != "" {
		return arn
	}
	return "*"
}

type identityOut struct {
	UserId  string
	Account string
	Arn     string
}

func getCallerIdentity(c *call, _ *struct{}) (identityOut, error) {
	return identityOut{c.userID, c.acct.ID, c.principal}, nil
}

// Session is a set of credentials that AssumeRole gave out.
type Session struct {
	Time              time.Time
	Caller            string // principal that asked; "" for a web identity
	RoleARN           string
	SessionName       string
	AccessKeyID       string
	ExternalID        string
	SourceIdentity    string
	Duration          int // seconds
	Policy            string
	PolicyARNs        []string
	Tags              []Tag
	TransitiveTagKeys []string
	WebIdentityToken  string
}

// Sessions returns the sessions given out, in order.
func (s *Server) Sessions() []Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sessions)
}

type policyArn struct {
	Arn string `form:"arn"`
}

type assumeRoleIn struct {
	RoleArn           string `form:"RoleArn,required"`
	RoleSessionName   string `form:"RoleSessionName,required"`
	DurationSeconds   *int
	ExternalId        string
	Policy            string
	PolicyArns        []policyArn
	Tags              []Tag
	TransitiveTagKeys []string
	SourceIdentity    string
}

type (
	credentialsXML struct {
		AccessKeyId     string
		SecretAccessKey string
		SessionToken    string
		Expiration      *wire.Time
	}
	assumedRoleXML struct {
		AssumedRoleId string
		Arn           string
	}
	assumeRoleOut struct {
		Credentials                 credentialsXML
		AssumedRoleUser             assumedRoleXML
		SourceIdentity              string `xml:",omitempty"`
		SubjectFromWebIdentityToken string `xml:",omitempty"`
		Provider                    string `xml:",omitempty"`
		Audience                    string `xml:",omitempty"`
	}
)

var sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)

// assumeRole gives credentials of any role that exists, in any account of the lab: the trust policy is not
// evaluated, but Deny can refuse the call.
func assumeRole(c *call, in *assumeRoleIn) (assumeRoleOut, error) {
	session := Session{
		Caller: c.principal, RoleARN: in.RoleArn, SessionName: in.RoleSessionName, ExternalID: in.ExternalId, Policy: in.Policy,
		SourceIdentity: in.SourceIdentity, Tags: in.Tags, TransitiveTagKeys: in.TransitiveTagKeys,
	}
	for _, p := range in.PolicyArns {
		session.PolicyARNs = append(session.PolicyARNs, p.Arn)
	}
	out, err := c.session(session, in.DurationSeconds)
	out.SourceIdentity = in.SourceIdentity
	return out, err
}

type webIdentityIn struct {
	RoleArn          string `form:"RoleArn,required"`
	RoleSessionName  string `form:"RoleSessionName,required"`
	WebIdentityToken string `form:"WebIdentityToken,required"`
	ProviderId       string
	DurationSeconds  *int
	Policy           string
	PolicyArns       []policyArn
}

// assumeRoleWithWebIdentity takes any token; only the role must exist.
func assumeRoleWithWebIdentity(c *call, in *webIdentityIn) (assumeRoleOut, error) {
	return c.session(Session{RoleARN: in.RoleArn, SessionName: in.RoleSessionName, WebIdentityToken: in.WebIdentityToken, Policy: in.Policy}, in.DurationSeconds)
}

func (c *call) session(s Session, seconds *int) (assumeRoleOut, error) {
	p, ok := parsePrincipal(s.RoleARN)
	if !ok || p.kind != "role" || p.service != "iam" {
		return assumeRoleOut{}, invalid("%s is invalid", s.RoleARN)
	}
	if !sessionName.MatchString(s.SessionName) {
		return assumeRoleOut{}, invalid("The session name %q is not valid", s.SessionName)
	}
	a := c.srv.accounts[p.account]
	if a == nil || a.Partition != p.partition || a.iam.uniqueIDOf(p) == "" {
		return assumeRoleOut{}, refuse("AccessDenied", "User: %s is not authorized to perform: %s on resource: %s", c.principal, c.action(), s.RoleARN)
	}
	role := a.iam.roles[p.name]
	s.Duration = 3600
	if seconds != nil {
		s.Duration = *seconds
	}
	if s.Duration < 900 || s.Duration > role.MaxSessionDuration {
		return assumeRoleOut{}, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	arn := a.ARN("sts", "", "assumed-role/"+p.name+"/"+s.SessionName)
	id := role.RoleID + ":" + s.SessionName
	var cred credential
	s.AccessKeyID, cred = c.srv.key(a, arn, id, true)
	s.Time = c.now()
	c.srv.sessions = append(c.srv.sessions, s)
	return assumeRoleOut{
		Credentials:     credentialsXML{s.AccessKeyID, cred.secret, cred.token, wire.At(s.Time.Add(time.Duration(s.Duration) * time.Second))},
		AssumedRoleUser: assumedRoleXML{id, arn},
	}, nil
}
