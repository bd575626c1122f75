// Package decide is the authorizer of the stand-in for EKS access policies: Kubernetes' own, over roles and bindings made of
// what AWS publishes and of what access entries are associated with.
package decide

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/kubernetes/pkg/registry/rbac/validation"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"
)

// reasonPrefix is what the reasons of EKS begin with where an access policy allowed a request.
const reasonPrefix = "EKS Access Policy: "

// Association is an access policy of an access entry.
type Association struct {
	PrincipalARN string
	UniqueID     string
	PolicyARN    string
	Namespaces   []string // with wildcards; empty is the whole cluster
}

// Published are the access policies whose rules are known. One without published rules allows nothing here.
type Published []*rbacv1.ClusterRole

// Read reads the table of published rules, in JSON.
func Read(text []byte) (Published, error) {
	var table struct {
		Policies []struct {
			Name  string              `json:"name"`
			Rules []rbacv1.PolicyRule `json:"rules"`
		} `json:"policies"`
	}
	if err := json.Unmarshal(text, &table); err != nil {
		return nil, fmt.Errorf("read the published rules: %w", err)
	}
	var roles Published
	for _, p := range table.Policies {
		roles = append(roles, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: p.Name}, Rules: p.Rules})
	}
	return roles, nil
}

// Authorizer decides for one cluster.
type Authorizer struct {
	roles        Published
	associations map[string][]Association // by unique id
}

// New returns the authorizer of a cluster with these associations.
func New(published Published, associations []Association) *Authorizer {
	a := &Authorizer{published, map[string][]Association{}}
	for _, one := range associations {
		a.associations[one.UniqueID] = append(a.associations[one.UniqueID], one)
	}
	return a
}

// Allows says whether access policies allow a request of the principal with the unique id, and by which.
func (a *Authorizer) Allows(ctx context.Context, id string, spec authorizationv1.SubjectAccessReviewSpec) (bool, string) {
	request := attributes(id, spec)
	var wide []*rbacv1.ClusterRoleBinding
	var narrow []*rbacv1.RoleBinding
	for _, s := range a.associations[id] {
		meta := metav1.ObjectMeta{Name: s.PrincipalARN + "+" + s.PolicyARN}
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: s.PolicyARN[strings.LastIndex(s.PolicyARN, "/")+1:]}
		subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: id}}
		if len(s.Namespaces) == 0 {
			wide = append(wide, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
			continue
		}
		for _, pattern := range s.Namespaces {
			// A pattern is expanded to the one namespace of the request, if it matches: a binding in any other has no say in it.
			if matches, err := path.Match(pattern, request.Namespace); err == nil && matches && request.Namespace != "" {
				meta.Namespace = request.Namespace
				narrow = append(narrow, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
			}
		}
	}
	_, lister := validation.NewTestRuleResolver(nil, narrow, a.roles, wide)
	decision, reason, _ := rbac.New(lister, lister, lister, lister).Authorize(ctx, request)
	if decision != authorizer.DecisionAllow {
		return false, ""
	}
	return true, reasonPrefix + strings.TrimPrefix(reason, "RBAC: ")
}

func attributes(id string, spec authorizationv1.SubjectAccessReviewSpec) authorizer.AttributesRecord {
	a := authorizer.AttributesRecord{User: &user.DefaultInfo{Name: id}}
	if n := spec.NonResourceAttributes; n != nil {
		a.Verb, a.Path = n.Verb, n.Path
	}
	if r := spec.ResourceAttributes; r != nil {
		a.Verb, a.Namespace, a.APIGroup, a.APIVersion, a.Resource, a.Subresource, a.Name = r.Verb, r.Namespace, r.Group, r.Version, r.Resource, r.Subresource, r.Name
		a.ResourceRequest = true
	}
	return a
}
