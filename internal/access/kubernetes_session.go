package access

import (
	"regexp"
	"slices"
	"strings"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/rbac"
)

// sessions finds the sessions of a role whose name makes a username or group that a binding names, and, where AWS fills
// in part of a username, says that it is open.
func (c *Cluster) sessions(k *KubernetesIdentity, who caller, r authenticator.Result, mapper *authenticator.Mapper) {
	if !who.arn.IsRole() || r.Outcome != authenticator.Mapped {
		return
	}
	templates := append([]string{r.Username}, r.Groups...)
	k.Holder.Groups = slices.DeleteFunc(k.Holder.Groups, func(g string) bool { return strings.Contains(g, "{{") })
	var names []string
	for i, t := range templates {
		bound := c.rbac().users
		if i > 0 {
			bound = c.rbac().groups
			if t != "" && strings.Contains(t, "{{") {
				bound = append([]string{rbac.GroupMasters, groupNodes}, bound...)
				slices.Sort(bound)
			}
		}
		names = append(names, sessionNames(t, bound)...)
		if open := c.filledByAWS(t, bound); open != "" {
			k.Open = append(k.Open, open)
		}
	}
	slices.Sort(names)
	for _, n := range slices.Compact(names) {
		session := mapper.Map(authenticator.Identity{ARN: sessionARN(who, n), SessionName: n, EC2PrivateDNSName: c.privateDNS(n)})
		if session.Outcome == authenticator.Mapped {
			k.Sessions = append(k.Sessions, Session{n, holderOf(session)})
		}
	}
}

func sessionARN(who caller, session string) string {
	return "arn:" + who.arn.Partition + ":sts::" + who.arn.Account + ":assumed-role/" + who.arn.RoleName() + "/" + session
}

// sessionNames returns the session names that may make one of the names out of a template; names are sorted.
func sessionNames(template string, names []string) []string {
	if !authenticator.NamesSession(template) {
		return nil
	}
	pattern := sessionTemplate.ReplaceAllString(regexp.QuoteMeta(template), `([\w+=,.@-]{2,64})`)
	if strings.Contains(pattern, `\{\{`) {
		return nil
	}
	re, err := regexp.Compile("^" + pattern + "$")
	if err != nil {
		return nil
	}
	var made []string
	for _, n := range withPrefix(names, template) {
		if m := re.FindStringSubmatch(n); m != nil {
			made = append(made, m[1:]...)
		}
	}
	return made
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

// filledByAWS says what is open where AWS fills in a part of a template and a binding names what may come of it.
func (c *Cluster) filledByAWS(template string, bound []string) string {
	for _, part := range []string{"{{AccessKeyID}}", "{{EC2PrivateDNSName}}"} {
		if strings.Contains(template, part) && len(withPrefix(bound, template)) > 0 {
			return "what " + part + " becomes in " + template
		}
	}
	return ""
}
