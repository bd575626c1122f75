package access

import (
	"regexp"
	"slices"
	"strings"

	"drawbridge/internal/authenticator"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/rbac"
)

// EntryHolders says as whom RBAC sees whoever comes in through an access entry: first with the groups and username that
// every session has, then with each username that a binding names and that a session name of the caller's choice makes.
// Usernames that EKS refuses to entries, by their reserved prefix, are left out.
func (c *Cluster) EntryHolders(e *model.AccessEntry) []rbac.Holder {
	holders := c.holders(e.PrincipalARN, e.Username, e.Groups)
	return slices.DeleteFunc(holders, func(h rbac.Holder) bool {
		return h.User != holders[0].User && authenticator.ReservedPrefix(h.User) != ""
	})
}

// MappingHolders is EntryHolders for a row of aws-auth, which knows no reserved prefixes.
func (c *Cluster) MappingHolders(m *Mapping) []rbac.Holder {
	return c.holders(m.Read.ARN, m.Read.Username, m.Read.Groups)
}

func (c *Cluster) holders(principalARN, username string, groups []string) []rbac.Holder {
	arn, _ := iam.ParseARN(strings.ToLower(principalARN))
	render := strings.NewReplacer("{{AccountID}}", arn.Account)
	if arn.IsUser() { // users have no session name
		render = strings.NewReplacer("{{AccountID}}", arn.Account, "{{SessionName}}", "", "{{SessionNameRaw}}", "")
	}
	var fixed rbac.Holder
	for _, g := range groups {
		if g = render.Replace(g); !strings.Contains(g, "{{") {
			fixed.Groups = append(fixed.Groups, g)
		}
	}
	username = render.Replace(username)
	if !strings.Contains(username, "{{") {
		fixed.User = username
		return []rbac.Holder{fixed}
	}
	holders := []rbac.Holder{fixed}
	for _, u := range c.boundUsers(username) {
		holders = append(holders, rbac.Holder{User: u, Groups: fixed.Groups})
	}
	return holders
}

// sessionTemplate finds the templates that the caller fills. A session name has 2 to 64 of these characters, and @ becomes -
// in {{SessionName}} (STS API Reference, AssumeRole, "RoleSessionName", 2026-11).
var sessionTemplate = regexp.MustCompile(`\\\{\\\{SessionName(Raw)?\\\}\\\}`)

// boundUsers returns the usernames in bindings that a session name can make of a template.
func (c *Cluster) boundUsers(template string) []string {
	pattern := sessionTemplate.ReplaceAllString(regexp.QuoteMeta(template), `([\w+=,.@-]{2,64})`)
	if strings.Contains(pattern, `\{\{`) {
		return nil // filled by AWS, not by the caller
	}
	re, err := regexp.Compile("^" + pattern + "$")
	if err != nil {
		return nil
	}
	prefix, _, _ := strings.Cut(template, "{{")
	users := c.rbac().subjects().users
	from, _ := slices.BinarySearch(users, prefix)
	var made []string
	for _, u := range users[from:] {
		if !strings.HasPrefix(u, prefix) {
			break
		}
		if m := re.FindStringSubmatch(u); m != nil && !slices.ContainsFunc(m[1:], func(s string) bool { return s != m[1] }) {
			made = append(made, u)
		}
	}
	return made
}
