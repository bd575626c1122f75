// Package authenticator maps an IAM principal to the Kubernetes username and
// groups that an EKS API server sees: aws-auth, access entries, authentication
// mode and the precedence between them.
//
// It re-implements what aws-iam-authenticator v0.7.8 does (reference: sigs.k8s.io/aws-iam-authenticator,
// packages arn, config, mapper/configmap, mapper/dynamicfile and server, read 2026-11) so
// that the answer can be computed from a snapshot; oracle/authenticator compares the two.
// It reads no cluster, verifies no token, calls no AWS or Kubernetes client, and does
// not say what a username may do: that is RBAC and the access policies. It does not know
// the hidden creator of a CONFIG_MAP cluster, who is in neither store.
package authenticator
