package plan

import (
	"slices"
	"strings"

	"drawbridge/internal/model"
)

// AssociateAccessPolicy gives an access entry an access policy. Where it has that policy its scope is replaced.
type AssociateAccessPolicy struct {
	Cluster      string            `json:"cluster"`
	PrincipalARN string            `json:"principalArn"`
	PolicyARN    string            `json:"policyArn"`
	Scope        model.AccessScope `json:"scope"`
}

// Apply adds the policy association, or replaces the scope of the one that is there (EKS User Guide, "Associate access
// policies with access entries", 2026-11). Entries of nodes take none, but for Auto Mode's.
func (c AssociateAccessPolicy) Apply(s *model.Snapshot) error {
	k, i, err := c.find(s)
	if err != nil {
		return err
	}
	a := &model.PolicyAssociation{PrincipalARN: c.PrincipalARN, PolicyARN: c.PolicyARN}
	if i < 0 {
		a.Scope = cloneScope(c.Scope)
		k.PolicyAssociations = added(k.PolicyAssociations, a)
		return nil
	}
	*a = *k.PolicyAssociations[i]
	a.Scope = cloneScope(c.Scope)
	k.PolicyAssociations = replaced(k.PolicyAssociations, i, a)
	return nil
}

// find finds what the association would replace, or -1, and makes sure that EKS would take it.
func (c AssociateAccessPolicy) find(s *model.Snapshot) (*model.Cluster, int, error) {
	k, e, err := findEntry(s, c.Cluster, c.PrincipalARN)
	if err != nil {
		return nil, 0, err
	}
	object := "access entry of " + c.PrincipalARN
	if entry := k.AccessEntries[e]; entry.IsNode() && entry.Type != model.EntryEC2 {
		return nil, 0, &Unmet{object, "one that takes access policies", "type " + entry.Type}
	}
	switch namespaces := len(c.Scope.Namespaces); {
	case c.Scope.Type == model.ScopeCluster && namespaces == 0, c.Scope.Type == model.ScopeNamespace && namespaces > 0:
	default:
		return nil, 0, &Unmet{object, "the cluster as scope, or at least one namespace", c.Scope.Type + " with namespaces " + listed(c.Scope.Namespaces)}
	}
	i := slices.IndexFunc(k.PolicyAssociations, associationOf(c.PrincipalARN, c.PolicyARN))
	if i >= 0 && sameScope(k.PolicyAssociations[i].Scope, c.Scope) {
		return nil, 0, &Unmet{object, "not yet " + c.PolicyARN + " on " + c.Scope.String(), "just that"}
	}
	return k, i, nil
}

// Inverse puts the old scope back, or takes the policy away.
func (c AssociateAccessPolicy) Inverse(before *model.Snapshot) ([]Change, error) {
	k, i, err := c.find(before)
	if err != nil {
		return nil, err
	}
	if i < 0 {
		return []Change{DisassociateAccessPolicy{c.Cluster, c.PrincipalARN, c.PolicyARN}}, nil
	}
	return undoing(before, c, AssociateAccessPolicy{c.Cluster, c.PrincipalARN, c.PolicyARN, k.PolicyAssociations[i].Scope})
}

func (c AssociateAccessPolicy) String() string {
	return "give the access entry of " + c.PrincipalARN + " " + c.PolicyARN + " on " + c.Scope.String()
}

func (c AssociateAccessPolicy) details() details {
	scope := "type=" + c.Scope.Type
	if len(c.Scope.Namespaces) > 0 {
		scope += ",namespaces=" + strings.Join(c.Scope.Namespaces, ",")
	}
	return details{
		target:       entryTarget(c.Cluster, c.PrincipalARN),
		command:      eks("associate-access-policy", c.Cluster, "--principal-arn", c.PrincipalARN, "--policy-arn", c.PolicyARN, "--access-scope", scope),
		precondition: "the access entry is there and has not that policy with that scope", verify: listPolicies(c.Cluster, c.PrincipalARN),
	}
}

// DisassociateAccessPolicy takes an access policy away from an access entry.
type DisassociateAccessPolicy struct {
	Cluster      string `json:"cluster"`
	PrincipalARN string `json:"principalArn"`
	PolicyARN    string `json:"policyArn"`
}

// Apply removes the policy association.
func (c DisassociateAccessPolicy) Apply(s *model.Snapshot) error {
	k, i, err := c.find(s)
	if err != nil {
		return err
	}
	k.PolicyAssociations = without(k.PolicyAssociations, i)
	return nil
}

func (c DisassociateAccessPolicy) find(s *model.Snapshot) (*model.Cluster, int, error) {
	k, _, err := findEntry(s, c.Cluster, c.PrincipalARN)
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(k.PolicyAssociations, associationOf(c.PrincipalARN, c.PolicyARN))
	if i < 0 {
		return nil, 0, &Unmet{"access entry of " + c.PrincipalARN, c.PolicyARN, "not that policy"}
	}
	return k, i, nil
}

// Inverse gives the policy back with its scope.
func (c DisassociateAccessPolicy) Inverse(before *model.Snapshot) ([]Change, error) {
	k, i, err := c.find(before)
	if err != nil {
		return nil, err
	}
	return undoing(before, c, AssociateAccessPolicy{c.Cluster, c.PrincipalARN, c.PolicyARN, k.PolicyAssociations[i].Scope})
}

func (c DisassociateAccessPolicy) String() string {
	return "take " + c.PolicyARN + " away from the access entry of " + c.PrincipalARN
}

func (c DisassociateAccessPolicy) details() details {
	return details{
		target:       entryTarget(c.Cluster, c.PrincipalARN),
		command:      eks("disassociate-access-policy", c.Cluster, "--principal-arn", c.PrincipalARN, "--policy-arn", c.PolicyARN),
		precondition: "the access entry has that policy", verify: listPolicies(c.Cluster, c.PrincipalARN),
	}
}

func listPolicies(cluster, principal string) string {
	return eks("list-associated-access-policies", cluster, "--principal-arn", principal)
}

// associationOf matches the associations of a principal, with one policy or, where that is "", with any.
func associationOf(principal, policy string) func(*model.PolicyAssociation) bool {
	return func(a *model.PolicyAssociation) bool {
		return a.PrincipalARN == principal && (policy == "" || a.PolicyARN == policy)
	}
}

func sameScope(a, b model.AccessScope) bool {
	return a.Type == b.Type && slices.Equal(a.Namespaces, b.Namespaces)
}

func cloneScope(s model.AccessScope) model.AccessScope {
	s.Namespaces = slices.Clone(s.Namespaces)
	return s
}
