package access

import (
	"strings"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// Presence says whether an object exists. Its zero value is Unread, so that nobody concludes from what was not looked at.
type Presence int

// The three answers.
const (
	Unread Presence = iota
	Absent
	Present
)

// Role finds an IAM role by its ARN. The role is nil unless present.
func (a *Access) Role(arn string) (*model.IAMRole, Presence) {
	if r := a.roles[arn]; r != nil {
		return r, Present
	}
	return nil, a.absence(arn)
}

// RoleByName finds a role whose path is not known, as in the ARN of a session or a row of aws-auth. Role names are
// unique in an account whatever their path, and not sensitive to case (IAM User Guide, "IAM and STS quotas", 2026-11).
func (a *Access) RoleByName(account, name string) (*model.IAMRole, Presence) {
	if r := a.rolesByName[account+"/"+strings.ToLower(name)]; r != nil {
		return r, Present
	}
	if a.complete[account] {
		return nil, Absent
	}
	return nil, Unread
}

// User finds an IAM user by its ARN. The user is nil unless present.
func (a *Access) User(arn string) (*model.IAMUser, Presence) {
	if u := a.users[arn]; u != nil {
		return u, Present
	}
	return nil, a.absence(arn)
}

// absence says whether an ARN that was not found is known not to exist: only where its account was read in full.
func (a *Access) absence(arn string) Presence {
	parsed, err := iam.ParseARN(arn)
	if err == nil && a.complete[parsed.Account] {
		return Absent
	}
	return Unread
}

// RolePolicies gathers what decides a role's permissions: attached and inline policies, the boundary, and the service
// control policies of its account. A policy whose document is not in the snapshot makes its layer unread, so that no answer
// is definite because of what is missing; but service control policies only count where they were read: see Guardrails.
func (a *Access) RolePolicies(r *model.IAMRole) iam.Policies {
	return a.underSCP(r.ARN, a.policies(r.Inline, r.Attached, r.Boundary, r.PoliciesUnknown))
}

// UserPolicies gathers what decides a user's permissions, groups included.
func (a *Access) UserPolicies(u *model.IAMUser) iam.Policies {
	inline, attached, unknown := a.userPolicies(u)
	return a.underSCP(u.ARN, a.policies(inline, attached, u.Boundary, unknown))
}

// underSCP adds the service control policies that bind a principal.
func (a *Access) underSCP(principal string, p iam.Policies) iam.Policies {
	arn, _ := iam.ParseARN(principal)
	p.SCP = a.Guardrails(arn.Account).SCP
	return p
}

// userPolicies gathers the policies of a user and of its groups, and says whether some were not listed.
func (a *Access) userPolicies(u *model.IAMUser) (inline []model.InlinePolicy, attached []string, unknown bool) {
	inline, attached, unknown = u.Inline, u.Attached, u.PoliciesUnknown
	arn, _ := iam.ParseARN(u.ARN)
	for _, name := range u.Groups {
		g := a.groups[arn.Account+"/"+name]
		if g == nil {
			unknown = true
			continue
		}
		inline = append(inline[:len(inline):len(inline)], g.Inline...)
		attached = append(attached[:len(attached):len(attached)], g.Attached...)
	}
	return inline, attached, unknown
}

func (a *Access) policies(inline []model.InlinePolicy, attached []string, boundary string, unknown bool) iam.Policies {
	var p iam.Policies
	if unknown {
		p.Unread = append(p.Unread, iam.IdentityPolicy)
	}
	for _, i := range inline {
		if doc, err := a.Parse(i.Document); err == nil {
			p.Identity = append(p.Identity, iam.Named{Name: "inline policy " + i.Name, Policy: doc})
		} else {
			p.Unread = append(p.Unread, iam.IdentityPolicy)
		}
	}
	for _, arn := range attached {
		if m := a.managedPolicy(arn); m.Policy != nil {
			p.Identity = append(p.Identity, m.Named)
		} else {
			p.Unread = append(p.Unread, iam.IdentityPolicy)
		}
	}
	if boundary != "" {
		if m := a.managedPolicy(boundary); m.Policy != nil {
			p.Boundary = &m.Named
		} else {
			p.Unread = append(p.Unread, iam.Boundary)
		}
	}
	return p
}

// Parse parses a policy document, once for all objects that carry the same text.
func (a *Access) Parse(d model.Document) (*iam.Policy, error) {
	if p, ok := a.parsed.Load(d); ok {
		return p.(parsedPolicy).policy, p.(parsedPolicy).err
	}
	policy, err := iam.Parse([]byte(d))
	a.parsed.Store(d, parsedPolicy{policy, err})
	return policy, err
}

type parsedPolicy struct {
	policy *iam.Policy
	err    error
}
