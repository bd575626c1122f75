package aws

import (
	"slices"
	"strings"

	"drawbridge/internal/lab/aws/wire"
)

type userIn struct {
	UserName string `form:"UserName,required"`
}

type userOut struct {
	User userXML
}

func (c *call) user(name string) (*User, error) {
	if u := c.acct.iam.users[name]; u != nil {
		return u, nil
	}
	return nil, noSuch("user", name)
}

type createUserIn struct {
	UserName            string `form:"UserName,required"`
	Path                string
	PermissionsBoundary string
	Tags                []Tag
}

func createUser(c *call, in *createUserIn) (userOut, error) {
	fill(&in.Path, "/")
	if !iamName.MatchString(in.UserName) || !iamPath.MatchString(in.Path) {
		return userOut{}, invalid("The name or path of the user is not valid")
	}
	if c.acct.iam.users[in.UserName] != nil {
		return userOut{}, refuse("EntityAlreadyExists", "User with name %s already exists.", in.UserName)
	}
	u := c.acct.iam.putUser(User{UserName: in.UserName, Path: in.Path, PermissionsBoundary: in.PermissionsBoundary, Tags: in.Tags})
	return userOut{u.xml()}, nil
}

type getUserIn struct {
	UserName string
}

// getUser without a name is about the calling user.
func getUser(c *call, in *getUserIn) (userOut, error) {
	if p, _ := parsePrincipal(c.principal); in.UserName == "" {
		if p.kind != "user" {
			return userOut{}, invalid("Must specify userName when calling with non-User credentials")
		}
		in.UserName = p.name
	}
	u, err := c.user(in.UserName)
	if err != nil {
		return userOut{}, err
	}
	return userOut{u.xml()}, nil
}

type listUsersOut struct {
	Users []userXML `xml:"Users>member"`
	listXML
}

func listUsers(c *call, in *pathListIn) (listUsersOut, error) {
	var all []userXML
	for _, u := range sorted(c.acct.iam.users) {
		if strings.HasPrefix(u.Path, in.PathPrefix) {
			x := u.xml()
			x.Tags, x.PermissionsBoundary = nil, nil
			all = append(all, x)
		}
	}
	items, list, err := paged(c, all, in.PathPrefix, in.listIn)
	return listUsersOut{items, list}, err
}

func deleteUser(c *call, in *userIn) (none, error) {
	u, err := c.user(in.UserName)
	if err != nil {
		return none{}, err
	}
	keys := 0
	for _, k := range c.acct.iam.keys {
		if k.userName == in.UserName {
			keys++
		}
	}
	switch {
	case len(u.AttachedPolicies) > 0:
		return none{}, refuse("DeleteConflict", "Cannot delete entity, must detach all policies first.")
	case len(u.InlinePolicies) > 0:
		return none{}, refuse("DeleteConflict", "Cannot delete entity, must delete policies first.")
	case len(u.Groups) > 0:
		return none{}, refuse("DeleteConflict", "Cannot delete entity, must remove users from group first.")
	case keys > 0:
		return none{}, refuse("DeleteConflict", "Cannot delete entity, must delete access keys first.")
	}
	delete(c.acct.iam.users, in.UserName)
	return none{}, nil
}

type listGroupsForUserIn struct {
	listIn
	UserName string `form:"UserName,required"`
}

type listGroupsOut struct {
	Groups []groupXML `xml:"Groups>member"`
	listXML
}

func listGroupsForUser(c *call, in *listGroupsForUserIn) (listGroupsOut, error) {
	u, err := c.user(in.UserName)
	if err != nil {
		return listGroupsOut{}, err
	}
	var all []groupXML
	for _, name := range u.Groups {
		if g := c.acct.iam.groups[name]; g != nil {
			all = append(all, g.xml())
		}
	}
	items, list, err := paged(c, all, in.UserName, in.listIn)
	return listGroupsOut{items, list}, err
}

type accessKeyXML struct {
	UserName        string
	AccessKeyId     string
	Status          string
	SecretAccessKey string `xml:",omitempty"`
	CreateDate      *wire.Time
}

type accessKeyOut struct {
	AccessKey accessKeyXML
}

// createAccessKey makes a key that the server then accepts.
func createAccessKey(c *call, in *userIn) (accessKeyOut, error) {
	u, err := c.user(in.UserName)
	if err != nil {
		return accessKeyOut{}, err
	}
	id, cred := c.srv.key(c.acct, u.ARN, u.UserID, false)
	k := &accessKey{userName: u.UserName, status: "Active", created: c.time()}
	c.acct.iam.keys[id] = k
	return accessKeyOut{accessKeyXML{u.UserName, id, k.status, cred.secret, k.created}}, nil
}

type listAccessKeysOut struct {
	AccessKeyMetadata []accessKeyXML `xml:"AccessKeyMetadata>member"`
	listXML
}

func listAccessKeys(c *call, in *listGroupsForUserIn) (listAccessKeysOut, error) {
	if _, err := c.user(in.UserName); err != nil {
		return listAccessKeysOut{}, err
	}
	var all []accessKeyXML
	for id, k := range c.acct.iam.keys {
		if k.userName == in.UserName {
			all = append(all, accessKeyXML{k.userName, id, k.status, "", k.created})
		}
	}
	slices.SortFunc(all, func(a, b accessKeyXML) int { return strings.Compare(a.AccessKeyId, b.AccessKeyId) })
	items, list, err := paged(c, all, in.UserName, in.listIn)
	return listAccessKeysOut{items, list}, err
}

type accessKeyIn struct {
	UserName    string `form:"UserName,required"`
	AccessKeyId string `form:"AccessKeyId,required"`
	Status      string
}

func (c *call) accessKey(in *accessKeyIn) (*accessKey, error) {
	if k := c.acct.iam.keys[in.AccessKeyId]; k != nil && k.userName == in.UserName {
		return k, nil
	}
	return nil, refuse("NoSuchEntity", "The Access Key with id %s cannot be found", in.AccessKeyId)
}

// updateAccessKey to Inactive makes the server refuse the key.
func updateAccessKey(c *call, in *accessKeyIn) (none, error) {
	k, err := c.accessKey(in)
	if err != nil {
		return none{}, err
	}
	if in.Status != "Active" && in.Status != "Inactive" {
		return none{}, invalid("Status must be Active or Inactive")
	}
	k.status = in.Status
	cred := c.srv.keys[in.AccessKeyId]
	cred.inactive = in.Status == "Inactive"
	c.srv.keys[in.AccessKeyId] = cred
	return none{}, nil
}

func deleteAccessKey(c *call, in *accessKeyIn) (none, error) {
	if _, err := c.accessKey(in); err != nil {
		return none{}, err
	}
	delete(c.acct.iam.keys, in.AccessKeyId)
	delete(c.srv.keys, in.AccessKeyId)
	return none{}, nil
}

type groupIn struct {
	GroupName string `form:"GroupName,required"`
}

type groupOut struct {
	Group groupXML
}

func (c *call) group(name string) (*Group, error) {
	if g := c.acct.iam.groups[name]; g != nil {
		return g, nil
	}
	return nil, noSuch("group", name)
}

type createGroupIn struct {
	GroupName string `form:"GroupName,required"`
	Path      string
}

func createGroup(c *call, in *createGroupIn) (groupOut, error) {
	if c.acct.iam.groups[in.GroupName] != nil {
		return groupOut{}, refuse("EntityAlreadyExists", "Group with name %s already exists.", in.GroupName)
	}
	return groupOut{c.acct.iam.putGroup(Group{GroupName: in.GroupName, Path: in.Path}).xml()}, nil
}

type getGroupIn struct {
	listIn
	GroupName string `form:"GroupName,required"`
}

type getGroupOut struct {
	Group groupXML
	Users []userXML `xml:"Users>member"`
	listXML
}

func getGroup(c *call, in *getGroupIn) (getGroupOut, error) {
	g, err := c.group(in.GroupName)
	if err != nil {
		return getGroupOut{}, err
	}
	var all []userXML
	for _, u := range sorted(c.acct.iam.users) {
		if slices.Contains(u.Groups, in.GroupName) {
			all = append(all, u.xml())
		}
	}
	items, list, err := paged(c, all, in.GroupName, in.listIn)
	return getGroupOut{g.xml(), items, list}, err
}

func listGroups(c *call, in *pathListIn) (listGroupsOut, error) {
	var all []groupXML
	for _, g := range sorted(c.acct.iam.groups) {
		if strings.HasPrefix(g.Path, in.PathPrefix) {
			all = append(all, g.xml())
		}
	}
	items, list, err := paged(c, all, in.PathPrefix, in.listIn)
	return listGroupsOut{items, list}, err
}

func deleteGroup(c *call, in *groupIn) (none, error) {
	g, err := c.group(in.GroupName)
	if err != nil {
		return none{}, err
	}
	if len(g.AttachedPolicies)+len(g.InlinePolicies) > 0 {
		return none{}, refuse("DeleteConflict", "Cannot delete entity, must detach all policies first.")
	}
	for _, u := range c.acct.iam.users {
		if slices.Contains(u.Groups, in.GroupName) {
			return none{}, refuse("DeleteConflict", "Cannot delete entity, must remove users from group first.")
		}
	}
	delete(c.acct.iam.groups, in.GroupName)
	return none{}, nil
}

type membershipIn struct {
	GroupName string `form:"GroupName,required"`
	UserName  string `form:"UserName,required"`
}

func addUserToGroup(c *call, in *membershipIn) (none, error) {
	_, errGroup := c.group(in.GroupName)
	u, errUser := c.user(in.UserName)
	if err := firstError(errGroup, errUser); err != nil {
		return none{}, err
	}
	if !slices.Contains(u.Groups, in.GroupName) {
		u.Groups = append(u.Groups, in.GroupName)
	}
	return none{}, nil
}

func removeUserFromGroup(c *call, in *membershipIn) (none, error) {
	_, errGroup := c.group(in.GroupName)
	u, errUser := c.user(in.UserName)
	if err := firstError(errGroup, errUser); err != nil {
		return none{}, err
	}
	u.Groups = slices.DeleteFunc(u.Groups, func(g string) bool { return g == in.GroupName })
	return none{}, nil
}
