package checks

import (
	"slices"
	"strings"

	"drawbridge/internal/access"
	"drawbridge/internal/authenticator"
	"drawbridge/internal/check"
	"drawbridge/internal/finding"
	"drawbridge/internal/iam"
	"drawbridge/internal/model"
	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"
)

var authenticationModeTransitional = &check.Check{
	ID:         "authentication-mode-transitional",
	Title:      "Two stores decide who gets in",
	Severity:   finding.Medium,
	Needs:      []model.Area{model.AreaCluster, model.AreaAWSAuth, model.AreaAccessEntries},
	Techniques: []string{"T1098.006"},
	Since:      "0.1",
	Run: func(p *check.Pass) {
		c := p.Cluster
		if c.AuthenticationMode() != model.ModeAPIConfigMap {
			return
		}
		toAPI := plan.SetAuthenticationMode{Cluster: c.ID(), Mode: model.ModeAPI}
		if unread := storesUnread(p); unread != "" {
			p.Report(c, "authentication mode is API_AND_CONFIG_MAP; %s", unread).
				Because(c, "accessConfig.authenticationMode", "API_AND_CONFIG_MAP").
				Fix("# read both stores before closing one: kubectl get configmap -n kube-system aws-auth -o yaml\n# " +
					plan.Shell("aws", "eks", "list-access-entries", "--cluster-name", c.Name, "--region", c.Region))
			return
		}
		blocking, accounts := aloneInAWSAuth(p)
		if len(blocking)+len(accounts) == 0 {
			p.Report(c, "authentication mode is API_AND_CONFIG_MAP and nothing in aws-auth lets anybody in who has no access entry: the last step is open").
				Because(c, "accessConfig.authenticationMode", "API_AND_CONFIG_MAP").
				Fix("# keep a copy: kubectl get configmap -n kube-system aws-auth -o yaml > aws-auth.yaml\n# there is no way back from API").
				Plan(toAPI)
			return
		}
		r := p.Report(c, "authentication mode is API_AND_CONFIG_MAP: %s and %s of aws-auth have no access entry and block the step to API", check.Count(len(blocking), "row"), check.Count(len(accounts), "whole account")).
			Because(c, "accessConfig.authenticationMode", "API_AND_CONFIG_MAP").
			Fix("# make an access entry for each row first; from the moment it exists the entry decides for its principal, not the row")
		for i, row := range blocking {
			if i < 10 {
				r.Because(c.AWSAuth, "data."+row.Kind.Block(), "%s is %s with groups %s", orNobody(row.Read.ARN), orNobody(row.Read.Username), orNobody(strings.Join(row.Read.Groups, ", ")))
				r.Fix(entryForRow(p, &blocking[i]))
			}
		}
		for _, a := range accounts {
			r.Because(c.AWSAuth, "data.mapAccounts", "any principal of account %s", a.ID)
		}
		r.Fix("# then close the ConfigMap for good; there is no way back\n# " + plan.Command(toAPI))
	},
}

// storesUnread says what of the two stores is not known, or "". The step to API cannot be undone, so nothing is concluded
// from a part.
func storesUnread(p *check.Pass) string {
	parsed := p.Access.ParsedAWSAuth()
	switch {
	case !p.Access.Complete(model.AreaAWSAuth):
		return "what stands in aws-auth was not read"
	case parsed != nil && parsed.Unread != "":
		return "what stands in aws-auth is not known: " + parsed.Unread
	case !p.Access.Complete(model.AreaAccessEntries):
		return "which rows of aws-auth have an access entry was not read"
	}
	return ""
}

// aloneInAWSAuth returns the rows and accounts of aws-auth that can map somebody who has no access entry. Rows that match
// by SSO permission set count, because nobody published whether EKS lets them.
func aloneInAWSAuth(p *check.Pass) (rows []authenticator.Row, accounts []authenticator.Account) {
	parsed := p.Access.ParsedAWSAuth()
	if parsed == nil {
		return nil, nil
	}
	for i, row := range parsed.Rows {
		held := p.Access.EntryOf(&access.Mapping{Row: &parsed.Rows[i]}) != nil
		if row.CanMap() && !held || row.Read.ARN == "" && row.Read.SSO != nil {
			rows = append(rows, row)
		}
	}
	for _, a := range parsed.Accounts {
		if a.Valid {
			accounts = append(accounts, a)
		}
	}
	return rows, accounts
}

// entryForRow is the access entry that gives the principal of a row of aws-auth what the row gives it, to be pasted. An entry
// without that would lock its principal out, since it goes before the row; one of the wrong type would stop nodes.
func entryForRow(p *check.Pass, row *authenticator.Row) string {
	c := p.Cluster
	var lines []string
	say := func(parts ...string) { lines = append(lines, strings.Join(parts, " ")) }
	principal, doubt := principalOfRow(p, row)
	if principal == "" {
		return "# no access entry can be made for " + plan.Shell(row.Read.ARN) + ": " + doubt
	}
	if doubt != "" {
		say("#", doubt)
	}
	if c.AuthenticationMode() == model.ModeConfigMap {
		say("# access entries need mode API_AND_CONFIG_MAP first: drawbridge explain authentication-mode-config-map")
	}
	create := []string{"aws", "eks", "create-access-entry", "--cluster-name", c.Name, "--region", c.Region, "--principal-arn", principal}
	if kind := nodeEntryType(row); kind != "" {
		say(plan.Shell(append(create, "--type", kind)...))
		return strings.Join(lines, "\n")
	}
	var groups, reserved []string
	for _, g := range row.Read.Groups {
		switch {
		case g == rbac.GroupMasters || g == "":
		case strings.HasPrefix(g, "system:") || strings.Contains(g, "{{"):
			reserved = append(reserved, g)
		default:
			groups = append(groups, g)
		}
	}
	if u := row.Read.Username; authenticator.ReservedPrefix(u) != "" || strings.Contains(u, "{{") && !strings.Contains(strings.SplitN(u, "{{", 2)[0], ":") {
		say("# username", plan.Shell(u), "is refused for access entries, which then get the principal's own ARN: see what RBAC binds to it")
	} else if u != "" {
		create = append(create, "--username", u)
	}
	if len(reserved) > 0 {
		say("# groups", plan.Shell(reserved...), "are left out, because EKS refuses or should not have them: bind a group of your own")
	}
	if len(groups) > 0 {
		create = append(append(create, "--kubernetes-groups"), groups...)
	}
	say(plan.Shell(create...))
	if slices.Contains(row.Read.Groups, rbac.GroupMasters) {
		say("# as much as system:masters gave; choose less where less is enough")
		say(plan.Shell("aws", "eks", "associate-access-policy", "--cluster-name", c.Name, "--region", c.Region, "--principal-arn", principal,
			"--policy-arn", accessPolicyARN(p, "AmazonEKSClusterAdminPolicy"), "--access-scope", "type=cluster"))
	}
	return strings.Join(lines, "\n")
}

// principalOfRow is the ARN that an access entry needs for the principal of a row: with the path of the IAM role, which rows
// leave out. It is empty where there is nobody to make an entry for; doubt says why, or what is not certain.
func principalOfRow(p *check.Pass, row *authenticator.Row) (principal, doubt string) {
	written := strings.TrimSpace(row.Read.ARN)
	arn, err := iam.ParseARN(written)
	switch {
	case err != nil || arn.RoleName() == "" && !arn.IsUser():
		return "", "it is not the ARN of an IAM role or user"
	case arn.IsUser():
		return written, ""
	}
	switch r, presence := p.Access.Access().RoleByName(arn.Account, arn.RoleName()); presence {
	case access.Present:
		return r.ARN, ""
	case access.Absent:
		return "", "the IAM role does not exist, so the row can go"
	}
	if arn.IsAssumedRole() {
		written = "arn:" + arn.Partition + ":iam::" + arn.Account + ":role/" + arn.RoleName()
	}
	return written, "an access entry needs the IAM role's path, which was not read: role/PATH/" + plan.Shell(arn.RoleName())
}

// nodeEntryType is the type of the access entry that a row for nodes needs, or "" for a row of people and programs (EKS User
// Guide, "Create access entries", 2026-11).
func nodeEntryType(row *authenticator.Row) string {
	switch {
	case row.Read.Username == "system:node:{{SessionName}}" && slices.Contains(row.Read.Groups, "system:node-proxier"):
		return model.EntryFargate
	case row.Read.Username == "system:node:{{SessionName}}":
		return model.EntryHybrid
	case row.Read.Username == "system:node:{{EC2PrivateDNSName}}" && slices.Contains(row.Read.Groups, "eks:kube-proxy-windows"):
		return model.EntryEC2Windows
	case row.Read.Username == "system:node:{{EC2PrivateDNSName}}":
		return model.EntryEC2Linux
	}
	return ""
}

// accessPolicyARN is the ARN of an access policy in the cluster's partition.
func accessPolicyARN(p *check.Pass, policy string) string {
	partition := p.Cluster.Partition
	if partition == "" {
		partition = "aws"
	}
	return "arn:" + partition + ":eks::aws:cluster-access-policy/" + policy
}

func orNobody(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}
