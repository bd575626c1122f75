package aws

import (
	"slices"
	"strings"
)

type profileIn struct {
	InstanceProfileName string `form:"InstanceProfileName,required"`
}

type profileOut struct {
	InstanceProfile profileXML
}

func (c *call) profile(name string) (*InstanceProfile, error) {
	if p := c.acct.iam.profiles[name]; p != nil {
		return p, nil
	}
	return nil, refuse("NoSuchEntity", "Instance Profile %s cannot be found.", name)
}

func (s *iamState) profileXML(p *InstanceProfile) profileXML {
	x := profileXML{Path: p.Path, InstanceProfileName: p.InstanceProfileName, InstanceProfileId: p.InstanceProfileID, Arn: p.ARN, CreateDate: p.CreateDate, Tags: p.Tags}
	for _, name := range p.Roles {
		if r := s.roles[name]; r != nil {
			x.Roles = append(x.Roles, r.xml())
		}
	}
	return x
}

// profilesOf are the instance profiles that carry a role.
func (s *iamState) profilesOf(role string) []profileXML {
	var out []profileXML
	for _, p := range sorted(s.profiles) {
		if slices.Contains(p.Roles, role) {
			out = append(out, s.profileXML(p))
		}
	}
	return out
}

type createProfileIn struct {
	InstanceProfileName string `form:"InstanceProfileName,required"`
	Path                string
	Tags                []Tag
}

func createInstanceProfile(c *call, in *createProfileIn) (profileOut, error) {
	if c.acct.iam.profiles[in.InstanceProfileName] != nil {
		return profileOut{}, refuse("EntityAlreadyExists", "Instance Profile %s already exists.", in.InstanceProfileName)
	}
	p := c.acct.iam.putProfile(InstanceProfile{InstanceProfileName: in.InstanceProfileName, Path: in.Path, Tags: in.Tags})
	return profileOut{c.acct.iam.profileXML(p)}, nil
}

func getInstanceProfile(c *call, in *profileIn) (profileOut, error) {
	p, err := c.profile(in.InstanceProfileName)
	if err != nil {
		return profileOut{}, err
	}
	return profileOut{c.acct.iam.profileXML(p)}, nil
}

type listProfilesOut struct {
	InstanceProfiles []profileXML `xml:"InstanceProfiles>member"`
	listXML
}

func listInstanceProfiles(c *call, in *pathListIn) (listProfilesOut, error) {
	var all []profileXML
	for _, p := range sorted(c.acct.iam.profiles) {
		if strings.HasPrefix(p.Path, in.PathPrefix) {
			all = append(all, c.acct.iam.profileXML(p))
		}
	}
	items, list, err := paged(c, all, in.PathPrefix, in.listIn)
	return listProfilesOut{items, list}, err
}

type profilesForRoleIn struct {
	listIn
	RoleName string `form:"RoleName,required"`
}

func listInstanceProfilesForRole(c *call, in *profilesForRoleIn) (listProfilesOut, error) {
	if _, err := c.role(in.RoleName); err != nil {
		return listProfilesOut{}, err
	}
	items, list, err := paged(c, c.acct.iam.profilesOf(in.RoleName), in.RoleName, in.listIn)
	return listProfilesOut{items, list}, err
}

type profileRoleIn struct {
	InstanceProfileName string `form:"InstanceProfileName,required"`
	RoleName            string `form:"RoleName,required"`
}

func addRoleToInstanceProfile(c *call, in *profileRoleIn) (none, error) {
	p, errProfile := c.profile(in.InstanceProfileName)
	r, errRole := c.role(in.RoleName)
	if err := firstError(errProfile, errRole); err != nil {
		return none{}, err
	}
	if len(p.Roles) > 0 {
		return none{}, refuse("LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1")
	}
	if err := c.pass(r.ARN); err != nil {
		return none{}, err
	}
	p.Roles = []string{in.RoleName}
	return none{}, nil
}

func removeRoleFromInstanceProfile(c *call, in *profileRoleIn) (none, error) {
	p, err := c.profile(in.InstanceProfileName)
	if err != nil {
		return none{}, err
	}
	if !slices.Contains(p.Roles, in.RoleName) {
		return none{}, noSuch("role", in.RoleName)
	}
	p.Roles = nil
	return none{}, nil
}

func deleteInstanceProfile(c *call, in *profileIn) (none, error) {
	p, err := c.profile(in.InstanceProfileName)
	if err != nil {
		return none{}, err
	}
	if len(p.Roles) > 0 {
		return none{}, refuse("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.")
	}
	delete(c.acct.iam.profiles, in.InstanceProfileName)
	return none{}, nil
}
