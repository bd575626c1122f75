// Package aws reads EKS clusters and the account they live in into a snapshot, through the AWS APIs and by read calls
// only: the interfaces in clients.go are all it can call, and a test holds every method of them to List, Describe, Get
// or Simulate. Roles are assumed through the SDK's credentials provider alone.
//
// What cannot be read becomes a gap and the rest is read on. The package draws no conclusions, knows no Kubernetes API
// and writes no files or logs.
package aws
