package access

import (
	"regexp"
	"slices"
	"strings"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/rbac"
)

// sessions finds the sessions of a role whose name makes a username or group that a binding names, the kubelets that are
// known to be such sessions, and who else it may be where AWS fills in part of a name.
func (c *Cluster) sessions(k *KubernetesIdentity, who caller, r authenticator.Result, mapper *authenticator.Mapper) {
	if r.Outcome != authenticator.Mapped {
		return
	}
	k.Holder.Groups = slices.DeleteFunc(k.Holder.Groups, authenticator.Renders)
	var names []string
	if who.arn.IsRole() {
		names = c.instancesOf(r.Username, who)
	}
	for i, t := range append([]string{r.Username}, r.Groups...) {
		if !authenticator.Renders(t) {
			continue
		}
		bound := c.rbac().subjects().users
		if i > 0 {
			bound = slices.Sorted(slices.Values(append([]string{rbac.GroupMasters, groupNodes}, c.rbac().subjects().groups...)))
		}
		made, filled := namesOf(t, bound)
		if who.arn.IsRole() {
			names = append(names, made...)
		}
		for _, n := range filled {
			if k.maybe = append(k.maybe, k.Holder); i > 0 {
				k.maybe[len(k.maybe)-1].Groups = append(slices.Clone(k.Holder.Groups), n)
			} else {
				k.maybe[len(k.maybe)-1].User = n
			}
		}
	}
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		session := mapper.Map(authenticator.Identity{ARN: sessionARN(who.arn, n), SessionName: n, EC2PrivateDNSName: c.privateDNS(n)})
		if session.Outcome == authenticator.Mapped {
			k.Sessions = append(k.Sessions, Session{n, holderOf(session)})
		}
	}
}

// instancesOf are the instances that run with a role whose sessions are kubelets: EC2 names their sessions after them.
func (c *Cluster) instancesOf(template string, who caller) []string {
	if !strings.Contains(template, "{{EC2PrivateDNSName}}") {
		return nil
	}
	var ids []string
	for _, i := range c.Instances {
		if role := c.all.roleOfProfile(i.InstanceProfileARN); role != nil && role == who.role && i.PrivateDNS != "" {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

// templatePart finds what a template leaves to be filled in. A session name has 2 to 64 of these characters, and @ becomes -
// in {{SessionName}} (STS API Reference, AssumeRole, "RoleSessionName", 2026-11).
var templatePart = regexp.MustCompile(`\\\{\\\{(SessionName|SessionNameRaw|AccessKeyID|EC2PrivateDNSName)\\\}\\\}`)

// namesOf finds the names that a template can become: made of the session names returned, or filled in by AWS too. Names
// are sorted.
func namesOf(template string, names []string) (made, filled []string) {
	byAWS := strings.Contains(template, "{{AccessKeyID}}") || strings.Contains(template, "{{EC2PrivateDNSName}}")
	pattern := templatePart.ReplaceAllStringFunc(regexp.QuoteMeta(template), func(part string) string {
		if strings.Contains(part, "SessionName") {
			return `([\w+=,.@-]{2,64})`
		}
		return `.+`
	})
	re, err := regexp.Compile("^" + pattern + "$")
	if err != nil {
		return nil, nil
	}
	for _, n := range withPrefix(names, template) {
		switch m := re.FindStringSubmatch(n); {
		case m == nil:
		case byAWS:
			filled = append(filled, n)
		default:
			made = append(made, m[1:]...)
		}
	}
	return made, filled
}

// withPrefix are the names that begin as a template does; names are sorted.
func withPrefix(names []string, template string) []string {
	prefix, _, _ := strings.Cut(template, "{{")
	from, _ := slices.BinarySearch(names, prefix)
	to := from
	for to < len(names) && strings.HasPrefix(names[to], prefix) {
		to++
	}
	return names[from:to]
}
