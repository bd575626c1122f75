package aws

import (
	"cmp"
	"slices"
)

// Organization is an AWS organization: a tree of units and accounts with the policies that are attached to them.
type Organization struct {
	ID                string // o-…
	ManagementAccount string
	FeatureSet        string // ALL by default
	Root              Unit
	Policies          []OrganizationPolicy
	// Delegated are the accounts that may read the organization as the management account may.
	Delegated []string
}

// Unit is the root of an organization or an organizational unit. Attached are the ids of policies; where the type of
// policy is in use somewhere in the organization and a unit or account names none of it, AWS's own that allows everything is
// attached, as AWS does when the type is enabled ("Enabling a policy type", AWS Organizations User Guide, 2026-11).
type Unit struct {
	ID       string // r-… or ou-…
	Attached []string
	Units    []Unit
	Accounts []Member
}

// Member is an account of an organization.
type Member struct {
	ID       string
	Attached []string
}

// OrganizationPolicy is a policy of an organization, of type SERVICE_CONTROL_POLICY or RESOURCE_CONTROL_POLICY.
type OrganizationPolicy struct {
	ID, Name, Type, Content string
}

// full are AWS's own policies by type. That for resources is always attached (AWS Organizations User Guide, "Resource
// control policy examples", 2026-11).
var full = map[string]OrganizationPolicy{
	"SERVICE_CONTROL_POLICY": {
		"p-FullAWSAccess", "FullAWSAccess", "SERVICE_CONTROL_POLICY",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
	},
	"RESOURCE_CONTROL_POLICY": {
		"p-RCPFullAWSAccess", "RCPFullAWSAccess", "RESOURCE_CONTROL_POLICY",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`,
	},
}

// PutOrganization adds or replaces an organization. Its accounts need not exist.
func (s *Server) PutOrganization(o Organization) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fill(&o.FeatureSet, "ALL")
	s.organizations = append(slices.DeleteFunc(s.organizations, func(old *organization) bool { return old.ID == o.ID }), newOrganization(o))
}

// organization is an organization with its tree by id.
type organization struct {
	Organization
	parent   map[string]string   // of a unit or account
	attached map[string][]string // policy ids of a root, unit or account
	policies map[string]OrganizationPolicy
}

func newOrganization(o Organization) *organization {
	org := &organization{Organization: o, parent: map[string]string{}, attached: map[string][]string{}, policies: map[string]OrganizationPolicy{}}
	enabled := map[string]bool{}
	for _, p := range o.Policies {
		org.policies[p.ID] = p
		enabled[p.Type] = true
	}
	for _, p := range full {
		if enabled[p.Type] {
			org.policies[p.ID] = p
		}
	}
	org.add("", o.Root)
	return org
}

func (o *organization) add(parent string, u Unit) {
	o.put(u.ID, parent, u.Attached)
	for _, child := range u.Units {
		o.add(u.ID, child)
	}
	for _, a := range u.Accounts {
		o.put(a.ID, u.ID, a.Attached)
	}
}

func (o *organization) put(id, parent string, attached []string) {
	if parent != "" {
		o.parent[id] = parent
	}
	attached = slices.Clone(attached)
	for _, p := range full {
		if _, enabled := o.policies[p.ID]; !enabled {
			continue
		}
		others := slices.ContainsFunc(attached, func(id string) bool { return o.policies[id].Type == p.Type })
		if !others || p.Type == "RESOURCE_CONTROL_POLICY" {
			attached = append(attached, p.ID)
		}
	}
	slices.Sort(attached)
	o.attached[id] = slices.Compact(attached)
}

// organizationOperations are the operations of Organizations that the lab has.
var organizationOperations = map[string]handler{
	"DescribeOrganization":  op(describeOrganization),
	"DescribePolicy":        op(describeOrganizationPolicy),
	"ListParents":           op(listParents),
	"ListPoliciesForTarget": op(listPoliciesForTarget),
}

// organization is that of the caller's account.
func (c *call) organization() (*organization, error) {
	for _, o := range c.srv.organizations {
		if o.ManagementAccount == c.acct.ID || o.parent[c.acct.ID] != "" {
			return o, nil
		}
	}
	return nil, refuse("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
}

// administered is the caller's organization, if the caller may read it: most operations can be called "only from the
// management account or a member account that is a delegated administrator" (Organizations API Reference, 2026-11).
func (c *call) administered() (*organization, error) {
	o, err := c.organization()
	if err == nil && o.ManagementAccount != c.acct.ID && !slices.Contains(o.Delegated, c.acct.ID) {
		return nil, refuse("AccessDeniedException", "You don't have permissions to access this resource.")
	}
	return o, err
}

func (o *organization) arn(c *call, resource string) string {
	return "arn:" + c.acct.Partition + ":organizations::" + o.ManagementAccount + ":" + resource
}

type describeOrganizationOut struct {
	Organization organizationOut
}

type organizationOut struct {
	ID                 string `json:"Id"`
	ARN                string `json:"Arn"`
	FeatureSet         string
	MasterAccountARN   string `json:"MasterAccountArn"`
	MasterAccountID    string `json:"MasterAccountId"`
	MasterAccountEmail string
}

func describeOrganization(c *call, _ *struct{}) (describeOrganizationOut, error) {
	o, err := c.organization()
	if err != nil {
		return describeOrganizationOut{}, err
	}
	return describeOrganizationOut{organizationOut{
		ID: o.ID, ARN: o.arn(c, "organization/"+o.ID), FeatureSet: o.FeatureSet, MasterAccountID: o.ManagementAccount,
		MasterAccountARN: o.arn(c, "account/"+o.ID+"/"+o.ManagementAccount), MasterAccountEmail: "root@example.com",
	}}, nil
}

type listParentsIn struct {
	ChildID    string `json:"ChildId"`
	NextToken  string
	MaxResults *int
}

type listParentsOut struct {
	Parents   []parentOut
	NextToken string `json:",omitempty"`
}

type parentOut struct {
	ID   string `json:"Id"`
	Type string
}

func listParents(c *call, in *listParentsIn) (listParentsOut, error) {
	o, err := c.administered()
	if err != nil {
		return listParentsOut{}, err
	}
	parent := o.parent[in.ChildID]
	if parent == "" {
		return listParentsOut{}, refuse("ChildNotFoundException", "You specified a child that doesn't exist.")
	}
	kind := "ORGANIZATIONAL_UNIT"
	if parent == o.Root.ID {
		kind = "ROOT"
	}
	items, next, err := page(c, []parentOut{{parent, kind}}, in.ChildID, in.NextToken, in.MaxResults, organizationPages)
	return listParentsOut{items, next}, err
}

type policiesForTargetIn struct {
	TargetID   string `json:"TargetId"`
	Filter     string
	NextToken  string
	MaxResults *int
}

type policiesForTargetOut struct {
	Policies  []policySummaryOut
	NextToken string `json:",omitempty"`
}

type policySummaryOut struct {
	ID          string `json:"Id"`
	ARN         string `json:"Arn"`
	Name        string
	Description string
	Type        string
	AWSManaged  bool `json:"AwsManaged"`
}

func (o *organization) summary(c *call, p OrganizationPolicy) policySummaryOut {
	kind := map[string]string{"SERVICE_CONTROL_POLICY": "service_control_policy", "RESOURCE_CONTROL_POLICY": "resource_control_policy"}[p.Type]
	out := policySummaryOut{ID: p.ID, Name: p.Name, Type: p.Type, AWSManaged: p == full[p.Type]}
	out.ARN = o.arn(c, "policy/"+o.ID+"/"+kind+"/"+p.ID)
	if out.AWSManaged {
		out.ARN = "arn:" + c.acct.Partition + ":organizations::aws:policy/" + kind + "/" + p.ID
	}
	return out
}

func listPoliciesForTarget(c *call, in *policiesForTargetIn) (policiesForTargetOut, error) {
	o, err := c.administered()
	if err != nil {
		return policiesForTargetOut{}, err
	}
	attached, ok := o.attached[in.TargetID]
	if !ok {
		return policiesForTargetOut{}, refuse("TargetNotFoundException", "You specified a target that doesn't exist.")
	}
	all := []policySummaryOut{}
	for _, id := range attached {
		if p := o.policies[id]; p.Type == in.Filter {
			all = append(all, o.summary(c, p))
		}
	}
	slices.SortFunc(all, func(a, b policySummaryOut) int { return cmp.Compare(a.ID, b.ID) })
	items, next, err := page(c, all, in.TargetID+"\x00"+in.Filter, in.NextToken, in.MaxResults, organizationPages)
	return policiesForTargetOut{items, next}, err
}

type organizationPolicyIn struct {
	PolicyID string `json:"PolicyId"`
}

type describeOrganizationPolicyOut struct {
	Policy organizationPolicyOut
}

type organizationPolicyOut struct {
	PolicySummary policySummaryOut
	Content       string
}

func describeOrganizationPolicy(c *call, in *organizationPolicyIn) (describeOrganizationPolicyOut, error) {
	o, err := c.administered()
	if err != nil {
		return describeOrganizationPolicyOut{}, err
	}
	p, ok := o.policies[in.PolicyID]
	if !ok {
		return describeOrganizationPolicyOut{}, refuse("PolicyNotFoundException", "You specified a policy that doesn't exist.")
	}
	return describeOrganizationPolicyOut{organizationPolicyOut{o.summary(c, p), p.Content}}, nil
}
