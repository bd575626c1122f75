package migrate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

// DefaultRoleNames is the naming convention of roles where the user has none.
const DefaultRoleNames = "{cluster}-{namespace}-{service-account}"

// roleNameMax is how long the name of a role may be (IAM User Guide, "IAM and AWS STS quotas", 2026-11).
const roleNameMax = 64

// placeholder is what stands in a naming convention for a name.
var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// roleNameRunes are the characters that names of roles may have (IAM User Guide, "IAM and AWS STS quotas", 2026-11).
var roleNameRunes = regexp.MustCompile(`^[A-Za-z0-9+=,.@_-]*$`)

// DefaultServiceAccountNames is the naming convention of service accounts where the user has none.
const DefaultServiceAccountNames = "{workload}"

// ParseServiceAccountNames checks a naming convention of service accounts: text with {workload}, for which the name of a workload
// stands.
func ParseServiceAccountNames(convention string) error {
	if rest := strings.Replace(convention, "{workload}", "", 1); rest == convention || !serviceAccountRunes.MatchString(rest) {
		return fmt.Errorf("names of service accounts are of lower-case letters, digits, - and ., and {workload} stands in each of them for the name of what runs as it")
	}
	return nil
}

// serviceAccountRunes are the characters that names of service accounts may have (Kubernetes documentation, "Object Names and
// IDs", 2026-11).
var serviceAccountRunes = regexp.MustCompile(`^[a-z0-9.-]*$`)

// ServiceAccountName is the name that the convention gives the service account of a workload.
func (o *Options) ServiceAccountName(workload string) string {
	return strings.Replace(cmp.Or(o.ServiceAccountNames, DefaultServiceAccountNames), "{workload}", workload, 1)
}

// ParseRoleNames checks a naming convention of roles: text with {cluster}, {namespace} and {service-account}, of which the
// latter two must occur, or else service accounts would share a role.
func ParseRoleNames(convention string) error {
	for _, p := range placeholder.FindAllString(convention, -1) {
		switch p {
		case "{cluster}", "{namespace}", "{service-account}":
		default:
			return fmt.Errorf("%s stands for nothing; want {cluster}, {namespace} or {service-account}", p)
		}
	}
	for _, needed := range []string{"{namespace}", "{service-account}"} {
		if !strings.Contains(convention, needed) {
			return fmt.Errorf("it lacks %s, so that service accounts would share a role", needed)
		}
	}
	if rest := placeholder.ReplaceAllString(convention, ""); !roleNameRunes.MatchString(rest) || len(rest) > roleNameMax/2 {
		return fmt.Errorf("names of roles are of letters, digits and +=,.@_-, and at most %d characters long", roleNameMax)
	}
	return nil
}

// RoleName is the name that the convention gives the role of a service account. One that would be too long is cut, and ends in
// a sum of the whole.
func (o *Options) RoleName(cluster, namespace, serviceAccount string) string {
	convention := cmp.Or(o.RoleNames, DefaultRoleNames)
	name := strings.NewReplacer("{cluster}", cluster, "{namespace}", namespace, "{service-account}", serviceAccount).Replace(convention)
	if len(name) <= roleNameMax {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	end := "-" + hex.EncodeToString(sum[:4])
	return name[:roleNameMax-len(end)] + end
}

// roleOf is the role that the user names for a service account, or "".
func (p *planner) roleOf(namespace, serviceAccount string) string {
	if role := p.Roles[p.cluster.Name+"/"+namespace+"/"+serviceAccount]; role != "" {
		return role
	}
	return p.Roles[namespace+"/"+serviceAccount]
}
