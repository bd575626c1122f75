package aws

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	arn "drawbridge/internal/iam"
	"drawbridge/internal/model"
)

// oneByOne is what follows where IAM could not be read as a whole: the roles and users that the clusters refer to, with
// their groups and managed policies, each by calls of its own. The gaps say that others were not looked at.
func (c *collector) oneByOne(clusters []*reader) []task {
	for _, area := range iamAreas {
		c.failed(failure{
			area: area, action: "iam:GetAccountAuthorizationDetails", err: c.sweepErr,
			note: "only what the clusters refer to was read, one by one",
		})
	}
	return []task{{"account " + c.account.ID + ": IAM roles and users one by one", func(ctx context.Context) {
		refs := c.references(clusters)
		profiles := c.readInstanceProfiles(ctx, refs)
		c.readRoles(ctx, keys(refs.roles), profiles)
		c.readUsers(ctx, keys(refs.users))
		c.readPolicies(ctx)
		c.sortIAM()
		for area, items := range map[model.Area]int{
			model.AreaIAMRoles: len(c.account.Roles), model.AreaIAMUsers: len(c.account.Users),
			model.AreaIAMGroups: len(c.account.Groups), model.AreaIAMPolicies: len(c.account.Policies),
		} {
			if items > 0 {
				c.readAccount(area)
			}
		}
	}}}
}

// references are names of the account's roles, users and instance profiles. Names are unique in an account, whatever path
// an ARN has (IAM User Guide, "IAM identifiers", 2026-11).
type references struct{ roles, users, profiles map[string]bool }

func (c *collector) references(clusters []*reader) references {
	refs := references{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	add := func(arns ...string) {
		for _, a := range arns {
			refs.add(c.account.ID, a)
		}
	}
	add(c.Principals...)
	for _, r := range clusters {
		k := r.cluster
		if d := k.Description; d != nil {
			add(d.RoleARN, d.AutoNodeRoleARN)
		}
		for _, e := range k.AccessEntries {
			add(e.PrincipalARN)
		}
		for _, a := range k.PolicyAssociations {
			add(a.PrincipalARN)
		}
		for _, a := range k.PodIdentityAssociations {
			add(a.RoleARN, a.TargetRoleARN)
		}
		for _, n := range k.Nodegroups {
			add(n.NodeRoleARN)
		}
		for _, f := range k.FargateProfiles {
			add(f.ExecutionRoleARN)
		}
		for _, a := range k.Addons {
			add(a.ServiceAccountRoleARN)
		}
		for _, p := range k.Capabilities {
			add(p.RoleARN)
		}
		for _, i := range k.Instances {
			add(i.InstanceProfileARN)
		}
		for _, t := range k.LaunchTemplates {
			add(t.InstanceProfileARN)
		}
	}
	return refs
}

func (refs references) add(account, text string) {
	a, err := arn.ParseARN(text)
	if err != nil || a.Account != account {
		return
	}
	kind, rest, _ := strings.Cut(a.Resource, "/")
	last := rest[strings.LastIndexByte(rest, '/')+1:]
	switch {
	case rest == "" || last == "":
	case a.Service == "iam" && kind == "role":
		refs.roles[last] = true
	case a.Service == "iam" && kind == "user":
		refs.users[last] = true
	case a.Service == "iam" && kind == "instance-profile":
		refs.profiles[last] = true
	case a.Service == "sts" && kind == "assumed-role":
		if name, _, _ := strings.Cut(rest, "/"); name != "" {
			refs.roles[name] = true
		}
	}
}

// readInstanceProfiles adds the roles of instance profiles to the references and returns the profiles by role name.
func (c *collector) readInstanceProfiles(ctx context.Context, refs references) map[string][]string {
	type link struct{ role, profile string }
	links, _ := each(ctx, c.iamSlots, keys(refs.profiles), func(name string) (*[]link, error) {
		out, err := call(ctx, c.iamSlots, func() (*iam.GetInstanceProfileOutput, error) {
			return c.iam.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: &name})
		})
		if err != nil || out.InstanceProfile == nil {
			return nil, err
		}
		var of []link
		for _, r := range out.InstanceProfile.Roles {
			of = append(of, link{awssdk.ToString(r.RoleName), awssdk.ToString(out.InstanceProfile.Arn)})
		}
		return &of, nil
	}, func(name string, err error) { c.accountGap(model.AreaIAMRoles, "iam:GetInstanceProfile", name, err) })
	profiles := map[string][]string{}
	for _, of := range links {
		for _, l := range *of {
			refs.roles[l.role] = true
			profiles[l.role] = append(profiles[l.role], l.profile)
		}
	}
	return profiles
}

func (c *collector) readRoles(ctx context.Context, names []string, profiles map[string][]string) {
	names = slices.DeleteFunc(names, func(n string) bool {
		return slices.ContainsFunc(c.account.Roles, func(r *model.IAMRole) bool { return r.Name == n })
	})
	roles, _ := each(ctx, c.iamSlots, names, func(name string) (*model.IAMRole, error) {
		out, err := call(ctx, c.iamSlots, func() (*iam.GetRoleOutput, error) { return c.iam.GetRole(ctx, &iam.GetRoleInput{RoleName: &name}) })
		if err != nil || out.Role == nil {
			return nil, err
		}
		r := out.Role
		role := &model.IAMRole{
			ARN:              awssdk.ToString(r.Arn),
			ID:               awssdk.ToString(r.RoleId),
			Name:             name,
			Created:          instant(r.CreateDate),
			Trust:            document(r.AssumeRolePolicyDocument),
			Boundary:         boundary(r.PermissionsBoundary),
			InstanceProfiles: sorted(profiles[name]),
			Tags:             tags(r.Tags),
		}
		held := c.heldByRole(ctx, name)
		role.Inline, role.Attached, role.PoliciesUnknown = held.inline, held.attached, !held.complete
		return role, nil
	}, func(name string, err error) { c.accountGap(model.AreaIAMRoles, "iam:GetRole", name, err) })
	c.account.Roles = append(c.account.Roles, roles...)
}

// readUsers reads users and then their groups.
func (c *collector) readUsers(ctx context.Context, names []string) {
	names = slices.DeleteFunc(names, func(n string) bool {
		return slices.ContainsFunc(c.account.Users, func(u *model.IAMUser) bool { return u.Name == n })
	})
	type member struct {
		user   *model.IAMUser
		groups []*model.IAMGroup
	}
	members, _ := each(ctx, c.iamSlots, names, func(name string) (*member, error) {
		out, err := call(ctx, c.iamSlots, func() (*iam.GetUserOutput, error) { return c.iam.GetUser(ctx, &iam.GetUserInput{UserName: &name}) })
		if err != nil || out.User == nil {
			return nil, err
		}
		u := out.User
		user := &model.IAMUser{
			ARN:      awssdk.ToString(u.Arn),
			ID:       awssdk.ToString(u.UserId),
			Name:     name,
			Created:  instant(u.CreateDate),
			Boundary: boundary(u.PermissionsBoundary),
			Tags:     tags(u.Tags),
		}
		held := c.heldByUser(ctx, name)
		groups, complete := c.groupsOf(ctx, name)
		user.Inline, user.Attached, user.PoliciesUnknown = held.inline, held.attached, !held.complete || !complete
		for _, g := range groups {
			user.Groups = append(user.Groups, g.Name)
		}
		return &member{user, groups}, nil
	}, func(name string, err error) { c.accountGap(model.AreaIAMUsers, "iam:GetUser", name, err) })
	groups := map[string]*model.IAMGroup{}
	for _, m := range members {
		c.account.Users = append(c.account.Users, m.user)
		for _, g := range m.groups {
			groups[g.Name] = g
		}
	}
	for _, g := range c.account.Groups {
		delete(groups, g.Name)
	}
	c.readGroups(ctx, slices.Collect(maps.Values(groups)))
}

// readGroups reads the policies of groups. What is unknown of a group is unknown of its users.
func (c *collector) readGroups(ctx context.Context, groups []*model.IAMGroup) {
	var unknown sync.Map
	read, _ := each(ctx, c.iamSlots, groups, func(g *model.IAMGroup) (*model.IAMGroup, error) {
		held := c.heldByGroup(ctx, g.Name)
		g.Inline, g.Attached = held.inline, held.attached
		unknown.Store(g.Name, !held.complete)
		return g, nil
	}, nil)
	c.account.Groups = append(c.account.Groups, read...)
	for _, u := range c.account.Users {
		for _, name := range u.Groups {
			missing, _ := unknown.Load(name)
			u.PoliciesUnknown = u.PoliciesUnknown || missing == true
		}
	}
}

// readPolicies reads the managed policies that what was read refers to.
func (c *collector) readPolicies(ctx context.Context) {
	arns := slices.DeleteFunc(keys(c.policyARNs()), func(a string) bool {
		return slices.ContainsFunc(c.account.Policies, func(p *model.IAMPolicy) bool { return p.ARN == a })
	})
	policies, _ := each(ctx, c.iamSlots, arns, func(arn string) (*model.IAMPolicy, error) {
		out, err := call(ctx, c.iamSlots, func() (*iam.GetPolicyOutput, error) {
			return c.iam.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &arn})
		})
		if err != nil || out.Policy == nil {
			return nil, err
		}
		policy := &model.IAMPolicy{ARN: arn, Name: awssdk.ToString(out.Policy.PolicyName), Version: awssdk.ToString(out.Policy.DefaultVersionId)}
		version, err := call(ctx, c.iamSlots, func() (*iam.GetPolicyVersionOutput, error) {
			return c.iam.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: &arn, VersionId: &policy.Version})
		})
		if err != nil {
			c.accountGap(model.AreaIAMPolicies, "iam:GetPolicyVersion", arn, err)
			return nil, nil
		}
		if v := version.PolicyVersion; v != nil {
			policy.Document = document(v.Document)
		}
		return policy, nil
	}, func(arn string, err error) { c.accountGap(model.AreaIAMPolicies, "iam:GetPolicy", arn, err) })
	c.account.Policies = append(c.account.Policies, policies...)
}
