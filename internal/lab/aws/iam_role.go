package aws

import (
	"regexp"
	"slices"
	"strings"
)

type roleIn struct {
	RoleName string `form:"RoleName,required"`
}

type roleOut struct {
	Role roleXML
}

func (c *call) role(name string) (*Role, error) {
	if r := c.acct.iam.roles[name]; r != nil {
		return r, nil
	}
	return nil, noSuch("role", name)
}

type createRoleIn struct {
	RoleName                 string `form:"RoleName,required"`
	AssumeRolePolicyDocument string `form:"AssumeRolePolicyDocument,required"`
	Path                     string
	Description              string
	MaxSessionDuration       *int
	PermissionsBoundary      string
	Tags                     []Tag
}

var (
	iamName = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)
	iamPath = regexp.MustCompile(`^/([!-~]*/)?$`)
)

func createRole(c *call, in *createRoleIn) (roleOut, error) {
	fill(&in.Path, "/")
	if !iamName.MatchString(in.RoleName) || !iamPath.MatchString(in.Path) {
		return roleOut{}, invalid("The name or path of the role is not valid")
	}
	if c.acct.iam.roles[in.RoleName] != nil {
		return roleOut{}, refuse("EntityAlreadyExists", "Role with name %s already exists.", in.RoleName)
	}
	if err := checkDocument(in.AssumeRolePolicyDocument); err != nil {
		return roleOut{}, err
	}
	seconds := 3600
	if in.MaxSessionDuration != nil {
		seconds = *in.MaxSessionDuration
	}
	if seconds < 3600 || seconds > 43200 {
		return roleOut{}, invalid("MaxSessionDuration must be between 3600 and 43200")
	}
	r := c.acct.iam.putRole(Role{
		RoleName: in.RoleName, Path: in.Path, AssumeRolePolicyDocument: in.AssumeRolePolicyDocument, Description: in.Description,
		MaxSessionDuration: seconds, PermissionsBoundary: in.PermissionsBoundary, Tags: in.Tags,
	})
	return roleOut{r.xml()}, nil
}

func getRole(c *call, in *roleIn) (roleOut, error) {
	r, err := c.role(in.RoleName)
	if err != nil {
		return roleOut{}, err
	}
	return roleOut{r.xml()}, nil
}

type pathListIn struct {
	listIn
	PathPrefix string
}

type listRolesOut struct {
	Roles []roleXML `xml:"Roles>member"`
	listXML
}

// listRoles leaves tags, boundary and last use out, as IAM's lists do (ListRoles, IAM API Reference, 2026-11).
func listRoles(c *call, in *pathListIn) (listRolesOut, error) {
	var all []roleXML
	for _, r := range sorted(c.acct.iam.roles) {
		if strings.HasPrefix(r.Path, in.PathPrefix) {
			x := r.xml()
			x.Tags, x.PermissionsBoundary, x.RoleLastUsed = nil, nil, nil
			all = append(all, x)
		}
	}
	items, list, err := paged(c, all, in.PathPrefix, in.listIn)
	return listRolesOut{items, list}, err
}

type updateRoleIn struct {
	RoleName           string `form:"RoleName,required"`
	Description        *string
	MaxSessionDuration *int
}

func updateRole(c *call, in *updateRoleIn) (struct{}, error) {
	r, err := c.role(in.RoleName)
	if err != nil {
		return struct{}{}, err
	}
	if in.Description != nil {
		r.Description = *in.Description
	}
	if in.MaxSessionDuration != nil {
		r.MaxSessionDuration = *in.MaxSessionDuration
	}
	return struct{}{}, nil
}

type updateTrustIn struct {
	RoleName       string `form:"RoleName,required"`
	PolicyDocument string `form:"PolicyDocument,required"`
}

func updateAssumeRolePolicy(c *call, in *updateTrustIn) (none, error) {
	r, err := c.role(in.RoleName)
	if err := firstError(err, checkDocument(in.PolicyDocument)); err != nil {
		return none{}, err
	}
	r.AssumeRolePolicyDocument = in.PolicyDocument
	return none{}, nil
}

func deleteRole(c *call, in *roleIn) (none, error) {
	r, err := c.role(in.RoleName)
	switch {
	case err != nil:
		return none{}, err
	case len(r.AttachedPolicies) > 0:
		return none{}, refuse("DeleteConflict", "Cannot delete entity, must detach all policies first.")
	case len(r.InlinePolicies) > 0:
		return none{}, refuse("DeleteConflict", "Cannot delete entity, must delete policies first.")
	}
	for _, p := range c.acct.iam.profiles {
		if slices.Contains(p.Roles, in.RoleName) {
			return none{}, refuse("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
		}
	}
	delete(c.acct.iam.roles, in.RoleName)
	return none{}, nil
}

type tagRoleIn struct {
	RoleName string `form:"RoleName,required"`
	Tags     []Tag  `form:"Tags,required"`
}

func tagRole(c *call, in *tagRoleIn) (none, error) {
	r, err := c.role(in.RoleName)
	if err != nil {
		return none{}, err
	}
	r.Tags = mergeTags(r.Tags, in.Tags)
	return none{}, nil
}

type untagRoleIn struct {
	RoleName string   `form:"RoleName,required"`
	TagKeys  []string `form:"TagKeys,required"`
}

func untagRole(c *call, in *untagRoleIn) (none, error) {
	r, err := c.role(in.RoleName)
	if err != nil {
		return none{}, err
	}
	r.Tags = slices.DeleteFunc(r.Tags, func(t Tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	return none{}, nil
}

type listRoleTagsIn struct {
	listIn
	RoleName string `form:"RoleName,required"`
}

type listRoleTagsOut struct {
	Tags []Tag `xml:"Tags>member"`
	listXML
}

func listRoleTags(c *call, in *listRoleTagsIn) (listRoleTagsOut, error) {
	r, err := c.role(in.RoleName)
	if err != nil {
		return listRoleTagsOut{}, err
	}
	items, list, err := paged(c, r.Tags, in.RoleName, in.listIn)
	return listRoleTagsOut{items, list}, err
}

type roleBoundaryIn struct {
	RoleName            string `form:"RoleName,required"`
	PermissionsBoundary string `form:"PermissionsBoundary,required"`
}

func putRoleBoundary(c *call, in *roleBoundaryIn) (none, error) {
	r, err := c.role(in.RoleName)
	if err != nil {
		return none{}, err
	}
	if c.acct.iam.policies[in.PermissionsBoundary] == nil {
		return none{}, refuse("NoSuchEntity", "Scope ARN: %s does not exist or is not attachable.", in.PermissionsBoundary)
	}
	r.PermissionsBoundary = in.PermissionsBoundary
	return none{}, nil
}

func deleteRoleBoundary(c *call, in *roleIn) (none, error) {
	r, err := c.role(in.RoleName)
	if err != nil {
		return none{}, err
	}
	r.PermissionsBoundary = ""
	return none{}, nil
}
