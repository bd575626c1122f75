package apply

import (
	"context"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"drawbridge/internal/plan"
	"drawbridge/internal/rbac"
)

// Allowed shows what a username and groups are bound to. That EKS takes a principal for them it does not show: only a call of the
// principal's own does.
func (k kubernetes) Allowed(ctx context.Context, r rbac.Request) (bool, error) {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: r.User, Groups: r.Groups}}
	if r.NonResourceURL != "" {
		review.Spec.NonResourceAttributes = &authorizationv1.NonResourceAttributes{Verb: r.Verb, Path: r.NonResourceURL}
	} else {
		review.Spec.ResourceAttributes = &authorizationv1.ResourceAttributes{
			Verb: r.Verb, Namespace: r.Namespace, Group: r.APIGroup, Version: "*", Resource: r.Resource, Subresource: r.Subresource, Name: r.Name,
		}
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(review)
	if err != nil {
		return false, err
	}
	u := &unstructured.Unstructured{Object: fields}
	u.SetGroupVersionKind(authorizationv1.SchemeGroupVersion.WithKind("SubjectAccessReview"))
	answer, err := k.api.Resource(reviews).Create(ctx, u, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	allowed, _, err := unstructured.NestedBool(answer.Object, "status", "allowed")
	return allowed, err
}

var reviews = authorizationv1.SchemeGroupVersion.WithResource("subjectaccessreviews")

// asking is the rule that questions to the authorizer take. Without it nothing is asked, and steps are read back only.
var asking = rbacv1.PolicyRule{APIGroups: []string{reviews.Group}, Resources: []string{reviews.Resource}, Verbs: []string{"create"}}

// letsIn says whether a change lets somebody in, or gives who came in more: reading it back shows that EKS has it, not that it works.
func letsIn(c plan.Change) bool {
	switch c.(type) {
	case plan.CreateAccessEntry, plan.UpdateAccessEntry, plan.AssociateAccessPolicy:
		return true
	}
	return false
}

// confirm puts a step's questions to the authorizer. It says what that told, and whether it confirms the step. That the
// authorizer denies what the plan says is allowed is an error; that it cannot be asked is not.
func (r *run) confirm(ctx context.Context, t task, c plan.Change) (said string, confirmed bool, err error) {
	if t.Undo > 0 || r.journal.undoing || !letsIn(c) {
		return "", true, nil
	}
	if _, ok := c.(plan.AssociateAccessPolicy); ok {
		return "the authorizer was not asked: it knows access policies by the principal, which only the principal itself shows", false, nil
	}
	questions := r.Questions[t.Step]
	switch {
	case len(questions) == 0:
		return "the authorizer was not asked: nothing is known that it would allow", false, nil
	case r.Clients.Kubernetes == nil:
		return "the authorizer was not asked: this run has no access to the Kubernetes API", false, nil
	}
	for _, q := range questions {
		allowed, err := r.Clients.Kubernetes.Allowed(ctx, q)
		switch {
		case apierrors.IsForbidden(err):
			return "the authorizer was not asked: no right to create subjectaccessreviews", false, nil
		case err != nil && ctx.Err() != nil:
			return "", false, err
		case err != nil:
			return fmt.Sprintf("the authorizer was not asked: %v", err), false, nil
		case !allowed:
			return "", false, &Changed{fmt.Sprintf("the authorizer does not let %s %s, which the plan says it does: roles or bindings were changed", nameOf(q), q)}
		}
	}
	return fmt.Sprintf("the authorizer lets %s %s; that EKS takes the principal for that is not asked", nameOf(questions[0]), questions[0]), true, nil
}

func nameOf(q rbac.Request) string {
	if len(q.Groups) == 0 {
		return q.User
	}
	return strings.TrimSpace(q.User + " in groups " + strings.Join(q.Groups, ", "))
}
