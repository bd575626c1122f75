// Package oracle compares `drawbridge access check` with a whole lab that is asked the same: a token made for an IAM
// principal, the real aws-iam-authenticator, the real kube-apiserver with its authorizers Node and RBAC, and behind them
// the webhook of package accesspolicy for EKS access policies. What drawbridge is asked about is a snapshot that its own
// sources collected from that lab.
//
// It is a module of its own because the webhook decides by code of k8s.io/kubernetes, which pins every Kubernetes
// library. Nothing imports it; it holds only tests.
package oracle
