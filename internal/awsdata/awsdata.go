// Package awsdata holds embedded facts about AWS with the date they were read: what AWS publishes about EKS access
// policies, the AWS managed policies, and the Service Authorization Reference with its actions, resource types and condition
// keys. What nobody asks for is not unpacked. It draws no conclusions and calls nothing.
package awsdata

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
)

// accessPoliciesJSON was transcribed from the EKS User Guide's page of access policy permissions; each policy names its
// source. AWS has no API that tells a policy's rules.
//
//go:embed access-policies.json
var accessPoliciesJSON []byte

// AccessPolicy is what AWS publishes about one EKS access policy.
type AccessPolicy struct {
	Name  string              `json:"name"`
	Rules []rbacv1.PolicyRule `json:"rules"`
	// RulesPublished is false where AWS publishes prose or nothing: the rules are then unknown, not empty.
	RulesPublished bool `json:"rulesPublished"`
	// ServiceLinkedRoleOnly says that AWS reserves the policy to its own service-linked roles.
	ServiceLinkedRoleOnly bool `json:"serviceLinkedRoleOnly"`
	// Narrative is what AWS says of a policy in words.
	Narrative string `json:"narrative"`
	// Confidence is aws-docs, secondary (a source other than AWS) or name-only.
	Confidence string `json:"confidence"`
	Source     string `json:"source"`
	Note       string `json:"note"`
}

type accessPolicyTable struct {
	Date     string         `json:"date"`
	Policies []AccessPolicy `json:"policies"`
	byName   map[string]*AccessPolicy
}

var accessPolicies = sync.OnceValue(func() *accessPolicyTable {
	var t accessPolicyTable
	if err := json.Unmarshal(accessPoliciesJSON, &t); err != nil {
		panic("embedded access policies: " + err.Error())
	}
	t.byName = make(map[string]*AccessPolicy, len(t.Policies))
	for i := range t.Policies {
		t.byName[t.Policies[i].Name] = &t.Policies[i]
	}
	return &t
})

// AccessPolicies returns all access policies of the table. The caller must not change them.
func AccessPolicies() []AccessPolicy { return accessPolicies().Policies }

// AccessPoliciesDate is the day on which the table was last compared with AWS's page, as 2006-01-02.
func AccessPoliciesDate() string { return accessPolicies().Date }

// LookupAccessPolicy returns what is known of the access policy with this ARN, of any partition, or false for an ARN
// that the table does not have.
func LookupAccessPolicy(arn string) (*AccessPolicy, bool) {
	prefix, name, ok := strings.Cut(arn, ":cluster-access-policy/")
	if !ok || !strings.HasPrefix(prefix, "arn:aws") || !strings.HasSuffix(prefix, ":eks::aws") {
		return nil, false
	}
	p, ok := accessPolicies().byName[name]
	return p, ok
}
