package oracle

import (
	"fmt"
	"strings"

	"drawbridge/internal/lab/kube"
)

var rowNames = []string{"alice", "bob", "user:{{SessionName}}", "{{SessionName}}", "{{AccountID}}:{{SessionNameRaw}}", "u:{{SessionName}}:{{AccountID}}", "carol", "admin", "system:node:" + kube.Node(1, "").Name, "{{ SessionName }}", "{{Nothing}}"}

// awsAuth writes the ConfigMap: rows for some of the principals, some of them broken, doubled or in vain. mapUsers is never
// broken as a whole, for the reader of the snapshot is in it.
func (g gen) awsAuth(all []*principal) map[string]string {
	var roles, users []string
	for _, p := range all {
		if p.account == far || g.chance(3) {
			continue
		}
		block, key := &users, "userarn"
		if p.isRole() {
			block, key = &roles, "rolearn"
		}
		first := g.rowARN(p)
		*block = append(*block, g.row(key, first, p))
		if !g.chance(8) {
			continue
		}
		again := p.stripped()
		if g.chance(2) {
			again = strings.ToUpper(again)
		}
		if !p.isRole() && again != first { // which of two users wins is left to the order of a map
			p.unsettled = "rows of aws-auth that differ in case"
		}
		*block = append(*block, g.row(key, again, p))
	}
	g.Shuffle(len(roles), func(i, j int) { roles[i], roles[j] = roles[j], roles[i] })
	g.Shuffle(len(users), func(i, j int) { users[i], users[j] = users[j], users[i] })
	if g.chance(5) {
		roles = append(roles, "- rolearn: [\n")
	}
	data := map[string]string{"mapRoles": strings.Join(roles, ""), "mapUsers": strings.Join(users, "")}
	switch g.IntN(3) {
	case 0:
		data["mapAccounts"] = "- \"" + far + "\"\n"
	case 1:
		data["mapAccounts"] = "- " + far + "\n- \"" + near + "\"\n- 12\n"
	}
	return data
}

// rowARN is how a row names a principal: mostly so that it counts.
func (g gen) rowARN(p *principal) string {
	switch g.IntN(16) {
	case 0, 1:
		return p.arn // with the path, with which a role is never found
	case 2:
		return strings.ToLower(p.stripped())
	case 3:
		return `" ` + p.stripped() + `"`
	case 4:
		return p.sts("alice")
	}
	return p.stripped()
}

func (g gen) row(key, arn string, p *principal) string {
	username, list := pick(g, rowNames...), g.some(0, 3, append([]string{"system:masters", "system:masters", "system:masters", "system:nodes", "team:{{SessionName}}", "{{c}}"}, groups...))
	if g.chance(2) { // masters are allowed everything, which tells little
		list = g.some(0, 3, groups)
	}
	if g.chance(25) {
		username, p.unsettled = "key:{{AccessKeyID}}", "a username with the access key in it"
	}
	switch g.IntN(16) {
	case 0:
		return fmt.Sprintf("- %s: %s\n  username: %s\n  groups: [dev]\n", key, arn, pick(g, "n", "123", "~", "1.5", "''"))
	case 1:
		return fmt.Sprintf("- %s: %s\n  username: %q\n  groups: %s\n", key, arn, username, pick(g, "dev", "[yes, c]", "{a: b}", "null"))
	case 2:
		return fmt.Sprintf("- %s: %s\n  groups: [ops]\n", key, arn)
	case 3:
		return fmt.Sprintf("- %s: %s\n  username: %q\n  groups: [ops]\n", strings.ToUpper(key), arn, username)
	case 4:
		return fmt.Sprintf("- username: %q\n  groups: [system:masters]\n", username)
	}
	quoted := []string{}
	for _, group := range list {
		quoted = append(quoted, fmt.Sprintf("%q", group))
	}
	return fmt.Sprintf("- %s: %s\n  username: %q\n  groups: [%s]\n", key, arn, username, strings.Join(quoted, ", "))
}

// fixedRows are the rows that EKS writes for node groups and Fargate (EKS User Guide, "Add IAM principals to the aws-auth
// ConfigMap", 2026-11), and one for emergencies.
func fixedRows(fixed []*principal) string {
	return fmt.Sprintf(`- rolearn: %s
  username: system:node:{{EC2PrivateDNSName}}
  groups: [system:bootstrappers, system:nodes]
- rolearn: %s
  username: system:node:{{SessionName}}
  groups: [system:bootstrappers, system:nodes, system:node-proxier]
- rolearn: %s
  username: breakglass:{{SessionName}}
  groups: [system:masters]
`, fixed[0].arn, fixed[1].arn, fixed[2].arn)
}
