// Package oracle compares `drawbridge access check` and `who-can` with a whole lab that is asked the same: a token made for
// an IAM principal, the real aws-iam-authenticator, the real kube-apiserver with its authorizers Node and RBAC, and behind
// them the webhook for EKS access policies, oracle/kubebin/accesspolicy. What drawbridge is asked about is a snapshot that
// its own sources collected from that lab.
//
// It also carries out the attacks of the Kubernetes audit catalogue in such a lab, in several ways each, and runs what the API
// server logged under EKS' audit policy through the detections; and a day of ordinary work, in which nothing may be found.
//
// Nothing imports it; it holds only tests. What it cannot show: that the rules which AWS publishes are those that EKS
// applies, for both sides have them from one table.
package oracle
