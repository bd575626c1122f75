// Package promise reads what the proof of a migration promises about one principal and one request, so that oracles can hold
// reality against it: oracle/migrate and oracle/lab. It is part of the tests, not of the program, and decides nothing itself.
package promise

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/iam"
	"drawbridge/internal/migrate"
	"drawbridge/internal/rbac"
)

// Said is what a proof says of a request that is decided otherwise afterwards.
type Said string

// What a proof can say.
const (
	Nothing Said = "nothing"
	Unknown Said = "unknown"
	Change  Said = "a gain or loss"
)

// Of returns what a proof says of a request of a principal, by its ARN with path, and of one of its sessions; gained says that
// it is allowed afterwards and was not before.
func Of(p *migrate.Proof, arn, session string, r rbac.Request, gained bool) Said {
	said := Nothing
	for _, one := range p.Changes {
		if !IsAbout(one.Identity, arn) {
			continue
		}
		changes := one.Lost
		if gained {
			changes = one.Gained
		}
		for _, c := range changes {
			if c.Rule != nil && isFor(c, session) && covers(c.Scope, r.Namespace) && rbac.Allows(*c.Rule, r) {
				return Change
			}
		}
		for _, u := range one.Unknown {
			if (u.Side == "" || (u.Side == access.SideGained) == gained) && (u.Scope == "" || covers(u.Scope, r.Namespace)) {
				said = Unknown
			}
		}
	}
	if slices.ContainsFunc(p.Unknown, func(g access.Grant) bool { return g.Identity == access.Identity{} }) {
		return Unknown
	}
	return said
}

// IsAbout says whether an identity of a proof is a principal, whether or not its path is known.
func IsAbout(id access.Identity, arn string) bool {
	if id.ARN == arn {
		return true
	}
	a, err := iam.ParseARN(id.ARN)
	b, err2 := iam.ParseARN(arn)
	return err == nil && err2 == nil && a.IsRole() && b.IsRole() && a.Account == b.Account && a.RoleName() == b.RoleName()
}

// covers says whether what counts in a scope counts in a namespace, "" for none.
func covers(scope, namespace string) bool {
	if scope == access.ScopeCluster {
		return true
	}
	return slices.ContainsFunc(strings.Split(scope, ", "), func(one string) bool {
		ok, err := path.Match(strings.TrimPrefix(one, "namespace/"), namespace)
		return err == nil && ok && namespace != ""
	})
}

// sessionNamed finds the session of which a condition speaks.
var sessionNamed = regexp.MustCompile(`^the session is named ([^ ]+), which`)

// isFor says whether a change is about sessions of a name. As part of a username an @ is a hyphen.
func isFor(c access.Change, session string) bool {
	names := Sessions(c)
	return len(names) == 0 || slices.Contains(names, session) || slices.Contains(names, strings.ReplaceAll(session, "@", "-"))
}

// Sessions are the names of the sessions that a change is about; none is all.
func Sessions(c access.Change) []string {
	var names []string
	for _, condition := range c.Conditions {
		if m := sessionNamed.FindStringSubmatch(condition); m != nil {
			names = append(names, m[1])
		}
	}
	return names
}

// Witness is the request that proves a change, and false for one to AWS.
func Witness(c access.Change) (rbac.Request, bool) {
	w := c.Witness
	return rbac.Request{Verb: w.Verb, APIGroup: w.Group, Resource: w.Resource, Subresource: w.Subresource, Name: w.Name, Namespace: w.Namespace, NonResourceURL: w.URL}, w.Action == ""
}
