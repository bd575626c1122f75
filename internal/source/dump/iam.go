package dump

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"drawbridge/internal/iam"
	"drawbridge/internal/model"
)

type wirePolicy struct {
	Name     string `json:"PolicyName"`
	Document policy `json:"PolicyDocument"`
}

type wireAttached struct {
	ARN string `json:"PolicyArn"`
}

type wireBoundary struct {
	ARN string `json:"PermissionsBoundaryArn"`
}

func inline(list []wirePolicy) []model.InlinePolicy {
	var all []model.InlinePolicy
	for _, p := range list {
		all = append(all, model.InlinePolicy{Name: p.Name, Document: p.Document.Document})
	}
	slices.SortFunc(all, func(a, b model.InlinePolicy) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

func attached(list []wireAttached) []string {
	var arns []string
	for _, p := range list {
		arns = append(arns, p.ARN)
	}
	return sorted(arns)
}

// accountOf is the account in an ARN, or "".
func accountOf(arn string) string {
	a, err := iam.ParseARN(arn)
	if err != nil || a.Account == "aws" {
		return ""
	}
	return a.Account
}

type wireRole struct {
	ARN              string         `json:"Arn"`
	ID               string         `json:"RoleId"`
	Name             string         `json:"RoleName"`
	Created          instant        `json:"CreateDate"`
	Trust            policy         `json:"AssumeRolePolicyDocument"`
	Inline           []wirePolicy   `json:"RolePolicyList"`
	Attached         []wireAttached `json:"AttachedManagedPolicies"`
	Boundary         wireBoundary   `json:"PermissionsBoundary"`
	Tags             []tag          `json:"Tags"`
	InstanceProfiles []struct {
		ARN string `json:"Arn"`
	} `json:"InstanceProfileList"`
}

func (w *wireRole) role() *model.IAMRole {
	r := &model.IAMRole{
		ARN: w.ARN, ID: w.ID, Name: w.Name, Created: w.Created.Time, Trust: w.Trust.Document, Inline: inline(w.Inline),
		Attached: attached(w.Attached), Boundary: w.Boundary.ARN, Tags: tags(w.Tags),
	}
	for _, p := range w.InstanceProfiles {
		r.InstanceProfiles = append(r.InstanceProfiles, p.ARN)
	}
	r.InstanceProfiles = sorted(r.InstanceProfiles)
	return r
}

// item takes in something that an element of a long list describes.
func (b *batch) item(i item) {
	i.loc, i.doc = b.loc, b.doc
	place(i.value, i.loc)
	b.into.items = append(b.into.items, i)
}

var errNoARN = errors.New("an IAM object without Arn")

func roleElement(b *batch, value []byte) error {
	w, err := element[wireRole](value)
	if err == nil && w.ARN == "" {
		err = errNoARN
	}
	if err != nil {
		return err
	}
	b.item(item{area: model.AreaIAMRoles, account: accountOf(w.ARN), key: w.ARN, value: w.role()})
	return nil
}

// readRole reads the answer of get-role. It holds the trust policy and no other.
func readRole(p *part, doc *document) error {
	w, err := of[wireRole](doc, "Role")
	if err == nil && w.ARN == "" {
		err = errNoARN
	}
	if err != nil {
		return err
	}
	r := w.role()
	r.PoliciesUnknown = true
	p.item(doc, item{area: model.AreaIAMRoles, account: accountOf(w.ARN), key: w.ARN, value: r})
	return nil
}

func userElement(b *batch, value []byte) error {
	w, err := element[struct {
		ARN      string         `json:"Arn"`
		ID       string         `json:"UserId"`
		Name     string         `json:"UserName"`
		Created  instant        `json:"CreateDate"`
		Inline   []wirePolicy   `json:"UserPolicyList"`
		Attached []wireAttached `json:"AttachedManagedPolicies"`
		Boundary wireBoundary   `json:"PermissionsBoundary"`
		Groups   []string       `json:"GroupList"`
		Tags     []tag          `json:"Tags"`
	}](value)
	if err == nil && w.ARN == "" {
		err = errNoARN
	}
	if err != nil {
		return err
	}
	b.item(item{area: model.AreaIAMUsers, account: accountOf(w.ARN), key: w.ARN, value: &model.IAMUser{
		ARN: w.ARN, ID: w.ID, Name: w.Name, Created: w.Created.Time, Inline: inline(w.Inline), Attached: attached(w.Attached),
		Boundary: w.Boundary.ARN, Groups: sorted(w.Groups), Tags: tags(w.Tags),
	}})
	return nil
}

func groupElement(b *batch, value []byte) error {
	w, err := element[struct {
		ARN      string         `json:"Arn"`
		Name     string         `json:"GroupName"`
		Inline   []wirePolicy   `json:"GroupPolicyList"`
		Attached []wireAttached `json:"AttachedManagedPolicies"`
	}](value)
	if err == nil && w.ARN == "" {
		err = errNoARN
	}
	if err != nil {
		return err
	}
	b.item(item{area: model.AreaIAMGroups, account: accountOf(w.ARN), key: w.ARN, value: &model.IAMGroup{
		ARN: w.ARN, Name: w.Name, Inline: inline(w.Inline), Attached: attached(w.Attached),
	}})
	return nil
}

// policyElement reads a managed policy in its default version. Rows of `aws iam list-policies` have the same name and no
// versions; they say nothing.
func policyElement(b *batch, value []byte) error {
	w, err := element[struct {
		ARN      string `json:"Arn"`
		Name     string `json:"PolicyName"`
		Default  string `json:"DefaultVersionId"`
		Versions []struct {
			Document  policy `json:"Document"`
			ID        string `json:"VersionId"`
			IsDefault bool   `json:"IsDefaultVersion"`
		} `json:"PolicyVersionList"`
	}](value)
	if err == nil && w.ARN == "" {
		err = errNoARN
	}
	if err != nil || len(w.Versions) == 0 {
		return err
	}
	p := &model.IAMPolicy{ARN: w.ARN, Name: w.Name, Version: w.Default}
	for _, v := range w.Versions {
		if v.IsDefault || v.ID == w.Default {
			p.Document = v.Document.Document
		}
	}
	b.item(item{area: model.AreaIAMPolicies, account: accountOf(w.ARN), key: w.ARN, value: p})
	return nil
}

// sweepOf says which lists an answer of get-account-authorization-details has, and which of them are empty.
func sweepOf(doc *document) sweep {
	s := sweep{doc: doc.number, has: map[model.Area]bool{}, truncated: doc.truncated()}
	for _, member := range []string{"RoleDetailList", "UserDetailList", "GroupDetailList", "Policies"} {
		if n, ok := doc.streamed[member]; ok {
			s.has[areaOfKey[member][0]] = n > 0
		}
	}
	return s
}

func readOIDCProviders(p *part, doc *document) error {
	list, err := of[[]struct {
		ARN string `json:"Arn"`
	}](doc, "OpenIDConnectProviderList")
	if err != nil {
		return err
	}
	p.listings = append(p.listings, listing{area: model.AreaOIDCProviders, truncated: doc.truncated(), loc: doc.loc})
	for _, o := range list {
		p.listings = append(p.listings, listing{area: model.AreaOIDCProviders, of: accountOf(o.ARN), names: []string{o.ARN}, part: true, loc: doc.loc})
	}
	return nil
}

// readOIDCProvider reads the answer of get-open-id-connect-provider, which does not hold the provider's ARN: the ARN ends
// with the URL.
func readOIDCProvider(p *part, doc *document) error {
	w, err := whole[struct {
		URL       string   `json:"Url"`
		ClientIDs []string `json:"ClientIDList"`
		Created   instant  `json:"CreateDate"`
	}](doc)
	if err != nil {
		return err
	}
	url := strings.TrimPrefix(w.URL, "https://")
	p.item(doc, item{area: model.AreaOIDCProviders, key: url, value: &model.OIDCProvider{URL: url, ClientIDs: sorted(w.ClientIDs), Created: w.Created.Time}})
	return nil
}
