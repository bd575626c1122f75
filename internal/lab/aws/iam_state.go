package aws

import (
	"encoding/json"
	"strings"

	"drawbridge/internal/lab/aws/wire"
)

// iamState is an account's IAM.
type iamState struct {
	acct      *Account
	roles     map[string]*Role
	users     map[string]*User
	groups    map[string]*Group
	policies  map[string]*ManagedPolicy // by ARN
	profiles  map[string]*InstanceProfile
	providers map[string]*OIDCProvider // by ARN
	keys      map[string]*accessKey
	aliases   []string
}

type accessKey struct {
	userName, status string
	created          *wire.Time
}

func newIAMState(a *Account) *iamState {
	return &iamState{
		acct: a, roles: map[string]*Role{}, users: map[string]*User{}, groups: map[string]*Group{}, policies: map[string]*ManagedPolicy{},
		profiles: map[string]*InstanceProfile{}, providers: map[string]*OIDCProvider{}, keys: map[string]*accessKey{},
	}
}

// PutRole adds or replaces a role as it is, fills path, ARN, id, time and an hour of session, and returns its
// ARN. A replaced role without an id gets a new one, as a recreated role does.
func (a *Account) PutRole(r Role) string {
	a.srv.mu.Lock()
	defer a.srv.mu.Unlock()
	return a.iam.putRole(r).ARN
}

func (s *iamState) putRole(r Role) *Role {
	fill(&r.Path, "/")
	fill(&r.ARN, s.acct.ARN("iam", "", "role"+r.Path+r.RoleName))
	if r.RoleID == "" {
		r.RoleID = s.acct.srv.uniqueID("AROA", s.acct.ID, r.RoleName)
	}
	s.created(&r.CreateDate)
	if r.MaxSessionDuration == 0 {
		r.MaxSessionDuration = 3600
	}
	s.roles[r.RoleName] = &r
	return &r
}

// PutUser adds or replaces a user as it is and returns its ARN.
func (a *Account) PutUser(u User) string {
	a.srv.mu.Lock()
	defer a.srv.mu.Unlock()
	return a.iam.putUser(u).ARN
}

func (s *iamState) putUser(u User) *User {
	fill(&u.Path, "/")
	fill(&u.ARN, s.acct.ARN("iam", "", "user"+u.Path+u.UserName))
	if u.UserID == "" {
		u.UserID = s.acct.srv.uniqueID("AIDA", s.acct.ID, u.UserName)
	}
	s.created(&u.CreateDate)
	s.users[u.UserName] = &u
	return &u
}

// PutGroup adds or replaces a group as it is and returns its ARN.
func (a *Account) PutGroup(g Group) string {
	a.srv.mu.Lock()
	defer a.srv.mu.Unlock()
	return a.iam.putGroup(g).ARN
}

func (s *iamState) putGroup(g Group) *Group {
	fill(&g.Path, "/")
	fill(&g.ARN, s.acct.ARN("iam", "", "group"+g.Path+g.GroupName))
	if g.GroupID == "" {
		g.GroupID = s.acct.srv.uniqueID("AGPA", s.acct.ID, g.GroupName)
	}
	s.created(&g.CreateDate)
	s.groups[g.GroupName] = &g
	return &g
}

// PutPolicy adds or replaces a managed policy as it is and returns its ARN. Policies of AWS that roles
// attach are seeded with their own ARN, arn:aws:iam::aws:policy/….
func (a *Account) PutPolicy(p ManagedPolicy) string {
	a.srv.mu.Lock()
	defer a.srv.mu.Unlock()
	return a.iam.putPolicy(p).ARN
}

func (s *iamState) putPolicy(p ManagedPolicy) *ManagedPolicy {
	fill(&p.Path, "/")
	fill(&p.ARN, s.acct.ARN("iam", "", "policy"+p.Path+p.PolicyName))
	if p.PolicyID == "" {
		p.PolicyID = s.acct.srv.uniqueID("ANPA", p.ARN)
	}
	s.created(&p.CreateDate)
	if p.UpdateDate == nil {
		p.UpdateDate = p.CreateDate
	}
	for i := range p.Versions {
		s.created(&p.Versions[i].CreateDate)
	}
	s.policies[p.ARN] = &p
	return &p
}

// PutInstanceProfile adds or replaces an instance profile as it is and returns its ARN.
func (a *Account) PutInstanceProfile(p InstanceProfile) string {
	a.srv.mu.Lock()
	defer a.srv.mu.Unlock()
	return a.iam.putProfile(p).ARN
}

func (s *iamState) putProfile(p InstanceProfile) *InstanceProfile {
	fill(&p.Path, "/")
	fill(&p.ARN, s.acct.ARN("iam", "", "instance-profile"+p.Path+p.InstanceProfileName))
	if p.InstanceProfileID == "" {
		p.InstanceProfileID = s.acct.srv.uniqueID("AIPA", s.acct.ID, p.InstanceProfileName)
	}
	s.created(&p.CreateDate)
	s.profiles[p.InstanceProfileName] = &p
	return &p
}

// PutOIDCProvider adds or replaces an OpenID Connect provider as it is and returns its ARN.
func (a *Account) PutOIDCProvider(o OIDCProvider) string {
	a.srv.mu.Lock()
	defer a.srv.mu.Unlock()
	return a.iam.putProvider(o).ARN
}

func (s *iamState) putProvider(o OIDCProvider) *OIDCProvider {
	o.URL = strings.TrimPrefix(o.URL, "https://")
	fill(&o.ARN, s.acct.ARN("iam", "", "oidc-provider/"+o.URL))
	s.created(&o.CreateDate)
	s.providers[o.ARN] = &o
	return &o
}

// PutAlias sets the account's alias.
func (a *Account) PutAlias(alias string) {
	a.srv.mu.Lock()
	defer a.srv.mu.Unlock()
	a.iam.aliases = []string{alias}
}

func (s *iamState) created(t **wire.Time) {
	if *t == nil {
		*t = wire.At(s.acct.srv.now())
	}
}

// uniqueIDOf is the id of a role or a user of the account by its full ARN, path included; "" if there is none.
func (s *iamState) uniqueIDOf(p principalARN) string {
	switch p.kind {
	case "role":
		if r := s.roles[p.name]; r != nil && r.Path == p.path {
			return r.RoleID
		}
	case "user":
		if u := s.users[p.name]; u != nil && u.Path == p.path {
			return u.UserID
		}
	}
	return ""
}

// callerID is the UserId of GetCallerIdentity. A caller that IAM does not have still gets one.
func (s *iamState) callerID(p principalARN) string {
	if p.kind == "assumed-role" {
		name, session, _ := strings.Cut(p.name, "/")
		if r := s.roles[name]; r != nil {
			return r.RoleID + ":" + session
		}
		return s.acct.srv.uniqueID("AROA", s.acct.ID, "caller", name) + ":" + session
	}
	if id := s.uniqueIDOf(p); id != "" {
		return id
	}
	return s.acct.srv.uniqueID("AIDA", s.acct.ID, "caller", p.name)
}

// callerARN is the IAM principal behind the caller: the role of a session, with its path if IAM has it.
func (c *call) callerARN() string {
	p, _ := parsePrincipal(c.principal)
	if p.kind != "assumed-role" {
		return c.principal
	}
	name, _, _ := strings.Cut(p.name, "/")
	if r := c.acct.iam.roles[name]; r != nil {
		return r.ARN
	}
	return c.acct.ARN("iam", "", "role/"+name)
}

// trustsPodIdentity refuses a role that pods.eks.amazonaws.com may not assume and tag. It looks at the
// Allow statements' service principals and actions only: conditions are not evaluated. (That EKS refuses
// such roles is reported, not documented.)
func (s *iamState) trustsPodIdentity(p principalARN) error {
	r := s.roles[p.name]
	if r == nil || r.Path != p.path {
		return refuse("InvalidParameterException", "The role with name %s cannot be found.", p.name)
	}
	var policy struct {
		Statement statements
	}
	if err := json.Unmarshal([]byte(r.AssumeRolePolicyDocument), &policy); err != nil {
		return refuse("InvalidParameterException", "The trust policy of role %s cannot be read", p.name)
	}
	granted := map[string]bool{}
	for _, st := range policy.Statement {
		if st.Effect == "Allow" && st.Principal.has("pods.eks.amazonaws.com") {
			for _, a := range st.Action {
				granted[strings.ToLower(a)] = true
			}
		}
	}
	all := granted["*"] || granted["sts:*"]
	if !all && !(granted["sts:assumerole"] && granted["sts:tagsession"]) {
		return refuse("InvalidParameterException", "Trust policy of role %s does not let pods.eks.amazonaws.com call sts:AssumeRole and sts:TagSession", p.name)
	}
	return nil
}

// statements is one statement or a list of them, as the policy language allows.
type statements []trustStatement

func (s *statements) UnmarshalJSON(b []byte) error {
	var many []trustStatement
	if json.Unmarshal(b, &many) == nil {
		*s = many
		return nil
	}
	var one trustStatement
	err := json.Unmarshal(b, &one)
	*s = statements{one}
	return err
}

type trustStatement struct {
	Effect    string
	Principal trustPrincipal
	Action    oneOrMany
}

type trustPrincipal struct {
	Service oneOrMany
}

func (p *trustPrincipal) UnmarshalJSON(b []byte) error {
	if string(b) == `"*"` {
		return nil // anybody, but no service
	}
	type plain trustPrincipal
	return json.Unmarshal(b, (*plain)(p))
}

func (p trustPrincipal) has(service string) bool {
	for _, s := range p.Service {
		if s == service {
			return true
		}
	}
	return false
}

type oneOrMany []string

func (o *oneOrMany) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*o = oneOrMany{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(o))
}
