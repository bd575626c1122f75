package iam

import (
	"fmt"
	"strings"
)

// ARN is an Amazon Resource Name cut at its first five colons. Region and Account may be empty;
// Resource is everything after the fifth colon, with its own colons and slashes.
type ARN struct {
	Partition, Service, Region, Account, Resource string
}

// ParseARN cuts an ARN into its parts. It accepts every partition and checks the form only: six parts,
// the first of them "arn", and a partition, service and resource that are not empty.
func ParseARN(s string) (ARN, error) {
	var part [6]string
	if !cutARN(s, &part) || part[0] != "arn" || part[1] == "" || part[2] == "" || part[5] == "" {
		return ARN{}, fmt.Errorf("%q is not an ARN (arn:partition:service:region:account:resource)", s)
	}
	return ARN{part[1], part[2], part[3], part[4], part[5]}, nil
}

// cutARN cuts s at its first five colons and reports whether there were five.
func cutARN(s string, part *[6]string) bool {
	for i := range 5 {
		head, tail, ok := strings.Cut(s, ":")
		if !ok {
			return false
		}
		part[i], s = head, tail
	}
	part[5] = s
	return true
}

// String puts the ARN together again.
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// IsRole reports whether the ARN names an IAM role.
func (a ARN) IsRole() bool { return a.Service == "iam" && hasName(a.Resource, "role/") }

// IsUser reports whether the ARN names an IAM user.
func (a ARN) IsUser() bool { return a.Service == "iam" && hasName(a.Resource, "user/") }

// IsRoot reports whether the ARN names an account (its root user).
func (a ARN) IsRoot() bool { return a.Service == "iam" && a.Resource == "root" }

// IsAssumedRole reports whether the ARN names a role session: assumed-role/<role name>/<session name>.
func (a ARN) IsAssumedRole() bool {
	rest, ok := strings.CutPrefix(a.Resource, "assumed-role/")
	role, session, cut := strings.Cut(rest, "/")
	return ok && cut && a.Service == "sts" && role != "" && session != ""
}

// RoleName returns the name, without path, of the role that the ARN names, also of an assumed role;
// it is empty for every other ARN.
func (a ARN) RoleName() string {
	switch {
	case a.IsRole():
		return a.Name()
	case a.IsAssumedRole():
		name, _, _ := strings.Cut(strings.TrimPrefix(a.Resource, "assumed-role/"), "/")
		return name
	}
	return ""
}

// SessionName returns the session name of an assumed-role ARN, else the empty string.
func (a ARN) SessionName() string {
	if !a.IsAssumedRole() {
		return ""
	}
	_, session, _ := strings.Cut(strings.TrimPrefix(a.Resource, "assumed-role/"), "/")
	return session
}

// Name returns what follows the last slash of the resource, or the whole resource.
func (a ARN) Name() string { return a.Resource[strings.LastIndexByte(a.Resource, '/')+1:] }

// Path returns the IAM path of a role or user ARN, with both slashes ("/" when it has none), and the
// empty string for every other ARN.
func (a ARN) Path() string {
	if !a.IsRole() && !a.IsUser() {
		return ""
	}
	return a.Resource[strings.IndexByte(a.Resource, '/') : strings.LastIndexByte(a.Resource, '/')+1]
}

// Canonical turns an assumed-role session into its role, and drops a role's path: the form in which
// sts:GetCallerIdentity callers and the EKS authenticator compare roles, because the ARN of a session
// does not tell the path of its role. Other ARNs are returned as they are.
func (a ARN) Canonical() ARN {
	if name := a.RoleName(); name != "" {
		a.Service, a.Region, a.Resource = "iam", "", "role/"+name
	}
	return a
}

// hasName reports whether resource is prefix, an optional path and a name.
func hasName(resource, prefix string) bool {
	return strings.HasPrefix(resource, prefix) && resource[len(resource)-1] != '/'
}

// isAccountID reports whether s is a 12-digit account id.
func isAccountID(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
