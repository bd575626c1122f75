package model

import "drawbridge/internal/finding"

// Organization is where an account stands in AWS Organizations, with the policies of every level that bind it. An account
// whose organization was read and is nil is in none.
type Organization struct {
	ID                string `json:"id"` // o-…
	ManagementAccount string `json:"managementAccount,omitempty"`
	// FeatureSet is ALL or CONSOLIDATED_BILLING; the latter has no policies.
	FeatureSet string `json:"featureSet,omitempty"`
	// Levels are the root, the organizational units and the account itself, in this order; none where they were not read.
	Levels []OrganizationLevel `json:"levels,omitempty"`
	// SCPsUnknown and RCPsUnknown say that not all policies of the kind were read.
	SCPsUnknown bool `json:"scpsUnknown,omitzero"`
	RCPsUnknown bool `json:"rcpsUnknown,omitzero"`
	At
}

// OrganizationLevel is one level with the policies that are attached to it. A kind of policy of which no level has any is
// not enabled in the organization.
type OrganizationLevel struct {
	ID   string               `json:"id"`             // r-…, ou-…, or the account's
	SCPs []OrganizationPolicy `json:"scps,omitempty"` // service control policies
	RCPs []OrganizationPolicy `json:"rcps,omitempty"` // resource control policies
}

// OrganizationPolicy is a policy of an organization. Its document is empty where it could not be read.
type OrganizationPolicy struct {
	ID       string   `json:"id"` // p-…
	Name     string   `json:"name,omitempty"`
	Document Document `json:"document,omitempty"`
}

// Subject names the organization.
func (o *Organization) Subject() finding.Subject {
	return finding.Subject{Kind: "Organization", Name: o.ID}
}

// unread counts what is missing of the organization, so that of two copies the fuller one is kept.
func (o *Organization) unread() int {
	n := 0
	for _, missing := range []bool{o.SCPsUnknown, o.RCPsUnknown, len(o.Levels) == 0} {
		if missing {
			n++
		}
	}
	return n
}

// Binds says whether the organization's policies bind an account: not its management account, and none where only its
// bills are joined (AWS Organizations User Guide, "Service control policies" and "Resource control policies", 2026-11).
func (o *Organization) Binds(account string) bool {
	return account != o.ManagementAccount && o.FeatureSet != "CONSOLIDATED_BILLING"
}
