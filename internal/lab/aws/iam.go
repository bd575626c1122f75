package aws

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// iamOperations are the operations of IAM that the lab has. Not there: SAML, server certificates, MFA,
// passwords, service-specific credentials, access advisor, simulation.
var iamOperations = map[string]handler{
	"GetAccountAuthorizationDetails": op(getAccountAuthorizationDetails),
	"ListAccountAliases":             op(listAccountAliases),

	"CreateRole":                    op(createRole),
	"GetRole":                       op(getRole),
	"ListRoles":                     op(listRoles),
	"UpdateRole":                    op(updateRole),
	"UpdateAssumeRolePolicy":        op(updateAssumeRolePolicy),
	"DeleteRole":                    op(deleteRole),
	"TagRole":                       op(tagRole),
	"UntagRole":                     op(untagRole),
	"ListRoleTags":                  op(listRoleTags),
	"PutRolePermissionsBoundary":    op(putRoleBoundary),
	"DeleteRolePermissionsBoundary": op(deleteRoleBoundary),

	"CreateUser":          op(createUser),
	"GetUser":             op(getUser),
	"ListUsers":           op(listUsers),
	"DeleteUser":          op(deleteUser),
	"ListGroupsForUser":   op(listGroupsForUser),
	"CreateAccessKey":     op(createAccessKey),
	"ListAccessKeys":      op(listAccessKeys),
	"UpdateAccessKey":     op(updateAccessKey),
	"DeleteAccessKey":     op(deleteAccessKey),
	"CreateGroup":         op(createGroup),
	"GetGroup":            op(getGroup),
	"ListGroups":          op(listGroups),
	"DeleteGroup":         op(deleteGroup),
	"AddUserToGroup":      op(addUserToGroup),
	"RemoveUserFromGroup": op(removeUserFromGroup),

	"PutRolePolicy":             op(putInline(kindRole)),
	"GetRolePolicy":             op(getInline(kindRole)),
	"ListRolePolicies":          op(listInline(kindRole)),
	"DeleteRolePolicy":          op(deleteInline(kindRole)),
	"AttachRolePolicy":          op(attachPolicy(kindRole)),
	"DetachRolePolicy":          op(detachPolicy(kindRole)),
	"ListAttachedRolePolicies":  op(listAttached(kindRole)),
	"PutUserPolicy":             op(putInline(kindUser)),
	"GetUserPolicy":             op(getInline(kindUser)),
	"ListUserPolicies":          op(listInline(kindUser)),
	"DeleteUserPolicy":          op(deleteInline(kindUser)),
	"AttachUserPolicy":          op(attachPolicy(kindUser)),
	"DetachUserPolicy":          op(detachPolicy(kindUser)),
	"ListAttachedUserPolicies":  op(listAttached(kindUser)),
	"PutGroupPolicy":            op(putInline(kindGroup)),
	"GetGroupPolicy":            op(getInline(kindGroup)),
	"ListGroupPolicies":         op(listInline(kindGroup)),
	"DeleteGroupPolicy":         op(deleteInline(kindGroup)),
	"AttachGroupPolicy":         op(attachPolicy(kindGroup)),
	"DetachGroupPolicy":         op(detachPolicy(kindGroup)),
	"ListAttachedGroupPolicies": op(listAttached(kindGroup)),

	"CreatePolicy":            op(createPolicy),
	"GetPolicy":               op(getPolicy),
	"ListPolicies":            op(listPolicies),
	"DeletePolicy":            op(deletePolicy),
	"CreatePolicyVersion":     op(createPolicyVersion),
	"GetPolicyVersion":        op(getPolicyVersion),
	"ListPolicyVersions":      op(listPolicyVersions),
	"SetDefaultPolicyVersion": op(setDefaultPolicyVersion),
	"DeletePolicyVersion":     op(deletePolicyVersion),

	"CreateInstanceProfile":         op(createInstanceProfile),
	"GetInstanceProfile":            op(getInstanceProfile),
	"ListInstanceProfiles":          op(listInstanceProfiles),
	"ListInstanceProfilesForRole":   op(listInstanceProfilesForRole),
	"AddRoleToInstanceProfile":      op(addRoleToInstanceProfile),
	"RemoveRoleFromInstanceProfile": op(removeRoleFromInstanceProfile),
	"DeleteInstanceProfile":         op(deleteInstanceProfile),

	"CreateOpenIDConnectProvider":             op(createOpenIDConnectProvider),
	"GetOpenIDConnectProvider":                op(getOpenIDConnectProvider),
	"ListOpenIDConnectProviders":              op(listOpenIDConnectProviders),
	"AddClientIDToOpenIDConnectProvider":      op(addClientID),
	"RemoveClientIDFromOpenIDConnectProvider": op(removeClientID),
	"UpdateOpenIDConnectProviderThumbprint":   op(updateThumbprint),
	"DeleteOpenIDConnectProvider":             op(deleteOpenIDConnectProvider),
}

// iamResource names what a denied call was about.
func iamResource(c *call, form url.Values) string {
	in := func(kind, parameter, path string) string {
		return c.acct.ARN("iam", "", kind+path+form.Get(parameter))
	}
	switch {
	case form.Get("PolicyArn") != "" && form.Get("RoleName")+form.Get("UserName")+form.Get("GroupName") == "":
		return form.Get("PolicyArn")
	case form.Get("OpenIDConnectProviderArn") != "":
		return form.Get("OpenIDConnectProviderArn")
	case form.Get("InstanceProfileName") != "":
		return in("instance-profile", "InstanceProfileName", "/")
	case form.Get("RoleName") != "":
		if r := c.acct.iam.roles[form.Get("RoleName")]; r != nil {
			return r.ARN
		}
		return in("role", "RoleName", "/")
	case form.Get("UserName") != "":
		return in("user", "UserName", "/")
	case form.Get("GroupName") != "":
		return in("group", "GroupName", "/")
	case c.operation == "ListRoles":
		return in("role", "", "/")
	case c.operation == "ListUsers":
		return in("user", "", "/")
	}
	return "*"
}

// listIn is what every list of IAM takes.
type listIn struct {
	Marker   string
	MaxItems *int
}

// paged cuts a page of an IAM list.
func paged[T any](c *call, items []T, what string, in listIn) ([]T, listXML, error) {
	part, next, err := page(c, items, what, in.Marker, in.MaxItems, iamPages)
	return part, listXML{next != "", next}, err
}

// sorted returns a map's values in the order of their keys.
func sorted[V any](m map[string]V) []V {
	out := make([]V, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}

func noSuch(kind, name string) error {
	return refuse("NoSuchEntity", "The %s with name %s cannot be found.", kind, name)
}

func checkDocument(text string) error {
	if !json.Valid([]byte(text)) || !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return refuse("MalformedPolicyDocument", "Syntax errors in policy.")
	}
	return nil
}

func findTag(tags []Tag, key string) int {
	return slices.IndexFunc(tags, func(t Tag) bool { return t.Key == key })
}

func mergeTags(tags, more []Tag) []Tag {
	out := slices.Clone(tags)
	for _, t := range more {
		if i := findTag(out, t.Key); i >= 0 {
			out[i] = t
		} else {
			out = append(out, t)
		}
	}
	return out
}
