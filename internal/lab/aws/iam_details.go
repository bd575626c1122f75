package aws

import (
	"slices"
	"strings"
)

type detailsIn struct {
	listIn
	Filter []string
}

type (
	userDetailXML struct {
		userXML
		UserPolicyList          []inlineXML   `xml:"UserPolicyList>member"`
		GroupList               []string      `xml:"GroupList>member"`
		AttachedManagedPolicies []attachedXML `xml:"AttachedManagedPolicies>member"`
	}
	groupDetailXML struct {
		groupXML
		GroupPolicyList         []inlineXML   `xml:"GroupPolicyList>member"`
		AttachedManagedPolicies []attachedXML `xml:"AttachedManagedPolicies>member"`
	}
	roleDetailXML struct {
		roleXML
		InstanceProfileList     []profileXML  `xml:"InstanceProfileList>member"`
		RolePolicyList          []inlineXML   `xml:"RolePolicyList>member"`
		AttachedManagedPolicies []attachedXML `xml:"AttachedManagedPolicies>member"`
	}
	detailsOut struct {
		UserDetailList  []userDetailXML  `xml:"UserDetailList>member"`
		GroupDetailList []groupDetailXML `xml:"GroupDetailList>member"`
		RoleDetailList  []roleDetailXML  `xml:"RoleDetailList>member"`
		Policies        []policyXML      `xml:"Policies>member"`
		listXML
	}
)

// getAccountAuthorizationDetails pages through users, groups, roles and policies as one list. AWS's own
// policies are there only if something attaches them (GetAccountAuthorizationDetails, IAM API Reference, 2026-11).
func getAccountAuthorizationDetails(c *call, in *detailsIn) (detailsOut, error) {
	var all []any
	for _, filter := range in.Filter {
		if !slices.Contains([]string{"User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"}, filter) {
			return detailsOut{}, invalid("Value '%s' at 'filter' failed to satisfy constraint: Member must satisfy enum value set", filter)
		}
	}
	wants := func(kind string) bool { return len(in.Filter) == 0 || slices.Contains(in.Filter, kind) }
	s := c.acct.iam
	if wants("User") {
		for _, u := range sorted(s.users) {
			all = append(all, userDetailXML{u.xml(), inline(u.InlinePolicies), u.Groups, attached(u.AttachedPolicies)})
		}
	}
	if wants("Group") {
		for _, g := range sorted(s.groups) {
			all = append(all, groupDetailXML{g.xml(), inline(g.InlinePolicies), attached(g.AttachedPolicies)})
		}
	}
	if wants("Role") {
		for _, r := range sorted(s.roles) {
			x := r.xml()
			x.Description, x.MaxSessionDuration = "", 0 // RoleDetail has neither
			all = append(all, roleDetailXML{x, s.profilesOf(r.RoleName), inline(r.InlinePolicies), attached(r.AttachedPolicies)})
		}
	}
	for _, p := range sorted(s.policies) {
		x := s.policyXML(p)
		if !isAWSManaged(p.ARN) && wants("LocalManagedPolicy") || isAWSManaged(p.ARN) && wants("AWSManagedPolicy") && x.AttachmentCount > 0 {
			for _, v := range slices.Backward(p.Versions) {
				x.PolicyVersionList = append(x.PolicyVersionList, v.xml())
			}
			x.Tags = nil
			all = append(all, x)
		}
	}
	items, list, err := paged(c, all, strings.Join(in.Filter, ","), in.listIn)
	return details(items, list), err
}

func details(items []any, list listXML) detailsOut {
	out := detailsOut{listXML: list}
	for _, item := range items {
		switch x := item.(type) {
		case userDetailXML:
			out.UserDetailList = append(out.UserDetailList, x)
		case groupDetailXML:
			out.GroupDetailList = append(out.GroupDetailList, x)
		case roleDetailXML:
			out.RoleDetailList = append(out.RoleDetailList, x)
		case policyXML:
			out.Policies = append(out.Policies, x)
		}
	}
	return out
}

type listAliasesOut struct {
	AccountAliases []string `xml:"AccountAliases>member"`
	listXML
}

func listAccountAliases(c *call, in *listIn) (listAliasesOut, error) {
	items, list, err := paged(c, c.acct.iam.aliases, "", *in)
	return listAliasesOut{items, list}, err
}
