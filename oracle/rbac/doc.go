// Package oracle compares internal/rbac with the RBAC authorizer and the aggregation controller of the real
// Kubernetes. It is a module of its own because those live in k8s.io/kubernetes, which pins
// every Kubernetes library. Nothing imports it; it holds only tests.
package oracle
