// Package rbac is the language of Kubernetes RBAC: whether a rule allows a request, whether rules
// cover other rules, what a subject holds and through which binding, who holds a request, and
// which holdings are powerful.
//
// Its semantics are those of the RBAC authorizer of Kubernetes 1.36 (k8s.io/kubernetes v1.36.3,
// plugin/pkg/auth/authorizer/rbac, read 2026-11); oracle/rbac compares the two. It knows nothing of EKS access
// policies, node authorization or admission, reads no cluster, and uses k8s.io/api types as they are.
package rbac
