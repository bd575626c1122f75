package access

import (
	"slices"
	"strings"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// MappedAdmin is an IAM principal of the cluster's account that the cluster lets in with strong powers everywhere.
type MappedAdmin struct {
	// ARN is the principal's, with its path where the principal is known.
	ARN string
	// Presence says whether it exists.
	Presence Presence
	// ByName says that a row of aws-auth maps it, which asks for the name only: whoever bears it comes in.
	ByName bool
	// IsRole says that the principal is a role, not a user.
	IsRole bool
	Why    []finding.Evidence
}

// protected says whether nobody but AWS changes the role: those of IAM Identity Center stand under a path of their own (IAM
// Identity Center User Guide, "Referencing permission sets in resource policies", 2026-11).
func (m *MappedAdmin) protected() bool { return strings.Contains(m.ARN, ":role/aws-reserved/") }

// MappedAdmins lists the principals of the cluster's account that it lets in with strong powers in the whole cluster: by
// access entries, and by rows of aws-auth that no entry overrides. AWS's own are left out.
func (c *Cluster) MappedAdmins() []*MappedAdmin {
	var all []*MappedAdmin
	for _, e := range c.AccessEntries {
		arn, err := iam.ParseARN(e.PrincipalARN)
		if err != nil || arn.Account != c.Account || e.IsNode() || c.ServiceOwned(e.PrincipalARN) != "" {
			continue
		}
		if why := c.strongEntry(e); why != nil {
			_, presence := c.all.principalObject(e.PrincipalARN)
			all = append(all, &MappedAdmin{ARN: e.PrincipalARN, Presence: presence, IsRole: arn.IsRole(), Why: why})
		}
	}
	for _, m := range c.Mappings() {
		arn, err := iam.ParseARN(m.Read.ARN)
		if err != nil || arn.Account != c.Account || !m.CanMap() || c.AuthenticationMode() == model.ModeAPIConfigMap && c.EntryOf(m) != nil {
			continue
		}
		why := c.strongRow(m)
		if why == nil {
			continue
		}
		admin := &MappedAdmin{ARN: m.Read.ARN, ByName: true, IsRole: m.Kind == authenticator.KindRole, Why: why}
		if admin.IsRole {
			var role *model.IAMRole
			if role, admin.Presence = c.all.RoleByName(arn.Account, arn.RoleName()); role != nil {
				admin.ARN = role.ARN
			}
		} else {
			_, admin.Presence = c.all.User(m.Read.ARN)
		}
		all = append(all, admin)
	}
	return all
}

// principalObject finds the role or user of an ARN.
func (a *Access) principalObject(arn string) (model.Object, Presence) {
	if strings.Contains(arn, ":user/") {
		u, presence := a.User(arn)
		return u, presence
	}
	if strings.HasSuffix(arn, ":root") {
		return nil, Unread // no list has root users, and they cannot be deleted
	}
	r, presence := a.Role(arn)
	return r, presence
}

// strongEntry says by what an access entry gives strong powers in the whole cluster, or nil.
func (c *Cluster) strongEntry(e *model.AccessEntry) []finding.Evidence {
	for _, a := range c.PolicyAssociationsOf(e.PrincipalARN) {
		held, _ := c.PowersOfAssociation(a)
		for _, h := range held {
			if h.Namespace == "" && h.Strong() {
				return []finding.Evidence{fact(e, "associatedAccessPolicies", "%s on %s", a.PolicyARN, a.Scope)}
			}
		}
	}
	return c.strongHolder(c.EntryHolders(e), fact(e, "kubernetesGroups", "username %s, groups %s", e.Username, strings.Join(e.Groups, ", ")))
}

// strongRow says by what a row of aws-auth gives strong powers in the whole cluster, or nil.
func (c *Cluster) strongRow(m *Mapping) []finding.Evidence {
	why := fact(m, m.Kind.Block(), "line %d: username %s, groups %s", m.Line, m.Read.Username, strings.Join(m.Read.Groups, ", "))
	if slices.Contains(m.Read.Groups, rbac.GroupMasters) {
		return []finding.Evidence{why}
	}
	return c.strongHolder(c.MappingHolders(m), why)
}

func (c *Cluster) strongHolder(holders []rbac.Holder, why finding.Evidence) []finding.Evidence {
	for _, h := range holders {
		if h.User == "" && len(h.Groups) == 0 {
			continue
		}
		powers, _ := c.PowersOf(h)
		for _, p := range powers {
			if p.Namespace == "" && p.Strong() {
				return append([]finding.Evidence{why}, p.Chain...)
			}
		}
	}
	return nil
}

// OpenSubject is a group or user that RBAC binds strongly in the whole cluster, and that an access entry may be given,
// because its name is not reserved.
type OpenSubject struct {
	Kind, Name string // Group or User
	Power      string // what it can do
	Why        finding.Evidence
}

// OpenSubject finds the first group, or else user, that whoever makes access entries can give itself to become strong, or
// nil. Groups of entries must not begin with system:, usernames not with a reserved prefix (EKS User Guide, "Create access
// entries", 2026-11).
func (c *Cluster) OpenSubject() *OpenSubject {
	var user *OpenSubject
	for b, title := range c.strongBindings() {
		for _, s := range b.Subjects {
			found := &OpenSubject{s.Kind, s.Name, title, fact(b, "subjects", "%s can %s in the whole cluster", SubjectText(s), title)}
			switch {
			case s.Kind == rbacGroup && !strings.HasPrefix(s.Name, "system:"):
				return found
			case s.Kind == rbacUser && authenticator.ReservedPrefix(s.Name) == "" && user == nil:
				user = found
			}
		}
	}
	return user
}

const (
	rbacGroup = "Group"
	rbacUser  = "User"
)
