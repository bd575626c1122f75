package aws

import (
	"fmt"
	"slices"
	"strings"
)

// kind is what a policy can belong to or be attached to.
type kind int

const (
	kindRole kind = iota
	kindUser
	kindGroup
)

// holderIn names one identity and, where asked, one of its policies.
type holderIn struct {
	listIn
	RoleName, UserName, GroupName string
	PolicyName                    string
	PolicyDocument                string
	PolicyArn                     string
	PathPrefix                    string
}

// holder is the part of a role, user or group that has policies.
type holder struct {
	word, name string
	inline     *[]InlinePolicy
	attached   *[]string
}

func (c *call) holder(k kind, in *holderIn) (holder, error) {
	switch k {
	case kindRole:
		r, err := c.role(in.RoleName)
		if err != nil {
			return holder{}, err
		}
		return holder{"role", in.RoleName, &r.InlinePolicies, &r.AttachedPolicies}, nil
	case kindUser:
		u, err := c.user(in.UserName)
		if err != nil {
			return holder{}, err
		}
		return holder{"user", in.UserName, &u.InlinePolicies, &u.AttachedPolicies}, nil
	}
	g, err := c.group(in.GroupName)
	if err != nil {
		return holder{}, err
	}
	return holder{"group", in.GroupName, &g.InlinePolicies, &g.AttachedPolicies}, nil
}

func (h holder) find(policy string) int {
	return slices.IndexFunc(*h.inline, func(p InlinePolicy) bool { return p.PolicyName == policy })
}

func putInline(k kind) func(*call, *holderIn) (none, error) {
	return func(c *call, in *holderIn) (none, error) {
		h, err := c.holder(k, in)
		if err := firstError(err, checkDocument(in.PolicyDocument)); err != nil {
			return none{}, err
		}
		if in.PolicyName == "" {
			return none{}, invalid("Value null at 'policyName' failed to satisfy constraint: Member must not be null")
		}
		p := InlinePolicy{in.PolicyName, in.PolicyDocument}
		if i := h.find(in.PolicyName); i >= 0 {
			(*h.inline)[i] = p
		} else {
			*h.inline = append(*h.inline, p)
		}
		return none{}, nil
	}
}

type inlineOut struct {
	RoleName  string `xml:",omitempty"`
	UserName  string `xml:",omitempty"`
	GroupName string `xml:",omitempty"`
	inlineXML
}

func getInline(k kind) func(*call, *holderIn) (inlineOut, error) {
	return func(c *call, in *holderIn) (inlineOut, error) {
		h, err := c.holder(k, in)
		if err != nil {
			return inlineOut{}, err
		}
		i := h.find(in.PolicyName)
		if i < 0 {
			return inlineOut{}, refuse("NoSuchEntity", "The %s policy with name %s cannot be found.", h.word, in.PolicyName)
		}
		return inlineOut{in.RoleName, in.UserName, in.GroupName, inline(*h.inline)[i]}, nil
	}
}

type listInlineOut struct {
	PolicyNames []string `xml:"PolicyNames>member"`
	listXML
}

func listInline(k kind) func(*call, *holderIn) (listInlineOut, error) {
	return func(c *call, in *holderIn) (listInlineOut, error) {
		h, err := c.holder(k, in)
		if err != nil {
			return listInlineOut{}, err
		}
		var all []string
		for _, p := range *h.inline {
			all = append(all, p.PolicyName)
		}
		items, list, err := paged(c, all, h.name, in.listIn)
		return listInlineOut{items, list}, err
	}
}

func deleteInline(k kind) func(*call, *holderIn) (none, error) {
	return func(c *call, in *holderIn) (none, error) {
		h, err := c.holder(k, in)
		if err != nil {
			return none{}, err
		}
		i := h.find(in.PolicyName)
		if i < 0 {
			return none{}, refuse("NoSuchEntity", "The %s policy with name %s cannot be found.", h.word, in.PolicyName)
		}
		*h.inline = slices.Delete(*h.inline, i, i+1)
		return none{}, nil
	}
}

func attachPolicy(k kind) func(*call, *holderIn) (none, error) {
	return func(c *call, in *holderIn) (none, error) {
		h, err := c.holder(k, in)
		if err != nil {
			return none{}, err
		}
		if c.acct.iam.policies[in.PolicyArn] == nil {
			return none{}, refuse("NoSuchEntity", "Policy %s does not exist or is not attachable.", in.PolicyArn)
		}
		if !slices.Contains(*h.attached, in.PolicyArn) {
			*h.attached = append(*h.attached, in.PolicyArn)
		}
		return none{}, nil
	}
}

func detachPolicy(k kind) func(*call, *holderIn) (none, error) {
	return func(c *call, in *holderIn) (none, error) {
		h, err := c.holder(k, in)
		if err != nil {
			return none{}, err
		}
		if !slices.Contains(*h.attached, in.PolicyArn) {
			return none{}, refuse("NoSuchEntity", "Policy %s was not found.", in.PolicyArn)
		}
		*h.attached = slices.DeleteFunc(*h.attached, func(arn string) bool { return arn == in.PolicyArn })
		return none{}, nil
	}
}

type listAttachedOut struct {
	AttachedPolicies []attachedXML `xml:"AttachedPolicies>member"`
	listXML
}

func listAttached(k kind) func(*call, *holderIn) (listAttachedOut, error) {
	return func(c *call, in *holderIn) (listAttachedOut, error) {
		h, err := c.holder(k, in)
		if err != nil {
			return listAttachedOut{}, err
		}
		items, list, err := paged(c, attached(*h.attached), h.name, in.listIn)
		return listAttachedOut{items, list}, err
	}
}

type policyIn struct {
	PolicyArn string `form:"PolicyArn,required"`
}

type policyOut struct {
	Policy policyXML
}

func (c *call) policy(arn string) (*ManagedPolicy, error) {
	if p := c.acct.iam.policies[arn]; p != nil {
		return p, nil
	}
	return nil, refuse("NoSuchEntity", "Policy %s was not found.", arn)
}

// xml counts how often the policy is used.
func (s *iamState) policyXML(p *ManagedPolicy) policyXML {
	x := policyXML{
		PolicyName: p.PolicyName, PolicyId: p.PolicyID, Arn: p.ARN, Path: p.Path, DefaultVersionId: p.defaultVersion().VersionID,
		IsAttachable: true, Description: p.Description, CreateDate: p.CreateDate, UpdateDate: p.UpdateDate, Tags: p.Tags,
	}
	count := func(attached []string, boundary string) {
		if slices.Contains(attached, p.ARN) {
			x.AttachmentCount++
		}
		if boundary == p.ARN {
			x.PermissionsBoundaryUsageCount++
		}
	}
	for _, r := range s.roles {
		count(r.AttachedPolicies, r.PermissionsBoundary)
	}
	for _, u := range s.users {
		count(u.AttachedPolicies, u.PermissionsBoundary)
	}
	for _, g := range s.groups {
		count(g.AttachedPolicies, "")
	}
	return x
}

type createPolicyIn struct {
	PolicyName     string `form:"PolicyName,required"`
	PolicyDocument string `form:"PolicyDocument,required"`
	Path           string
	Description    string
	Tags           []Tag
}

func createPolicy(c *call, in *createPolicyIn) (policyOut, error) {
	if err := checkDocument(in.PolicyDocument); err != nil {
		return policyOut{}, err
	}
	fill(&in.Path, "/")
	if c.acct.iam.policies[c.acct.ARN("iam", "", "policy"+in.Path+in.PolicyName)] != nil {
		return policyOut{}, refuse("EntityAlreadyExists", "A policy called %s already exists. Duplicate names are not allowed.", in.PolicyName)
	}
	p := c.acct.iam.putPolicy(ManagedPolicy{
		PolicyName: in.PolicyName, Path: in.Path, Description: in.Description, Tags: in.Tags,
		Versions: []PolicyVersion{{VersionID: "v1", Document: in.PolicyDocument, IsDefaultVersion: true}},
	})
	return policyOut{c.acct.iam.policyXML(p)}, nil
}

func getPolicy(c *call, in *policyIn) (policyOut, error) {
	p, err := c.policy(in.PolicyArn)
	if err != nil {
		return policyOut{}, err
	}
	return policyOut{c.acct.iam.policyXML(p)}, nil
}

type listPoliciesIn struct {
	pathListIn
	Scope             string
	OnlyAttached      bool
	PolicyUsageFilter string
}

type listPoliciesOut struct {
	Policies []policyXML `xml:"Policies>member"`
	listXML
}

func listPolicies(c *call, in *listPoliciesIn) (listPoliciesOut, error) {
	var all []policyXML
	for _, p := range sorted(c.acct.iam.policies) {
		x := c.acct.iam.policyXML(p)
		x.Tags, x.Description = nil, ""
		wanted := in.Scope == "" || in.Scope == "All" || (in.Scope == "AWS") == isAWSManaged(p.ARN)
		if wanted && strings.HasPrefix(p.Path, in.PathPrefix) && (!in.OnlyAttached || x.AttachmentCount > 0) {
			all = append(all, x)
		}
	}
	items, list, err := paged(c, all, fmt.Sprint(in.Scope, in.OnlyAttached, in.PathPrefix), in.listIn)
	return listPoliciesOut{items, list}, err
}

func isAWSManaged(arn string) bool { return strings.Contains(arn, ":iam::aws:policy/") }

func deletePolicy(c *call, in *policyIn) (none, error) {
	p, err := c.policy(in.PolicyArn)
	switch {
	case err != nil:
		return none{}, err
	case isAWSManaged(in.PolicyArn):
		return none{}, refuse("AccessDenied", "AWS managed policies cannot be deleted")
	case c.acct.iam.policyXML(p).AttachmentCount > 0:
		return none{}, refuse("DeleteConflict", "Cannot delete a policy attached to entities.")
	case len(p.Versions) > 1:
		return none{}, refuse("DeleteConflict", "This policy has more than one version. Before you delete a policy, you must delete the policy's versions.")
	}
	delete(c.acct.iam.policies, in.PolicyArn)
	return none{}, nil
}

type createVersionIn struct {
	PolicyArn      string `form:"PolicyArn,required"`
	PolicyDocument string `form:"PolicyDocument,required"`
	SetAsDefault   bool
}

type versionOut struct {
	PolicyVersion versionXML
}

func createPolicyVersion(c *call, in *createVersionIn) (versionOut, error) {
	p, err := c.policy(in.PolicyArn)
	if err := firstError(err, checkDocument(in.PolicyDocument)); err != nil {
		return versionOut{}, err
	}
	if len(p.Versions) >= 5 {
		return versionOut{}, refuse("LimitExceeded", "A managed policy can have up to 5 versions.")
	}
	last := 0
	for _, v := range p.Versions {
		var n int
		_, _ = fmt.Sscanf(v.VersionID, "v%d", &n) // an odd seeded id counts as 0
		last = max(last, n)
	}
	v := PolicyVersion{VersionID: fmt.Sprintf("v%d", last+1), Document: in.PolicyDocument, CreateDate: c.time()}
	p.Versions = append(p.Versions, v)
	if in.SetAsDefault {
		p.setDefault(v.VersionID)
		v.IsDefaultVersion = true
	}
	p.UpdateDate = c.time()
	x := v.xml()
	x.Document = "" // PolicyVersion, IAM API Reference, 2026-11: not returned here
	return versionOut{x}, nil
}

func (p *ManagedPolicy) setDefault(id string) {
	for i := range p.Versions {
		p.Versions[i].IsDefaultVersion = p.Versions[i].VersionID == id
	}
}

type versionIn struct {
	PolicyArn string `form:"PolicyArn,required"`
	VersionId string `form:"VersionId,required"`
}

func (c *call) version(in *versionIn) (*ManagedPolicy, int, error) {
	p, err := c.policy(in.PolicyArn)
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(p.Versions, func(v PolicyVersion) bool { return v.VersionID == in.VersionId })
	if i < 0 {
		return nil, 0, refuse("NoSuchEntity", "Policy %s version %s does not exist or is not attachable.", in.PolicyArn, in.VersionId)
	}
	return p, i, nil
}

func getPolicyVersion(c *call, in *versionIn) (versionOut, error) {
	p, i, err := c.version(in)
	if err != nil {
		return versionOut{}, err
	}
	return versionOut{p.Versions[i].xml()}, nil
}

type listVersionsIn struct {
	listIn
	PolicyArn string `form:"PolicyArn,required"`
}

type listVersionsOut struct {
	Versions []versionXML `xml:"Versions>member"`
	listXML
}

// listPolicyVersions has no documents, as IAM's list.
func listPolicyVersions(c *call, in *listVersionsIn) (listVersionsOut, error) {
	p, err := c.policy(in.PolicyArn)
	if err != nil {
		return listVersionsOut{}, err
	}
	var all []versionXML
	for _, v := range slices.Backward(p.Versions) {
		x := v.xml()
		x.Document = ""
		all = append(all, x)
	}
	items, list, err := paged(c, all, in.PolicyArn, in.listIn)
	return listVersionsOut{items, list}, err
}

func setDefaultPolicyVersion(c *call, in *versionIn) (none, error) {
	p, _, err := c.version(in)
	if err != nil {
		return none{}, err
	}
	p.setDefault(in.VersionId)
	p.UpdateDate = c.time()
	return none{}, nil
}

func deletePolicyVersion(c *call, in *versionIn) (none, error) {
	p, i, err := c.version(in)
	if err != nil {
		return none{}, err
	}
	if p.Versions[i].IsDefaultVersion {
		return none{}, refuse("DeleteConflict", "Cannot delete the default version of a policy.")
	}
	p.Versions = slices.Delete(p.Versions, i, i+1)
	return none{}, nil
}
