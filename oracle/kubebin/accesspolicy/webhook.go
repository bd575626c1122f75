package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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

// association is an access policy of an access entry.
type association struct {
	PrincipalARN string
	UniqueID     string
	PolicyARN    string
	Namespaces   []string // with wildcards; empty is the whole cluster
}

// webhook answers SubjectAccessReviews. A policy without published rules allows nothing here.
type webhook struct {
	roles        []*rbacv1.ClusterRole
	associations map[string][]association // by unique id
}

// newWebhook reads the table of published rules and the associations of one cluster, both JSON.
func newWebhook(published, associations []byte) (*webhook, error) {
	var table struct {
		Policies []struct {
			Name  string              `json:"name"`
			Rules []rbacv1.PolicyRule `json:"rules"`
		} `json:"policies"`
	}
	if err := json.Unmarshal(published, &table); err != nil {
		return nil, fmt.Errorf("read the published rules: %w", err)
	}
	var list []association
	if err := json.Unmarshal(associations, &list); err != nil {
		return nil, fmt.Errorf("read the associations: %w", err)
	}
	w := &webhook{associations: map[string][]association{}}
	for _, p := range table.Policies {
		w.roles = append(w.roles, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: p.Name}, Rules: p.Rules})
	}
	for _, a := range list {
		w.associations[a.UniqueID] = append(w.associations[a.UniqueID], a)
	}
	return w, nil
}

// ServeHTTP answers one SubjectAccessReview. Who asks is told by the unique id that the authenticator adds, never by the
// username, which an access entry may choose.
func (w *webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	var review authorizationv1.SubjectAccessReview
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	review.Status = authorizationv1.SubjectAccessReviewStatus{}
	if ids := review.Spec.Extra["principalId"]; len(ids) == 1 {
		review.Status.Allowed, review.Status.Reason = w.decide(r.Context(), ids[0], review.Spec)
	}
	rw.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(rw).Encode(review); err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
	}
}

func (w *webhook) decide(ctx context.Context, id string, spec authorizationv1.SubjectAccessReviewSpec) (bool, string) {
	a := attributes(id, spec)
	var wide []*rbacv1.ClusterRoleBinding
	var narrow []*rbacv1.RoleBinding
	for _, s := range w.associations[id] {
		meta := metav1.ObjectMeta{Name: s.PrincipalARN + "+" + s.PolicyARN}
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: s.PolicyARN[strings.LastIndex(s.PolicyARN, "/")+1:]}
		subjects := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: id}}
		if len(s.Namespaces) == 0 {
			wide = append(wide, &rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
			continue
		}
		for _, pattern := range s.Namespaces {
			// A pattern is expanded to the one namespace of the request, if it matches: a binding in any other has no say in it.
			if matches, err := path.Match(pattern, a.Namespace); err == nil && matches && a.Namespace != "" {
				meta.Namespace = a.Namespace
				narrow = append(narrow, &rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
			}
		}
	}
	_, lister := validation.NewTestRuleResolver(nil, narrow, w.roles, wide)
	decision, reason, _ := rbac.New(lister, lister, lister, lister).Authorize(ctx, a)
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
