package migrate

import (
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
	convention := o.RoleNames
	if convention == "" {
		convention = DefaultRoleNames
	}
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
