// Package model holds the snapshot: the identity state of Amazon EKS clusters and of their AWS accounts at one
// instant, with the gaps of what could not be read. It holds types, their encoding and Merge. Whatever concludes
// something from a snapshot belongs to package access or above. It reads no files and knows no client library.
//
// Nothing secret has a place in these types: no Secret values, of ConfigMaps only aws-auth, of environment variables
// and volumes only names and references.
package model

import (
	"slices"
	"time"

	"drawbridge/internal/finding"
)

// Version is the version of the snapshot format that this drawbridge writes. Older ones are read, newer ones refused.
const Version = "drawbridge.snapshot/v1"

// Snapshot is the identity state of one or many clusters and their accounts at one instant.
type Snapshot struct {
	Time     time.Time
	Tool     string
	Clusters []*Cluster
	Accounts []*Account
	// Gaps is what could not be read. An area of a cluster or account that is neither in Read nor here was not
	// asked for; Complete turns those into gaps.
	Gaps []finding.Gap
}

// Cluster is one EKS cluster: what EKS holds about it and what its Kubernetes API holds.
type Cluster struct {
	Name      string `json:"name"`
	ARN       string `json:"arn,omitempty"`
	Account   string `json:"account,omitempty"`
	Region    string `json:"region,omitempty"`
	Partition string `json:"partition,omitempty"`

	// Read holds the areas that were read, whatever they contained. One that was read in part has a gap besides.
	Read map[Area]bool `json:"-"`

	// What the EKS, EC2 and CloudWatch Logs APIs say.
	Description             *Description              `json:"-"`
	AccessEntries           []*AccessEntry            `json:"-"`
	PolicyAssociations      []*PolicyAssociation      `json:"-"`
	PodIdentityAssociations []*PodIdentityAssociation `json:"-"`
	Nodegroups              []*Nodegroup              `json:"-"`
	FargateProfiles         []*FargateProfile         `json:"-"`
	Addons                  []*Addon                  `json:"-"`
	Capabilities            []*Capability             `json:"-"`
	IdentityProviders       []*IdentityProvider       `json:"-"`
	AccessPolicies          []*AccessPolicy           `json:"-"`
	LogGroup                *LogGroup                 `json:"-"`
	Instances               []*Instance               `json:"-"`
	LaunchTemplates         []*LaunchTemplate         `json:"-"`

	// What the Kubernetes API says.
	Namespaces          []*Namespace          `json:"-"`
	ServiceAccounts     []*ServiceAccount     `json:"-"`
	Pods                []*Pod                `json:"-"`
	Workloads           []*Workload           `json:"-"`
	Roles               []*Role               `json:"-"`
	ClusterRoles        []*Role               `json:"-"`
	RoleBindings        []*Binding            `json:"-"`
	ClusterRoleBindings []*Binding            `json:"-"`
	AWSAuth             *AWSAuth              `json:"-"`
	Nodes               []*Node               `json:"-"`
	NodeClasses         []*NodeClass          `json:"-"`
	MutatingWebhooks    []*MutatingWebhook    `json:"-"`
	AdmissionPolicies   []*AdmissionPolicy    `json:"-"`
	PolicyBindings      []*AdmissionPolicyUse `json:"-"`
}

// Account is one AWS account: its IAM, its CloudTrail trails, and its place in an organization.
type Account struct {
	ID        string `json:"id"`
	Partition string `json:"partition,omitempty"`
	// AllClustersOf names the regions of which all clusters of the account are in the snapshot, so that absence means
	// something.
	AllClustersOf []string `json:"allClustersOf,omitempty"`

	// Read holds the areas that were read, whatever they contained.
	Read map[Area]bool `json:"-"`

	Roles         []*IAMRole      `json:"-"`
	Users         []*IAMUser      `json:"-"`
	Groups        []*IAMGroup     `json:"-"`
	Policies      []*IAMPolicy    `json:"-"`
	OIDCProviders []*OIDCProvider `json:"-"`
	Trails        []*Trail        `json:"-"`
	Organization  *Organization   `json:"-"`
}

// Account returns the account with this id, or nil.
func (s *Snapshot) Account(id string) *Account {
	for _, a := range s.Accounts {
		if a.ID == id {
			return a
		}
	}
	return nil
}

// Label is how a cluster is called in results: its name, or its ARN where two clusters of the snapshot share a name.
func (s *Snapshot) Label(c *Cluster) string {
	for _, other := range s.Clusters {
		if other != c && other.Name == c.Name && c.ARN != "" {
			return c.ARN
		}
	}
	return c.Name
}

// ID is the cluster's ARN, or its name where the ARN is not known.
func (c *Cluster) ID() string {
	if c.ARN != "" {
		return c.ARN
	}
	return c.Name
}

// Facts are what results say of the cluster.
func (c *Cluster) Facts() finding.Cluster {
	d := finding.Cluster{Name: c.Name, ARN: c.ARN, Account: c.Account, Region: c.Region, Partition: c.Partition}
	if c.Description != nil {
		d.AuthenticationMode, d.KubernetesVersion = c.Description.AuthenticationMode, c.Description.KubernetesVersion
	}
	return d
}

// AuthenticationMode is CONFIG_MAP, API_AND_CONFIG_MAP or API, or "" where it was not read.
func (c *Cluster) AuthenticationMode() string {
	if c.Description == nil {
		return ""
	}
	return c.Description.AuthenticationMode
}

// MarkRead records that areas of the cluster were read.
func (c *Cluster) MarkRead(areas ...Area) {
	if c.Read == nil {
		c.Read = map[Area]bool{}
	}
	for _, a := range areas {
		c.Read[a] = true
	}
}

// MarkRead records that areas of the account were read.
func (a *Account) MarkRead(areas ...Area) {
	if a.Read == nil {
		a.Read = map[Area]bool{}
	}
	for _, area := range areas {
		a.Read[area] = true
	}
}

// GapsFor returns the gaps of one area that concern a cluster: its own and those of its account.
func (s *Snapshot) GapsFor(c *Cluster, area Area) []finding.Gap {
	var gaps []finding.Gap
	label := s.Label(c)
	for _, g := range s.Gaps {
		if g.Area == string(area) && (g.Cluster == label || g.Cluster == "" && (g.Account == c.Account || g.Account == "")) {
			gaps = append(gaps, g)
		}
	}
	return gaps
}

// NotInInput is the reason of a gap that is none of a reader: nobody asked for the area.
const NotInInput = "not in the input"

// Complete adds a gap for every area of every cluster, and of every cluster's account, that was neither read nor has a
// gap already, with the reason given: what nobody looked at is never shown as clean. Optional areas are left out.
func (s *Snapshot) Complete(reason string) { s.Gaps = append(s.Gaps, s.unread(reason, Areas)...) }

// GapsIn returns the gaps of some areas as Complete would leave them, and leaves the snapshot as it is.
func (s *Snapshot) GapsIn(reason string, areas ...Area) []finding.Gap {
	var gaps []finding.Gap
	for _, g := range s.Gaps {
		if slices.Contains(areas, Area(g.Area)) {
			gaps = append(gaps, g)
		}
	}
	var infos []AreaInfo
	for _, i := range Areas {
		if slices.Contains(areas, i.Area) {
			infos = append(infos, i)
		}
	}
	return append(gaps, s.unread(reason, infos)...)
}

// unread makes a gap for each of the areas that was neither read nor has a gap.
func (s *Snapshot) unread(reason string, areas []AreaInfo) []finding.Gap {
	var gaps []finding.Gap
	have := map[string]bool{}
	for _, g := range s.Gaps {
		have[g.Area+"\x00"+g.Cluster+"\x00"+g.Account] = true
	}
	add := func(a AreaInfo, cluster, account string) {
		if key := string(a.Area) + "\x00" + cluster + "\x00" + account; !have[key] {
			have[key] = true
			gaps = append(gaps, finding.Gap{Area: string(a.Area), Action: a.Action, Reason: reason, Cluster: cluster, Account: account})
		}
	}
	for _, c := range s.Clusters {
		account := s.Account(c.Account)
		for _, a := range areas {
			switch {
			case a.Optional:
			case a.OfAccount && (account == nil || !account.Read[a.Area]):
				add(a, "", c.Account)
			case !a.OfAccount && !c.Read[a.Area]:
				add(a, s.Label(c), "")
			}
		}
	}
	return gaps
}
